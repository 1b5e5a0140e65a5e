//! Last words of real programs as people posted them, prefixes and log lines around them included, each with what has to be read
//! from it: `EXPECTED.json` beside them.
//!
//! `posted` are the words themselves, shortened, with the names of people, hosts and private code replaced. `typed` were written
//! after what runtimes of other versions and other loggers print. `provoked` are whole: programs that were made to die so, of glog 0.6,
//! Abseil 20240722, gcc 14, clang 19, .NET 3.1, Mono 6.8, Node.js 20, Deno 2.9, Bun 1.4, Python 3.13, Ruby 3.1, PHP 8.2 and
//! `OpenJDK` 25, with a secret in each message.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crash::{Analysis, Limits, analyse};
use model::crash::Note;
use model::{Exit, Signal};
use serde::Deserialize;

use crate::death;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expected {
    /// The exception's type holds one of these.
    #[serde(rename = "type")]
    types: Vec<String>,
    /// Some frame holds it; empty where none is asked for.
    frame: String,
    /// No frame holds it.
    not_frame: Option<String>,
    /// Part of the message: nowhere in the findings.
    pub(crate) message: Option<String>,
    /// Told as the exception's cause.
    cause: Option<String>,
    /// `ABRT`, 139 for SIGSEGV, else the exit status.
    end: String,
}

impl Expected {
    pub(crate) fn exit(&self) -> Exit {
        match self.end.as_str() {
            "ABRT" => Exit::Signal(Signal(6)),
            "139" => Exit::Signal(Signal(11)),
            code => Exit::Code(code.parse().unwrap()),
        }
    }

    /// What is wrong with the analysis.
    fn complaints(&self, analysis: &Analysis) -> Vec<String> {
        let findings = &analysis.findings;
        let mut wrong = Vec::new();
        if !self.types.iter().any(|kind| findings.exception_type.contains(kind)) {
            wrong.push(format!("type {}, not {:?}", findings.exception_type, self.types));
        }
        let functions: Vec<String> =
            findings.crashing_thread.frames.iter().map(model::crash::Frame::place).collect();
        if !self.frame.is_empty() && !functions.iter().any(|function| function.contains(&self.frame)) {
            wrong.push(format!("no {} in {functions:?}", self.frame));
        }
        let json = serde_json::to_string(findings).unwrap();
        let frames = serde_json::to_string(&findings.crashing_thread).unwrap();
        if self.not_frame.as_ref().is_some_and(|never| frames.contains(never)) {
            wrong.push(format!("{:?} in {frames}", self.not_frame));
        }
        if self.message.as_ref().is_some_and(|never| json.contains(never)) {
            wrong.push(format!("{:?} in {json}", self.message));
        }
        let told = |cause: &String| findings.notes.contains(&Note::CausedBy { exception: cause.clone() });
        if self.cause.as_ref().is_some_and(|cause| !told(cause)) {
            wrong.push(format!("cause {:?} not in {:?}", self.cause, findings.notes));
        }
        wrong
    }
}

/// Those of a folder beside this file.
pub(crate) fn samples(folder: &str) -> Vec<(String, Vec<u8>, Expected)> {
    samples_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/last_words").join(folder))
}

fn samples_in(folder: &Path) -> Vec<(String, Vec<u8>, Expected)> {
    let expected = std::fs::read(folder.join("EXPECTED.json")).unwrap();
    let expected: BTreeMap<String, Expected> = serde_json::from_slice(&expected).unwrap();
    let is_sample = |file: std::io::Result<std::fs::DirEntry>| {
        file.unwrap().path().extension().is_some_and(|extension| extension == "stderr")
    };
    let files = std::fs::read_dir(folder).unwrap().filter_map(|file| is_sample(file).then_some(())).count();
    assert_eq!(files, expected.len(), "each sample in {} has its expectation", folder.display());
    let read = |name: &str| std::fs::read(folder.join(format!("{name}.stderr"))).unwrap();
    expected.into_iter().map(|(name, expected)| (name.clone(), read(&name), expected)).collect()
}

/// The table of right and all by class, and what is wrong with the others.
fn judged(samples: Vec<(String, Vec<u8>, Expected)>) -> (String, String) {
    let mut classes: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut wrongs = String::new();
    for (name, tail, expected) in samples {
        let wrong = expected.complaints(&analyse(&death(&tail, expected.exit()), &Limits::default()));
        let class = classes.entry(name.split('_').next().unwrap_or_default().to_owned()).or_default();
        class.0 += usize::from(wrong.is_empty());
        class.1 += 1;
        for complaint in wrong {
            writeln!(wrongs, "{name}: {complaint}").unwrap();
        }
    }
    let row = |(class, (right, all)): (&String, &(usize, usize))| format!("{class:10} {right:3} of {all}\n");
    (classes.iter().map(row).collect(), wrongs)
}

fn all_right(samples: Vec<(String, Vec<u8>, Expected)>) {
    let (table, wrongs) = judged(samples);
    println!("{table}");
    assert!(wrongs.is_empty(), "right by class:\n{table}{wrongs}");
}

#[test]
fn what_people_posted_is_read() {
    all_right(samples("posted"));
}

#[test]
fn what_other_versions_and_loggers_print_is_read() {
    all_right(samples("typed"));
}

#[test]
fn what_programs_print_that_were_made_to_die_is_read() {
    all_right(samples("provoked"));
}

/// Many programs have one stream for everything, and Spring Boot's report is on standard output as a rule. What only a dying
/// process prints is believed there too.
#[test]
fn what_ends_a_program_is_read_from_standard_output() {
    let served = "GET / 200\n".repeat(300);
    for name in [
        "java_spring_failed_start",
        "php_fpm_notice",
        "node_compose_prefix",
        "py_uvicorn_level_prefix",
        "py_gunicorn_boot",
        "ruby_bundler_failed",
        "go_nil_old",
        "rust_color_eyre",
        "dotnet_npgsql_hresult",
    ] {
        let (_, tail, expected) = samples("posted").into_iter().find(|(sample, ..)| sample == name).unwrap();
        let output = [served.as_bytes(), &tail].concat();
        let death = crash::Death { standard_output: &output, ..death(b"", expected.exit()) };
        let wrong = expected.complaints(&analyse(&death, &Limits::default()));
        assert!(wrong.is_empty(), "{name}: {wrong:?}");
    }
}

/// For last words that are kept elsewhere: the table is printed with `--nocapture`.
#[test]
#[ignore = "reads the folder that MEDIC_LAST_WORDS names"]
fn what_is_in_another_folder_is_read() {
    // a run of every test, ignored ones too, has none
    let Some(folder) = std::env::var_os("MEDIC_LAST_WORDS") else { return };
    all_right(samples_in(Path::new(&folder)));
}
