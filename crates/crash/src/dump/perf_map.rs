//! Names of just-in-time compiled functions: `/tmp/perf-PID.map`, which Node.js (`--perf-basic-prof`), .NET (`DOTNET_PerfMapEnabled`),
//! Java agents and Python (`-X perf`) write. A line is start, size (both hexadecimal) and name.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use crate::text;

/// The most of the file that is read. Ours: a .NET web server's has some 10 MB.
const MAX_BYTES: u64 = 64 << 20;
/// The most bytes of a line. A name is cut off long before.
const MAX_LINE_BYTES: u64 = 4_096;
/// The most lines that are kept.
const MAX_LINES: usize = 500_000;

pub(super) struct PerfMap(Vec<(u64, u64, Box<str>)>);

impl PerfMap {
    pub(super) fn of(file: File) -> Self {
        Self::read(BufReader::new(file.take(MAX_BYTES)))
    }

    fn read(content: impl BufRead) -> Self {
        let mut map: Vec<_> = Lines(content)
            .take(MAX_LINES)
            .filter_map(|line| {
                let line = String::from_utf8_lossy(&line);
                let (start, rest) = line.split_once(' ')?;
                let (size, name) = rest.split_once(' ')?;
                let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok();
                Some((number(start)?, number(size)?, Box::from(text::name(name, text::FUNCTION_CHARS))))
            })
            .collect();
        // Of code that was moved over older code, the later line is right: a stable sort keeps it behind.
        map.sort_by_key(|(start, ..)| *start);
        Self(map)
    }

    /// The function at an address.
    pub(super) fn find(&self, address: u64) -> Option<String> {
        let end = self.0.partition_point(|(start, ..)| *start <= address);
        let (start, size, name) = self.0.get(end.checked_sub(1)?)?;
        (address - start < *size).then(|| name.to_string())
    }
}

/// The lines of a file, each cut off after [`MAX_LINE_BYTES`].
struct Lines<R>(R);

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let length = self.0.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line).ok()?;
        if length == 0 {
            return None;
        }
        if line.pop_if(|last| *last == b'\n').is_none() {
            self.0.skip_until(b'\n').ok()?;
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_end_takes_no_memory() {
        let endless = std::io::repeat(b'x').take(MAX_BYTES);
        let lines = b"1000 10 a\n".chain(endless).chain(&b"\n2000 10 b"[..]);
        assert!(Lines(BufReader::new(lines)).all(|line| line.len() as u64 <= MAX_LINE_BYTES));
        let lines = b"1000 10 ".chain(std::io::repeat(b'y').take(1 << 20)).chain(&b"\n2000 10 b"[..]);
        let map = PerfMap::read(BufReader::new(lines));
        assert!(map.find(0x1000).unwrap().starts_with("yyy"));
        assert_eq!(map.find(0x2000).as_deref(), Some("b"));
    }

    #[test]
    fn an_address_finds_its_function() {
        let map =
            PerfMap::read(&b"1000 20 LazyCompile:*load /srv/a.js:3\nbroken\n2000 10 b\n1000 20 newer\n"[..]);
        assert_eq!(map.find(0x101f).as_deref(), Some("newer"));
        assert_eq!(map.find(0x1020), None);
        assert_eq!(map.find(0x2000).as_deref(), Some("b"));
        assert_eq!(map.find(0x10), None);
    }
}
