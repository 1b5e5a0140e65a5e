//! A report's table: what can be reckoned with stands in the markup as the value that it is.

use std::time::Duration;

use insight::report::{Cell, Column, Layout, Table};
use leptos::prelude::*;
use model::time::humanise;

use super::icon::Status;
use super::link::{Linked, Links};
use super::region::{Scroll, slug};
use super::when::{When, bytes_text, micros_text};

/// The rows, or what is said where there is none, and what is to be known about them.
#[component]
pub(crate) fn TableView<'a>(table: Table, links: &'a Links) -> impl IntoView + use<> {
    let Table { title, columns, rows, empty, notes, folded } = table;
    let notes = notes
        .into_iter()
        .map(|note| {
            view! {
                <p class="quiet">
                    <Linked text=note.text link=note.link links=links />
                </p>
            }
        })
        .collect_view();
    if rows.is_empty() {
        return view! {
            <p class="quiet">{empty}</p>
            {notes}
        }
        .into_any();
    }
    let count = rows.len();
    let heads = columns.iter().map(|column| {
        view! {
            <th scope="col" class=class(column)>
                {column.title}
            </th>
        }
    });
    let heads = heads.collect_view();
    let row = |cells: Vec<Cell>| {
        let cells = columns.iter().zip(cells).map(|(column, value)| {
            let (label, value) = (column.title, cell(value, links));
            match class(column) {
                None => view! { <td data-label=label>{value}</td> }.into_any(),
                class => view! { <td class=class data-label=label>{value}</td> }.into_any(),
            }
        });
        let cells = cells.collect_view();
        view! { <tr>{cells}</tr> }.to_html()
    };
    // row by row: the views of a hundred rows would take megabytes at once
    let rows: String = rows.into_iter().map(row).collect();
    let whole = view! {
        <Scroll label=title>
            <table class="cards">
                <thead>
                    <tr>{heads}</tr>
                </thead>
                <tbody inner_html=rows></tbody>
            </table>
        </Scroll>
    };
    if !folded {
        return view! {
            {whole}
            {notes}
        }
        .into_any();
    }
    view! {
        <details data-key=format!("table-{}", slug(title))>
            <summary>{format!("Show {count}")}</summary>
            {whole}
        </details>
        {notes}
    }
    .into_any()
}

const fn class(column: &Column) -> Option<&'static str> {
    match column.layout {
        Layout::Short => None,
        Layout::Number => Some("number"),
        Layout::Long => Some("wrap"),
    }
}

fn cell(cell: Cell, links: &Links) -> AnyView {
    match cell {
        Cell::None => ().into_any(),
        Cell::Text(text) => text.into_any(),
        Cell::Code(name) => view! { <code>{name}</code> }.into_any(),
        Cell::Link { text, to } => view! {
            <a href=links.href(&to)>
                <code>{text}</code>
            </a>
        }
        .into_any(),
        Cell::Hash(digits) => {
            let short = digits.chars().take(12).collect::<String>();
            view! {
                <code class="hash" title=digits>
                    {short}
                    "…"
                </code>
            }
            .into_any()
        }
        Cell::Branch { depth, name } => {
            let indent = match depth {
                0 => String::new(),
                depth => "\u{a0}\u{a0}".repeat(usize::from(depth.min(20)) - 1) + "└\u{a0}",
            };
            view! {
                <span class="quiet">{indent}</span>
                <code>{name}</code>
            }
            .into_any()
        }
        Cell::Time(at) => view! { <When at=at bare=true /> }.into_any(),
        Cell::Count(count) => value(count, count.to_string()).into_any(),
        Cell::Bytes(bytes) => value(bytes, bytes_text(bytes)).into_any(),
        Cell::DurationMs(ms) => value(ms, humanise(Duration::from_millis(ms))).into_any(),
        Cell::DurationUs(us) => value(us, micros_text(us)).into_any(),
        Cell::Percent(percent) => value(percent.into(), format!("{percent}%")).into_any(),
        Cell::Status { severity, word, details } => view! {
            <Status severity=severity word=word />
            {details
                .map(|details| {
                    view! {
                        " "
                        <span>{details}</span>
                    }
                })}
        }
        .into_any(),
    }
}

fn value(value: u64, text: String) -> impl IntoView {
    view! { <data value=value.to_string()>{text}</data> }
}

#[cfg(test)]
mod tests {
    use super::*;
    use insight::report::{Note, Severity, Target};
    use model::Timestamp;

    fn html(table: Table) -> String {
        let links = Links::of_app("shop".parse().unwrap());
        // without the marks between texts
        view! { <TableView table=table links=&links /> }
            .to_html()
            .replace("<!>", "")
            .replace("<!--<() />-->", "")
    }

    fn table() -> Table {
        let columns = vec![Column::short("name", "Name"), Column::number("size", "Size")];
        let mut table = Table::new("Deleted memory dumps", columns, "None");
        table.notes.push(Note::at("Each is in the history.", Target::AutoHealHistory));
        table
    }

    #[test]
    fn every_cell_shows_its_value_and_no_name_is_markup() {
        let incident: model::IncidentId = "0123456789abcdef".parse().unwrap();
        let cells = [
            (Cell::None, "<td data-label=\"Name\"></td>"),
            (Cell::Text("<b>analysed".to_owned()), "&lt;b&gt;analysed"),
            (Cell::Code("<i>".to_owned()), "<code>&lt;i&gt;</code>"),
            (
                Cell::Link { text: "<u>".to_owned(), to: Target::Incident { id: incident } },
                "<a href=\"/incidents/0123456789abcdef\"><code>&lt;u&gt;</code></a>",
            ),
            (Cell::Hash("ab".repeat(32)), "abababababab"),
            (Cell::Branch { depth: 2, name: "sh".to_owned() }, "\u{a0}\u{a0}└\u{a0}</span><code>sh</code>"),
            (Cell::Time(Timestamp::from_ms(1_769_847_300_000)), "datetime=\"2026-01-31T08:15:00.000Z\""),
            (Cell::Count(17), "<data value=\"17\">17</data>"),
            (Cell::Bytes(35_651_584), "<data value=\"35651584\">34.0 MiB</data>"),
            (Cell::DurationMs(1_200), "<data value=\"1200\">1.2 s</data>"),
            (Cell::DurationUs(12_400), "<data value=\"12400\">12.4 ms</data>"),
            (Cell::Percent(7), "<data value=\"7\">7%</data>"),
            (
                Cell::Status {
                    severity: Severity::Warning,
                    word: "Failed".to_owned(),
                    details: Some("It did <i>not</i> listen.".to_owned()),
                },
                "It did &lt;i&gt;not&lt;/i&gt; listen.",
            ),
        ];
        for (cell, expected) in cells {
            let mut table = table();
            table.rows = vec![vec![cell.clone(), Cell::None]];
            let html = html(table);
            assert!(html.contains(expected), "{cell:?}: {expected} in {html}");
            assert!(!["<b>", "<i>", "<u>"].iter().any(|tag| html.contains(tag)), "{html}");
        }
        let mut table = table();
        table.rows = vec![vec![Cell::Hash("ab".repeat(32)), Cell::None]];
        table.folded = true;
        let html = html(table);
        assert!(
            html.contains(&format!("title=\"{}\"", "ab".repeat(32))) && html.contains("<details"),
            "{html}"
        );
        assert!(html.contains("/tools/auto-heal?tab=history\">Auto-heal history</a>"), "{html}");
    }

    #[test]
    fn none_is_said_in_words() {
        let html = html(table());
        assert!(html.contains("None") && !html.contains("<table"), "{html}");
    }
}
