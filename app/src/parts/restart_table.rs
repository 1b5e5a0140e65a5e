//! The table of single restarts: on their own page with all that is known, beside crashes with what tells one from the other.

use std::time::Duration;

use insight::report::Severity;
use leptos::prelude::*;
use model::AppName;
use model::auto_heal::restart::{Restart, RestartOutcome, RestartReason};
use model::time::humanise;

use super::frame::Scroll;
use super::icon::Status;
use super::when::When;
use crate::catalog::AUTO_HEAL;

/// The restarts, newest first.
#[component]
pub(crate) fn RestartTable(
    /// What to list.
    restarts: Vec<Restart>,
    /// Without evidence, duration and drained requests.
    #[prop(optional)]
    compact: bool,
    /// The evidence stands below it.
    #[prop(optional)]
    is_history: bool,
    /// What is said where there is none.
    #[prop(default = "No restarts in this time range")]
    none: &'static str,
) -> impl IntoView {
    let Some(app) = restarts.first().map(|restart| restart.app.clone()) else {
        return view! { <p class="quiet">{none}</p> }.into_any();
    };
    let more = (!compact).then(|| {
        view! {
            <th scope="col" class="number">
                "Duration"
            </th>
            <th scope="col" class="number">
                "Requests drained"
            </th>
        }
    });
    view! {
        <Scroll label="Restarts">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Time (UTC)"</th>
                        <th scope="col">"Instance"</th>
                        <th scope="col">"Reason"</th>
                        <th scope="col">"Outcome"</th>
                        {more}
                        <th scope="col" class="number">
                            "Requests failed"
                        </th>
                        {(!compact).then(|| view! { <th scope="col">"Observed"</th> })}
                    </tr>
                </thead>
                <tbody>{restarts.into_iter().map(|restart| row(restart, compact)).collect_view()}</tbody>
            </table>
        </Scroll>
        {(!is_history)
            .then(|| {
                view! {
                    <p class="quiet">
                        <a href=history(&app)>"Auto-heal history"</a>
                        " shows the evidence of each restart."
                    </p>
                }
            })}
    }
    .into_any()
}

fn history(app: &AppName) -> String {
    format!("{}?tab=history", AUTO_HEAL.href(app))
}

fn row(restart: Restart, compact: bool) -> impl IntoView {
    let seen = restart.evidence.as_ref().map_or_else(String::new, |evidence| evidence.observed.clone());
    let more = (!compact).then(|| {
        view! {
            <td class="number">{humanise(Duration::from_millis(restart.duration_ms))}</td>
            <td class="number">{restart.drained}</td>
        }
    });
    view! {
        <tr>
            <td>
                <When at=restart.at bare=true />
            </td>
            <td>{format!("{}/{}", restart.node, restart.instance)}</td>
            <td>{reason(&restart.reason)}</td>
            <td class="wrap">{outcome(restart.outcome)}</td>
            {more}
            <td class="number">{restart.failed}</td>
            {(!compact).then(|| view! { <td class="wrap seen">{seen}</td> })}
        </tr>
    }
}

/// As a cell begins.
fn reason(reason: &RestartReason) -> impl IntoView + use<> {
    let (text, blew_fuse) = match reason {
        RestartReason::ByHand { by: None } => ("Manual restart".to_owned(), false),
        RestartReason::ByHand { by: Some(by) } => (format!("Manual restart by {by}"), false),
        RestartReason::ConfigurationChanged => ("Configuration changed".to_owned(), false),
        RestartReason::Rule { rule, blew_fuse } => (rule.to_string(), *blew_fuse),
    };
    view! {
        {text}
        {blew_fuse.then(|| view! { " " <span class="tag">"restart limit reached"</span> })}
    }
}

fn outcome(outcome: RestartOutcome) -> impl IntoView {
    match outcome {
        RestartOutcome::Done => view! { <Status severity=Severity::Success word="Done" /> }.into_any(),
        RestartOutcome::Failed { why } => view! {
            <Status severity=Severity::Warning word="Failed" />
            " "
            <span>{why}</span>
        }
        .into_any(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::auto_heal::Rule;
    use model::{Timestamp, WorkerId};

    fn restart(reason: RestartReason, outcome: RestartOutcome) -> Restart {
        let old: WorkerId = "shop/1/1769847300000".parse().unwrap();
        Restart {
            app: old.instance.app.clone(),
            instance: 1,
            old,
            new: None,
            node: "<b>node".to_owned(),
            at: Timestamp::from_ms(1_769_847_300_000),
            reason,
            evidence: None,
            duration_ms: 1_200,
            drained: 17,
            failed: 4,
            outcome,
        }
    }

    #[test]
    fn a_restart_says_when_where_why_and_what_it_cost() {
        let why = "The new worker did <i>not</i> listen.".to_owned();
        let restarts = vec![
            restart(RestartReason::Rule { rule: Rule::PercentMemory, blew_fuse: true }, RestartOutcome::Done),
            restart(RestartReason::ByHand { by: None }, RestartOutcome::Failed { why }),
        ];
        let whole = view! { <RestartTable restarts=restarts.clone() /> }.to_html();
        for expected in [
            "2026-01-31 08:15:00",
            "Percent memory",
            "restart limit reached",
            "Manual restart",
            "Done",
            "&lt;i&gt;not",
            "1.2 s",
            ">17<",
            ">4<",
            "tools/auto-heal?tab=history",
        ] {
            assert!(whole.contains(expected), "{expected} in {whole}");
        }
        assert!(!whole.contains("<b>") && !whole.contains("<i>"), "{whole}");
        let compact = view! { <RestartTable restarts=restarts compact=true /> }.to_html();
        assert!(!compact.contains(">17<") && compact.contains(">4<"), "{compact}");
    }

    #[test]
    fn none_is_said_in_words() {
        let html = view! { <RestartTable restarts=vec![] none="None near these crashes." /> }.to_html();
        assert!(html.contains("None near these crashes.") && !html.contains("<table"), "{html}");
    }
}
