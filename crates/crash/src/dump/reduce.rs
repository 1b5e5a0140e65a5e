//! Makes a small dump out of a large or hostile one, before anything else reads it.
//!
//! The new dump is the old bytes with a new directory behind them: its streams are copies of those that are needed, with bounded
//! counts and sizes. Nothing in the old bytes is changed, and no copied entry leads to a list: the lists are all new. So what was
//! bounded stays bounded, however the old streams overlap.

use model::crash::Note;

use super::DumpError;
use crate::Limits;

const HEADER_BYTES: usize = 32;
const ENTRY_BYTES: usize = 12;
/// The most that is read. Ours: a dump with the stacks of 500 threads has 40 MB.
const MAX_BYTES: usize = 128 << 20;
/// The most streams. Breakpad, Crashpad and Windows write fewer than 40.
const MAX_STREAMS: usize = 256;
/// The most memory regions that are kept.
const MAX_REGIONS: usize = 16_384;
/// The most bytes of one region, and so of the stack. What writes our dumps keeps as much of the crashing thread's.
const MAX_REGION_BYTES: u32 = 512 << 10;
/// The most bytes of a module's or thread's name (UTF-16).
const MAX_NAME_BYTES: usize = 2_048;
/// The most bytes of a module's debug record: a build id or the path of a PDB.
const MAX_RECORD_BYTES: u32 = 1_024;

const THREADS: u32 = 3;
const MODULES: u32 = 4;
const MEMORY: u32 = 5;
const EXCEPTION: u32 = 6;
const SYSTEM_INFO: u32 = 7;
const MISC_INFO: u32 = 15;
const THREAD_NAMES: u32 = 24;
const BREAKPAD_INFO: u32 = 0x4767_0001;
const ASSERTION: u32 = 0x4767_0002;

const THREAD_BYTES: usize = 48;
const MODULE_BYTES: usize = 108;
const REGION_BYTES: usize = 16;
const THREAD_NAME_BYTES: usize = 12;

/// A bounded dump.
pub(super) struct Reduced {
    pub(super) bytes: Vec<u8>,
    /// What was left out that the reader should know of.
    pub(super) notes: Vec<Note>,
}

/// The bytes of a dump, read without trust.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn slice(self, at: usize, length: usize, what: &'static str) -> Result<&'a [u8], DumpError> {
        at.checked_add(length)
            .and_then(|end| self.0.get(at..end))
            .ok_or(DumpError::OutOfRange { what, bytes: self.0.len() })
    }

    fn u32(self, at: usize, what: &'static str) -> Result<u32, DumpError> {
        let bytes = self.slice(at, 4, what)?;
        Ok(u32::from_le_bytes(bytes.try_into().unwrap_or_default()))
    }

    fn index(self, at: usize, what: &'static str) -> Result<usize, DumpError> {
        Ok(self.u32(at, what)? as usize)
    }
}

/// One entry of the directory.
#[derive(Clone, Copy)]
struct Stream {
    kind: u32,
    bytes: usize,
    at: usize,
}

pub(super) fn reduce(dump: &[u8], limits: &Limits) -> Result<Reduced, DumpError> {
    if dump.len() > MAX_BYTES {
        return Err(DumpError::TooLarge { bytes: dump.len(), limit: MAX_BYTES });
    }
    if !dump.starts_with(b"MDMP") {
        return Err(DumpError::NotAMinidump);
    }
    let reader = Reader(dump);
    let streams = directory(reader)?;
    let find = |kind: u32| streams.iter().copied().find(|stream| stream.kind == kind);
    let mut reduction = Reduction { reader, bytes: dump.to_vec(), entries: Vec::new(), notes: Vec::new() };
    // What is damaged is told before what is missing.
    let crashing = crashing_thread(reader, find(EXCEPTION), find(BREAKPAD_INFO))?;
    let thread =
        find(THREADS).map(|threads| reduction.threads(threads, crashing, limits.threads)).transpose()?;
    for stream in &streams {
        match stream.kind {
            MODULES => reduction.modules(*stream, limits.modules)?,
            MEMORY => reduction.memory(*stream)?,
            THREAD_NAMES => reduction.thread_name(*stream, thread, limits.threads)?,
            EXCEPTION | SYSTEM_INFO | MISC_INFO | BREAKPAD_INFO | ASSERTION => {
                reader.slice(stream.at, stream.bytes, "a stream")?;
                reduction.entries.push(*stream);
            }
            _ => {}
        }
    }
    thread.ok_or(DumpError::Missing("list of threads"))?;
    find(SYSTEM_INFO).ok_or(DumpError::Missing("system information"))?;
    Ok(reduction.finish())
}

