//! What the stack walker asks: how to step up from an address, and what an address is called. Only the files are opened that the
//! stack leads through, and only when the file on the disk is the one that ran.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use minidump::Module;
use minidump_unwind::{
    FileError, FileKind, FillSymbolError, FrameSymbolizer, FrameWalker, SymbolProvider, Symbolizer,
    simple_symbol_supplier,
};

use model::crash::Note;

use super::Sources;
use super::elf::{self, Budget, Elf};
use super::lines::{Call, Lines, NoLines};
use super::unwind::{self, Stepper};
use crate::{Files, text};

/// The most addresses that are named. Ours: scanning a stack without unwind tables tries many.
const MAX_LOOKUPS: usize = 20_000;
/// The most files that are opened.
const MAX_FILES: usize = 256;
/// Where distributions put what they strip from their files.
pub const DEBUG_FILES: &str = "/usr/lib/debug";

/// A module whose file is here and right.
struct Loaded {
    elf: Elf,
    /// Symbols and lines that were split off.
    debug: Option<Elf>,
    lines: Option<Lines>,
    /// Whether `debug` and `lines` have been looked for.
    looked: bool,
    base: u64,
    lowest: u64,
}

/// A module without a file that can be used: the Breakpad symbols are asked.
struct NotOurs;

/// What an address is called.
#[derive(Default)]
struct Named {
    function: Option<elf::Named>,
    calls: Vec<Call>,
    /// The file's lowest address, from which `function` counts.
    lowest: u64,
}

#[derive(Default)]
struct State {
    /// By base address; `None` where the file cannot be used.
    modules: BTreeMap<u64, Option<Loaded>>,
    budget: Budget,
    stepper: Stepper,
    steps: usize,
    lookups: usize,
    notes: Vec<Note>,
}

pub(super) struct Provider<'f> {
    files: &'f Files,
    max_steps: usize,
    /// For dumps of other machines.
    symbolizer: Symbolizer,
    state: Mutex<State>,
}

impl<'f> Provider<'f> {
    /// The walk ends after `max_steps` calls in known modules.
    pub(super) fn new(sources: &Sources<'f>, max_steps: usize) -> Self {
        let folders = sources.symbols.map(Path::to_path_buf).into_iter().collect();
        Self {
            files: sources.files,
            max_steps,
            symbolizer: Symbolizer::new(simple_symbol_supplier(folders)),
            state: Mutex::default(),
        }
    }

    pub(super) fn into_notes(self) -> Vec<Note> {
        let mut unique = Vec::new();
        for note in self.state.into_inner().unwrap_or_else(PoisonError::into_inner).notes {
            if !unique.contains(&note) {
                unique.push(note);
            }
        }
        unique
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One step, if this provider knows the module; `None` where the stack cannot be followed by its tables.
    fn step(
        &self,
        module: &(dyn Module + Sync),
        walker: &mut (dyn FrameWalker + Send),
    ) -> Result<Option<()>, NotOurs> {
        let mut state = self.state();
        state.steps += 1;
        if state.steps > self.max_steps {
            return Ok(unwind::end(walker));
        }
        let state = &mut *state;
        let loaded = state.load(module, self.files).ok_or(NotOurs)?;
        let instruction = walker.get_instruction();
        let exact = if walker.has_grand_callee() { instruction.saturating_add(1) } else { instruction };
        if loaded
            .own_address(exact)
            .and_then(|address| loaded.elf.code(address, 9))
            .is_some_and(|code| unwind::returns_from_signal(&code))
        {
            return Ok(unwind::step_over_signal(walker));
        }
        Ok(state.stepper.step(walker))
    }

    /// The names at an address, if this provider knows the module.
    fn names(&self, module: &(dyn Module + Sync), address: u64) -> Option<Named> {
        let mut state = self.state();
        state.lookups += 1;
        if state.lookups > MAX_LOOKUPS {
            return Some(Named::default());
        }
        let state = &mut *state;
        state.load(module, self.files)?;
        let loaded = state.modules.get_mut(&module.base_address())?.as_mut()?;
        Some(loaded.names(address, &module.code_file(), self.files, &mut state.notes))
    }
}

impl State {
    fn load(&mut self, module: &(dyn Module + Sync), files: &Files) -> Option<&Loaded> {
        let base = module.base_address();
        if !self.modules.contains_key(&base) && self.modules.len() < MAX_FILES {
            let loaded = match open(module, files, &self.budget) {
                Ok(elf) => Some(Loaded::new(elf, base)),
                Err(note) => {
                    self.notes.extend(note);
                    None
                }
            };
            if let Some(loaded) = &loaded {
                let end = base.saturating_add(module.size().max(1));
                self.stepper.add(&module.code_file(), base..end, &loaded.elf);
            }
            self.modules.insert(base, loaded);
        }
        self.modules.get(&base)?.as_ref()
    }
}

/// The module's file, if it is the one that ran; else what the reader should know.
fn open(module: &(dyn Module + Sync), files: &Files, budget: &Budget) -> Result<Elf, Option<Note>> {
    let path = module.code_file();
    let ran = module.code_identifier().map(|id| id.to_string().to_lowercase()).unwrap_or_default();
    if path.starts_with("linux-gate.so") || path == "[vdso]" {
        return files
            .vdso()
            .and_then(|code| Elf::of_memory(code, budget))
            .filter(|vdso| vdso.build_id() == ran)
            .ok_or(None);
    }
    let name = text::name(text::file_name(&path), text::MODULE_CHARS);
    if path.ends_with(" (deleted)") {
        return Err(Some(Note::FileReplaced { file: name }));
    }
    // Paths of other systems name no file here.
    if !path.starts_with('/') {
        return Err(None);
    }
    let elf = files
        .open(Path::new(&*path))
        .and_then(|file| Elf::of_file(file, budget))
        .ok_or_else(|| Some(Note::FileMissing { file: name.clone() }))?;
    let here = elf.build_id();
    if !here.is_empty() && here != ran {
        return Err(Some(Note::FileReplaced { file: name }));
    }
    Ok(elf)
}

impl Loaded {
    fn new(elf: Elf, base: u64) -> Self {
        let lowest = elf.lowest_address();
        Self { elf, debug: None, lines: None, looked: false, base, lowest }
    }

