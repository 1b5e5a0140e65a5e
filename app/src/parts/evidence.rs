//! Why a rule acted, as it can be checked: what it saw over its window beside what it compares with, and how far every other
//! rule was from acting.

use std::time::Duration;

use insight::deploys::marks;
use insight::report::DeployMark;
use insight::rules;
use leptos::prelude::*;
use model::TimeRange;
use model::auto_heal::Evidence;
use model::auto_heal::evidence::Sample;
use model::deploy::Deploy;

use super::amount::{amount, unit_word};
use super::deploy_marks;
use super::figure::{LINE_SWATCH, Swatch, image};
use super::line_plot::line_with_threshold;
use super::plot::SMALL;
use super::readings::{ReadingTable, sentence};
use super::region::slug;
use super::when::clock_seconds_text;

/// All of it.
#[component]
pub(crate) fn EvidenceView<'a>(
    /// What there is.
    evidence: Evidence,
    /// Of the same time, newest first.
    deploys: &'a [Deploy],
    /// Tells its folded part and its drawing from others on the page.
    key: String,
) -> impl IntoView + use<> {
    let others = evidence.not_fired.clone();
    let (text, window) = (rules::evidence(&evidence), rules::window(&evidence));
    let deploys = meanwhile(&evidence.samples, deploys);
    view! {
        <dl class="details">
            <div>
                <dt>"Rule"</dt>
                <dd>{rules::title(evidence.rule)}</dd>
            </div>
            <div>
                <dt>"Observed"</dt>
                <dd>{sentence(&text.observed)}</dd>
            </div>
            <div>
                <dt>"Condition"</dt>
                <dd>{sentence(&text.condition)}</dd>
            </div>
            <div>
                <dt>"Time window"</dt>
                <dd>{window}</dd>
            </div>
        </dl>
        <Samples evidence=evidence deploys=deploys key=key />
        {if others.is_empty() {
            view! { <p class="quiet">"No other rules were active"</p> }.into_any()
        } else {
            view! {
                <h4>"Other rules at that time"</h4>
                <ReadingTable readings=others label="Other rules at that time" />
            }
                .into_any()
        }}
    }
}

/// Those between the first sample and the last, oldest first.
fn meanwhile(samples: &[Sample], deploys: &[Deploy]) -> Vec<DeployMark> {
    let (Some(first), Some(last)) = (samples.first(), samples.last()) else { return Vec::new() };
    marks(deploys, TimeRange { start: first.at, end: last.at + Duration::from_millis(1) })
}

