//! Rules in words, a line each: what holds now, and beside it what the form would make of it.

use std::collections::BTreeMap;

use insight::words::{bytes, within};
use leptos::prelude::*;
use model::auto_heal::AutoHealConfig;
use model::auto_heal::config::{ActionType, Parameters, SlowRequestsTrigger, TimeSpan};
use model::time::humanise;

use crate::parts::region::Scroll;

/// Where a line stands: its kind's place, and its number among those of its kind.
type Position = (u8, usize);

/// What it is about, and what is said of it.
type Lines = BTreeMap<Position, (String, String)>;

/// Where the action stands.
const ACTION: Position = (7, 0);

/// Both run a program, and the new rules give it what was typed.
fn has_new_parameters(current: &AutoHealConfig, new: &AutoHealConfig) -> bool {
    let parameters = |config: &AutoHealConfig| {
        let actions = &config.rules.actions;
        let action =
            actions.custom_action.clone().filter(|_| actions.action_type == ActionType::CustomAction);
        action.map(|action| action.parameters).filter(Parameters::is_set)
    };
    match (parameters(current), parameters(new)) {
        // whether those that are typed are the saved ones is not told either
        (Some(_), Some(new)) => !new.is_kept(),
        _ => false,
    }
}

/// The rules, a line each.
fn lines(config: &AutoHealConfig) -> Lines {
    let (triggers, actions) = (&config.rules.triggers, &config.rules.actions);
    let mut lines = Lines::new();
    let mut add = |place: Position, what: String, text: String| {
        lines.insert(place, (what, text));
    };
    let state = if config.enabled { "on" } else { "off" };
    add((0, 0), "Custom rules".to_owned(), state.to_owned());
    if let Some(requests) = &triggers.requests {
        let text = format!("at least {}", requests_within(requests.count, requests.time_interval));
        add((1, 0), "Request count".to_owned(), text);
    }
    if let Some(slow) = &triggers.slow_requests {
        add((2, 0), "Slow requests".to_owned(), slow_words(slow));
    }
    for (index, slow) in triggers.slow_requests_with_path.iter().enumerate() {
        add((3, index), format!("Slow requests with path {}", index + 1), slow_words(slow));
    }
    for (index, code) in triggers.status_codes.iter().enumerate() {
        let within = requests_within(code.count, code.time_interval);
        let text =
            format!("at least {within} answered with {}{}", code.status, of_path(code.path.as_deref()));
        add((4, index), format!("Status code {}", index + 1), text);
    }
    for (index, range) in triggers.status_codes_range.iter().enumerate() {
        let within = requests_within(range.count, range.time_interval);
        let text = format!(
            "at least {within} answered with {}{}",
            range.status_codes,
            of_path(range.path.as_deref())
        );
        add((5, index), format!("Status code range {}", index + 1), text);
    }
    if let Some(kb) = triggers.private_bytes_kib {
        let text = format!("above {kb} KiB ({})", bytes(kb.saturating_mul(1_024)));
        add((6, 0), "Private bytes".to_owned(), text);
    }
    let action = match (actions.action_type, &actions.custom_action) {
        (ActionType::Recycle, _) => "Recycle: restart that instance gracefully".to_owned(),
        (ActionType::LogEvent, _) => "Log an event".to_owned(),
        (ActionType::CustomAction, custom) => {
            let custom = custom.clone().unwrap_or_default();
            format!("Run {} {}", custom.exe, custom.parameters.shown()).trim_end().to_owned()
        }
    };
    add(ACTION, "Action".to_owned(), action);
    let minimum = actions.min_process_execution_time;
    let text = if minimum.is_zero() {
        "none".to_owned()
    } else {
        format!("{} ({minimum})", humanise(minimum.duration()))
    };
    add((8, 0), "Minimum uptime".to_owned(), text);
    lines
}

fn slow_words(slow: &SlowRequestsTrigger) -> String {
    let within = requests_within(slow.count, slow.time_interval);
    let path = of_path(slow.path.as_deref());
    format!("at least {within} that take {} or longer{path}", humanise(slow.time_taken.duration()))
}

fn requests_within(count: u64, interval: TimeSpan) -> String {
    within(count, interval.duration())
}

fn of_path(path: Option<&str>) -> String {
    path.map(|path| format!(", path {path}")).unwrap_or_default()
}

