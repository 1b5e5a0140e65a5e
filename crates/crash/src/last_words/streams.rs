//! An output as lines without prefixes, apart by who wrote them: several containers' or processes' lines may be mixed.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::prefix;
use super::report::Line;

/// A name before a bar is a source's where it stands before as many lines.
const LINES_OF_SOURCE: usize = 2;

/// The lines of each source, those without one first.
pub(super) fn of(text: &str) -> Vec<Vec<Line<'_>>> {
    let lines: Vec<&str> = text.split('\n').map(str::trim_end).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &lines {
        if let Some(source) = prefix::split(line, &|_| true).source {
            *counts.entry(source).or_default() += 1;
        }
    }
    let needed = LINES_OF_SOURCE.min(lines.iter().filter(|line| !line.is_empty()).count());
    let known = |source: &str| counts.get(source).is_some_and(|count| *count >= needed);
    let mut streams: BTreeMap<Option<&str>, Vec<Line<'_>>> = BTreeMap::new();
    for (number, line) in lines.iter().enumerate() {
        let split = prefix::split(line, &known);
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

/// Takes off what every prefixed line is indented by: some logs put tabs behind the time.
fn align(lines: &mut [Line<'_>]) {
    fn is_ours(line: &Line<'_>) -> bool {
        line.stamped && !line.is_empty()
    }
    let blanks = |text: &str| text.len() - text.trim_start_matches([' ', '\t']).len();
    let common = lines.iter().filter(|line| is_ours(line)).map(|line| blanks(line)).min().unwrap_or(0);
    for line in lines.iter_mut().filter(|line| is_ours(line)) {
        line.text = &line.text[common..];
    }
}

/// The lines of Docker's `json-file` log, `{"log":"…\n","stream":"stderr","time":"…"}`, as they were written.
pub(super) fn unwrapped(text: &str) -> Cow<'_, str> {
    #[derive(serde::Deserialize)]
    struct Wrapped<'t> {
        #[serde(borrow)]
        log: Cow<'t, str>,
    }
    if !text.contains("{\"log\":\"") {
        return Cow::Borrowed(text);
    }
    let unwrap = |line| serde_json::from_str(line).map_or(Cow::Borrowed(line), |Wrapped { log }| log);
    let lines: Vec<Cow<'_, str>> = text.split('\n').map(unwrap).collect();
    lines.iter().map(|line| line.trim_end_matches('\n')).collect::<Vec<_>>().join("\n").into()
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
    }
}
