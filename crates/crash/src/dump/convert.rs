//! The processor's types become the engine's, cleaned and bounded.

use minidump::{MinidumpModule, MinidumpModuleList, Module as _};
use minidump_unwind::{CallStack, FrameTrust, StackFrame};
use model::crash::{Frame, Module, Thread, Trust};

use super::Sources;
use super::perf_map::PerfMap;
use crate::{demangle, text};

/// The crashing thread with at most `limit` calls, inlined ones among them before the call that they are in.
pub(super) fn thread(stack: &CallStack, sources: &Sources<'_>, limit: usize) -> Thread {
    let has_nameless = stack.frames.iter().any(|frame| frame.module.is_none());
    let names =
        sources.perf_map.filter(|_| has_nameless).and_then(|path| sources.files.open(path)).map(PerfMap::of);
    let mut frames: Vec<Frame> = stack
        .frames
        .iter()
        .take(limit + 1)
        .flat_map(|frame| calls(frame, names.as_ref()))
        .take(limit + 1)
        .collect();
    let truncated = frames.len() > limit;
    frames.truncate(limit);
    let name = stack.thread_name.as_deref().and_then(|name| text::name_of(name, text::THREAD_CHARS));
    Thread { name, frames, truncated, telling: None }
}

fn calls(frame: &StackFrame, names: Option<&PerfMap>) -> Vec<Frame> {
    let module = frame.module.as_ref();
    let outer = Frame {
        module: module.and_then(module_name),
        function: match (&frame.function_name, module) {
            (Some(function), _) => Some(demangle::function(function)).filter(|name| !name.is_empty()),
            (None, None) => names.and_then(|names| names.find(frame.instruction)),
            (None, Some(_)) => None,
        },
        file: frame.source_file_name.as_deref().and_then(|file| text::name_of(file, text::FILE_CHARS)),
        line: frame.source_line.filter(|line| *line > 0),
        // An address without a module is another one in the next run: it is no offset of anything.
        offset: module.map(|module| frame.instruction.saturating_sub(module.base_address())),
        trust: trust(frame.trust),
        inline: false,
    };
    let inlined = frame.inlines.iter().map(|inline| Frame {
        function: Some(demangle::function(&inline.function_name)).filter(|name| !name.is_empty()),
        file: inline.source_file_name.as_deref().and_then(|file| text::name_of(file, text::FILE_CHARS)),
        line: inline.source_line.filter(|line| *line > 0),
        inline: true,
        ..outer.clone()
    });
    inlined.chain(std::iter::once(outer.clone())).collect()
}

const fn trust(trust: FrameTrust) -> Trust {
    match trust {
        FrameTrust::Context => Trust::Context,
        FrameTrust::CallFrameInfo | FrameTrust::CfiScan | FrameTrust::PreWalked => Trust::CallFrameInfo,
        FrameTrust::FramePointer => Trust::FramePointer,
        FrameTrust::Scan | FrameTrust::None => Trust::Scan,
    }
}

fn module_name(module: &MinidumpModule) -> Option<String> {
    let path = module.code_file();
    let path = path.strip_suffix(" (deleted)").unwrap_or(&path);
    text::name_of(text::file_name(path), text::MODULE_CHARS)
}

/// The modules, those of the stack first, then as the dump has them.
pub(super) fn modules(list: &MinidumpModuleList, stack: Option<&CallStack>, limit: usize) -> Vec<Module> {
    let on_stack: Vec<u64> = stack
        .map(|stack| {
            stack
                .frames
                .iter()
                .filter_map(|frame| frame.module.as_ref().map(minidump::Module::base_address))
                .collect()
        })
        .unwrap_or_default();
    let place = |module: &MinidumpModule| {
        on_stack.iter().position(|base| *base == module.base_address()).unwrap_or(usize::MAX)
    };
    let mut all: Vec<&MinidumpModule> = list.iter().collect();
    all.sort_by_key(|module| place(module));
    all.into_iter()
        .take(limit)
        .filter_map(|module| {
            let build_id = module.code_identifier().map(|id| id.to_string().to_lowercase());
            Some(Module {
                name: module_name(module)?,
                build_id: build_id.and_then(|id| text::name_of(&id, 64)),
            })
        })
        .collect()
}
