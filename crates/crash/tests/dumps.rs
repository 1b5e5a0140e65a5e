//! Minidumps of Linux (made from `fixtures/dumps/shop.c` and its like), Windows and macOS; damaged and hostile ones.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its fixture fails")]

use std::path::{Path, PathBuf};

use crash::dump::{DumpError, DumpFindings, Sources, read, read_with};
use crash::{Death, Files, Limits, PythonCall, PythonCalls, analyse};
use model::crash::{Frame, Note, Runtime, Trust};
use model::{CrashCause, Exit, Signal};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dumps")
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(format!("{name}.dmp"))).unwrap()
}

/// What is under the fixtures' `root`.
fn files() -> Files {
    Files::below_path(&folder().join("root")).unwrap()
}

/// A dump of this kind of machine: its files are under the fixtures' `root`.
fn local(name: &str) -> DumpFindings {
    read(&bytes(name), &files(), &Limits::default()).unwrap()
}

/// A dump of another machine.
fn foreign(name: &str) -> DumpFindings {
    let symbols = folder().join("symbols");
    let files = Files::of_machine();
    let sources = Sources { files: &files, symbols: Some(&symbols), perf_map: None };
    read_with(&bytes(name), &sources, &Limits::default()).unwrap()
}

fn places(frames: &[Frame]) -> Vec<String> {
    frames.iter().map(Frame::place).collect()
}

#[test]
fn a_stack_has_functions_lines_and_inlined_calls() {
    for name in ["shop", "shop_fixed"] {
        let findings = local(&format!("{name}_null"));
        assert_eq!(findings.exception_type, "SIGSEGV / SEGV_MAPERR");
        let frames = &findings.thread.frames;
        assert_eq!(places(&frames[..3]), ["price_of", "total_of", "handle"]);
        assert_eq!(frames[0].source().as_deref(), Some("/srv/app/shop.c:7"));
        let how: Vec<(bool, Trust)> = frames[..3].iter().map(|frame| (frame.inline, frame.trust)).collect();
        assert_eq!(how, [(true, Trust::Context), (false, Trust::Context), (false, Trust::CallFrameInfo)]);
        assert_eq!(findings.thread.name.as_deref(), Some(name));
        assert_eq!(findings.modules[0].name, name);
        assert_eq!(findings.modules[0].build_id.as_ref().map(String::len), Some(40));
    }
}

#[test]
fn a_stripped_program_has_offsets_that_are_the_same_in_every_run() {
    let frames = local("shop_stripped_null").thread.frames;
    assert_eq!(places(&frames[..2]), ["shop_stripped+0x11d0", "shop_stripped+0x1225"]);
    assert_eq!(frames[1].trust, Trust::CallFrameInfo);
}

#[test]
fn an_overflowed_stack_is_recognised_and_cut() {
    let findings = local("shop_overflow");
    assert_eq!(findings.exception_type, "Stack overflow");
    assert!(findings.thread.frames.iter().take(60).all(|frame| frame.place() == "recurse"));
    let few = read(&bytes("shop_overflow"), &files(), &Limits { frames: 5, ..Limits::default() }).unwrap();
    assert_eq!((few.thread.frames.len(), few.thread.truncated), (5, true));
}

#[test]
fn a_replaced_file_is_not_believed() {
    let root = tempfile::tempdir().unwrap();
    let app = root.path().join("srv/app");
    std::fs::create_dir_all(&app).unwrap();
    std::fs::copy(folder().join("root/srv/app/shop_fixed"), app.join("shop")).unwrap();
    let findings =
        read(&bytes("shop_null"), &Files::below_path(root.path()).unwrap(), &Limits::default()).unwrap();
    assert_eq!(findings.notes[0], Note::FileReplaced { file: "shop".to_owned() });
    assert!(
        findings.thread.frames[0].place().starts_with("shop+0x"),
        "{:?}",
        places(&findings.thread.frames)
    );
}

#[test]
fn dumps_of_windows_and_macos_tell_type_and_stack() {
    let windows = foreign("test");
    assert_eq!(windows.exception_type, "EXCEPTION_ACCESS_VIOLATION_WRITE");
    assert_eq!(places(&windows.thread.frames[..2]), ["`anonymous namespace'::CrashFunction", "main"]);
    assert_eq!(windows.thread.frames[0].line, Some(58));
    let macos = foreign("pipeline-inlines-macos-segv");
    assert_eq!(macos.exception_type, "EXC_BAD_ACCESS / KERN_INVALID_ADDRESS");
    assert_eq!(macos.thread.frames[0].module.as_deref(), Some("crash-client"));
    assert_eq!(foreign("simple-crashpad").thread.frames[2].module.as_deref(), Some("crashy"));
    assert_eq!(foreign("invalid-parameter").exception_type, "STATUS_INVALID_PARAMETER");
}

