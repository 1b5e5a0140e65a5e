//! The time range of a detector: a pill that says it and opens into presets and a form of its own. All of it is links and a GET
//! form, so that a range is an address.

use std::time::Duration;

use insight::range::correction;
use leptos::prelude::*;
use model::Timestamp;
use model::range::{PRESET_HOURS, ReadRange};

use super::when::{input_text, range_text};

/// The pill, and what was put right.
#[component]
pub(crate) fn RangePill(
    /// What the page shows.
    read: ReadRange,
    /// The wall clock.
    now: Timestamp,
    /// The page's address without its query.
    here: String,
    /// What else the page's query says, which another range leaves alone; words of ours, which need no escaping.
    #[prop(optional)]
    keep: Vec<(&'static str, String)>,
) -> impl IntoView {
    let kept = keep.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
    let hidden = keep
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view();
    let range = read.range;
    let pill = format!("Time range (UTC): {}", range_text(range));
    let reaches_now = now.since(range.end) < Duration::from_mins(1);
    let preset = |hours: u64| {
        let length = Duration::from_hours(hours);
        let is_default = length == model::range::LONGEST;
        // an address that names a start alone reaches until now, so it stays live
        let start = (!is_default).then(|| format!("startTime={}", now - length));
        let query: Vec<&str> =
            [Some(&*kept), start.as_deref()].into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let href = if query.is_empty() { here.clone() } else { format!("{here}?{}", query.join("&")) };
        let same_length = range.length().abs_diff(length) < Duration::from_secs(90);
        let current = (reaches_now && same_length).then_some("true");
        let name = if hours == 1 { "Last hour".to_owned() } else { format!("Last {hours} hours") };
        view! {
            <li>
                <a href=href aria-current=current>
                    {name}
                </a>
            </li>
        }
    };
    let presets = PRESET_HOURS.into_iter().map(preset).collect_view();
    view! {
        <details class="range" data-key="range">
            <summary>{pill}</summary>
            <div class="range-panel">
                <ul class="range-presets">{presets}</ul>
                <form method="get" action=here aria-label="Custom time range">
                    {hidden}
                    <p class="range-hint">"Custom: 15 minutes to 24 hours, within the last 30 days"</p>
                    <label>
                        "Start (UTC)"
                        <input type="datetime-local" name="startTime" value=input_text(range.start) required />
                    </label>
                    <label>
                        "End (UTC)"
                        <input type="datetime-local" name="endTime" value=input_text(range.end) required />
                    </label>
                    <button type="submit">"Apply"</button>
                </form>
            </div>
        </details>
        {(!read.corrections.is_empty())
            .then(|| {
                view! {
                    <div class="message warning" role="status">
                        <p>"Time range adjusted:"</p>
                        <ul>{read.corrections.into_iter().map(|it| view! { <li>{correction(&it)}</li> }).collect_view()}</ul>
                    </div>
                }
            })}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::range::read_range;

    const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);

    fn html(start: Option<&str>, end: Option<&str>) -> String {
        let read = read_range(NOW, start, end);
        view! { <RangePill read=read now=NOW here="/x".to_owned() /> }.to_html()
    }

    #[test]
    fn the_default_is_marked_and_presets_are_addresses() {
        let html = html(None, None);
        assert!(html.contains("Time range (UTC): 2026-01-30 08:15 – 2026-01-31 08:15"), "{html}");
        assert!(html.contains("<a href=\"/x\" aria-current=\"true\">Last 24 hours</a>"), "{html}");
        assert!(html.contains("href=\"/x?startTime=2026-01-31T07:15:00.000Z\""), "{html}");
        assert!(html.contains("value=\"2026-01-30T08:15\""), "{html}");
    }

    #[test]
    fn what_was_put_right_is_said_and_escaped() {
        let html = html(Some("<b>noon"), None);
        assert!(
            html.contains("&lt;b&gt;noon") && html.contains("role=\"status\"") && !html.contains("<b>"),
            "{html}"
        );
    }
}
