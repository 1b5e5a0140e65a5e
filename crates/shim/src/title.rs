//! What a process is called in lists of processes. One that was forked has the command line of the one it was forked from.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};

/// What this program was called as.
pub(crate) fn program() -> OsString {
    std::env::args_os().next().unwrap_or_default()
}

/// Replaces this process's command line. The kernel shows what stands where it put the arguments, so there is room for no more
/// than was there, and what is longer is cut off.
pub(crate) fn set(words: &[impl AsRef<[u8]>]) -> io::Result<()> {
    let stat = std::fs::read("/proc/self/stat")?;
    let (first, end) = crate::proc_status::arguments(&stat).ok_or(io::ErrorKind::InvalidData)?;
    let room = usize::try_from(end.saturating_sub(first)).unwrap_or(0);
    let mut line: Vec<u8> = words.iter().flat_map(|word| [word.as_ref(), &[0]].concat()).collect();
    line.resize(room, 0);
    let mut memory = File::options().write(true).open("/proc/self/mem")?;
    memory.seek(SeekFrom::Start(first))?;
    memory.write_all(&line)
}
