//! Deploys in words: what a mark on a chart says, and how long before a crash the last one was.

use model::deploy::{Code, Deploy};
use model::time::humanise;
use model::{TimeRange, Timestamp, text};
use serde::Serialize;

use crate::report::{Cell, Column, DeployMark, LineChart, Report, Table};

/// More of a commit, a version or an image does not fit on a mark.
const LABEL_CHARS: usize = 24;
/// More would cover a chart.
pub(crate) const MARKED: u32 = 100;
/// As people shorten commits.
const COMMIT_CHARS: usize = 7;

/// A deploy as the API tells it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DeployRecord {
    #[serde(flatten)]
    pub deploy: Deploy,
    /// The new code in a word.
    pub label: String,
    /// What changed, in words.
    pub summary: String,
}

impl From<Deploy> for DeployRecord {
    fn from(deploy: Deploy) -> Self {
        Self { label: label(&deploy), summary: summary(&deploy), deploy }
    }
}

/// The new code in a word: `9f8e7d6`, `4.2`, `shop:4.2`; without a revision what changed.
pub fn label(deploy: &Deploy) -> String {
    match &deploy.to.revision {
        Some(revision) => short(&revision.name),
        None => changed(deploy).first().cloned().unwrap_or_else(|| "deploy".to_owned()),
    }
}

/// What changed: `Revision 1111111 → 2222222 (git), node changed`.
pub fn summary(deploy: &Deploy) -> String {
    let Deploy { from, to, .. } = deploy;
    let name = |code: &Code| code.revision.as_ref().map(|revision| short(&revision.name));
    let before = from.as_ref().and_then(name);
    let mut parts = Vec::new();
    if let Some(revision) = to.revision.as_ref().filter(|_| before != name(to)) {
        let before = before.unwrap_or_else(|| "unknown".to_owned());
        parts.push(format!("revision {before} → {} ({})", short(&revision.name), revision.source));
    } else if to.revision.is_none() && before.is_some() {
        parts.push("revision unknown".to_owned());
    }
    parts.extend(changed(deploy));
    crate::words::capitalized(&parts.join(", "))
}

/// Of what is no revision.
fn changed(Deploy { from, to, .. }: &Deploy) -> Vec<String> {
    let Some(from) = from else { return Vec::new() };
    let mut parts = Vec::new();
    if from.script != to.script {
        parts.push(match &to.script {
            Some(script) => format!("file {} changed", text::seen(&script.name)),
            None => "script changed".to_owned(),
        });
    }
    if from.executable != to.executable {
        parts.push(match &to.executable {
            Some(executable) => format!("program {} changed", text::seen(&executable.name)),
            None => "program changed".to_owned(),
        });
    }
    if from.command != to.command {
        parts.push("command changed".to_owned());
    }
    parts
}

/// A commit as people shorten it; of an image neither registry nor folders.
fn short(name: &str) -> String {
    let name = text::seen(name);
    let name = name.rsplit_once('/').map_or(&*name, |(_, name)| name);
    let commit = |text: &str| text.chars().take(COMMIT_CHARS).collect::<String>();
    let is_commit = name.len() >= 20 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_commit {
        return commit(name);
    }
    match name.split_once("@sha256:") {
        Some((name, digest)) => format!("{}@{}", cut(name), commit(digest)),
        None => cut(name),
    }
}

fn cut(name: &str) -> String {
    let is_long = name.chars().count() > LABEL_CHARS;
    let kept = name.chars().take(if is_long { LABEL_CHARS - 1 } else { LABEL_CHARS });
    kept.chain(is_long.then_some('…')).collect()
}

/// As a chart marks it.
fn mark(deploy: &Deploy) -> DeployMark {
    DeployMark { at: deploy.at, label: label(deploy), text: summary(deploy) }
}

/// The report with a mark on every chart where other code was deployed. Newest first.
pub(crate) fn marked(mut report: Report, deploys: &[Deploy]) -> Report {
    for chart in &mut report.charts {
        chart.deploys = marks(deploys, chart.range);
    }
    for chart in &mut report.lines {
        chart.deploys = marks(deploys, chart.range);
    }
    report
}