/// The directory. A stream that appears twice is read once, as everybody reads it: the first.
fn directory(reader: Reader<'_>) -> Result<Vec<Stream>, DumpError> {
    let what = "the list of streams";
    let count = reader.index(8, "the header")?;
    let at = reader.index(12, "the header")?;
    reader.slice(0, HEADER_BYTES, "the header")?;
    if count > MAX_STREAMS {
        return Err(DumpError::TooMany { what: "streams", count, limit: MAX_STREAMS });
    }
    let table = reader.slice(at, count * ENTRY_BYTES, what)?;
    let table = Reader(table);
    let mut streams: Vec<Stream> = Vec::with_capacity(count);
    for index in 0..count {
        let at = index * ENTRY_BYTES;
        let stream = Stream {
            kind: table.u32(at, what)?,
            bytes: table.index(at + 4, what)?,
            at: table.index(at + 8, what)?,
        };
        if !streams.iter().any(|known| known.kind == stream.kind) {
            streams.push(stream);
        }
    }
    Ok(streams)
}

/// The thread of the exception, or the one that Breakpad says asked for the dump.
fn crashing_thread(
    reader: Reader<'_>,
    exception: Option<Stream>,
    breakpad: Option<Stream>,
) -> Result<Option<u32>, DumpError> {
    if let Some(exception) = exception {
        return reader.u32(exception.at, "the exception").map(Some);
    }
    let Some(breakpad) = breakpad else { return Ok(None) };
    let says_who = reader.u32(breakpad.at, "Breakpad's information")? & 2 != 0;
    let thread = reader.u32(breakpad.at.saturating_add(8), "Breakpad's information")?;
    Ok(says_who.then_some(thread))
}

struct Reduction<'a> {
    reader: Reader<'a>,
    bytes: Vec<u8>,
    entries: Vec<Stream>,
    notes: Vec<Note>,
}

