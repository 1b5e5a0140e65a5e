//! A process's memory map (`/proc/PID/maps`), as far as addresses are looked up in it.

use std::io;

use crate::sys::Pid;

/// One area of a process's memory.
#[expect(clippy::struct_excessive_bools, reason = "the kernel's three rights, and a name")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    pub(crate) executable: bool,
    /// Its place in the file that it shows.
    pub(crate) offset: u64,
    /// It shows a file, or is the kernel's page of code.
    pub(crate) is_named: bool,
}

/// All areas, by address.
pub(crate) struct MemoryMap(Vec<Area>);

/// The text of a process's map.
pub(crate) fn read(pid: Pid) -> io::Result<Vec<u8>> {
    // what a dying process leaves unreadable has no names either
    std::fs::read(format!("/proc/{pid}/maps"))
}

impl MemoryMap {
    /// What cannot be read is left out.
    pub(crate) fn parse(text: &[u8]) -> Self {
        // the kernel sorts them
        Self(text.split(|byte| *byte == b'\n').filter_map(area).collect())
    }

    pub(crate) fn areas(&self) -> &[Area] {
        &self.0
    }

    /// The area that an address is in.
    pub(crate) fn area_of(&self, address: u64) -> Option<&Area> {
        self.0.get(self.after(address).checked_sub(1)?).filter(|area| address < area.end)
    }

    /// The areas above an address, without the one that it is in.
    pub(crate) fn above(&self, address: u64) -> &[Area] {
        self.0.get(self.after(address)..).unwrap_or_default()
    }

    fn after(&self, address: u64) -> usize {
        self.0.partition_point(|area| area.start <= address)
    }
}

/// `555…-555… r-xp 00001000 fe:00 1234   /srv/app/shop`
fn area(line: &[u8]) -> Option<Area> {
    let mut fields = line.split(|byte| *byte == b' ').filter(|field| !field.is_empty());
    let number = |text: &[u8]| u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok();
    let range = fields.next()?;
    let (start, end) = range.split_at_checked(range.iter().position(|byte| *byte == b'-')?)?;
    let permissions = fields.next()?;
    let offset = number(fields.next()?)?;
    let name = fields.nth(2).unwrap_or_default();
    Some(Area {
        start: number(start)?,
        end: number(end.get(1..)?)?,
        readable: permissions.first() == Some(&b'r'),
        writable: permissions.get(1) == Some(&b'w'),
        executable: permissions.get(2) == Some(&b'x'),
        offset,
        is_named: name.starts_with(b"/") || name == b"[vdso]",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn areas_are_found_by_their_addresses() {
        let maps = b"1000-3000 r-xp 00002000 00:00 7    /bin/with space\n\
            5000-6000 ---p 00000000 00:00 0 \n\
            6000-9000 rw-p 00000000 00:00 0    [stack]\nnonsense\n";
        let map = MemoryMap::parse(maps);
        assert_eq!(map.areas().len(), 3);
        let code = map.area_of(0x2fff).unwrap();
        assert!(code.executable && code.readable && !code.writable && code.is_named && code.offset == 0x2000);
        assert!(map.area_of(0x3000).is_none() && map.area_of(0).is_none());
        assert!(map.area_of(0x6000).is_some_and(|area| area.writable && !area.is_named));
        assert!(map.area_of(0x5fff).is_some_and(|area| !area.readable));
        assert_eq!(map.above(0x5fff).first().map(|area| area.start), Some(0x6000));
        assert_eq!(map.above(0).len(), 3);
        assert!(map.above(0x9000).is_empty());
    }
}