    /// An address of the process in the file's own address space.
    fn own_address(&self, address: u64) -> Option<u64> {
        address.checked_sub(self.base)?.checked_add(self.lowest)
    }

    fn names(&mut self, address: u64, path: &str, files: &Files, notes: &mut Vec<Note>) -> Named {
        let Some(own) = self.own_address(address) else { return Named::default() };
        self.load_debug(path, files, notes);
        let exported = self.elf.symbol(own);
        let function = match (&exported, &mut self.debug) {
            (Some(named), _) if named.exported => exported,
            (_, Some(debug)) => debug.symbol(own).or(exported),
            (_, None) => exported,
        };
        let calls = self.lines.as_mut().map(|lines| lines.calls(own)).unwrap_or_default();
        Named { function, calls, lowest: self.lowest }
    }

    /// Lines of this file or of the one that holds what was stripped from it; looked for once.
    fn load_debug(&mut self, path: &str, files: &Files, notes: &mut Vec<Note>) {
        if self.looked {
            return;
        }
        let mut lines = Lines::read(&self.elf);
        if matches!(lines, Err(NoLines::Absent)) {
            self.debug = split_off(&self.elf, path, files);
            if let Some(debug) = &self.debug {
                lines = Lines::read(debug);
            }
        }
        if matches!(lines, Err(NoLines::TooLarge)) {
            let name = text::name(text::file_name(path), text::MODULE_CHARS);
            notes.push(Note::DebugInformationTooLarge { file: name });
        }
        self.lines = lines.ok();
        self.looked = true;
    }
}

/// The file with what was stripped from `elf`: by build id, else by the name that `elf` gives, at the usual places.
fn split_off(elf: &Elf, path: &str, files: &Files) -> Option<Elf> {
    let id = elf.build_id();
    let by_id = id
        .split_at_checked(2)
        .filter(|(_, rest)| !rest.is_empty())
        .map(|(folder, rest)| format!("{DEBUG_FILES}/.build-id/{folder}/{rest}.debug"));
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let by_name = elf.debug_link().into_iter().flat_map(|name| {
        let name = name.display().to_string();
        [
            format!("{folder}/{name}"),
            format!("{folder}/.debug/{name}"),
            format!("{DEBUG_FILES}{folder}/{name}"),
        ]
    });
    by_id
        .into_iter()
        .chain(by_name)
        .filter_map(|path| files.open(Path::new(&path)).and_then(|file| Elf::of_file(file, elf.budget())))
        .find(|debug| debug.build_id() == id && debug.has_symbol_table())
}

#[async_trait]
impl SymbolProvider for Provider<'_> {
    async fn fill_symbol(
        &self,
        module: &(dyn Module + Sync),
        frame: &mut (dyn FrameSymbolizer + Send),
    ) -> Result<(), FillSymbolError> {
        let Some(mut named) = self.names(module, frame.get_instruction()) else {
            return self.symbolizer.fill_symbol(module, frame).await;
        };
        let outer = named.calls.pop();
        // The unit of the debug information is the compiler's; what is exported is what everybody calls it.
        let start = named.function.as_ref().map_or(0, |function| {
            function.start.wrapping_sub(named.lowest).wrapping_add(module.base_address())
        });
        let exported = named.function.as_ref().is_some_and(|function| function.exported);
        let symbol = named.function.map(|function| function.name);
        let of_lines = outer.as_ref().and_then(|call| call.function.clone());
        let function = if exported { symbol.or(of_lines) } else { of_lines.or(symbol) };
        if let Some(function) = function {
            frame.set_function(&function, start, 0);
        }
        if let Some(Call { file: Some(file), line, .. }) = &outer {
            frame.set_source_file(file, line.unwrap_or(0), start);
        }
        // The walker wants them from the outermost.
        for call in named.calls.iter().rev() {
            frame.add_inline_frame(
                call.function.as_deref().unwrap_or_default(),
                call.file.as_deref(),
                call.line,
            );
        }
        Ok(())
    }

    async fn walk_frame(
        &self,
        module: &(dyn Module + Sync),
        walker: &mut (dyn FrameWalker + Send),
    ) -> Option<()> {
        match self.step(module, walker) {
            Ok(step) => step,
            Err(NotOurs) => self.symbolizer.walk_frame(module, walker).await,
        }
    }

    async fn get_file_path(
        &self,
        _module: &(dyn Module + Sync),
        _kind: FileKind,
    ) -> Result<PathBuf, FileError> {
        Err(FileError::NotFound)
    }
}
