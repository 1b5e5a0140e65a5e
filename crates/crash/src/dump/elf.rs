//! One module's file on this machine: is it the one that ran, its symbols, the sections that unwinding and line numbers need.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use object::read::{ReadCache, ReadRef};
use object::{
    Object, ObjectSection, ObjectSegment, ObjectSymbol, ObjectSymbolTable, SymbolIndex, SymbolKind,
};

/// The most bytes of one section that are brought into memory. Ours: with 512 MiB for the whole analysis.
const MAX_SECTION_BYTES: u64 = 160 << 20;

/// The most bytes of a symbol table: 2 million symbols.
const MAX_SYMBOL_BYTES: u64 = 48 << 20;

/// The most sections. Ours: programs have some 40, and each look into the file goes through all of them.
const MAX_SECTIONS: usize = 10_000;

/// A file, or the kernel's page of code that every process has.
enum Content {
    File(File),
    Memory(Cursor<Vec<u8>>),
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Memory(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for Content {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Memory(bytes) => bytes.seek(to),
        }
    }
}

type Parsed<'a> = object::File<'a, &'a ReadCache<Content>>;

/// One function of a symbol table.
struct Symbol {
    start: u64,
    size: u64,
    index: SymbolIndex,
    of_dynamic_table: bool,
}

/// How many bytes of sections may be brought into memory, of all files together.
#[derive(Clone)]
pub(super) struct Budget(Arc<AtomicU64>);

/// Ours: debug information alone may have 256 MiB, and the whole analysis has 512.
impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(320 << 20)))
    }
}

impl Budget {
    /// Takes what is to be read from it, if it is still there.
    fn spend(&self, bytes: u64) -> Option<()> {
        let order = Ordering::Relaxed;
        self.0.fetch_update(order, order, |left| left.checked_sub(bytes)).ok().map(drop)
    }
}

/// An ELF file, read piece by piece as it is needed.
pub(super) struct Elf {
    budget: Budget,
    content: ReadCache<Content>,
    symbols: Option<Vec<Symbol>>,
}

/// A function's name from a symbol table.
pub(super) struct Named {
    pub(super) start: u64,
    pub(super) name: String,
    /// Other files may call it by this name: it is there in a stripped file too.
    pub(super) exported: bool,
}

fn underscores(name: &str) -> usize {
    if name.starts_with("_Z") || name.starts_with("_R") {
        0
    } else {
        name.len() - name.trim_start_matches('_').len()
    }
}

/// How many names of one place are looked at.
const MAX_ALIASES: usize = 16;

/// A section's address range and bytes.
pub(super) type Section = (std::ops::Range<u64>, Vec<u8>);

impl Elf {
    /// `None` where it is no ELF file.
    pub(super) fn of_file(file: File, budget: &Budget) -> Option<Self> {
        Self::parse(Content::File(file), budget)
    }

    /// The same for one that is in memory.
    pub(super) fn of_memory(bytes: &[u8], budget: &Budget) -> Option<Self> {
        Self::parse(Content::Memory(Cursor::new(bytes.to_vec())), budget)
    }

    fn parse(content: Content, budget: &Budget) -> Option<Self> {
        let elf = Self { budget: budget.clone(), content: ReadCache::new(content), symbols: None };
        let is_sound = elf.parsed()?.sections().take(MAX_SECTIONS + 1).count() <= MAX_SECTIONS;
        is_sound.then_some(elf)
    }

