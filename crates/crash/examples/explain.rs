//! Explains a minidump of this machine, or with a folder of Breakpad symbols one of another: `explain DUMP [SYMBOLS]`.

use std::path::PathBuf;

use anyhow::Context;
use crash::{Files, Limits, dump, signature};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let path = arguments.next().context("usage: explain DUMP [SYMBOLS]")?;
    let symbols = arguments.next();
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let files = Files::of_machine();
    let sources = dump::Sources { files: &files, symbols: symbols.as_deref(), perf_map: None };
    let findings = dump::read_with(&bytes, &sources, &Limits::default())?;
    println!("{} in thread {:?}", findings.exception_type, findings.thread.name);
    let subject = signature::Subject {
        exception_type: &findings.exception_type,
        runtime: findings.runtime,
        frames: &findings.thread.frames,
        program: "program",
    };
    println!("signature: {}", signature::of(&subject));
    for frame in &findings.thread.frames {
        let inline = if frame.inline { " (inlined)" } else { "" };
        let source = frame.source().unwrap_or_default();
        let module = frame.module.as_deref().unwrap_or("?");
        println!("  {} {source}{inline} [{module}, {:?}]", frame.place(), frame.trust);
    }
    for note in &findings.notes {
        println!("note: {note:?}");
    }
    Ok(())
}