#[test]
fn what_is_no_dump_is_refused_with_a_reason() {
    let refused =
        |bytes: &[u8]| read(bytes, &Files::of_machine(), &Limits::default()).unwrap_err().to_string();
    assert_eq!(refused(b""), "it is no minidump: it does not begin with `MDMP`");
    assert_eq!(refused(b"MDMP"), "the dump is damaged: the header is outside of its 4 bytes");
    assert_eq!(refused(&bytes("invalid-range")), "the dump has no list of threads");
    assert_eq!(refused(&bytes("invalid-record-count")), "the dump has no list of threads");
    let mut many = bytes("shop_null");
    many[8..12].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(refused(&many).contains("4294967295 streams"), "{}", refused(&many));
}

/// Each byte of the header and the directory and a sample of all others, with several values; and each length.
#[test]
fn no_damage_makes_it_panic() {
    for name in ["shop_null", "test", "simple-crashpad"] {
        let dump = bytes(name);
        let root = files();
        let limits = Limits { frames: 20, ..Limits::default() };
        for length in (0..dump.len()).step_by(dump.len() / 60 + 1) {
            let _ = read(&dump[..length], &root, &limits);
        }
        for at in (0..400).chain((400..dump.len()).step_by(dump.len() / 120 + 1)) {
            for value in [0xff, dump[at] ^ 1] {
                let mut damaged = dump.clone();
                damaged[at] = value;
                let _ = read(&damaged, &root, &limits);
            }
        }
    }
}

/// The worker's files are as hostile as its memory: each byte of the headers and a sample of all others, with several values.
#[test]
fn no_damage_to_a_file_of_the_crash_makes_it_fail() {
    let root = tempfile::tempdir().unwrap();
    let app = root.path().join("srv/app");
    std::fs::create_dir_all(&app).unwrap();
    let program = std::fs::read(folder().join("root/srv/app/shop")).unwrap();
    let (dump, files) = (bytes("shop_null"), Files::below_path(root.path()).unwrap());
    let limits = Limits { frames: 20, ..Limits::default() };
    let headers = u64::from_le_bytes(program[40..48].try_into().unwrap());
    let headers = usize::try_from(headers).unwrap();
    let places =
        (16..64).chain((64..headers).step_by(headers / 200 + 1)).chain((headers..program.len()).step_by(13));
    for (number, at) in places.enumerate() {
        let mut damaged = program.clone();
        damaged[at] = [0xff, 0, program[at] ^ 1, program[at].wrapping_add(0x40)][number % 4];
        std::fs::write(app.join("shop"), damaged).unwrap();
        if let Err(error) = read(&dump, &files, &limits) {
            panic!("byte {at}: {error}");
        }
    }
    for length in (0..program.len()).step_by(program.len() / 40) {
        std::fs::write(app.join("shop"), &program[..length]).unwrap();
        assert!(read(&dump, &files, &limits).is_ok(), "cut off after {length}");
    }
}

/// Builds dumps for x86-64 Linux, as hostile as wanted.
#[derive(Default)]
struct Forged {
    bytes: Vec<u8>,
    streams: Vec<(u32, usize, usize)>,
}

impl Forged {
    fn new() -> Self {
        let mut forged = Self { bytes: vec![0; 32], streams: Vec::new() };
        let mut system = [0_u8; 56];
        system[0] = 9;
        system[20..24].copy_from_slice(&0x8201_u32.to_le_bytes());
        forged.stream(7, &system);
        forged
    }

    fn add(&mut self, bytes: &[u8]) -> u32 {
        let at = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        u32::try_from(at).unwrap()
    }

    fn stream(&mut self, kind: u32, bytes: &[u8]) {
        let at = self.add(bytes) as usize;
        self.streams.push((kind, bytes.len(), at));
    }

    fn context(&mut self, stack: u64) -> (u32, u32) {
        let mut context = vec![0_u8; 1_232];
        context[48..52].copy_from_slice(&0x0010_001f_u32.to_le_bytes());
        context[152..160].copy_from_slice(&stack.to_le_bytes());
        context[160..168].copy_from_slice(&stack.to_le_bytes());
        context[248..256].copy_from_slice(&0x40_1000_u64.to_le_bytes());
        (1_232, self.add(&context))
    }