/// The rules that hold.
pub(super) fn rule_list(config: &AutoHealConfig) -> AnyView {
    let row = |(what, text): (String, String)| {
        view! {
            <div>
                <dt>{what}</dt>
                <dd>{text}</dd>
            </div>
        }
    };
    view! { <dl class="details">{lines(config).into_values().map(row).collect_view()}</dl> }.into_any()
}

/// What holds beside what would; what differs is said in words as well as in colour.
pub(super) fn comparison(current: &AutoHealConfig, new: &AutoHealConfig) -> AnyView {
    let new_parameters = has_new_parameters(current, new);
    let (current, mut new) = (lines(current), lines(new));
    if new_parameters && let Some((_, text)) = new.get_mut(&ACTION) {
        text.push_str(" (new parameters)");
    }
    let mut names: BTreeMap<Position, String> = BTreeMap::new();
    for (place, (what, _)) in current.iter().chain(&new) {
        names.entry(*place).or_insert_with(|| what.clone());
    }
    let row = move |(place, what): (Position, String)| {
        let text = |lines: &Lines| lines.get(&place).map(|(_, text)| text.clone());
        let (before, after) = (text(&current), text(&new));
        let change = match (&before, &after) {
            (Some(before), Some(after)) if before == after => "",
            (Some(_), Some(_)) => "changed",
            (None, _) => "new",
            (_, None) => "removed",
        };
        let not_set = || view! { <span class="quiet">"not set"</span> }.into_any();
        let cell = |text: Option<String>| text.map_or_else(not_set, IntoAny::into_any);
        view! {
            <tr class:changed=!change.is_empty()>
                <th scope="row">{what}</th>
                <td class="wrap" data-label="Current">
                    {cell(before)}
                </td>
                <td class="wrap" data-label="New">
                    {cell(after)}
                    {(!change.is_empty()).then(|| view! { " "<span class="tag change-tag">{change}</span> })}
                </td>
            </tr>
        }
    };
    view! {
        <Scroll label="Current beside new">
            <table class="comparison cards">
                <thead>
                    <tr>
                        <th scope="col">"Setting"</th>
                        <th scope="col">"Current"</th>
                        <th scope="col">"New"</th>
                    </tr>
                </thead>
                <tbody>{names.into_iter().map(row).collect_view()}</tbody>
            </table>
        </Scroll>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> AutoHealConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_differs_is_marked_and_hostile_text_is_only_text() {
        let current = config(
            r#"{"enabled":true,"rules":{"triggers":{"requests":{"count":1,"time_interval":"00:01:00"},
            "private_bytes_kib":204800},"actions":{"action_type":"Recycle"}}}"#,
        );
        let new = config(
            r#"{"enabled":true,"rules":{"triggers":{"requests":{"count":5,"time_interval":"00:01:00"},
            "status_codes_range":[{"status_codes":"<b>500","count":5,"time_interval":"00:01:00","path":"<i>"}]},
            "actions":{"action_type":"Recycle"}}}"#,
        );
        let html = comparison(&current, &new).to_html();
        for expected in [
            "at least 1 request within 1 min",
            "at least 5 requests within 1 min",
            "above 204800 KiB (200 MiB)",
        ] {
            assert!(html.contains(expected), "{expected} in {html}");
        }
        for (tag, times) in [(">changed<", 1), (">removed<", 1), (">new<", 1)] {
            assert_eq!(html.matches(tag).count(), times, "{tag} in {html}");
        }
        assert!(html.contains("&lt;b&gt;500") && !html.contains("<b>") && !html.contains("<i>"), "{html}");
    }

    #[test]
    fn parameters_are_told_to_be_there_and_to_change() {
        let of = |parameters: &str| {
            config(&format!(
                r#"{{"rules":{{"actions":{{"action_type":"CustomAction","custom_action":{{"exe":"/bin/x","parameters":"{parameters}"}}}}}}}}"#
            ))
        };
        let saved = of("--token hunter2");
        for (new, changed, says) in [
            ("***", false, "Run /bin/x ***"),
            ("--token hunter2", true, "Run /bin/x *** (new parameters)"),
            ("--token other", true, "Run /bin/x *** (new parameters)"),
            ("", true, "Run /bin/x"),
        ] {
            let html = comparison(&saved, &of(new)).to_html();
            assert_eq!(html.contains(">changed<"), changed, "{new}: {html}");
            assert!(html.contains(says) && !html.contains("hunter2") && !html.contains("other\""), "{html}");
        }
    }
}
