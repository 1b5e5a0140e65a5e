//! The worker's standard output and error: into rotated files line by line, the last lines and the end of each kept in
//! memory.
//!
//! A worker must never wait for its log. So the pipes are always read; what cannot be written (a full disk) is counted and
//! dropped, and the file says so when it can be written again.

mod lines;
mod log_files;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use model::Clock;

pub(crate) use log_files::{LogFiles, LogLimits};

use self::lines::LineSplitter;
use crate::SystemClock;
use crate::sys::descriptors::{pipe_capacity, set_nonblocking};

/// How much of the end of each the analysis gets.
const END_KEPT_BYTES: usize = 64 << 10;

/// How many lines `Tail` can answer.
pub(crate) const LINES_KEPT: usize = 200;

/// How much of each of them.
const LINE_KEPT_BYTES: usize = 2_048;

/// What one turn of the loop reads from one pipe at most, so that a chattering worker does not keep the loop from the rest.
const TURN_BYTES: usize = 256 << 10;

/// How long before its death a process says its last words. Ours: Ruby's report of a fault takes a second on a busy machine.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What came within this time is told apart from nothing.
const MARK_EVERY: Duration = Duration::from_millis(100);

/// So many marks reach further back than [`LAST_WORDS`].
const MARKS: usize = 64;

/// One of the two pipes.
struct Source {
    /// Closed when the other side is.
    pipe: Option<File>,
    lines: LineSplitter,
    end: VecDeque<u8>,
    /// When the parts of `end` came, by the monotonic clock, and how long they are; the oldest may be cut off already.
    marks: VecDeque<(Duration, usize)>,
}

/// Both pipes and where their content goes.
pub(crate) struct Output {
    stdout: Source,
    stderr: Source,
    files: LogFiles,
    last_lines: VecDeque<Vec<u8>>,
    buffer: Vec<u8>,
    clock: SystemClock,
}

impl Output {
    /// Takes over the reading ends.
    pub(crate) fn new(output: OwnedFd, error: OwnedFd, files: LogFiles) -> io::Result<Self> {
        set_nonblocking(output.as_fd())?;
        set_nonblocking(error.as_fd())?;
        let source = |pipe: OwnedFd| Source {
            pipe: Some(File::from(pipe)),
            lines: LineSplitter::default(),
            end: VecDeque::new(),
            marks: VecDeque::new(),
        };
        Ok(Self {
            stdout: source(output),
            stderr: source(error),
            files,
            last_lines: VecDeque::new(),
            buffer: vec![0; 64 << 10],
            clock: SystemClock,
        })
    }

    /// The pipes that are still open, standard output first.
    pub(crate) fn descriptors(&self) -> [Option<BorrowedFd<'_>>; 2] {
        [self.stdout.pipe.as_ref(), self.stderr.pipe.as_ref()].map(|pipe| pipe.map(AsFd::as_fd))
    }

    /// Reads what is there.
    pub(crate) fn read(&mut self) {
        self.read_up_to(TURN_BYTES);
    }

    /// Reads what the worker left and closes the pipes. Its children may hold them open and go on writing: what fits into the
    /// pipes was there when the worker ended, more is not waited for.
    pub(crate) fn finish(&mut self) {
        let capacity = self.descriptors().into_iter().flatten().map(pipe_capacity).max().unwrap_or(0);
        self.read_up_to(capacity);
        for source in [&mut self.stdout, &mut self.stderr] {
            source.pipe = None;
            if let Some(rest) = source.lines.finish() {
                keep(&mut self.last_lines, &rest);
                self.files.append(self.clock.monotonic(), &rest);
            }
        }
    }

    /// Adds a sentence of the shim's own to the files.
    pub(crate) fn say(&mut self, sentence: &str) {
        self.files.append(self.clock.monotonic(), format!("medic: {sentence}\n").as_bytes());
    }

    /// The end of each, standard output first, with what is still in the pipes: a process that is known to have ended may have
    /// written since they were read.
    pub(crate) fn ends(&mut self) -> [Vec<u8>; 2] {
        self.read();
        [&self.stdout, &self.stderr].map(|source| source.end.iter().copied().collect())
    }

    /// What of it came lately: the last words of one of several processes that write there.
    pub(crate) fn latest(&mut self) -> [Vec<u8>; 2] {
        self.read();
        let since = self.clock.monotonic().saturating_sub(LAST_WORDS);
        [&self.stdout, &self.stderr].map(|source| {
            let recent = source.marks.iter().rev().take_while(|(at, _)| *at >= since);
            let length = recent.map(|(_, length)| length).sum();
            source.end.iter().skip(source.end.len().saturating_sub(length)).copied().collect()
        })
    }

