//! An output as lines without prefixes, apart by who wrote them: several containers' or processes' lines may be mixed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::prefix::{self, Sources};
use super::report::Line;

/// The lines of each source, those without one first.
pub(super) fn of(text: &str) -> Vec<Vec<Line<'_>>> {
    let lines: Vec<&str> = text.split('\n').map(str::trim_end).collect();
    let sources = Sources::of(&lines);
    let mut streams: BTreeMap<Option<&str>, Vec<Line<'_>>> = BTreeMap::new();
    for (number, line) in lines.iter().enumerate() {
        let split = prefix::split(line, &sources);
        streams.entry(split.source).or_default().push(Line {
            text: split.rest,
            level: split.level,
            stamped: split.is_stamped(line),
            number,
        });
    }
    let mut streams: Vec<_> = streams.into_values().collect();
    for stream in &mut streams {
        align(stream);
    }
    streams
}

/// Takes off what every prefixed line is indented by, as some logs put tabs behind the time; where no line has a prefix, what all
/// lines are indented by.
fn align(lines: &mut [Line<'_>]) {
    let has_stamps = lines.iter().any(|line| line.stamped);
    let is_ours = |line: &Line<'_>| (line.stamped || !has_stamps) && !line.is_empty();
    let blanks = |text: &str| text.len() - text.trim_start_matches([' ', '\t']).len();
    let common = lines.iter().filter(|line| is_ours(line)).map(|line| blanks(line)).min().unwrap_or(0);
    for line in lines.iter_mut().filter(|line| is_ours(line)) {
        line.text = &line.text[common..];
    }
}

/// The lines as they were written, of an output that something put into records, one a line:
///
/// | who | record |
/// |---|---|
/// | Docker's `json-file`, Fluent Bit | `{"log":"…\n","stream":"stderr","time":"…"}`; Fluentd has time and tag before it |
/// | journald's `json` | `{"MESSAGE":"…","_PID":"7"}` |
/// | Google's logs, `CloudWatch`, Vector | `{"textPayload":"…"}`, `{"message":"…","ingestionTime":1}`, `{"message":"…","source_type":"…"}` |
///
/// A text of several lines that Node.js prints as part of an object has each in quotes: `stack: 'Error: x\n' +`.
pub(super) fn unwrapped(text: &str) -> Cow<'_, str> {
    if !text.contains("{\"") && !text.contains(JOINED) {
        return Cow::Borrowed(text);
    }
    let mut is_joined = false;
    let unwrap = |line| {
        let quoted = quoted(line, is_joined);
        is_joined = line.ends_with(JOINED);
        quoted.map(Cow::Borrowed).or_else(|| inner(line).map(Cow::Owned)).unwrap_or(Cow::Borrowed(line))
    };
    let lines: Vec<Cow<'_, str>> = text.split('\n').map(unwrap).collect();
    lines.iter().map(|line| line.trim_end_matches('\n')).collect::<Vec<_>>().join("\n").into()
}

const JOINED: &str = "\\n' +";

/// The text of a line that is a quoted part of a text.
fn quoted(line: &str, is_joined: bool) -> Option<&str> {
    let part = line.strip_suffix(JOINED);
    let last = || line.trim_end_matches(',').strip_suffix('\'').filter(|_| is_joined);
    part.or_else(last)?.split_once('\'').map(|(_, text)| text)
}

/// What a record says, where it is one of those.
fn inner(line: &str) -> Option<String> {
    let at = line.find("{\"").filter(|_| line.ends_with('}'))?;
    let record: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&line[at..]).ok()?;
    let of = |field: &str, beside: &[&str]| {
        let is_ours = beside.is_empty() || beside.iter().any(|name| record.contains_key(*name));
        record.get(field).filter(|_| is_ours)?.as_str()
    };
    of("log", &[])
        .or_else(|| of("MESSAGE", &["_PID", "SYSLOG_IDENTIFIER", "__REALTIME_TIMESTAMP"]))
        .or_else(|| of("textPayload", &[]))
        .or_else(|| of("message", &["ingestionTime", "source_type"]))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_two_containers_are_told_apart() {
        let text = "app-1  | a\ndb-1   | 1\napp-1  |   b\ndb-1   | 2\nalone | c\nd";
        let streams: Vec<Vec<&str>> =
            of(text).iter().map(|lines| lines.iter().map(|line| line.text).collect()).collect();
        assert_eq!(streams, [vec!["alone | c", "d"], vec!["a", "  b"], vec!["1", "2"]]);
    }

    #[test]
    fn a_time_with_tabs_behind_it_is_taken_off_whole() {
        let lines = of("x\n20:26:31 \t\ta\n20:26:31 \t\t\tb\n20:26:31");
        let lines: Vec<&str> = lines[0].iter().map(|line| line.text).collect();
        assert_eq!(lines, ["x", "a", "\tb", ""]);
    }

    #[test]
    fn dockers_own_log_is_unwrapped() {
        let text =
            "{\"log\":\"Traceback \\\"x\\\"\\n\",\"stream\":\"stderr\",\"time\":\"t\"}\n{\"log\":\"  b\\n\"}";
        assert_eq!(unwrapped(text), "Traceback \"x\"\n  b");
        assert_eq!(unwrapped("{\"log\":\"half"), "{\"log\":\"half");
        for line in [
            "2026-01-08 11:23:00.0 +0000 docker.shop: {\"log\":\"  x\",\"source\":\"stderr\"}",
            "{\"MESSAGE\":\"  x\",\"_PID\":\"7\"}",
            "{\"severity\":\"ERROR\",\"textPayload\":\"  x\"}",
            "{\"message\":\"  x\",\"ingestionTime\":1}",
        ] {
            assert_eq!(unwrapped(line), "  x", "{line}");
        }
        let printed =
            "  message: 'x',\n  stack: 'Error: x\\n' +\n    '    at f\\n' +\n    '    at g',\n  a: 'b'";
        assert_eq!(unwrapped(printed), "  message: 'x',\nError: x\n    at f\n    at g\n  a: 'b'");
        let own = "{\"level\":50,\"message\":\"x\",\"stack\":\"y\"}";
        assert_eq!(unwrapped(own), own, "a record of the program's own has more than its message");
    }
}
