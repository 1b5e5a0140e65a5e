//! Memory of other processes, and memory that is handed to them.
#![expect(unsafe_code, reason = "system calls; see the SAFETY comments")]

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, FromRawFd};

use super::{Pid, check};

/// Reads from another process's memory; how many bytes could be read.
pub(crate) fn read_process(pid: Pid, address: u64, into: &mut [u8]) -> io::Result<usize> {
    let address = usize::try_from(address).map_err(|_| io::ErrorKind::InvalidInput)?;
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = libc::iovec { iov_base: std::ptr::without_provenance_mut(address), iov_len: into.len() };
    // SAFETY: the local vector covers `into`, which is writable for the length of the call; the remote address is only looked
    // up in the other process.
    let read = check(unsafe { libc::process_vm_readv(pid, &raw const local, 1, &raw const remote, 1, 0) })?;
    Ok(usize::try_from(read).unwrap_or(0))
}

/// Reads many ranges (address and length) of another process's memory with few calls; of each as much from its start as can be
/// read, to the page.
pub(crate) fn read_ranges(pid: Pid, ranges: &[(u64, usize)]) -> Vec<Vec<u8>> {
    /// What one call takes: `IOV_MAX`.
    const AT_ONCE: usize = 1_024;
    let mut read: Vec<Vec<u8>> = ranges.iter().map(|(_, length)| vec![0; *length]).collect();
    let mut next = 0;
    while next < ranges.len() {
        let end = ranges.len().min(next + AT_ONCE);
        let mut left = read_together(pid, &ranges[next..end], &mut read[next..end]);
        while next < end {
            let length = ranges[next].1;
            next += 1;
            if left < length {
                // what follows is asked for anew
                read[next - 1].truncate(left);
                break;
            }
            left -= length;
        }
    }
    read
}

/// How many bytes could be read, from the first range on.
fn read_together(pid: Pid, ranges: &[(u64, usize)], into: &mut [Vec<u8>]) -> usize {
    let local: Vec<libc::iovec> = into
        .iter_mut()
        .map(|bytes| libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() })
        .collect();
    let remote: Vec<libc::iovec> = ranges
        .iter()
        .map(|(address, length)| libc::iovec {
            iov_base: std::ptr::without_provenance_mut(usize::try_from(*address).unwrap_or(0)),
            iov_len: *length,
        })
        .collect();
    let count = |vectors: &[libc::iovec]| libc::c_ulong::try_from(vectors.len()).unwrap_or(0);
    // SAFETY: each local vector covers one of `into`, which are writable for the length of the call; the remote addresses are
    // only looked up in the other process. Both arrays live through the call and have as many elements as said.
    let read = unsafe {
        libc::process_vm_readv(pid, local.as_ptr(), count(&local), remote.as_ptr(), count(&remote), 0)
    };
    usize::try_from(read).unwrap_or(0)
}

/// A file in anonymous memory that holds `content` and cannot be changed any more, ready to be read from its start.
pub(crate) fn sealed_file(content: &[&[u8]]) -> io::Result<File> {
    // SAFETY: the name is a literal with its end marked; the result is checked before it is used.
    let fd =
        check(unsafe { libc::memfd_create(c"medic".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING) })?;
    // SAFETY: the descriptor was just made by memfd_create and belongs to nobody else.
    let mut file = unsafe { File::from_raw_fd(fd) };
    for part in content {
        file.write_all(part)?;
    }
    file.rewind()?;
    let seals = libc::F_SEAL_SEAL | libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_WRITE;
    // SAFETY: fcntl with F_ADD_SEALS takes integers alone.
    check(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_ADD_SEALS, seals) })?;
    Ok(file)
}

/// Lets the allocator have at most so many heaps. For threads that are started from now on.
pub(crate) fn limit_arenas(heaps: i32) {
    // SAFETY: it sets a number.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, heaps) };
}

/// Has the allocator map each piece of so many bytes and more by itself, and give it back as soon as it is freed. The number stays as it
/// is set.
pub(crate) fn map_large_pieces(bytes: i32) {
    // SAFETY: it sets a number.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, bytes) };
}

/// Has the allocator give what was freed back to the system, from the middle of its heaps too.
pub(crate) fn trim_heaps() {
    // SAFETY: it gives back only what nobody has allocated.
    unsafe { libc::malloc_trim(0) };
}

/// Takes pages of this process's own code out of its memory. They show a file: whoever runs them next has them again.
pub(crate) fn drop_code(start: u64, end: u64) -> io::Result<()> {
    let number =
        |value: u64| usize::try_from(value).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
    let (start, end) = (number(start)?, number(end)?);
    let length = end.saturating_sub(start);
    // SAFETY: the caller names an area that shows a file and cannot be written to, so that nothing is lost by it.
    check(unsafe { libc::madvise(std::ptr::without_provenance_mut(start), length, libc::MADV_DONTNEED) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn a_sealed_file_reads_back_and_takes_nothing_more() {
        let mut file = sealed_file(&[b"du", b"mp"]).unwrap();
        let mut content = String::new();
        file.read_to_string(&mut content).unwrap();
        assert_eq!(content, "dump");
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(0).is_err());
    }

    #[test]
    fn of_many_ranges_each_is_read_as_far_as_it_can_be() {
        let pid = Pid::try_from(std::process::id()).unwrap();
        let here: Vec<u8> = (0..=u8::MAX).cycle().take(3 * 4_096).collect();
        let address = here.as_ptr().addr() as u64;
        let mut ranges = vec![(address, here.len()), (16, 100), (address + 5, 7), (8, 1), (8, 0)];
        ranges.extend((0..3_000).map(|number| (address + number, 2)));
        let read = read_ranges(pid, &ranges);
        assert_eq!(read.len(), ranges.len());
        assert_eq!(read[0], here);
        assert!(read[1].is_empty() && read[3].is_empty() && read[4].is_empty());
        assert_eq!(read[2], here[5..12]);
        for (number, bytes) in read[5..].iter().enumerate() {
            assert_eq!(*bytes, here[number..number + 2], "{number}");
        }
        assert_eq!(read_ranges(-1, &[(address, 3)]), [Vec::<u8>::new()]);
        assert!(read_ranges(pid, &[]).is_empty());
    }

    #[test]
    fn of_a_range_that_ends_in_nothing_its_beginning_is_read() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let pid = Pid::try_from(child.id()).unwrap();
        // the last area that can be read below a gap, with more asked for than it has
        let read = || -> Option<(usize, usize)> {
            let maps = crate::memory_map::read(pid).ok()?;
            let map = crate::memory_map::MemoryMap::parse(&maps);
            let stack = map.areas().iter().rfind(|area| area.readable && area.writable)?;
            let from = stack.end - 4_096;
            let ranges = [(from, 3 * 4_096), (from, 8)];
            let read = read_ranges(pid, &ranges);
            Some((read[0].len(), read[1].len()))
        };
        let lengths = loop {
            // until its program runs
            if let Some(lengths @ (4_096, _)) = read() {
                break lengths;
            }
            std::thread::yield_now();
        };
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(lengths, (4_096, 8));
    }

    #[test]
    fn memory_that_is_not_there_is_an_error() {
        let here = 7_u64.to_ne_bytes();
        let pid = Pid::try_from(std::process::id()).unwrap();
        let mut copy = [0; 8];
        let address = here.as_ptr().addr() as u64;
        assert_eq!(read_process(pid, address, &mut copy).unwrap(), 8);
        assert_eq!(copy, here);
        assert!(read_process(pid, 16, &mut copy).is_err());
    }
}
