//! Which files a process has mapped, as a dump lists them.

use std::path::PathBuf;

use minidump_writer::maps_reader::{MappingInfo, MapsReaderError};
use procfs_core::process::MemoryMaps;

/// Entries of the kernel's auxiliary vector (`elf.h`): the program's first instruction, and the kernel's own page of code.
const AT_ENTRY: u64 = 9;
const AT_SYSINFO_EHDR: u64 = 33;

/// The mappings of one file as one, the program's own first.
pub(super) fn mapped_files(map: &MemoryMaps, auxv: &[u8]) -> Result<Vec<MappingInfo>, MapsReaderError> {
    let word = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_ne_bytes);
    let of_kernel = |key: u64| {
        let entry = auxv.chunks_exact(16).find(|entry| word(&entry[..8]) == key)?;
        Some(word(&entry[8..])).filter(|value| *value != 0)
    };
    let mut mappings = MappingInfo::aggregate(map.clone(), of_kernel(AT_SYSINFO_EHDR))?;
    // the format takes the first for the program's own
    let entry = of_kernel(AT_ENTRY).and_then(|entry| usize::try_from(entry).ok());
    let is_own = |mapping: &MappingInfo| {
        entry.is_some_and(|at| (mapping.start_address..mapping.end_address()).contains(&at))
    };
    if let Some(own) = mappings.iter().position(is_own) {
        mappings.swap(0, own);
    }
    Ok(join_split(&mappings))
}

/// A library by the name that it gives itself, as whoever prepares symbols for it does.
pub(super) fn called(mut path: PathBuf, mapping: &MappingInfo, soname: Option<&str>) -> PathBuf {
    match soname {
        // it is inside of another file
        Some(name) if mapping.is_executable() && mapping.offset != 0 => path.push(name),
        Some(name) => path.set_file_name(name),
        None => {}
    }
    path
}

/// One module per file: an executable that was linked with gaps between its segments is listed in pieces, the later ones with
/// a base that no symbol table knows.
fn join_split(mappings: &[MappingInfo]) -> Vec<MappingInfo> {
    let main = mappings.first().map(|mapping| mapping.start_address);
    let mut sorted = mappings.to_vec();
    sorted.sort_by_key(|mapping| mapping.start_address);
    let mut joined: Vec<MappingInfo> = Vec::with_capacity(sorted.len());
    let mut last_offset = 0;
    for mapping in sorted {
        let offset = mapping.offset;
        match joined.last_mut() {
            Some(module) if continues(module, last_offset, &mapping) => {
                module.size = mapping.end_address() - module.start_address;
                module.system_mapping_info.end_address = mapping.system_mapping_info.end_address;
                module.permissions |= mapping.permissions;
            }
            _ => joined.push(mapping),
        }
        last_offset = offset;
    }
    // the format takes the first module for the program's own
    if let Some(main) = main
        && let Some(at) =
            joined.iter().position(|module| (module.start_address..module.end_address()).contains(&main))
    {
        joined.swap(0, at);
    }
    joined
}

fn continues(module: &MappingInfo, last_offset: usize, mapping: &MappingInfo) -> bool {
    module.name_is_path()
        && module.name == mapping.name
        && mapping.offset > last_offset
        && mapping.start_address - module.start_address < 1 << 31
}