    fn finish(mut self) -> Vec<u8> {
        let at = u32::try_from(self.bytes.len()).unwrap();
        let count = u32::try_from(self.streams.len()).unwrap();
        for (kind, length, start) in std::mem::take(&mut self.streams) {
            for number in [kind, u32::try_from(length).unwrap(), u32::try_from(start).unwrap()] {
                self.bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        self.bytes[..4].copy_from_slice(b"MDMP");
        self.bytes[4..8].copy_from_slice(&0xa793_u32.to_le_bytes());
        self.bytes[8..12].copy_from_slice(&count.to_le_bytes());
        self.bytes[12..16].copy_from_slice(&at.to_le_bytes());
        self.bytes
    }
}

const STACK: u64 = 0x7000_0000_0000;

/// `count` threads that share one stack, each word pair of which is a frame pointer and a return address.
fn thread_bomb(count: u32, stack_bytes: u64) -> Forged {
    let mut forged = Forged::new();
    let mut stack = Vec::new();
    for at in (0..stack_bytes).step_by(16) {
        stack.extend_from_slice(&(STACK + at + 16).to_le_bytes());
        stack.extend_from_slice(&0x40_1000_u64.to_le_bytes());
    }
    let stack_at = forged.add(&stack);
    let (context_bytes, context_at) = forged.context(STACK);
    let mut list = count.to_le_bytes().to_vec();
    for id in 0..count {
        list.extend_from_slice(&id.to_le_bytes());
        list.extend_from_slice(&[0; 20]);
        list.extend_from_slice(&STACK.to_le_bytes());
        for number in [u32::try_from(stack_bytes).unwrap(), stack_at, context_bytes, context_at] {
            list.extend_from_slice(&number.to_le_bytes());
        }
    }
    forged.stream(3, &list);
    forged
}

#[test]
fn threads_that_share_a_stack_are_walked_once_and_not_far() {
    let dump = thread_bomb(10_000, 4 << 20).finish();
    let findings = read(&dump, &Files::of_machine(), &Limits::default()).unwrap();
    assert_eq!((findings.thread.frames.len(), findings.thread.truncated), (200, true));
    assert!(matches!(
        read(&dump, &Files::of_machine(), &Limits { threads: 100, ..Limits::default() }),
        Err(DumpError::TooMany { what: "threads", count: 10_000, limit: 100 })
    ));
}

#[test]
fn modules_that_share_an_endless_name_stay_small() {
    let mut forged = thread_bomb(1, 4_096);
    let length = 2_u32 << 20;
    let mut name = length.to_le_bytes().to_vec();
    name.resize(4 + length as usize, b'A');
    let name = forged.add(&name);
    let count = 20_000_u32;
    let mut list = count.to_le_bytes().to_vec();
    for index in 0..u64::from(count) {
        let mut module = [0_u8; 108];
        module[..8].copy_from_slice(&(0x40_0000 + index * 0x1_0000).to_le_bytes());
        module[8..12].copy_from_slice(&0x1_0000_u32.to_le_bytes());
        module[20..24].copy_from_slice(&name.to_le_bytes());
        list.extend_from_slice(&module);
    }
    forged.stream(4, &list);
    let findings = read(&forged.finish(), &Files::of_machine(), &Limits::default()).unwrap();
    assert_eq!(findings.modules.len(), 2_048);
    assert!(findings.modules.iter().all(|module| module.name.chars().count() <= 128));
    let limited = Note::ModulesLimited { modules: 20_000, read: 2_048 };
    assert!(findings.notes.contains(&limited), "{:?}", findings.notes);
}

fn death<'a>(exit: Exit, standard_error: &'a [u8], dump: Option<&'a [u8]>, files: &'a Files) -> Death<'a> {
    let cause = if matches!(exit, Exit::Code(_)) { CrashCause::Exit } else { CrashCause::Signal };
    Death {
        exit,
        cause,
        standard_error,
        standard_output: b"",
        dump,
        files,
        program: "shop",
        perf_map: None,
        python_calls: None,
    }
}

const SEGV: Exit = Exit::Signal(Signal(11));
const ABRT: Exit = Exit::Signal(Signal(6));

#[test]
fn the_same_fault_has_one_name_and_another_fault_another() {
    let root = files();
    let signature = |name: &str| {
        analyse(&death(SEGV, b"", Some(&bytes(name)), &root), &Limits::default()).findings.signature
    };
    assert_eq!(signature("shop_null"), "SIGSEGV | price_of");
    assert_eq!(signature("shop_fixed_null"), "SIGSEGV | price_of");
    assert_eq!(signature("shop_overflow"), "stack overflow | recurse");
    assert_eq!(signature("shop_stripped_null"), "SIGSEGV | shop_stripped+0x11d0");
}