    fn parsed(&self) -> Option<Parsed<'_>> {
        object::File::parse(&self.content).ok()
    }

    /// What it shares with other files.
    pub(super) const fn budget(&self) -> &Budget {
        &self.budget
    }

    /// The build id in lower-case hexadecimal digits; empty where it has none.
    pub(super) fn build_id(&self) -> String {
        let parsed = self.parsed();
        hex::encode(parsed.as_ref().and_then(|elf| elf.build_id().ok().flatten()).unwrap_or_default())
    }

    /// The name and checksum-free part of `.gnu_debuglink`.
    pub(super) fn debug_link(&self) -> Option<PathBuf> {
        let parsed = self.parsed()?;
        let (name, _checksum) = parsed.gnu_debuglink().ok().flatten()?;
        let name = std::str::from_utf8(name).ok()?;
        // It is a name beside the file, never a way elsewhere.
        (!name.contains('/') && !name.is_empty()).then(|| PathBuf::from(name))
    }

    /// The lowest address that the file asks for: an executable at a fixed address has it, all others have 0.
    pub(super) fn lowest_address(&self) -> u64 {
        let parsed = self.parsed();
        parsed.and_then(|elf| elf.segments().map(|segment| segment.address() & !0xfff).min()).unwrap_or(0)
    }

    /// A section, decompressed; `None` where it has no bytes in this file, or too many.
    pub(super) fn section(&self, name: &str) -> Option<Section> {
        let parsed = self.parsed()?;
        let section = parsed.section_by_name(name)?;
        let data = section.compressed_data().ok()?;
        if data.uncompressed_size > MAX_SECTION_BYTES
            || section.size() > MAX_SECTION_BYTES
            || data.data.is_empty()
        {
            return None;
        }
        // the compressed bytes stay in memory beside the others
        self.budget.spend(data.uncompressed_size.saturating_add(data.data.len() as u64))?;
        let bytes = data.decompress().ok()?.into_owned();
        Some((section.address()..section.address().checked_add(section.size())?, bytes))
    }

    /// How many bytes a section has when it is decompressed; 0 where there is none.
    pub(super) fn section_bytes(&self, name: &str) -> u64 {
        let size = || Some(self.parsed()?.section_by_name(name)?.compressed_data().ok()?.uncompressed_size);
        size().unwrap_or(0)
    }

    pub(super) fn section_range(&self, name: &str) -> Option<std::ops::Range<u64>> {
        let parsed = self.parsed()?;
        let section = parsed.section_by_name(name)?;
        Some(section.address()..section.address().checked_add(section.size())?)
    }

    /// The code at an address of the file's own address space. Only these bytes are read, not the segment.
    pub(super) fn code(&self, address: u64, length: u64) -> Option<Vec<u8>> {
        let parsed = self.parsed()?;
        parsed.segments().find_map(|segment| {
            let (offset, bytes) = segment.file_range();
            let into =
                address.checked_sub(segment.address()).filter(|into| into.saturating_add(length) <= bytes)?;
            (&self.content).read_bytes_at(offset.checked_add(into)?, length).ok().map(<[u8]>::to_vec)
        })
    }

    /// Has it symbols, as a file that holds what was stripped from another has?
    pub(super) fn has_symbol_table(&self) -> bool {
        self.parsed()
            .is_some_and(|elf| elf.symbol_table().is_some_and(|table| table.symbols().next().is_some()))
    }

    /// The function that an address is in.
    pub(super) fn symbol(&mut self, address: u64) -> Option<Named> {
        if self.symbols.is_none() {
            self.symbols = Some(self.read_symbols());
        }
        let symbols = self.symbols.as_ref()?;
        let end = symbols.partition_point(|symbol| symbol.start <= address);
        let nearest = symbols.get(end.checked_sub(1)?)?.start;
        // Symbols without a size, as in hand-written assembly, reach to the next.
        let holds = |symbol: &&Symbol| {
            address - symbol.start < symbol.size || (symbol.size == 0 && symbol.start == nearest)
        };
        let start = symbols[..end].iter().rev().take(MAX_ALIASES).find(holds)?.start;
        let parsed = self.parsed()?;
        let name = |symbol: &Symbol| {
            let table =
                if symbol.of_dynamic_table { parsed.dynamic_symbol_table() } else { parsed.symbol_table() };
            let name = table?.symbol_by_index(symbol.index).ok()?.name_bytes().ok()?;
            Some(String::from_utf8_lossy(name).into_owned()).filter(|name| !name.is_empty())
        };
        symbols[..end]
            .iter()
            .rev()
            .take_while(|symbol| symbol.start >= start)
            .take(MAX_ALIASES)
            .filter(|symbol| symbol.start == start)
            .filter_map(|symbol| {
                Some(Named { start, name: name(symbol)?, exported: symbol.of_dynamic_table })
            })
            // `free` before `__libc_free` and `cfree`: what is exported is the same on every machine, debug symbols or not.
            .min_by_key(|named| {
                (!named.exported, underscores(&named.name), std::cmp::Reverse(named.name.clone()))
            })
    }

    fn read_symbols(&self) -> Vec<Symbol> {
        let Some(parsed) = self.parsed() else { return Vec::new() };
        let is_too_large = |name: &str| {
            self.section_range(name).is_some_and(|range| range.end - range.start > MAX_SYMBOL_BYTES)
        };
        if [".symtab", ".dynsym"].into_iter().any(is_too_large) {
            return Vec::new();
        }
        let functions = |of_dynamic_table: bool| {
            let table = if of_dynamic_table { parsed.dynamic_symbol_table() } else { parsed.symbol_table() };
            table.into_iter().flat_map(move |table| {
                table
                    .symbols()
                    .filter(|symbol| {
                        symbol.kind() == SymbolKind::Text && symbol.is_definition() && symbol.address() != 0
                    })
                    .map(move |symbol| Symbol {
                        start: symbol.address(),
                        size: symbol.size(),
                        index: symbol.index(),
                        of_dynamic_table,
                    })
                    .collect::<Vec<_>>()
            })
        };
        let mut symbols: Vec<Symbol> = functions(true).chain(functions(false)).collect();
        // Of several names for one place the last is taken: the full table's.
        symbols.sort_by_key(|symbol| symbol.start);
        symbols
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_read_until_the_budget_is_spent() {
        let own = || File::open("/proc/self/exe").unwrap();
        let size = Elf::of_file(own(), &Budget::default()).unwrap().section_bytes(".eh_frame");
        assert!(size > 0);
        // what is not compressed is there twice
        let budget = Budget(Arc::new(AtomicU64::new(5 * size)));
        let read = |name| Elf::of_file(own(), &budget).unwrap().section(name).is_some();
        assert!(read(".eh_frame") && read(".eh_frame"));
        assert!(!read(".eh_frame"), "of another file, too");
    }
}
