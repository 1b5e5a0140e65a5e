//! The requests that a worker was answering when it crashed: which of them is to blame, and what became of the others.

use std::time::Duration;

use insight::incident::likely_trigger;
use leptos::prelude::*;
use model::CrashCause;
use model::crash::{InFlightRequest, Incident, ProcessRole, RequestEvidence};
use model::time::humanise;

use super::region::Scroll;

/// Who the suspect is, and what was done with the others; nothing where no request was under way. Both without names from
/// outside.
pub(crate) fn verdict(incident: &Incident) -> Option<(String, &'static str)> {
    let others = match incident.role {
        ProcessRole::Main => {
            "Other GET and HEAD requests were retried once (retry budget permitting); the rest received 502."
        }
        ProcessRole::Child | ProcessRole::BehindLauncher => {
            "GET and HEAD requests that began more than 50\u{a0}ms before it were retried once (retry budget permitting); the rest received 502."
        }
    };
    let count = incident.in_flight_count;
    let trigger = likely_trigger(incident);
    let known = match trigger.map_or(RequestEvidence::InFlight, |trigger| trigger.evidence) {
        RequestEvidence::InFlight => "",
        RequestEvidence::Read => " The process had read it.",
        RequestEvidence::Closed => " Its connection closed with the process, which had left nothing unread.",
    };
    Some(match (count, trigger) {
        (0, _) => return None,
        (1, _) => (format!("Likely trigger: the only in-flight request.{known}"), "Not retried."),
        (_, Some(_)) => {
            let which = if incident.cause == CrashCause::KilledByMaster { "oldest" } else { "most recent" };
            (
                format!("Likely trigger: the {which} of {count} in-flight requests.{known} Not retried."),
                others,
            )
        }
        (_, None) => (
            format!("No likely trigger: the worker was killed from outside during {count} requests."),
            "GET and HEAD requests were retried once (retry budget permitting); the rest received 502.",
        ),
    })
}

/// What a path leaves out (see [`model::path_template`]).
const HIDDEN: &str = "* is a hidden path segment: an ID, a name, or a segment that was requested too rarely to be recognized as a route.";

/// All of it.
#[component]
pub(crate) fn InFlight<'a>(incident: &'a Incident) -> impl IntoView + use<> {
    let Some((blame, others)) = verdict(incident) else {
        return view! { <p class="quiet">"No in-flight requests at this crash"</p> }.into_any();
    };
    let suspect = likely_trigger(incident);
    let count = usize::try_from(incident.in_flight_count).unwrap_or(usize::MAX);
    let unlisted = count.saturating_sub(incident.in_flight.len());
    let tone = if suspect.is_some() { "message warning" } else { "message info" };
    let has_hidden =
        incident.in_flight.iter().any(|request| request.path.split('/').any(|segment| segment == "*"));
    let rows = incident
        .in_flight
        .iter()
        .map(|request| row(request, suspect.is_some_and(|suspect| std::ptr::eq(suspect, request))));
    let rows = rows.collect_view();
    view! {
        <div class=tone>
            <p>
                <strong>{blame}</strong>
                " "
                {others}
            </p>
        </div>
        <Scroll label="In-flight requests">
            <table class="cards">
                <thead>
                    <tr>
                        <th scope="col">"Method"</th>
                        <th scope="col">"Path"</th>
                        <th scope="col" class="number">
                            "Duration"
                        </th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </Scroll>
        {(unlisted > 0).then(|| view! { <p class="quiet">{format!("… and {unlisted} more.")}</p> })}
        {has_hidden.then(|| view! { <p class="quiet">{HIDDEN}</p> })}
    }
    .into_any()
}

