//! One finding of a detector, as an expandable card: status, title, details, the crashing thread's stack, what to do next.

use insight::report::{Detail, DetailValue, Insight};
use leptos::prelude::*;
use model::crash::Incident;

use super::icon::{Status, tone};
use super::stack::Stack;
use super::when::When;
use crate::address::{INCIDENT, INCIDENT_MARKDOWN};

/// The findings, the first of them unfolded.
#[component]
pub(crate) fn Insights(
    /// Worst first.
    insights: Vec<Insight>,
) -> impl IntoView {
    let cards = insights.into_iter().enumerate();
    view! {
        <div class="insights">
            {cards.map(|(at, insight)| view! { <InsightCard insight=insight open=at == 0 /> }).collect_view()}
        </div>
    }
}

/// The card.
#[component]
pub(crate) fn InsightCard(
    /// The finding.
    insight: Insight,
    /// Unfolded at first.
    #[prop(optional)]
    open: bool,
) -> impl IntoView {
    let key =
        insight.incident.as_ref().map_or_else(|| insight.title.clone(), |incident| incident.id.to_string());
    let has_more = !insight.details.is_empty() || !insight.advice.is_empty() || insight.incident.is_some();
    let head = view! {
        <Status severity=insight.severity />
        <span class="insight-title">{insight.title}</span>
    };
    let class = format!("insight {}", tone(insight.severity));
    if !has_more {
        return view! { <div class=class><p class="insight-head">{head}</p></div> }.into_any();
    }
    view! {
        <details class=class open=open data-key=format!("insight-{key}")>
            <summary class="insight-head">{head}</summary>
            <div class="insight-body">
                <Details details=insight.details />
                {match insight.incident {
                    None => view! { <Advice advice=insight.advice /> }.into_any(),
                    Some(incident) => view! { <IncidentBody incident=incident advice=insight.advice /> }.into_any(),
                }}
            </div>
        </details>
    }
    .into_any()
}

#[component]
fn IncidentBody(incident: Incident, advice: Vec<String>) -> impl IntoView {
    let fault = incident.top_frame().cloned();
    let id = incident.id.clone();
    view! {
        <Stack thread=incident.crashing_thread key=format!("stack-{id}") fault=fault />
        <Notes notes=incident.notes />
        <Advice advice=advice />
        <p class="actions">
            <a class="button" href=INCIDENT.of_incident(&id)>
                "Open incident"
            </a>
            <a class="button quiet-button" href=INCIDENT_MARKDOWN.of_incident(&id) data-copy="markdown">
                "Copy as Markdown"
            </a>
        </p>
    }
}

/// Key and value.
#[component]
pub(crate) fn Details(
    /// In the order to be read.
    details: Vec<Detail>,
) -> impl IntoView {
    let value = |value: DetailValue| match value {
        DetailValue::Text(text) => text.into_any(),
        DetailValue::Code(text) => view! { <code>{text}</code> }.into_any(),
        DetailValue::Time(at) => view! { <When at=at /> }.into_any(),
    };
    (!details.is_empty()).then(|| {
        view! {
            <dl class="details">
                {details
                    .into_iter()
                    .map(|detail| {
                        view! {
                            <div>
                                <dt>{detail.name}</dt>
                                <dd>{value(detail.value)}</dd>
                            </div>
                        }
                    })
                    .collect_view()}
            </dl>
        }
    })
}

/// What the reader should know about the analysis.
#[component]
pub(crate) fn Notes(
    /// One sentence each.
    notes: Vec<String>,
) -> impl IntoView {
    (!notes.is_empty()).then(|| {
        view! {
            <div class="message info">
                <p>"Notes"</p>
                <ul>{notes.into_iter().map(|note| view! { <li>{note}</li> }).collect_view()}</ul>
            </div>
        }
    })
}

/// What to do next.
#[component]
pub(crate) fn Advice(
    /// Most promising first.
    advice: Vec<String>,
) -> impl IntoView {
    (!advice.is_empty()).then(|| {
        view! {
            <div class="advice">
                <h3>"Recommended actions"</h3>
                <ol>{advice.into_iter().map(|step| view! { <li>{step}</li> }).collect_view()}</ol>
            </div>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use insight::report::Severity;
    use model::Timestamp;

    #[test]
    fn a_finding_shows_its_status_as_a_word_its_details_and_its_advice() {
        let insight = Insight {
            severity: Severity::Critical,
            title: "2 crashes of <Bad> in f".to_owned(),
            details: vec![
                Detail::code("Signature", "a | <b>"),
                Detail::time("Last seen", Timestamp::from_ms(1_769_847_300_000)),
            ],
            advice: vec!["Read line 42.".to_owned()],
            incident: None,
        };
        let html = view! { <InsightCard insight=insight open=true /> }.to_html();
        for expected in [
            "Critical",
            "2 crashes of &lt;Bad&gt; in f",
            "a | &lt;b&gt;",
            "2026-01-31T08:15",
            "Read line 42.",
            " open",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(!html.contains("<b>"), "{html}");
    }

    #[test]
    fn a_finding_without_more_to_say_cannot_be_unfolded() {
        let insight = Insight {
            severity: Severity::Success,
            title: "No crashes".to_owned(),
            details: Vec::new(),
            advice: Vec::new(),
            incident: None,
        };
        let html = view! { <InsightCard insight=insight /> }.to_html();
        assert!(!html.contains("<details") && html.contains("Success"), "{html}");
    }
}