impl Reduction<'_> {
    /// Where the entries of a list begin and how many there are. Some writers put the list on a multiple of 8.
    fn list(&self, stream: Stream, size: usize, what: &'static str) -> Result<(usize, usize), DumpError> {
        let count = self.reader.index(stream.at, what)?;
        let bytes = self.reader.0.len();
        let length = count.checked_mul(size).ok_or(DumpError::OutOfRange { what, bytes })?;
        let padded = stream.bytes == length.saturating_add(8);
        let at = stream.at.saturating_add(if padded { 8 } else { 4 });
        self.reader.slice(at, length, what)?;
        Ok((at, count))
    }

    /// Appends a stream of `count` and `entries`.
    fn add_list(&mut self, kind: u32, count: usize, entries: &[u8]) {
        let at = self.align();
        self.bytes.extend_from_slice(&u32_of(count).to_le_bytes());
        self.bytes.extend_from_slice(entries);
        self.entries.push(Stream { kind, bytes: 4 + entries.len(), at });
    }

    fn align(&mut self) -> usize {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        self.bytes.len()
    }

    /// Appends the name at `at`, shortened, and says where it is now. A name outside of the dump becomes empty.
    fn add_name(&mut self, at: usize) -> u32 {
        let length = self.reader.index(at, "a name").unwrap_or(0).min(MAX_NAME_BYTES) & !1;
        let name = self.reader.slice(at.saturating_add(4), length, "a name").unwrap_or_default();
        let at = self.align();
        self.bytes.extend_from_slice(&u32_of(name.len()).to_le_bytes());
        self.bytes.extend_from_slice(name);
        u32_of(at)
    }

    /// Keeps the crashing thread alone, or the first where none crashed.
    fn threads(&mut self, stream: Stream, crashing: Option<u32>, limit: usize) -> Result<u32, DumpError> {
        let what = "the list of threads";
        let (at, count) = self.list(stream, THREAD_BYTES, what)?;
        if count > limit {
            return Err(DumpError::TooMany { what: "threads", count, limit });
        }
        if count == 0 {
            return Err(DumpError::Missing("thread"));
        }
        let mut chosen = None;
        for index in 0..count {
            let entry = at + index * THREAD_BYTES;
            if Some(self.reader.u32(entry, what)?) == crashing {
                chosen = Some(entry);
                break;
            }
        }
        if chosen.is_none() {
            self.notes.push(Note::CrashingThreadUnknown);
        }
        let mut entry = self.reader.slice(chosen.unwrap_or(at), THREAD_BYTES, what)?.to_vec();
        let id = Reader(&entry).u32(0, what)?;
        clamp(&mut entry, 32, MAX_REGION_BYTES);
        self.add_list(THREADS, 1, &entry);
        Ok(id)
    }

    fn thread_name(&mut self, stream: Stream, thread: Option<u32>, limit: usize) -> Result<(), DumpError> {
        let what = "the list of thread names";
        let (at, count) = self.list(stream, THREAD_NAME_BYTES, what)?;
        let Some(thread) = thread else { return Ok(()) };
        for index in 0..count.min(limit) {
            let entry = at + index * THREAD_NAME_BYTES;
            if self.reader.u32(entry, what)? == thread && self.reader.u32(entry + 8, what)? == 0 {
                let name = self.add_name(self.reader.index(entry + 4, what)?);
                let mut entry = thread.to_le_bytes().to_vec();
                entry.extend_from_slice(&u64::from(name).to_le_bytes());
                self.add_list(THREAD_NAMES, 1, &entry);
                break;
            }
        }
        Ok(())
    }

    fn modules(&mut self, stream: Stream, limit: usize) -> Result<(), DumpError> {
        let what = "the list of modules";
        let (at, count) = self.list(stream, MODULE_BYTES, what)?;
        if count > limit {
            self.notes.push(Note::ModulesLimited { modules: count as u64, read: limit as u64 });
        }
        let kept = count.min(limit);
        let mut entries = self.reader.slice(at, kept * MODULE_BYTES, what)?.to_vec();
        for entry in entries.chunks_exact_mut(MODULE_BYTES) {
            let name = Reader(entry).index(20, what)?;
            let name = self.add_name(name);
            entry[20..24].copy_from_slice(&name.to_le_bytes());
            clamp(entry, 76, MAX_RECORD_BYTES);
            // The miscellaneous record: nobody reads it.
            entry[84..92].fill(0);
        }
        self.add_list(MODULES, kept, &entries);
        Ok(())
    }

    fn memory(&mut self, stream: Stream) -> Result<(), DumpError> {
        let what = "the list of memory regions";
        let (at, count) = self.list(stream, REGION_BYTES, what)?;
        let kept = count.min(MAX_REGIONS);
        let mut entries = self.reader.slice(at, kept * REGION_BYTES, what)?.to_vec();
        for entry in entries.chunks_exact_mut(REGION_BYTES) {
            clamp(entry, 8, MAX_REGION_BYTES);
        }
        self.add_list(MEMORY, kept, &entries);
        Ok(())
    }

    fn finish(mut self) -> Reduced {
        let at = self.align();
        for entry in &self.entries {
            self.bytes.extend_from_slice(&entry.kind.to_le_bytes());
            self.bytes.extend_from_slice(&u32_of(entry.bytes).to_le_bytes());
            self.bytes.extend_from_slice(&u32_of(entry.at).to_le_bytes());
        }
        self.bytes[8..12].copy_from_slice(&u32_of(self.entries.len()).to_le_bytes());
        self.bytes[12..16].copy_from_slice(&u32_of(at).to_le_bytes());
        Reduced { bytes: self.bytes, notes: self.notes }
    }
}

/// Makes the number at `at` at most `max`.
fn clamp(entry: &mut [u8], at: usize, max: u32) {
    let Ok(value) = Reader(entry).u32(at, "a size") else { return };
    if let Some(place) = entry.get_mut(at..at + 4) {
        place.copy_from_slice(&value.min(max).to_le_bytes());
    }
}

/// Offsets in a dump of at most [`MAX_BYTES`] with its additions fit in 32 bits.
fn u32_of(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