    /// The last lines, oldest first.
    pub(crate) fn last_lines(&self, count: usize) -> Vec<String> {
        let skipped = self.last_lines.len().saturating_sub(count);
        self.last_lines.iter().skip(skipped).map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    fn read_up_to(&mut self, limit: usize) {
        let Self { stdout, stderr, files, last_lines, buffer, clock } = self;
        let now = clock.monotonic();
        for source in [stdout, stderr] {
            read_source(source, buffer, (limit, now), files, last_lines);
        }
    }
}

fn read_source(
    source: &mut Source,
    buffer: &mut [u8],
    (limit, now): (usize, Duration),
    files: &mut LogFiles,
    last_lines: &mut VecDeque<Vec<u8>>,
) {
    let mut total = 0;
    while total < limit {
        let Some(pipe) = &mut source.pipe else { return };
        match pipe.read(buffer) {
            Ok(0) => source.pipe = None,
            Ok(length) => {
                total += length;
                let chunk = &buffer[..length];
                keep_end(&mut source.end, chunk);
                mark(&mut source.marks, now, length);
                let whole = source.lines.push(chunk);
                for line in whole.split_inclusive(|byte| *byte == b'\n') {
                    keep(last_lines, line);
                }
                files.append(now, &whole);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => source.pipe = None,
        }
    }
}

fn keep_end(end: &mut VecDeque<u8>, chunk: &[u8]) {
    let chunk = &chunk[chunk.len().saturating_sub(END_KEPT_BYTES)..];
    let excess = (end.len() + chunk.len()).saturating_sub(END_KEPT_BYTES);
    end.drain(..excess);
    end.extend(chunk);
}

fn mark(marks: &mut VecDeque<(Duration, usize)>, now: Duration, length: usize) {
    match marks.back_mut() {
        Some((at, marked)) if now.saturating_sub(*at) < MARK_EVERY => *marked += length,
        _ => marks.push_back((now, length)),
    }
    if marks.len() > MARKS {
        marks.pop_front();
    }
}

fn keep(last_lines: &mut VecDeque<Vec<u8>>, line: &[u8]) {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if last_lines.len() == LINES_KEPT {
        last_lines.pop_front();
    }
    last_lines.push_back(line[..line.len().min(LINE_KEPT_BYTES)].to_vec());
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::log_name::OutputName;
    use crate::sys::descriptors::pipe;

    #[test]
    fn what_a_child_holds_open_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let limits = LogLimits { file_bytes: 1 << 20, files: 2, age: None };
        let before = OutputName { instance: 0, started_at: model::Timestamp::from_ms(0), number: 0 };
        let files = LogFiles::new(folder.path().to_owned(), before, limits);
        let ((out, out_write), (err, err_write)) = (pipe().unwrap(), pipe().unwrap());
        let (mut out_write, mut err_write) = (File::from(out_write), File::from(err_write));
        let mut output = Output::new(out, err, files).unwrap();
        out_write.write_all(b"one\ntw").unwrap();
        err_write.write_all(b"Traceback\n").unwrap();
        assert_eq!(output.latest(), [&b"one\ntw"[..], b"Traceback\n"]);
        assert_eq!(output.last_lines(9), ["one", "Traceback"]);
        out_write.write_all(b"o").unwrap();
        output.finish();
        assert_eq!(output.last_lines(9), ["one", "Traceback", "two"]);
        assert_eq!(output.last_lines(1), ["two"]);
        assert_eq!(output.ends(), [&b"one\ntwo"[..], b"Traceback\n"]);
        assert_eq!(output.latest(), output.ends());
        assert_eq!(output.descriptors().iter().flatten().count(), 0);
        let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
        assert_eq!(std::fs::read(file).unwrap(), b"one\nTraceback\ntwo\n");
    }

    #[test]
    fn what_came_long_ago_are_nobodys_last_words() {
        let mut marks = VecDeque::new();
        let second = Duration::from_secs(1);
        for (at, length) in [(0, 10), (0, 5), (7, 3), (9, 2)] {
            mark(&mut marks, second * at, length);
        }
        assert_eq!(marks, [(Duration::ZERO, 15), (second * 7, 3), (second * 9, 2)]);
        (0..1_000).for_each(|at| mark(&mut marks, second * at, 1));
        assert_eq!(marks.len(), MARKS);
    }

    #[test]
    fn memory_is_bounded_whatever_is_written() {
        let mut end = VecDeque::new();
        for chunk in [vec![b'a'; 10], vec![b'b'; END_KEPT_BYTES - 3], vec![b'c'; 3]] {
            keep_end(&mut end, &chunk);
        }
        assert_eq!(end.len(), END_KEPT_BYTES);
        assert_eq!(end.iter().filter(|byte| **byte == b'c').count(), 3);
        keep_end(&mut end, &vec![b'd'; 3 * END_KEPT_BYTES]);
        assert!(end.len() == END_KEPT_BYTES && end.iter().all(|byte| *byte == b'd'));

        let mut lines = VecDeque::new();
        for _ in 0..3 * LINES_KEPT {
            keep(&mut lines, &[b'x'; 3 * LINE_KEPT_BYTES]);
        }
        assert_eq!(lines.iter().map(Vec::len).sum::<usize>(), LINES_KEPT * LINE_KEPT_BYTES);
    }
}
