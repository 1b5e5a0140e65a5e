//! What auto-heal goes by: the numbers of the fuse and of the rule Not responding, the app's limit of memory and proactive CPU
//! monitoring.

use insight::violation;
use model::auto_heal::NotRespondingNumbers;
use model::auto_heal::config::Violation;
use model::auto_heal::cpu::{CpuMode, CpuRule};
use model::auto_heal::fuse::FuseNumbers;
use model::auto_heal::limit::WorkerSize;
use model::auto_heal::path_glob::{PathGlob, PathGlobError};

use super::reader::{Reader, Section};
use super::values::{Raw, Size, Span, count, duration, size, text, truth};

/// Less is no web app, and would be healed for ever.
const MEMORY_LEAST: Size = Size(1 << 20);
/// More has no machine.
const MEMORY_MOST: Size = Size(1 << 44);

/// The fuse's numbers; `default` is what holds where a number is left out.
pub(super) fn fuse<'t>(
    reader: &mut Reader<'t>,
    section: &mut Section<'t>,
    default: FuseNumbers,
) -> FuseNumbers {
    let span = |raw: &Raw| duration(raw).map(Span);
    let numbers = FuseNumbers {
        restarts: reader.or_else(
            section,
            "fuse_restarts",
            default.restarts,
            count::<u32>(0, i64::from(u32::MAX)),
        ),
        window: reader.or_else(section, "fuse_window", Span(default.window), span).0,
        off: reader.or_else(section, "fuse_off", Span(default.off), span).0,
    };
    // What an app only takes over was judged where it stands.
    if numbers != default {
        complain(reader, section, numbers.check(), |field| field.replacen("fuse.", "fuse_", 1));
    }
    numbers
}

/// The numbers of the rule Not responding; `default` is what holds where one is left out.
pub(super) fn not_responding<'t>(
    reader: &mut Reader<'t>,
    section: &mut Section<'t>,
    default: NotRespondingNumbers,
) -> NotRespondingNumbers {
    let span = |raw: &Raw| duration(raw).map(Span);
    let (after, within) = (Span(default.after), Span(default.answer_within));
    let numbers = NotRespondingNumbers {
        enabled: reader.or_else(section, "not_responding", default.enabled, truth),
        after: reader.or_else(section, "not_responding_after", after, span).0,
        answer_within: reader.or_else(section, "not_responding_probe", within, span).0,
    };
    if numbers != default {
        complain(reader, section, numbers.check(), |field| field.replacen('.', "_", 1));
    }
    numbers
}

/// Paths that percent request leaves out, such as long polls: a list, or words with commas between them.
pub(super) fn excluded_paths(raw: &Raw) -> Result<Vec<PathGlob>, String> {
    let listed = match raw {
        Raw::List(list) => list.join(","),
        _ => text(raw)?,
    };
    let path = |path: &str| {
        path.parse().map_err(|error: PathGlobError| {
            let paths = insight::violation::accepted(&error.accepted());
            format!("must be paths of {paths} (got \"{}\")", path.escape_debug())
        })
    };
    listed.split(',').map(str::trim).filter(|path| !path.is_empty()).map(path).collect()
}

/// Proactive CPU monitoring, where it is set. What is left out is App Service's default, except for the mode: a dump cannot be
/// taken yet.
pub(super) fn cpu<'t>(reader: &mut Reader<'t>, app: &mut Section<'t>) -> Option<CpuRule> {
    let mut section = reader.section(app, "proactive_cpu");
    if !section.is_given() {
        return None;
    }
    let default = CpuRule::default();
    let any = || count::<u64>(0, i64::MAX);
    let rule = CpuRule {
        threshold_percent: reader.or_else(
            &mut section,
            "threshold_percent",
            default.threshold_percent,
            any(),
        ),
        seconds: reader.or_else(&mut section, "seconds", default.seconds, any()),
        frequency_s: reader.or_else(&mut section, "frequency_s", default.frequency_s, any()),
        actions: reader.or_else(&mut section, "actions", default.actions, any()),
        hours: reader.or_else(&mut section, "hours", default.hours, any()),
        mode: reader.or(&mut section, "mode", "kill", mode),
    };
    complain(reader, &section, rule.check(), |field| field.replacen("cpu.", "", 1));
    reader.finish(&section);
    Some(rule)
}

/// The app's worker size.
pub(super) fn worker_size(raw: &Raw) -> Result<WorkerSize, String> {
    let text = text(raw)?;
    match text.to_ascii_lowercase().as_str() {
        "small" => Ok(WorkerSize::Small),
        "medium" => Ok(WorkerSize::Medium),
        "large" => Ok(WorkerSize::Large),
        _ => Err(format!("must be \"small\", \"medium\" or \"large\" (got \"{text}\")")),
    }
}

/// The app's own limit of private bytes, where it has one.
pub(super) fn memory_limit(raw: &Raw) -> Result<Option<u64>, String> {
    Ok(size(MEMORY_LEAST, MEMORY_MOST)(raw)?.map(|Size(bytes)| bytes))
}

/// As it is written here or by App Service.
fn mode(raw: &Raw) -> Result<CpuMode, String> {
    let text = text(raw)?;
    let word: String = text.chars().filter(char::is_ascii_alphabetic).collect();
    match word.to_ascii_lowercase().as_str() {
        "kill" => Ok(CpuMode::Kill),
        "collect" => Ok(CpuMode::Collect),
        "collectandkill" => Ok(CpuMode::CollectAndKill),
        "collectkillandanalyze" => Ok(CpuMode::CollectKillAndAnalyze),
        _ => Err(format!("must be \"kill\" (got \"{text}\")")),
    }
}

fn complain<'t>(
    reader: &mut Reader<'t>,
    section: &Section<'t>,
    violations: Vec<Violation>,
    key: impl Fn(&str) -> String,
) {
    for violation in violations {
        let Violation { field, received, accepted, remedy } = violation;
        let got = received.map(|received| format!(" (got {received})")).unwrap_or_default();
        let what = format!("must be {}{got}", violation::accepted(&accepted));
        reader.complain(
            section,
            &key(&field),
            what,
            remedy.map(violation::remedy).unwrap_or_default().to_owned(),
        );
    }
}