#[component]
fn Samples(evidence: Evidence, deploys: Vec<DeployMark>, key: String) -> impl IntoView {
    let Some(plot) = line_with_threshold(&evidence, &deploys) else {
        return view! { <p class="quiet">"No samples"</p> }.into_any();
    };
    let threshold = amount(evidence.threshold, evidence.unit);
    let last = evidence.samples.last().map(|sample| amount(sample.value, evidence.unit)).unwrap_or_default();
    let about = format!(
        "{} samples, the last {last}, against a threshold of {threshold}.{}",
        evidence.samples.len(),
        deploy_marks::about(&deploys)
    );
    let lines = deploy_marks::lines(&deploys, &plot.parts);
    let title = format!("{} over the time window", unit_word(evidence.unit));
    let svg = image(&plot, SMALL, &format!("evidence-{}", slug(&key)), &title, &about, &lines);
    let unit = evidence.unit;
    let row = move |sample: Sample| {
        view! {
            <tr>
                <td>{clock_seconds_text(sample.at)}</td>
                <td class="number">{amount(sample.value, unit)}</td>
            </tr>
        }
    };
    view! {
        <figure class="chart evidence">
            <figcaption>{unit_word(unit)} " over the time window, with the threshold (times in UTC)"</figcaption>
            <div class="evidence-plot" inner_html=svg></div>
            <ul class="legend">
                <li>
                    <Swatch path=LINE_SWATCH colour="var(--series-1)" />
                    "Observed"
                </li>
                <li>
                    <Swatch path=LINE_SWATCH colour="var(--critical)" />
                    {format!("Threshold: {threshold}")}
                </li>
                {deploy_marks::legend(&deploys)}
            </ul>
            <details data-key=format!("samples-{key}")>
                <summary>"Show samples as a table"</summary>
                <div class="scroll samples" role="region" tabindex="0" aria-label="Samples">
                    <table>
                        <thead>
                            <tr>
                                <th scope="col">"Time (UTC)"</th>
                                <th scope="col" class="number">
                                    {unit_word(unit)}
                                </th>
                            </tr>
                        </thead>
                        <tbody>{evidence.samples.into_iter().map(row).collect_view()}</tbody>
                    </table>
                </div>
            </details>
        </figure>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;
    use model::auto_heal::Rule;
    use model::auto_heal::evidence::{
        EvidenceText, Reading, ReadingText, RuleState, RuleStateText, Seen, Unit,
    };

    use crate::incident_deploys::deploy_of;

    fn evidence(values: &[u64], unit: Unit) -> Evidence {
        let at = |index: usize| Timestamp::from_ms(1_769_847_300_000 + 1_000 * i64::try_from(index).unwrap());
        let samples = values.iter().enumerate().map(|(index, value)| Sample { at: at(index), value: *value });
        let other = Reading {
            rule: Rule::PercentRequest,
            state: RuleState::Recorded(RuleStateText::Waiting { why: "It warms up.".to_owned() }),
            seen: Seen::Recorded(ReadingText { text: "<script>".to_owned() }),
            fired_too: false,
            value: None,
            threshold: None,
            unit: Unit::Percent,
        };
        Evidence {
            rule: Rule::PercentMemory,
            seen: Seen::Recorded(EvidenceText {
                condition: "when they stay above <b>".to_owned(),
                observed: "private bytes were 1.7 GiB".to_owned(),
            }),
            threshold: 1_691_143_372,
            unit,
            window_ms: 120_000,
            samples: samples.collect(),
            not_fired: vec![other],
        }
    }

    fn html(evidence: Evidence) -> String {
        view! { <EvidenceView evidence=evidence deploys=&[] key="k".to_owned() /> }.to_html()
    }

    #[test]
    fn the_samples_stand_beside_the_threshold_and_the_rules_that_did_not_act() {
        let html = html(evidence(&[1_000_000_000, 1_700_000_000], Unit::Bytes));
        for expected in [
            "var(--critical)",
            "var(--series-1)",
            "Threshold: 1.57 GiB",
            "08:15:01",
            " MiB",
            "Percent request",
            "It warms up.",
            "When they stay above &lt;b&gt;.",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        assert!(!html.contains("<script") && !html.contains("<b>") && !html.contains("#0200"), "{html}");
    }

    #[test]
    fn a_deploy_meanwhile_is_marked_beside_the_samples() {
        let at = |second: i64| Timestamp::from_ms(1_769_847_300_000 + 1_000 * second);
        let deploys = [at(9), at(1), at(-1)].map(|at| deploy_of("<b>4.2", at));
        let evidence = evidence(&[1, 2, 3], Unit::Requests);
        let html = view! { <EvidenceView evidence=evidence deploys=&deploys key="k".to_owned() /> }.to_html();
        assert_eq!(html.matches("<line class=\"deploy\"").count(), 1, "{html}");
        assert!(html.contains("08:15:01 Deploy of &lt;b&gt;4.2") && !html.contains("<b>"), "{html}");
    }

    #[test]
    fn whatever_was_sampled_can_be_drawn() {
        for values in [&[][..], &[0], &[u64::MAX, 0], &[5; 120]] {
            for unit in [Unit::Bytes, Unit::Percent, Unit::Requests, Unit::Seconds] {
                let mut evidence = evidence(values, unit);
                evidence.threshold = values.first().copied().unwrap_or(0);
                let html = html(evidence);
                assert_eq!(html.contains("<svg class=\"plot small\""), !values.is_empty(), "{values:?}");
            }
        }
    }
}
