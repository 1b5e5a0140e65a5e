//! A snapshot, as its reader sees it.

use insight::report::{Chart, Detail, DetailValue, LineChart};
use insight::share::{SharedDetail, SharedFinding, SharedReport, SharedStack, SharedValue};
use leptos::prelude::*;

use super::table::SharedTableView;
use crate::parts::chart::ChartFigure;
use crate::parts::icon::{Status, tone};
use crate::parts::insight::{Details, Notes};
use crate::parts::line_chart::LineFigure;
use crate::parts::stack::Stack;
use crate::parts::when::{When, range_text};

/// Of what a snapshot's title is the heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heading {
    OfPage,
    /// Of a part of a page, which has a heading of its own.
    OfPart,
}

/// The snapshot.
#[component]
pub(crate) fn SharedView(report: SharedReport, heading: Heading) -> impl IntoView {
    let SharedReport { kind, title, app, made_at, range, findings, charts, lines, tables } = report;
    let title = match heading {
        Heading::OfPage => view! { <h1 class="incident-title">{title}</h1> }.into_any(),
        Heading::OfPart => view! { <h3 class="incident-title shared-title">{title}</h3> }.into_any(),
    };
    let of_app = app.map(|app| format!(" of {app}")).unwrap_or_default();
    let range = range.map(|range| format!(" · Time range (UTC): {}", range_text(range)));
    let findings =
        findings.into_iter().enumerate().map(|(at, finding)| view! { <Finding at=at finding=finding /> });
    let findings = findings.collect_view();
    let charts = charts.into_iter().map(|chart| {
        let title = chart.title.clone();
        view! {
            <Part title=title>
                <ChartFigure chart=Chart::from(chart) has_heading=true />
            </Part>
        }
    });
    let lines = lines.into_iter().map(|chart| {
        let (title, note) = (chart.title.clone(), chart.note.clone());
        view! {
            <Part title=title>
                <LineFigure chart=LineChart::from(chart) has_heading=true />
                {note.map(|note| view! { <p class="quiet">{note}</p> })}
            </Part>
        }
    });
    let tables = tables.into_iter().map(|table| {
        let title = table.title.clone();
        view! {
            <Part title=title>
                <SharedTableView table=table />
            </Part>
        }
    });
    view! {
        <article class="shared">
            <header>
                {title}
                <p class="quiet">{format!("{kind}{of_app} · Snapshot of ")} <When at=made_at /> {range}</p>
            </header>
            {findings}
            {charts.collect_view()}
            {lines.collect_view()}
            {tables.collect_view()}
        </article>
    }
}

#[component]
fn Part(title: String, children: Children) -> impl IntoView {
    view! {
        <section class="region">
            <h2>{title}</h2>
            {children()}
        </section>
    }
}

#[component]
fn Finding(at: usize, finding: SharedFinding) -> impl IntoView {
    let SharedFinding { heading, details, stack, notes, actions } = finding;
    let detail = |SharedDetail { name, value }: SharedDetail| {
        let value = match value {
            SharedValue::Text(text) => DetailValue::Text(text),
            SharedValue::Code(text) => DetailValue::Code(text),
            SharedValue::Time(at) => DetailValue::Time(at),
        };
        Detail { name, value }
    };
    let details: Vec<Detail> = details.into_iter().map(detail).collect();
    let is_alone = heading.is_none();
    let stack = stack.map(|stack| view! { <Calls at=at stack=stack is_alone=is_alone /> });
    let body = view! {
        <Details details=details />
        {stack}
        <Notes notes=notes />
        <Steps actions=actions />
    };
    match heading {
        None => view! { <section class="region">{body}</section> }.into_any(),
        Some((severity, title)) => view! {
            <section class=format!("insight {}", tone(severity))>
                <div class="insight-head">
                    <Status severity=severity />
                    <h2 class="insight-title">{title}</h2>
                </div>
                <div class="insight-body">{body}</div>
            </section>
        }
        .into_any(),
    }
}

/// Without frames, the why of that stands in its place where the report is about the one crash.
#[component]
fn Calls(at: usize, stack: SharedStack, is_alone: bool) -> impl IntoView {
    if stack.frames.is_empty() && !is_alone {
        return ().into_any();
    }
    let thread = stack.into_thread();
    let fault = thread.top_frame().cloned();
    view! {
        {is_alone.then(|| view! { <h2>"Stack trace"</h2> })}
        <Stack thread=thread key=format!("shared-{at}") fault=fault />
    }
    .into_any()
}

#[component]
fn Steps(actions: Vec<String>) -> impl IntoView {
    (!actions.is_empty()).then(|| {
        view! {
            <div class="advice">
                <h3>"Recommended actions"</h3>
                <ol>{actions.into_iter().map(|action| view! { <li>{action}</li> }).collect_view()}</ol>
            </div>
        }
    })
}