#[test]
fn the_runtime_names_the_type_and_the_dump_the_native_calls() {
    let root = files();
    let dump = bytes("shop_null");
    let words = b"terminate called after throwing an instance of 'shop::NotFound'\n  what():  SECRET-4711\n";
    let analysis = analyse(&death(ABRT, words, Some(&dump), &root), &Limits::default());
    assert_eq!(analysis.findings.exception_type, "shop::NotFound");
    assert_eq!(analysis.findings.runtime, Runtime::Cpp);
    assert_eq!(analysis.findings.signature, "shop::NotFound | price_of");
    assert_eq!(analysis.message.as_deref(), Some("SECRET-4711"));

    let managed = b"Fatal Python error: Segmentation fault\n\nCurrent thread 0x01 (most recent call first):\n  File \"/srv/a.py\", line 3 in load\n";
    let findings = analyse(&death(SEGV, managed, Some(&dump), &root), &Limits::default()).findings;
    assert_eq!(findings.exception_type, "SIGSEGV / SEGV_MAPERR");
    assert_eq!(findings.runtime, Runtime::Python);
    assert_eq!(places(&findings.crashing_thread.frames), ["load"]);
    assert!(!findings.modules.is_empty());
}

#[test]
fn the_calls_of_a_python_program_stand_in_its_native_stack() {
    let root = files();
    let dump = bytes("shop_null");
    let call = |function: &str, line, enters| PythonCall {
        function: function.to_owned(),
        file: "/srv/app.py".to_owned(),
        line: Some(line),
        enters,
    };
    let findings = |words, calls: &PythonCalls| {
        let death = Death { python_calls: Some(calls), ..death(SEGV, words, Some(&dump), &root) };
        analyse(&death, &Limits::default()).findings
    };
    let native = analyse(&death(SEGV, b"", Some(&dump), &root), &Limits::default()).findings;
    let joined = findings(b"", &Ok(vec![call("charge", 12, false), call("<module>", 40, true)]));
    assert_eq!((joined.runtime, &*joined.exception_type), (Runtime::Python, "SIGSEGV / SEGV_MAPERR"));
    let (native, joined) = (native.crashing_thread.frames, joined.crashing_thread.frames);
    assert_eq!(joined.split_at(native.len()).0, native, "there is no interpreter in this one");
    assert_eq!(places(&joined[native.len()..]), ["charge", "<module>"]);

    let printed = b"Fatal Python error: Segmentation fault\n\nCurrent thread 0x01 (most recent call first):\n  File \"/srv/a.py\", line 3 in load\n";
    let error = "Unsupported version of Python".to_owned();
    for (words, printed, places_shown) in
        [(&b""[..], false, places(&native)), (printed, true, vec!["load".to_owned()])]
    {
        let findings = findings(words, &Err(error.clone()));
        assert_eq!(places(&findings.crashing_thread.frames), places_shown);
        let note = Note::PythonCallsUnread { error: error.clone(), printed };
        assert!(findings.notes.contains(&note), "{:?}", findings.notes);
    }
}

#[test]
fn what_was_logged_before_a_signal_is_not_its_reason() {
    let tail = b"Traceback (most recent call last):\n  File \"a.py\", line 1, in f\nKeyError: 1\n";
    let of = |exit| analyse(&death(exit, tail, None, &Files::of_machine()), &Limits::default()).findings;
    assert_eq!(of(SEGV).exception_type, "SIGSEGV");
    assert_eq!(of(SEGV).signature, "SIGSEGV | shop");
    assert_eq!(of(Exit::Code(1)).signature, "KeyError | f");
}

#[test]
fn a_death_without_any_word_still_has_a_type_and_a_name() {
    let root = &Files::of_machine();
    let exit = analyse(&death(Exit::Code(3), b"cannot listen\n", None, root), &Limits::default());
    assert_eq!(exit.findings.exception_type, "exit status 3");
    assert_eq!(exit.findings.signature, "exit status 3 | shop");
    assert_eq!(exit.message.as_deref(), Some("cannot listen"));
    let through_shell = analyse(&death(Exit::Code(139), b"", None, root), &Limits::default());
    let of_shell = Note::OfShell { exit_code: 139, signal: "SIGSEGV".to_owned() };
    assert_eq!(through_shell.findings.notes, [of_shell]);
    let killed =
        Death { cause: CrashCause::OutOfMemory, ..death(Exit::Signal(Signal::KILL), b"", None, root) };
    assert_eq!(analyse(&killed, &Limits::default()).findings.signature, "OOM | shop");
    let broken = analyse(&death(SEGV, b"", Some(b"MDMPxxx"), root), &Limits::default());
    assert_eq!(broken.findings.signature, "SIGSEGV | shop");
    assert!(broken.dump_error.is_some_and(|error| error.contains("damaged")));
}

#[test]
fn an_incidents_id_is_made_from_app_and_signature() {
    let app = "shop".parse().unwrap();
    let other = "shop2".parse().unwrap();
    let id = crash::incident_id(&app, "KeyError | f");
    assert_eq!(id, crash::incident_id(&app, "KeyError | f"));
    assert_ne!(id, crash::incident_id(&other, "KeyError | f"));
    assert_eq!(id.as_str(), "ca7bce560da9ff41");
}
