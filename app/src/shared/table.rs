//! A snapshot's table.

use std::time::Duration;

use insight::report::Layout;
use insight::share::{SharedCell, SharedTable};
use leptos::prelude::*;
use model::time::humanise;

use crate::parts::icon::Status;
use crate::parts::when::{When, bytes_text};

/// The rows, or what is said where there is none.
#[component]
pub(super) fn SharedTableView(table: SharedTable) -> impl IntoView {
    let SharedTable { title, columns, rows, empty, notes } = table;
    let notes = notes.into_iter().map(|note| view! { <p class="quiet">{note}</p> }).collect_view();
    if rows.is_empty() {
        return view! {
            <p class="quiet">{empty}</p>
            {notes}
        }
        .into_any();
    }
    let heads = columns.iter().map(|column| {
        view! {
            <th scope="col" class=class(column.layout)>
                {column.title.clone()}
            </th>
        }
    });
    let heads = heads.collect_view();
    let row = |cells: Vec<SharedCell>| {
        let cells = columns.iter().zip(cells).map(|(column, value)| {
            view! {
                <td class=class(column.layout) data-label=column.title.clone()>
                    {cell(value)}
                </td>
            }
        });
        let cells = cells.collect_view();
        view! { <tr>{cells}</tr> }
    };
    let rows = rows.into_iter().map(row).collect_view();
    view! {
        <div class="scroll" role="region" tabindex="0" aria-label=title>
            <table class="cards">
                <thead>
                    <tr>{heads}</tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
        {notes}
    }
    .into_any()
}

const fn class(layout: Layout) -> Option<&'static str> {
    match layout {
        Layout::Short => None,
        Layout::Number => Some("number"),
        Layout::Long => Some("wrap"),
    }
}

/// In words, without a severity's picture.
pub(super) fn words(cell: &SharedCell) -> String {
    match cell {
        SharedCell::None => String::new(),
        SharedCell::Text(text) | SharedCell::Code(text) => text.clone(),
        SharedCell::Time(at) => crate::parts::when::seconds_text(*at),
        SharedCell::Count(count) => count.to_string(),
        SharedCell::Bytes(bytes) => bytes_text(*bytes),
        SharedCell::DurationMs(ms) => humanise(Duration::from_millis(*ms)),
        SharedCell::Percent(percent) => format!("{percent}%"),
        SharedCell::Status { severity: _, word, details: None } => word.clone(),
        SharedCell::Status { severity: _, word, details: Some(details) } => format!("{word}: {details}"),
    }
}

fn cell(cell: SharedCell) -> AnyView {
    match cell {
        SharedCell::None => ().into_any(),
        SharedCell::Code(name) => view! { <code>{name}</code> }.into_any(),
        SharedCell::Time(at) => view! { <When at=at bare=true /> }.into_any(),
        SharedCell::Status { severity, word, details } => view! {
            <Status severity=severity word=word />
            {details.map(|details| format!(" {details}"))}
        }
        .into_any(),
        other => words(&other).into_any(),
    }
}
