//! An incident as Markdown, to be pasted into a ticket or a chat. Names from processes stand in code spans and code blocks
//! only, with fences longer than any run of backticks in them, so that they cannot become markup there either.

use std::fmt::Write as _;

use insight::deploys::{before_first_crash, summary};
use insight::exception::{exception, signature};
use insight::incident::{actions, crash_count, process, state, termination, title};
use insight::notes;
use insight::report::{Detail, DetailValue};
use insight::words::bytes;
use model::auto_heal::evidence::Sample;
use model::crash::{Crash, Frame, Incident};
use model::deploy::Deploy;
use model::text::seen;
use model::time::humanise;

use crate::IncidentDeploys;
use crate::parts::in_flight::verdict;
use crate::parts::when::{bytes_text, micros_text, seconds_text};

/// The modules, crashes and requests listed; a text for people ends somewhere.
const LISTED: usize = 20;

/// The whole incident, with the address it came from, if it is known.
pub fn incident(
    incident: &Incident,
    crashes: &[Crash],
    deploys: &IncidentDeploys,
    address: Option<&str>,
) -> String {
    let mut text = String::new();
    // writing to a String cannot fail
    _ = write(&mut text, incident, crashes, deploys, address);
    text
}

fn write(
    text: &mut String,
    incident: &Incident,
    crashes: &[Crash],
    deploys: &IncidentDeploys,
    address: Option<&str>,
) -> std::fmt::Result {
    writeln!(text, "# {}\n", code(&title(incident)))?;
    if let Some(address) = address {
        writeln!(text, "<{address}>\n")?;
    }
    writeln!(text, "- App: {}", incident.app)?;
    writeln!(text, "- Signature: {}", code(&signature(&incident.signature)))?;
    for detail in exception(incident) {
        write_detail(text, &detail)?;
    }
    writeln!(text, "- Runtime: {}", incident.runtime)?;
    writeln!(
        text,
        "- Termination: {}",
        plain(&termination(incident.cause, incident.signal.as_deref(), incident.exit_code))
    )?;
    for detail in process(incident) {
        write_detail(text, &detail)?;
    }
    writeln!(text, "- State: {}", plain(&state(&incident.state)))?;
    writeln!(text, "- Crashes: {}", crash_count(incident))?;
    writeln!(text, "- First seen: {} UTC", seconds_text(incident.first_seen))?;
    if let Some(deploy) = &deploys.before {
        writeln!(text, "- Deploy: {}", plain(&before_first_crash(incident.first_seen, deploy)))?;
    }
    writeln!(text, "- Last seen: {} UTC", seconds_text(incident.last_seen))?;
    writeln!(text, "- Instances: {}", code(&incident.instances.join(", ")))?;

    writeln!(
        text,
        "\n## Stack trace{}\n",
        incident.crashing_thread.name.as_deref().map(named).unwrap_or_default()
    )?;
    if incident.crashing_thread.frames.is_empty() {
        writeln!(
            text,
            "No stack trace. The debugger was not attached to this crash, and the worker's output contains none."
        )?;
    } else {
        let lines =
            incident.crashing_thread.frames.iter().enumerate().map(|(at, frame)| frame_line(at, frame));
        writeln!(text, "{}", block(&lines.collect::<Vec<_>>().join("\n")))?;
    }
    for note in notes::sentences(&incident.notes) {
        writeln!(text, "\n> {}", plain(&note))?;
    }
    writeln!(text, "\n## Recommended actions\n")?;
    for (at, step) in actions(incident).iter().enumerate() {
        writeln!(text, "{}. {}", at + 1, plain(&step.text))?;
    }
    if let Some((blame, others)) = verdict(incident) {
        writeln!(text, "\n## In-flight requests: {}\n", incident.in_flight_count)?;
        for request in incident.in_flight.iter().take(LISTED) {
            let age = humanise(std::time::Duration::from_millis(request.age_ms));
            writeln!(text, "- {} after {age}", code(&format!("{} {}", request.method, request.path)))?;
        }
        writeln!(text, "\n{blame} {others}")?;
    }
    write_memory(text, &incident.memory, &deploys.beside_memory)?;
    write_crashes(text, crashes)?;
    write_rest(text, incident)
}