/// The same on a chart of a worker's last minutes, which then begins with the first of them: the worker that a deploy has started is
/// measured only once it is ready. Newest first.
pub fn mark_on_last_minutes(chart: &mut LineChart, deploys: &[Deploy]) {
    if let Some(first) = deploys.last() {
        chart.begin_by(first.at);
    }
    chart.deploys = marks(deploys, chart.range);
}

/// Those within a range, oldest first, of those that are given newest first.
pub fn marks(deploys: &[Deploy], range: TimeRange) -> Vec<DeployMark> {
    deploys.iter().rev().filter(|deploy| range.contains(deploy.at)).map(mark).collect()
}

/// `First seen 4 min after the deploy of 9f8e7d6`.
pub fn first_seen_after(first_seen: Timestamp, deploy: &Deploy) -> String {
    format!("First seen {} after the deploy of {}", humanise(first_seen.since(deploy.at)), label(deploy))
}

/// `Revision 1111111 → 9f8e7d6 (git), 4 min before the first crash`.
pub fn before_first_crash(first_seen: Timestamp, deploy: &Deploy) -> String {
    format!("{}, {} before the first crash", summary(deploy), humanise(first_seen.since(deploy.at)))
}

/// Deploys, newest first.
pub fn table(deploys: &[Deploy]) -> Table {
    let columns = vec![
        Column::short("at", "Time (UTC)"),
        Column::long("deploy", "Deploy"),
        Column::long("change", "Change"),
        Column::short("node", "Node"),
    ];
    let mut table = Table::new("Deploys", columns, "No deploys in this time range");
    let row = |deploy: &Deploy| {
        vec![
            Cell::Time(deploy.at),
            Cell::Code(label(deploy)),
            Cell::Text(summary(deploy)),
            Cell::Text(deploy.node.to_string()),
        ]
    };
    table.rows = deploys.iter().map(row).collect();
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::crash::Executable;
    use model::deploy::Revision;

    fn code(revision: Option<&str>, script: &str, build: &str) -> Code {
        let file =
            |name: &str, build: &str| Some(Executable { name: name.to_owned(), build: build.to_owned() });
        Code {
            revision: revision.map(|name| Revision { name: name.to_owned(), source: "git".to_owned() }),
            executable: file("node", build),
            script: file("server.js", script),
            command: "c".to_owned(),
        }
    }

    #[test]
    fn a_deploy_says_what_changed() {
        let deploy = |from: Code, to: Code| Deploy {
            app: "shop".parse().unwrap(),
            node: "node-a".parse().unwrap(),
            at: Timestamp::from_ms(0),
            from: Some(from),
            to,
        };
        let commit = |digit: &str| digit.repeat(40);
        let image = |tag: &str| code(Some(&format!("registry.example:5000/team/shop{tag}")), "a", "x");
        let digest = format!("@sha256:{}", "a".repeat(64));
        let cases = [
            (
                code(Some(&commit("1")), "a", "x"),
                code(Some(&commit("2")), "a", "x"),
                "2222222",
                "Revision 1111111 → 2222222 (git)",
            ),
            (
                code(None, "a", "x"),
                code(Some("4.2"), "b", "x"),
                "4.2",
                "Revision unknown → 4.2 (git), file server.js changed",
            ),
            (
                code(None, "a", "x"),
                code(None, "b", "y"),
                "file server.js changed",
                "File server.js changed, program node changed",
            ),
            (image(":4.1"), image(&digest), "shop@aaaaaaa", "Revision shop:4.1 → shop@aaaaaaa (git)"),
        ];
        for (from, to, said, changed) in cases {
            let deploy = deploy(from, to);
            assert_eq!((label(&deploy).as_str(), summary(&deploy).as_str()), (said, changed));
        }
        let hostile = deploy(code(None, "a", "x"), code(Some("\u{202e}<b>"), "a", "x"));
        assert_eq!(label(&hostile), "\u{fffd}<b>");
        let after = first_seen_after(Timestamp::from_ms(240_000), &hostile);
        assert!(after.starts_with("First seen 4 min") && after.contains("after the deploy of"), "{after}");
    }
}
