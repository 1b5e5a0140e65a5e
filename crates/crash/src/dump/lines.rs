//! Lines and inlined calls from DWARF.

use std::sync::Arc;

use addr2line::Context;
use gimli::{Dwarf, DwarfSections, EndianArcSlice, LittleEndian, SectionId, UnitHeader};

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
pub(super) struct Lines {
    context: Context<Reader>,
    depths: Depths,
}

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
        let total: u64 = SECTIONS.iter().map(|id| elf.section_bytes(id.name())).fold(0, u64::saturating_add);
        if total > MAX_BYTES {
            return Err(NoLines::TooLarge);
        }
        let load = |id: SectionId| -> Result<Reader, gimli::Error> {
            let bytes =
                if SECTIONS.contains(&id) { elf.section(id.name()).map(|(_, bytes)| bytes) } else { None };
            Ok(EndianArcSlice::new(Arc::from(bytes.unwrap_or_default()), LittleEndian))
        };
        Self::of(load).map_err(|_| NoLines::Absent)
    }

    fn of(load: impl Fn(SectionId) -> Result<Reader, gimli::Error>) -> Result<Self, gimli::Error> {
        let sections = DwarfSections::load(load)?;
        let dwarf = || sections.borrow(Reader::clone);
        Ok(Self { context: Context::from_dwarf(dwarf())?, depths: Depths::of(dwarf())? })
    }

    /// The calls at an address of the file's own address space, innermost first; the last is the function that was called.
    pub(super) fn calls(&mut self, address: u64) -> Vec<Call> {
        let mut calls = Vec::new();
        if !self.depths.is_shallow_at(address) {
            return calls;
        }
        let Ok(mut frames) = self.context.find_frames(address).skip_all_loads() else { return calls };
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

/// The most levels of a unit's entries. Ours: inlined iterators come to some 100.
const MAX_DEPTH: isize = 400;

/// How deep the entries of each unit are nested. The reader of lines goes down into calls that are inlined into inlined calls by
/// calling itself, so it is not asked about units that are deeper than [`MAX_DEPTH`].
struct Depths {
    sections: Dwarf<Reader>,
    units: Vec<Unit>,
}

struct Unit {
    header: UnitHeader<Reader>,
    /// Where its code is; none where that is not said.
    ranges: Vec<gimli::Range>,
    /// Once it was looked at.
    is_shallow: Option<bool>,
}

impl Depths {
    fn of(sections: Dwarf<Reader>) -> Result<Self, gimli::Error> {
        let mut units = Vec::new();
        let mut headers = sections.units();
        while let Some(header) = headers.next()? {
            // one that is damaged is nothing to the reader of lines either
            let Ok(unit) = sections.unit(header.clone()) else { continue };
            let ranges = sections.unit_ranges(&unit).and_then(Iterator::collect).unwrap_or_default();
            units.push(Unit { header, ranges, is_shallow: None });
        }
        Ok(Self { sections, units })
    }

    /// Are all the units that may be asked about an address?
    fn is_shallow_at(&mut self, address: u64) -> bool {
        let Self { sections, units } = self;
        let holds = |unit: &Unit| {
            unit.ranges.is_empty()
                || unit.ranges.iter().any(|range| (range.begin..range.end).contains(&address))
        };
        units.iter_mut().filter(|unit| holds(unit)).all(|unit| {
            let header = &unit.header;
            *unit.is_shallow.get_or_insert_with(|| is_shallow(sections, header).unwrap_or(false))
        })
    }
}

fn is_shallow(sections: &Dwarf<Reader>, header: &UnitHeader<Reader>) -> Result<bool, gimli::Error> {
    let abbreviations = sections.abbreviations(header)?;
    let mut entries = header.entries_raw(&abbreviations, None)?;
    while !entries.is_empty() {
        if entries.next_depth() > MAX_DEPTH {
            return Ok(false);
        }
        if let Some(abbreviation) = entries.read_abbreviation()? {
            entries.skip_attributes(abbreviation.attributes())?;
        }
    }
    Ok(true)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// One unit with the code from 0x1000 on, a function in it, and `depth` calls each inlined into the one before.
    fn nested(depth: usize) -> Lines {
        // (abbreviation, tag, has children, (attribute, form)…): unit, function, inlined call
        let range: [u8; 4] = [0x11, 0x01, 0x12, 0x06];
        let mut abbreviations = Vec::new();
        for (number, tag, name) in [(1, 0x11, &[][..]), (2, 0x2e, &[0x03, 0x08]), (3, 0x1d, &[0x03, 0x08])] {
            abbreviations.extend([number, tag, 1]);
            abbreviations.extend(range);
            abbreviations.extend(name);
            abbreviations.extend([0, 0]);
        }
        abbreviations.push(0);
        let code = |number: u8, name: &[u8]| {
            let mut entry = vec![number];
            entry.extend(0x1000_u64.to_le_bytes());
            entry.extend(0x100_u32.to_le_bytes());
            entry.extend(name);
            entry
        };
        // version 4, abbreviations at 0, addresses of 8 bytes
        let mut unit = vec![4, 0, 0, 0, 0, 0, 8];
        unit.extend(code(1, b""));
        unit.extend(code(2, b"f\0"));
        for _ in 0..depth {
            unit.extend(code(3, b"g\0"));
        }
        unit.extend(std::iter::repeat_n(0, depth + 2));
        let mut info = u32::try_from(unit.len()).unwrap().to_le_bytes().to_vec();
        info.extend(unit);
        let load = |id: SectionId| -> Result<Reader, gimli::Error> {
            let bytes = match id {
                SectionId::DebugInfo => info.clone(),
                SectionId::DebugAbbrev => abbreviations.clone(),
                _ => Vec::new(),
            };
            Ok(EndianArcSlice::new(Arc::from(bytes), LittleEndian))
        };
        Lines::of(load).unwrap()
    }

    #[test]
    fn inlined_calls_are_told_to_a_depth_and_endless_ones_not_followed() {
        let names = |depth| {
            let calls = nested(depth).calls(0x1010);
            calls.into_iter().filter_map(|call| call.function).collect::<String>()
        };
        assert_eq!(names(3), "gggf");
        assert_eq!(names(300).len(), MAX_INLINED);
        assert_eq!(names(1_000_000), "");
    }
}