/// Deploys come newest first.
fn write_memory(text: &mut String, memory: &[Sample], deploys: &[Deploy]) -> std::fmt::Result {
    let (Some(first), Some(last)) = (memory.first(), memory.last()) else { return Ok(()) };
    let over = humanise(last.at.since(first.at));
    let (from, to) = (bytes(first.value), bytes(last.value));
    writeln!(text, "\n## Memory before the crash\n\nPrivate bytes went from {from} to {to} within {over}.")?;
    if !deploys.is_empty() {
        writeln!(text)?;
    }
    for deploy in deploys.iter().rev() {
        writeln!(text, "- {} UTC: deploy. {}", seconds_text(deploy.at), plain(&summary(deploy)))?;
    }
    Ok(())
}

fn write_detail(text: &mut String, Detail { name, value }: &Detail) -> std::fmt::Result {
    match value {
        DetailValue::Text(said) => writeln!(text, "- {name}: {}", plain(said)),
        DetailValue::Code(raw) => writeln!(text, "- {name}: {}", code(raw)),
        DetailValue::Time(at) => writeln!(text, "- {name}: {} UTC", seconds_text(*at)),
    }
}

fn write_crashes(text: &mut String, crashes: &[Crash]) -> std::fmt::Result {
    if crashes.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n## Latest crashes\n\n| Time (UTC) | Instance | Termination | Uptime |\n|---|---|---|---|"
    )?;
    for crash in crashes.iter().take(LISTED) {
        let ended = plain(&termination(crash.cause, crash.signal.as_deref(), crash.exit_code));
        let uptime = humanise(std::time::Duration::from_millis(crash.uptime_ms));
        writeln!(
            text,
            "| {} | {}/{} | {ended} | {uptime} |",
            seconds_text(crash.at),
            plain(crash.place.node.as_str()),
            crash.place.instance
        )?;
    }
    Ok(())
}

fn write_rest(text: &mut String, incident: &Incident) -> std::fmt::Result {
    if let Some(audit) = &incident.audit {
        writeln!(
            text,
            "\n## Memory dump\n\n{} captured {} UTC, deleted {} UTC. Process paused for {}. SHA-256 {}. Analysis: {}.",
            bytes_text(audit.size_bytes),
            seconds_text(audit.captured_at),
            seconds_text(audit.dropped_at),
            micros_text(audit.stopped_us),
            code(&audit.sha256),
            plain(&audit.result)
        )?;
    }
    if !incident.modules.is_empty() {
        let lines = incident.modules.iter().take(LISTED);
        let lines = lines.map(|module| {
            format!("{}  {}", module.name, module.build_id.as_deref().unwrap_or("no build id"))
        });
        writeln!(text, "\n## Modules\n\n{}", block(&lines.collect::<Vec<_>>().join("\n")))?;
    }
    Ok(())
}

fn named(name: &str) -> String {
    format!(" {}", code(name))
}

fn frame_line(at: usize, frame: &Frame) -> String {
    let mut line = format!("{at:>3}  {}", frame.place());
    if frame.inline {
        line.push_str(" [inline]");
    }
    if let Some(source) = frame.source() {
        line.push_str("  ");
        line.push_str(&source);
    }
    let module = frame.module.as_deref().filter(|_| frame.function.is_some());
    if let (Some(module), Some(offset)) = (module, frame.offset) {
        _ = write!(line, "  {module}+{offset:#x}");
    }
    line
}

