//! Lines and inlined calls from DWARF.

use std::sync::Arc;

use addr2line::Context;
use gimli::{Dwarf, EndianArcSlice, LittleEndian, SectionId};

use super::elf::Elf;

/// The most bytes of all of a module's debug sections. Ours: with 512 MiB for the whole analysis.
const MAX_BYTES: u64 = 256 << 20;

type Reader = EndianArcSlice<LittleEndian>;

/// One call at an address.
pub(super) struct Call {
    pub(super) function: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
}

/// A module's debug information.
pub(super) struct Lines(Context<Reader>);

/// Why there are none.
pub(super) enum NoLines {
    /// The file has no debug information.
    Absent,
    /// It has more than is read.
    TooLarge,
}

impl Lines {
    pub(super) fn read(elf: &Elf) -> Result<Self, NoLines> {
        if elf.section_range(".debug_info").is_none() || elf.section_range(".debug_line").is_none() {
            return Err(NoLines::Absent);
        }
        let total: u64 = SECTIONS
            .iter()
            .filter_map(|id| elf.section_range(id.name()))
            .map(|range| range.end - range.start)
            .sum();
        if total > MAX_BYTES {
            return Err(NoLines::TooLarge);
        }
        let load = |id: SectionId| -> Result<Reader, gimli::Error> {
            let bytes =
                if SECTIONS.contains(&id) { elf.section(id.name()).map(|(_, bytes)| bytes) } else { None };
            Ok(EndianArcSlice::new(Arc::from(bytes.unwrap_or_default()), LittleEndian))
        };
        Dwarf::load(load).and_then(Context::from_dwarf).map(Self).map_err(|_| NoLines::Absent)
    }

    /// The calls at an address of the file's own address space, innermost first; the last is the function that was called.
    pub(super) fn calls(&self, address: u64) -> Vec<Call> {
        let mut calls = Vec::new();
        let Ok(mut frames) = self.0.find_frames(address).skip_all_loads() else { return calls };
        while let Ok(Some(frame)) = frames.next() {
            let location = frame.location.as_ref();
            calls.push(Call {
                function: frame
                    .function
                    .as_ref()
                    .and_then(|name| name.raw_name().ok())
                    .map(std::borrow::Cow::into_owned),
                file: location.and_then(|location| location.file).map(str::to_owned),
                line: location.and_then(|location| location.line),
            });
            if calls.len() >= MAX_INLINED {
                break;
            }
        }
        calls
    }
}

/// The most calls at one address. Ours.
const MAX_INLINED: usize = 64;

/// What names, lines and inlined calls are made of.
const SECTIONS: [SectionId; 11] = [
    SectionId::DebugAbbrev,
    SectionId::DebugAddr,
    SectionId::DebugAranges,
    SectionId::DebugInfo,
    SectionId::DebugLine,
    SectionId::DebugLineStr,
    SectionId::DebugRanges,
    SectionId::DebugRngLists,
    SectionId::DebugStr,
    SectionId::DebugStrOffsets,
    SectionId::DebugTypes,
];
