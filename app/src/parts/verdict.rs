//! The first block of every page of an app: how it is, since when, why, whom it hurts, and what Medic does next.

use std::sync::Arc;

use insight::report::Severity;
use insight::verdict::{Verdict, VerdictStatus, verdict};
use leptos::prelude::*;
use model::{AppName, Timestamp};

use super::icon::{Status, tone};
use super::region::LiveRegion;
use super::when::{clock_text, minute_text};
use crate::Console;
use crate::address::{APPS, OVERVIEW};

/// What the block is called, so that it is exchanged on every page of the app.
const REGION: &str = "verdict";

/// The block.
#[component]
pub(crate) fn VerdictBlock(app: AppName) -> impl IntoView {
    let console = use_context::<Arc<dyn Console>>()?;
    let (snapshot, now) = (console.snapshot(), console.now());
    let Some(status) = snapshot.app(&app) else {
        return Some(view! { <NotConfigured app=app /> }.into_any());
    };
    let found = verdict(status, snapshot.heal.get(&app), now);
    let block = view! {
        <LiveRegion name=REGION>
            <VerdictView verdict=found app=app now=now />
        </LiveRegion>
    };
    Some(block.into_any())
}

/// The block of an app that is not configured, on what is left of its pages: on those of its incidents, in the place of all others,
/// and on each that was open as the app was removed.
#[component]
pub(crate) fn NotConfigured(app: AppName) -> impl IntoView {
    view! {
        <LiveRegion name=REGION>
            <div class=format!("message verdict {}", tone(Severity::Info))>
                <p class="verdict-head">
                    <Status severity=Severity::Info word=format!("App \"{app}\" is not in the configuration") />
                </p>
                <p>
                    "Medic does not run this app. To run it, add it to "<code>"medic.toml"</code>
                    ", then reload Medic with SIGHUP."
                </p>
                <p class="actions">
                    <a class="button quiet-button" href=APPS.template()>
                        "All apps"
                    </a>
                </p>
            </div>
        </LiveRegion>
    }
}

#[component]
fn VerdictView(verdict: Verdict, app: AppName, now: Timestamp) -> impl IntoView {
    let severity = verdict.status.severity();
    let is_well = matches!(verdict.status, VerdictStatus::Healthy | VerdictStatus::Stopped);
    let headline = verdict.headline(now);
    let Verdict { since, reason, impact, next, .. } = verdict;
    let sentences = [reason, impact, next].into_iter().filter(|sentence| !sentence.is_empty());
    view! {
        <div class=format!("message verdict {}", tone(severity))>
            <p class="verdict-head">
                <Status severity=severity word=headline />
                " (since "
                <time datetime=since.to_string()>{since_text(since, now)}</time>
                " UTC)"
            </p>
            <p>{sentences.collect::<Vec<_>>().join(" ")}</p>
            {(!is_well)
                .then(|| {
                    view! {
                        <p class="actions">
                            <a class="button quiet-button" href=OVERVIEW.of_app(&app)>
                                "View instances"
                            </a>
                        </p>
                    }
                })}
        </div>
    }
}

/// The same day has no date.
fn since_text(since: Timestamp, now: Timestamp) -> String {
    let (day, today) = (minute_text(since), minute_text(now));
    if day.get(..10) == today.get(..10) { clock_text(since) } else { day }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);

    #[test]
    fn the_block_says_status_since_reason_and_next_as_text() {
        let down = Verdict {
            status: VerdictStatus::Down,
            since: NOW - std::time::Duration::from_mins(7),
            reason: "Failed to start: <b>x</b>.".to_owned(),
            impact: "All requests get 503 while no instance is running.".to_owned(),
            next: "Next attempt in 12 s.".to_owned(),
        };
        let html = view! { <VerdictView verdict=down app="shop".parse().unwrap() now=NOW /> }.to_html();
        for part in [
            "Down for 7 min",
            "08:08",
            "&lt;b&gt;x",
            "503",
            "Next attempt in 12 s.",
            "View instances",
            "critical",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(!html.contains("<b>"), "{html}");
    }
}
