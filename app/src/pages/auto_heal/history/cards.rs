//! A restart and an event of auto-heal; unfolded, each with all that is known of it.

use std::time::Duration;

use insight::report::Severity;
use insight::{healing, rules};
use leptos::prelude::*;
use model::auto_heal::RefusalReason;
use model::auto_heal::event::{EventKind, HealEvent};
use model::auto_heal::restart::{Restart, RestartOutcome};
use model::deploy::Deploy;
use model::time::humanise;

use crate::address::SHARE_RESTART;
use crate::parts::evidence::EvidenceView;
use crate::parts::icon::{Status, tone};
use crate::parts::readings::sentence;
use crate::parts::when::When;

/// One restart; unfolded, all that is known of it.
#[component]
pub(super) fn RestartCard<'a>(
    restart: Restart,
    /// Of the same time, newest first.
    deploys: &'a [Deploy],
) -> impl IntoView + use<> {
    let id = restart.id();
    let share = SHARE_RESTART.of_restart(&restart.place.app, &restart.key());
    let severity = Severity::of_restart(&restart);
    let (word, why) = match &restart.outcome {
        RestartOutcome::Done => ("Restarted", None),
        RestartOutcome::Failed { why } => ("Failed", Some(healing::failure(why))),
    };
    let reason = sentence(&healing::reason(&restart.reason));
    let evidence = restart.evidence.clone();
    let key = id.clone();
    let evidence =
        evidence.map(|evidence| view! { <EvidenceView evidence=evidence deploys=deploys key=key /> });
    let new = restart
        .new
        .map_or_else(|| "none".into_any(), |new| view! { <code>{new.to_string()}</code> }.into_any());
    view! {
        <details class=format!("insight {}", tone(severity)) data-key=format!("restart-{id}")>
            <summary class="insight-head">
                <Status severity=severity word=word />
                <span class="insight-title">
                    <When at=restart.at />
                    {format!(" · instance {} · {reason}", restart.place.instance)}
                </span>
            </summary>
            <div class="insight-body">
                {why.map(|why| view! { <p class="message warning">{why}</p> })}
                <dl class="details">
                    <div>
                        <dt>"Duration"</dt>
                        <dd>{humanise(Duration::from_millis(restart.duration_ms))}</dd>
                    </div>
                    <div>
                        <dt>"Requests drained"</dt>
                        <dd>{restart.drained}</dd>
                    </div>
                    <div>
                        <dt>"Requests failed"</dt>
                        <dd>{restart.failed}</dd>
                    </div>
                    <div>
                        <dt>"Streams ended"</dt>
                        <dd>{restart.streams_ended}</dd>
                    </div>
                    <div>
                        <dt>"Tunnels ended"</dt>
                        <dd>{restart.tunnels_ended}</dd>
                    </div>
                    <div>
                        <dt>"Instance"</dt>
                        <dd>{restart.place.within_app()}</dd>
                    </div>
                    <div>
                        <dt>"Old worker"</dt>
                        <dd>
                            <code>{restart.old.to_string()}</code>
                        </dd>
                    </div>
                    <div>
                        <dt>"New worker"</dt>
                        <dd>{new}</dd>
                    </div>
                </dl>
                {evidence}
                <p class="actions">
                    <a class="button quiet-button" href=share>
                        "Share"
                    </a>
                </p>
            </div>
        </details>
    }
}

/// Why a broken rule did nothing.
pub(in crate::pages::auto_heal) fn refusal(reason: &RefusalReason) -> AnyView {
    match reason {
        RefusalReason::FuseBlown { until } => {
            view! { "proactive rules are paused until " <When at=*until /> }.into_any()
        }
        RefusalReason::MinimumProcessTime { .. } | RefusalReason::RestartUnderWay => {
            healing::refusal(reason).into_any()
        }
    }
}

#[component]
pub(super) fn EventCard<'a>(
    event: HealEvent,
    /// Of the same time, newest first.
    deploys: &'a [Deploy],
) -> impl IntoView + use<> {
    let id = event.id();
    let (severity, word, text) = match event.what {
        EventKind::Logged => (Severity::Info, "Logged", "Logged".into_any()),
        EventKind::Ran { exe, result } => (
            Severity::Info,
            "Ran",
            view! { <code>{exe}</code> ": " {healing::action_result(&result)} }.into_any(),
        ),
        EventKind::Refused { refused } => {
            (Severity::Info, "No action", view! { "No action: " {refusal(&refused)} "." }.into_any())
        }
    };
    let rule = rules::title(event.evidence.rule);
    let worker = event.worker.to_string();
    let key = id.clone();
    let evidence = view! { <EvidenceView evidence=event.evidence deploys=deploys key=key /> };
    view! {
        <details class=format!("insight {}", tone(severity)) data-key=format!("event-{id}")>
            <summary class="insight-head">
                <Status severity=severity word=word />
                <span class="insight-title">
                    <When at=event.at />
                    {format!(" · instance {} · {rule}", event.worker.place.instance)}
                </span>
            </summary>
            <div class="insight-body">
                <p>{text}</p>
                <p class="quiet">"Worker " <code>{worker}</code> " on " {event.worker.place.node.to_string()}</p>
                {evidence}
            </div>
        </details>
    }
}

/// A failed attempt, for tests.
#[cfg(test)]
pub(super) fn failed(at_ms: i64) -> Restart {
    use model::auto_heal::restart::{RestartFailure, RestartReason};
    Restart {
        old: "node-a/shop/1/1769847300000".parse().unwrap(),
        new: None,
        place: "node-a/shop/1".parse().unwrap(),
        at: model::Timestamp::from_ms(at_ms),
        reason: RestartReason::ByHand { by: None },
        evidence: None,
        duration_ms: 1_200,
        drained: 3,
        failed: 0,
        streams_ended: 0,
        tunnels_ended: 0,
        outcome: RestartOutcome::Failed { why: RestartFailure::Recorded("It did not <i>listen.".to_owned()) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_says_what_it_cost_and_a_failed_one_why() {
        let html = view! { <RestartCard restart=failed(1_769_847_400_000) deploys=&[] /> }.to_html();
        for expected in
            ["Failed", "instance 1", "Manual restart.", "1.2 s", "It did not &lt;i&gt;listen.", "node-a/1"]
        {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(!html.contains("<b>") && !html.contains("<i>"), "{html}");
    }
}
