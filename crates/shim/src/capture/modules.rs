//! What the files that a worker has mapped are, as they say themselves: build id and name. Read from the worker's memory while it
//! stands still; from the file afterwards where the memory does not hold it.

use std::borrow::Cow;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use minidump_writer::module_reader::{
    ModuleMemoryReadError, ModuleReader, ReadError, ReadModuleMemory, read_build_id_from_module,
};

use crate::memory_map::MemoryMap;
use crate::sys::Pid;
use crate::sys::memory::{read_process, read_ranges};

/// How many files are asked.
const FILES_ASKED: usize = 1_024;

/// The beginning of a file, where its headers and, as linkers lay it out, its build id are.
const BEGINNING_BYTES: usize = 4_096;

/// The most that one question may want of a file: what a damaged header claims is not believed.
const PIECE_LIMIT_BYTES: u64 = 1 << 20;

/// What one mapped file says of itself.
pub(super) struct Identity {
    /// Where it begins in the memory.
    pub(super) start: u64,
    /// Empty where the memory does not hold it.
    pub(super) build_id: Vec<u8>,
    /// The name that a library gives itself.
    pub(super) soname: Option<String>,
}

/// Asks every file that is mapped from its beginning.
pub(super) fn identities(pid: Pid, map: &MemoryMap) -> Vec<Identity> {
    let beginnings: Vec<(u64, usize)> = map
        .areas()
        .iter()
        .filter(|area| area.is_named && area.readable && area.offset == 0)
        .take(FILES_ASKED)
        .map(|area| (area.start, BEGINNING_BYTES))
        .collect();
    let contents = read_ranges(pid, &beginnings);
    let is_elf = |content: &Vec<u8>| content.starts_with(b"\x7fELF");
    beginnings
        .iter()
        .zip(contents)
        .filter(|(_, content)| is_elf(content))
        .filter_map(|(&(start, _), beginning)| {
            // by the headers that the program itself is loaded by: others are in the file alone
            let module = ModuleReader::new(Loaded { pid, start, beginning }).ok()?;
            let build_id = module.build_id_from_program_headers().unwrap_or_default();
            Some(Identity { start, build_id, soname: module.soname_from_program_headers().ok() })
        })
        .collect()
}

/// The build id of a file that is no longer in any memory; empty where it has none.
pub(crate) fn build_id_of_file(path: &Path) -> Vec<u8> {
    // a device may do something when it is opened, and a pipe waits
    let is_file = !path.starts_with("/dev") && path.metadata().is_ok_and(|file| file.is_file());
    let file = is_file.then(|| File::open(path).ok()).flatten();
    file.and_then(|file| read_build_id_from_module(Stored(file)).ok()).unwrap_or_default()
}

/// A file in a worker's memory.
struct Loaded {
    pid: Pid,
    start: u64,
    beginning: Vec<u8>,
}

impl ReadModuleMemory for Loaded {
    fn read(&self, offset: u64, length: u64) -> Result<Cow<'_, [u8]>, ModuleMemoryReadError> {
        let outside = || outside(Some(self.start), offset, length);
        let end = offset.checked_add(length).ok_or_else(outside)?;
        let known = usize::try_from(offset).ok().zip(usize::try_from(end).ok());
        if let Some(bytes) = known.and_then(|(from, to)| self.beginning.get(from..to)) {
            return Ok(Cow::Borrowed(bytes));
        }
        let address = self.start.checked_add(offset).ok_or_else(outside)?;
        let mut bytes = buffer(length).ok_or_else(outside)?;
        match read_process(self.pid, address, &mut bytes) {
            Ok(read) if read == bytes.len() => Ok(Cow::Owned(bytes)),
            _ => Err(outside()),
        }
    }

    fn absolute_to_relative(&self, address: u64) -> Option<u64> {
        address.checked_sub(self.start)
    }

    fn relative_to_absolute(&self, address: u64) -> Option<u64> {
        self.start.checked_add(address)
    }

    fn is_process_memory(&self) -> bool {
        true
    }
}

/// A file on the disk.
struct Stored(File);

impl ReadModuleMemory for Stored {
    fn read(&self, offset: u64, length: u64) -> Result<Cow<'_, [u8]>, ModuleMemoryReadError> {
        let outside = || outside(None, offset, length);
        let mut bytes = buffer(length).ok_or_else(outside)?;
        self.0.read_exact_at(&mut bytes, offset).map_err(|_| outside())?;
        Ok(Cow::Owned(bytes))
    }

    fn absolute_to_relative(&self, address: u64) -> Option<u64> {
        Some(address)
    }

    fn relative_to_absolute(&self, address: u64) -> Option<u64> {
        Some(address)
    }

    fn is_process_memory(&self) -> bool {
        false
    }
}

fn buffer(length: u64) -> Option<Vec<u8>> {
    let length = usize::try_from(length.min(PIECE_LIMIT_BYTES + 1)).ok()?;
    (length as u64 <= PIECE_LIMIT_BYTES && length > 0).then(|| vec![0; length])
}

fn outside(start_address: Option<u64>, offset: u64, length: u64) -> ModuleMemoryReadError {
    ModuleMemoryReadError { offset, length, start_address, error: ReadError::OutOfBounds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_file_say_the_same_of_a_library() {
        let pid = Pid::try_from(std::process::id()).unwrap();
        let maps = crate::memory_map::read(pid).unwrap();
        let line = String::from_utf8_lossy(&maps);
        let line = line.lines().find(|line| line.ends_with("/libc.so.6")).expect("this program uses libc");
        let start = u64::from_str_radix(line.split('-').next().unwrap(), 16).unwrap();
        let path = Path::new(line.split_ascii_whitespace().last().unwrap());
        let found = identities(pid, &MemoryMap::parse(&maps));
        let libc = found.iter().find(|identity| identity.start == start).unwrap();
        assert_eq!(libc.soname.as_deref(), Some("libc.so.6"));
        assert!(libc.build_id.len() >= 16);
        assert_eq!(build_id_of_file(path), libc.build_id);
        assert!(found.len() > 2, "the program itself and the kernel's code, too");
    }

    #[test]
    fn what_is_no_program_has_no_build_id() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"\x7fELF and no more").unwrap();
        for path in [&file, folder.path(), Path::new("/dev/zero"), Path::new("/nowhere")] {
            assert!(build_id_of_file(path).is_empty(), "{}", path.display());
        }
    }
}
