//! The dry run: when each condition would have been met on each instance in the last 24 hours, before it is saved.

use insight::dry_run::{ConditionRun, DryRun, InstanceRun, Prediction, WouldFire};
use insight::report::Severity;
use insight::rules;
use insight::words::counted;
use leptos::prelude::*;

use crate::ConsoleError;
use crate::parts::icon::Status;
use crate::parts::readings::sentence;
use crate::parts::region::Scroll;
use crate::parts::when::{When, minute_text};

/// So many times are shown at once.
const SHOWN: usize = 3;
/// So many are listed at all: a rule that acts every minute needs no longer list to be understood.
const LISTED: usize = 100;

/// What became of the question.
pub(super) struct Question {
    /// The run, or why there is none.
    pub(super) answer: Result<DryRun, ConsoleError>,
}

/// The answer. One that failed is said here, so that the form around it stays.
pub(super) fn question(question: Question) -> AnyView {
    match question.answer {
        Ok(run) => view! { <DryRunView run=run /> }.into_any(),
        Err(error) => view! {
            <p class="message warning" role="alert">
                "Cannot run the rules over the last 24 hours: "
                {error.to_string()}
            </p>
        }
        .into_any(),
    }
}

#[component]
fn DryRunView(run: DryRun) -> impl IntoView {
    let range = format!("{} to {} UTC", minute_text(run.from), minute_text(run.to));
    let assumptions = run.assumptions.clone();
    view! {
        <section class="dry-run" aria-labelledby="dry-run">
            <h4 id="dry-run">"Dry run over the last 24 hours"</h4>
            <p class="quiet">
                "Recorded data, " {range} ". Nothing was restarted."
            </p>
            {if run.instances.is_empty() {
                view! { <p class="quiet">"No recorded data in that time"</p> }.into_any()
            } else {
                run.instances.into_iter().map(|run| view! { <Instance run=run /> }).collect_view().into_any()
            }}
            {(!assumptions.is_empty())
                .then(|| {
                    view! {
                        <details>
                            <summary>"Assumptions"</summary>
                            <ul class="plain-list">
                                {assumptions.into_iter().map(|text| view! { <li>{text}</li> }).collect_view()}
                            </ul>
                        </details>
                    }
                })}
        </section>
    }
}

#[component]
fn Instance(run: InstanceRun) -> impl IntoView {
    let row = |condition: ConditionRun| {
        let (severity, word, why) = prediction(&condition.prediction);
        view! {
            <tr>
                <th scope="row">{rules::title(condition.rule)}</th>
                <td class="wrap" data-label="Condition">
                    {sentence(&condition.condition)}
                </td>
                <td data-label="Result">
                    <Status severity=severity word=word />
                </td>
                <td class="wrap" data-label="When (UTC)">
                    {why} <Times fires=condition.fires />
                </td>
            </tr>
        }
    };
    view! {
        <h5>{format!("Instance {}", run.place.within_app())}</h5>
        <Scroll label="Dry run over the last 24 hours">
            <table class="cards">
                <thead>
                    <tr>
                        <th scope="col">"Rule"</th>
                        <th scope="col">"Condition"</th>
                        <th scope="col">"Result"</th>
                        <th scope="col">"When (UTC)"</th>
                    </tr>
                </thead>
                <tbody>{run.conditions.into_iter().map(row).collect_view()}</tbody>
            </table>
        </Scroll>
    }
}

fn prediction(prediction: &Prediction) -> (Severity, &'static str, Option<String>) {
    match prediction {
        Prediction::WouldFire => (Severity::Warning, "Would have acted", None),
        Prediction::MayFire => (Severity::Info, "May have acted", None),
        Prediction::WouldNotFire => (Severity::Healthy, "Would not have acted", None),
        Prediction::CannotTell { why } => (Severity::Info, "Unknown", Some(why.clone())),
    }
}

#[component]
fn Times(fires: Vec<WouldFire>) -> impl IntoView {
    let total = fires.len();
    let line = |fire: WouldFire| {
        let certainty = if fire.certain { "certain" } else { "possible" };
        view! {
            <li>
                <When at=fire.minute bare=true />
                " "
                <span class="tag">{certainty}</span>
                " "
                {fire.text}
            </li>
        }
    };
    let mut fires = fires.into_iter();
    let first = fires.by_ref().take(SHOWN).map(line).collect_view();
    let rest = fires.take(LISTED - SHOWN).map(line).collect_view();
    let unlisted = total.saturating_sub(LISTED);
    (total > 0).then(|| {
        view! {
            <p>{counted(total as u64, "time", "times")}</p>
            <ul class="fires">{first}</ul>
            {(total > SHOWN)
                .then(|| {
                    view! {
                        <details>
                            <summary>"Show more"</summary>
                            <ul class="fires">{rest}</ul>
                            {(unlisted > 0).then(|| format!("And {unlisted} more."))}
                        </details>
                    }
                })}
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StoreFailure;
    use model::Timestamp;
    use model::auto_heal::Rule;

    #[test]
    fn each_condition_says_when_it_would_have_acted_or_why_that_cannot_be_told() {
        let at = |minute: i64| Timestamp::from_ms(1_769_847_300_000 + minute * 60_000);
        let fire =
            |minute| WouldFire { minute: at(minute), certain: minute % 2 == 0, text: "5 <b>.".to_owned() };
        let condition = |rule, prediction, fires| ConditionRun {
            rule,
            condition: "when x".to_owned(),
            prediction,
            fires,
        };
        let run = DryRun {
            from: at(0),
            to: at(1_440),
            instances: vec![InstanceRun {
                place: "node-a/shop/3".parse().unwrap(),
                conditions: vec![
                    condition(Rule::Requests, Prediction::WouldFire, (0..300).map(fire).collect()),
                    condition(
                        Rule::StatusCode { index: 0 },
                        Prediction::CannotTell { why: "The status is not recorded.".to_owned() },
                        Vec::new(),
                    ),
                ],
            }],
            assumptions: vec!["The load went on.".to_owned()],
        };
        let html = question(Question { answer: Ok(run) }).to_html();
        for expected in [
            "Instance node-a/3",
            "300 times",
            "And 200 more.",
            "certain",
            "possible",
            "Unknown",
            "The status is not recorded.",
            "The load went on.",
            "&lt;b&gt;",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert_eq!(html.matches("<time").count(), LISTED);
        let failed = question(Question { answer: Err(ConsoleError::Store(StoreFailure::Full)) }).to_html();
        assert!(failed.contains("Cannot run the rules") && failed.contains("Free some space."), "{failed}");
    }
}