/// Prose in which nothing that came from a process is markup, leads anywhere or calls somebody: a word that could is code. Not by
/// escapes, which some readers take for what they escape.
pub(crate) fn plain(raw: &str) -> String {
    let raw = seen(raw);
    let words = raw.split(' ').map(|word| if is_prose(word) { word.replace('_', "\\_") } else { code(word) });
    words.collect::<Vec<_>>().join(" ")
}

fn is_prose(word: &str) -> bool {
    let lower = word.to_ascii_lowercase();
    word.is_empty()
        || !(word.contains(|c| "\\`*{}[]<>#|~!&$@".contains(c))
            || lower.contains("://")
            || lower.contains("www."))
}

/// The longest run of backticks.
fn longest_run(raw: &str) -> usize {
    raw.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// A code span.
pub(crate) fn code(raw: &str) -> String {
    let raw = seen(raw);
    let fence = "`".repeat(longest_run(&raw) + 1);
    match raw.as_ref() {
        "" => "none".to_owned(),
        // what is only blanks keeps them
        raw if raw.contains('`') || raw.starts_with(' ') => format!("{fence} {raw} {fence}"),
        raw => format!("{fence}{raw}{fence}"),
    }
}

/// A code block.
pub(crate) fn block(raw: &str) -> String {
    let raw = raw.split('\n').map(seen).collect::<Vec<_>>().join("\n");
    let fence = "`".repeat((longest_run(&raw) + 1).max(3));
    format!("{fence}\n{raw}\n{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{CrashCause, Timestamp};

    use crate::incident_deploys::deploy_of;
    use crate::nothing::bare_incident;

    #[test]
    fn names_cannot_leave_their_code() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("a`b``c"), "``` a`b``c ```");
        assert_eq!(code("a\n# b"), "`a # b`");
        assert_eq!(block("x\n```\ny"), "````\nx\n```\ny\n````");
        assert_eq!(plain("<b>*x*|y a_b"), "`<b>*x*|y` a\\_b");
        assert_eq!(code(""), "none");
        assert_eq!(code("x\u{202e}y"), "`x\u{fffd}y`");
    }

    #[test]
    fn deploys_are_told_beside_what_came_after_them() {
        let at = |second: i64| Timestamp::from_ms(1_769_847_300_000 + 1_000 * second);
        let sample = |second| Sample { at: at(second), value: 1 << 20 };
        let id = "a".repeat(16).parse().unwrap();
        let killed = Incident {
            memory: vec![sample(10), sample(70)],
            ..bare_incident(id, CrashCause::OutOfMemory, at(70))
        };
        let deploys = IncidentDeploys {
            before: Some(deploy_of("4.2", at(10))),
            beside_memory: vec![deploy_of("#4.3", at(50)), deploy_of("4.2", at(10))],
        };
        let text = incident(&killed, &[], &deploys, None);
        for expected in [
            "- Deploy: Revision before → 4.2 (git), 1 min before the first crash\n",
            "\nPrivate bytes went from 1 MiB to 1 MiB within 1 min.\n\n\
             - 2026-01-31 08:15:10 UTC: deploy. Revision before → 4.2 (git)\n\
             - 2026-01-31 08:15:50 UTC: deploy. Revision before → `#4.3` (git)\n",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
        let none = IncidentDeploys { before: None, beside_memory: Vec::new() };
        assert!(!incident(&killed, &[], &none, None).to_lowercase().contains("deploy"));
    }

    #[test]
    fn a_name_calls_nobody_and_leads_nowhere() {
        for (raw, expected) in [
            ("Caused by @everyone now", "Caused by `@everyone` now"),
            ("see https://evil.example/x.", "see `https://evil.example/x.`"),
            ("WWW.evil.example", "`WWW.evil.example`"),
            ("fixes #12", "fixes `#12`"),
            ("@`everyone", "`` @`everyone ``"),
            ("![x](javascript:alert) $1$", "`![x](javascript:alert)` `$1$`"),
        ] {
            assert_eq!(plain(raw), expected);
        }
    }
}
