//! One finding of a detector, as an expandable card: status, title, details, the crashing thread's stack, what to do next.

use insight::report::{Action, Detail, DetailValue, IncidentExcerpt, Insight};
use leptos::prelude::*;

use super::icon::{Status, tone};
use super::link::{Linked, Links};
use super::stack::Stack;
use super::when::When;
use crate::address::{INCIDENT, INCIDENT_MARKDOWN};

/// The findings, the first of them unfolded.
#[component]
pub(crate) fn Insights<'a>(
    /// Worst first.
    insights: Vec<Insight>,
    links: &'a Links,
) -> impl IntoView + use<> {
    let cards = insights
        .into_iter()
        .enumerate()
        .map(|(at, insight)| view! { <InsightCard insight=insight links=links open=at == 0 /> });
    view! { <div class="insights">{cards.collect_view()}</div> }
}

/// The card.
#[component]
pub(crate) fn InsightCard<'a>(
    /// The finding.
    insight: Insight,
    links: &'a Links,
    /// Unfolded at first.
    #[prop(optional)]
    open: bool,
) -> impl IntoView + use<> {
    let key =
        insight.incident.as_ref().map_or_else(|| insight.title.clone(), |incident| incident.id.to_string());
    let has_more = !insight.details.is_empty() || !insight.actions.is_empty() || insight.incident.is_some();
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
                    None => view! { <Actions actions=insight.actions links=links /> }.into_any(),
                    Some(incident) => {
                        view! { <IncidentBody incident=incident actions=insight.actions links=links /> }.into_any()
                    }
                }}
            </div>
        </details>
    }
    .into_any()
}

#[component]
fn IncidentBody<'a>(
    incident: IncidentExcerpt,
    actions: Vec<Action>,
    links: &'a Links,
) -> impl IntoView + use<> {
    let fault = incident.top_frame().cloned();
    let id = incident.id.clone();
    view! {
        <Stack thread=incident.crashing_thread key=format!("stack-{id}") fault=fault />
        <Notes notes=incident.notes />
        <Actions actions=actions links=links />
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
pub(crate) fn Actions<'a>(
    /// Most promising first.
    actions: Vec<Action>,
    links: &'a Links,
) -> impl IntoView + use<> {
    (!actions.is_empty()).then(|| {
        let step = |action: Action| {
            view! {
                <li>
                    <Linked text=action.text link=action.link links=links />
                </li>
            }
        };
        view! {
            <div class="advice">
                <h3>"Recommended actions"</h3>
                <ol>{actions.into_iter().map(step).collect_view()}</ol>
            </div>
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use insight::report::{Severity, Target};
    use model::Timestamp;

    fn html(insight: Insight) -> String {
        let links = Links::of_app("shop".parse().unwrap());
        // without the marks between texts
        view! { <InsightCard insight=insight links=&links open=true /> }.to_html().replace("<!>", "")
    }

    #[test]
    fn a_finding_shows_its_status_as_a_word_its_details_and_its_advice() {
        let insight = Insight {
            severity: Severity::Critical,
            title: "2 crashes of <Bad> in f".to_owned(),
            details: vec![
                Detail::code("Signature", "a | <b>"),
                Detail::time("Last seen", Timestamp::from_ms(1_769_847_300_000)),
            ],
            actions: vec![Action::at("Read line 42.", Target::Settings)],
            incident: None,
        };
        let html = html(insight);
        for expected in [
            "Critical",
            "2 crashes of &lt;Bad&gt; in f",
            "a | &lt;b&gt;",
            "2026-01-31T08:15",
            "Read line 42. <a href=\"/apps/shop/settings\">Settings</a>",
            " open",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(!html.contains("<b>"), "{html}");
    }

    #[test]
    fn a_finding_without_more_to_say_cannot_be_unfolded() {
        let html = html(Insight::new(Severity::Healthy, "No crashes"));
        assert!(!html.contains("<details") && html.contains("Healthy"), "{html}");
    }
}
