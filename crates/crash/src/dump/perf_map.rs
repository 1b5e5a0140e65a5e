//! Names of just-in-time compiled functions: `/tmp/perf-PID.map`, which Node.js (`--perf-basic-prof`), .NET (`DOTNET_PerfMapEnabled`),
//! Java agents and Python (`-X perf`) write. A line is start, size (both hexadecimal) and name.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::text;

/// The most of the file that is read. Ours: a .NET web server's has some 10 MB.
const MAX_BYTES: u64 = 64 << 20;
/// The most lines that are kept.
const MAX_LINES: usize = 500_000;

pub(super) struct PerfMap(Vec<(u64, u64, Box<str>)>);

impl PerfMap {
    /// `None` where there is no such file.
    pub(super) fn open(path: &Path) -> Option<Self> {
        // A pipe would be waited for.
        std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        Some(Self::read(BufReader::new(File::open(path).ok()?.take(MAX_BYTES))))
    }

    fn read(lines: impl BufRead) -> Self {
        let mut map: Vec<_> = lines
            .split(b'\n')
            .map_while(Result::ok)
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

#[cfg(test)]
mod tests {
    use super::*;

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
