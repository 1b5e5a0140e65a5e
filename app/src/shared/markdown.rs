//! A snapshot as Markdown. As in an incident's own ([`crate::markdown`]), names from processes stand in code.

use std::fmt::Write as _;

use insight::share::{SharedDetail, SharedFinding, SharedReport, SharedStack, SharedTable, SharedValue};
use model::crash::Frame;

use super::table::words;
use crate::markdown::{block, code, plain};
use crate::parts::when::{range_text, seconds_text};

/// The text.
pub fn markdown(report: SharedReport) -> String {
    let mut text = String::new();
    // writing to a String cannot fail
    _ = write(&mut text, report);
    text
}

fn write(text: &mut String, report: SharedReport) -> std::fmt::Result {
    writeln!(text, "# {}\n", code(&report.full_title()))?;
    let SharedReport { kind, made_at, range, findings, lines, tables, .. } = report;
    let range = range.map(|range| format!(" Time range (UTC): {}.", range_text(range))).unwrap_or_default();
    writeln!(text, "{kind}. Snapshot of {} UTC.{range}", seconds_text(made_at))?;
    for finding in findings {
        write_finding(text, finding)?;
    }
    for chart in &lines {
        writeln!(text, "\n## {}\n", plain(&chart.title))?;
        for line in &chart.lines {
            let peak = line.values.iter().flatten().max();
            let peak = peak.map(|peak| crate::parts::amount::amount(*peak, chart.unit)).unwrap_or_default();
            writeln!(text, "- {}: at most {peak}", plain(&line.name))?;
        }
    }
    tables.iter().try_for_each(|table| write_table(text, table))
}

fn write_finding(text: &mut String, finding: SharedFinding) -> std::fmt::Result {
    let SharedFinding { heading, details, stack, notes, actions } = finding;
    match heading {
        Some((severity, title)) => writeln!(text, "\n## {}: {}\n", severity.word(), plain(&title))?,
        None => writeln!(text)?,
    }
    for SharedDetail { name, value } in &details {
        match value {
            SharedValue::Text(said) => writeln!(text, "- {name}: {}", plain(said))?,
            SharedValue::Code(raw) => writeln!(text, "- {name}: {}", code(raw))?,
            SharedValue::Time(at) => writeln!(text, "- {name}: {} UTC", seconds_text(*at))?,
        }
    }
    if let Some(stack) = stack.filter(|stack| !stack.frames.is_empty()) {
        writeln!(text, "\n### Stack trace\n\n{}", block(&calls(stack)))?;
    }
    for note in &notes {
        writeln!(text, "\n> {}", plain(note))?;
    }
    if !actions.is_empty() {
        writeln!(text, "\n### Recommended actions\n")?;
    }
    for (at, action) in actions.iter().enumerate() {
        writeln!(text, "{}. {}", at + 1, plain(action))?;
    }
    Ok(())
}

fn calls(stack: SharedStack) -> String {
    let thread = stack.into_thread();
    let line = |(at, frame): (usize, &Frame)| {
        let source = frame.source().map(|source| format!("  {source}")).unwrap_or_default();
        let inline = if frame.inline { " [inline]" } else { "" };
        format!("{at:>3}  {}{inline}{source}", frame.place())
    };
    thread.frames.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn write_table(text: &mut String, table: &SharedTable) -> std::fmt::Result {
    writeln!(text, "\n## {}\n", plain(&table.title))?;
    if table.rows.is_empty() {
        return writeln!(text, "{}", plain(&table.empty));
    }
    // what would end a cell is code by then, and a bar in code still ends one
    let row = |cells: Vec<String>| format!("| {} |", cells.join(" | "));
    let cell = |said: &str| plain(said).replace('|', "\\|");
    writeln!(text, "{}", row(table.columns.iter().map(|column| cell(&column.title)).collect()))?;
    writeln!(text, "|{}", "---|".repeat(table.columns.len()))?;
    for cells in &table.rows {
        writeln!(text, "{}", row(cells.iter().map(|found| cell(&words(found))).collect()))?;
    }
    for note in &table.notes {
        writeln!(text, "\n{}", plain(note))?;
    }
    Ok(())
}