fn row(request: &InFlightRequest, is_suspect: bool) -> impl IntoView + use<> {
    view! {
        <tr>
            <td data-label="Method">
                <code>{request.method.clone()}</code>
            </td>
            <td class="wrap" data-label="Path">
                <code>{request.path.clone()}</code>
                {is_suspect.then(|| view! { " " <span class="tag">"Likely trigger"</span> })}
            </td>
            <td class="number" data-label="Duration">
                {humanise(Duration::from_millis(request.age_ms))}
            </td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nothing::bare_incident;
    use model::Timestamp;

    fn html(signal: &str, count: u32) -> String {
        html_of(signal, count, "/<b>")
    }

    fn html_of(signal: &str, count: u32, path: &str) -> String {
        html_with(signal, count, path, |_| {})
    }

    fn html_with(signal: &str, count: u32, path: &str, change: impl FnOnce(&mut Incident)) -> String {
        let at = Timestamp::from_ms(1_769_847_300_000);
        let request = |age_ms| InFlightRequest {
            method: "GET".to_owned(),
            path: format!("{path}{age_ms}"),
            age_ms,
            evidence: RequestEvidence::InFlight,
        };
        let mut incident = Incident {
            exception_type: signal.to_owned(),
            signal: Some(signal.to_owned()),
            in_flight: (0..u64::from(count)).rev().map(request).collect(),
            in_flight_count: count,
            ..bare_incident("a".repeat(16).parse().unwrap(), CrashCause::Signal, at)
        };
        change(&mut incident);
        view! { <InFlight incident=&incident /> }.to_html()
    }

    #[test]
    fn of_those_that_the_process_had_read_the_newest_is_the_trigger() {
        for (evidence, says) in [
            (RequestEvidence::Read, "The process had read it."),
            (RequestEvidence::Closed, "Its connection closed with the process"),
        ] {
            let html = html_with("SIGSEGV", 3, "/", |incident| {
                incident.role = ProcessRole::Child;
                incident.in_flight[1].evidence = evidence;
            });
            assert!(html.contains(says) && html.contains("began more than 50\u{a0}ms before it"), "{html}");
            let (before, after) = html.split_once("/1</code>").unwrap();
            assert!(!before.contains("tag") && after.contains("Likely trigger</span>"), "{html}");
        }
    }

    #[test]
    fn of_a_child_that_its_master_killed_for_its_time_the_oldest_is_the_trigger() {
        let html = html_with("SIGKILL", 3, "/", |incident| incident.cause = CrashCause::KilledByMaster);
        assert!(html.contains("Likely trigger: the oldest of 3 in-flight requests."), "{html}");
        let (before, after) = html.split_once("/2</code>").unwrap();
        assert!(!before.contains("tag") && after.contains("Likely trigger</span>"), "{html}");
    }

    #[test]
    fn what_a_path_hides_is_explained() {
        assert!(!html("SIGSEGV", 2).contains(HIDDEN));
        let hidden = html_of("SIGSEGV", 2, "/users/*/orders");
        assert!(hidden.contains("/users/*/orders") && hidden.contains(HIDDEN), "{hidden}");
    }

    #[test]
    fn the_suspect_is_named_and_what_became_of_the_others() {
        let cases = [
            ("SIGSEGV", 0, "No in-flight requests", 0),
            ("SIGKILL", 1, "Likely trigger: the only in-flight request.", 1),
            ("SIGSEGV", 3, "Likely trigger: the most recent of 3 in-flight requests", 1),
            ("SIGKILL", 3, "No likely trigger: the worker was killed from outside", 0),
        ];
        for (signal, count, says, tagged) in cases {
            let html = html(signal, count);
            assert!(html.contains(says) && !html.contains("<b>"), "{says} in {html}");
            assert_eq!(html.contains("retried once (retry budget permitting)"), count > 1, "{html}");
            let tags = html.matches(">Likely trigger</span>").count();
            assert_eq!(tags, tagged, "{html}");
        }
        let newest = html("SIGSEGV", 2);
        let (first, last) = newest.split_once("/&lt;b&gt;0").unwrap();
        assert!(
            !first.contains(">Likely trigger<") && last.contains(">Likely trigger<"),
            "the newest is the last: {newest}"
        );
    }
}
