//! What rules see beside what they compare it with: a row each, with how far it is on its way.

use insight::report::Severity;
use insight::rules::{self, Watching};
use leptos::prelude::*;
use model::auto_heal::Reading;

use super::amount::amount;
use super::icon::Status;
use super::region::Scroll;

/// The table.
#[component]
pub(crate) fn ReadingTable(
    /// In the order to be read.
    readings: Vec<Reading>,
    /// What the table is of.
    label: &'static str,
) -> impl IntoView {
    view! {
        <Scroll label=label>
            <table class="readings cards">
                <thead>
                    <tr>
                        <th scope="col">"Rule"</th>
                        <th scope="col">"Status"</th>
                        <th scope="col" class="number">
                            "Value"
                        </th>
                        <th scope="col" class="number">
                            "Threshold"
                        </th>
                        <th scope="col">"% of threshold"</th>
                        <th scope="col">"Details"</th>
                    </tr>
                </thead>
                <tbody>{readings.iter().map(row).collect_view()}</tbody>
            </table>
        </Scroll>
    }
}

fn row(reading: &Reading) -> impl IntoView + use<> {
    let (severity, word, why) = state(reading);
    let number =
        |value: Option<u64>| value.map_or_else(|| "–".to_owned(), |value| amount(value, reading.unit));
    let (value, threshold) = (number(reading.value), number(reading.threshold));
    let words = why.unwrap_or_else(|| sentence(&rules::reading(reading)));
    view! {
        <tr>
            <th scope="row">{rules::title(reading.rule)}</th>
            <td data-label="Status">
                <Status severity=severity word=word />
            </td>
            <td class="number" data-label="Value">{value}</td>
            <td class="number" data-label="Threshold">{threshold}</td>
            <td data-label="% of threshold">{meter(reading)}</td>
            <td class="wrap" data-label="Details">{words}</td>
        </tr>
    }
}

/// The bar is drawn to the threshold; beyond, the number goes on.
fn meter(reading: &Reading) -> Option<impl IntoView + use<>> {
    let percent = reading.towards_percent()?;
    let label = format!("{}: {percent}% of threshold", rules::title(reading.rule));
    Some(view! {
        <span class="towards">
            <meter min="0" max="100" high="80" optimum="0" value=percent.min(100).to_string() aria-label=label></meter>
            <span class="number">{percent} "%"</span>
        </span>
    })
}

/// A picture, a word, and why it does not look.
fn state(reading: &Reading) -> (Severity, &'static str, Option<String>) {
    let there = reading.towards_percent().is_some_and(|percent| percent >= 100);
    match Watching::of(&reading.state) {
        Watching::Yes if there => (Severity::Warning, "Watching", None),
        Watching::Yes => (Severity::Healthy, "Watching", None),
        Watching::Waiting { why } => (Severity::Info, "Waiting", Some(why)),
        Watching::Silent { why } => (Severity::Info, "Overridden", Some(why)),
        Watching::Off { why } => (Severity::Info, "Off", Some(why)),
    }
}

/// With a capital letter and a full stop.
pub(crate) fn sentence(text: &str) -> String {
    let stop = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{stop}", insight::words::capitalized(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::auto_heal::Rule;
    use model::auto_heal::evidence::{ReadingText, RuleState, RuleStateText, Seen, Unit};

    fn html(state: RuleState, value: Option<u64>) -> String {
        let reading = Reading {
            rule: Rule::PercentMemory,
            state,
            seen: Seen::Recorded(ReadingText { text: "private bytes are <b>".to_owned() }),
            fired_too: false,
            value,
            threshold: Some(1 << 30),
            unit: Unit::Bytes,
        };
        view! { <ReadingTable readings=vec![reading] label="x" /> }.to_html()
    }

    #[test]
    fn a_rule_says_where_it_stands_and_how_far_it_is() {
        let half = html(RuleState::Watching, Some(1 << 29));
        for expected in ["Watching", "512 MiB", "1 GiB", "value=\"50\"", "Private bytes are &lt;b&gt;."] {
            assert!(half.contains(expected), "{expected} in {half}");
        }
        let beyond = html(RuleState::Watching, Some(3 << 30));
        assert!(beyond.contains("value=\"100\"") && beyond.contains("300"), "{beyond}");
        let silent = html(
            RuleState::Recorded(RuleStateText::Silent { why: "The user's rule <b>speaks.".to_owned() }),
            None,
        );
        assert!(
            silent.contains("Overridden") && silent.contains("&lt;b&gt;speaks") && !silent.contains("<meter"),
            "{silent}"
        );
    }
}
