//! Problems of an app beside its verdict: what needs a look now, worst first. One row a cause.

use insight::incident::title;
use insight::report::Severity;
use insight::severity::RECENT;
use leptos::prelude::*;
use model::Timestamp;
use model::crash::Incident;
use model::status::{AppStatus, Monitoring};

use super::icon::{Status, tone};
use super::when::minute_text;
use crate::address::INCIDENT;
use crate::catalog::{CRASHES, SETTINGS};

/// One alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    /// How bad.
    pub(crate) severity: Severity,
    /// One line.
    pub(crate) title: String,
    /// Where more is said.
    pub(crate) href: String,
}

/// The alerts of one app; `incidents` are its newest.
pub(crate) fn alerts(status: &AppStatus, incidents: &[Incident], now: Timestamp) -> Vec<Alert> {
    let mut alerts = Vec::new();
    let mut add = |severity, title: String, href: String| alerts.push(Alert { severity, title, href });
    let app = &status.name;
    for instance in &status.instances {
        let index = instance.index;
        if let Monitoring::Arming { refused: Some(why) } = &instance.monitoring {
            let title = format!("Cannot attach the debugger to instance {index}: {why}");
            add(Severity::Warning, title, CRASHES.href(app));
        }
    }
    for incident in incidents.iter().filter(|incident| now.since(incident.last_seen) < RECENT) {
        let age = if now.since(incident.first_seen) < RECENT { "New" } else { "Ongoing" };
        let title = format!("{age}: {}, last at {} UTC", title(incident), minute_text(incident.last_seen));
        let severity = Severity::of_failure(incident.last_seen, now);
        add(severity, title, INCIDENT.of_incident(&incident.id));
    }
    if !status.crash_monitoring_enabled {
        add(Severity::Info, "Proactive crash monitoring is off".to_owned(), SETTINGS.href(app));
    }
    alerts.sort_by_key(|alert| alert.severity);
    alerts
}

/// The list.
#[component]
pub(crate) fn AlertList(
    /// Worst first.
    alerts: Vec<Alert>,
    /// The history was looked through for them.
    is_whole: bool,
) -> impl IntoView {
    if alerts.is_empty() {
        return is_whole
            .then(|| {
                view! {
                    <p class="alert success">
                        <Status severity=Severity::Healthy word="No problems" />
                        <span>"No crashes in the last 24 hours."</span>
                    </p>
                }
            })
            .into_any();
    }
    view! {
        <ul class="alerts">
            {alerts
                .into_iter()
                .map(|alert| {
                    view! {
                        <li class=format!("alert {}", tone(alert.severity))>
                            <Status severity=alert.severity />
                            <a href=alert.href>{alert.title}</a>
                        </li>
                    }
                })
                .collect_view()}
        </ul>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::status::{Health, InstanceState, InstanceStatus};

    const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);

    fn status(health: Health, ends_in_a_row: u32) -> AppStatus {
        let instance = InstanceStatus {
            index: 0,
            pid: None,
            started_at: None,
            state: InstanceState::Waiting,
            since: NOW,
            port: None,
            next_start: None,
            message: None,
            not_responding: false,
            not_responding_since: None,
            ends: None,
            recent_crashes: None,
            ends_in_a_row,
            monitoring: Monitoring::Counting { crashes: 0, limit: 3 },
            restarting: None,
            starting: None,
        };
        AppStatus {
            name: "shop".parse().unwrap(),
            health,
            listen: "127.0.0.1:8080".to_owned(),
            not_listening: None,
            instances: vec![instance],
            crash_monitoring_enabled: false,
            auto_heal_enabled: true,
        }
    }

    #[test]
    fn the_worst_stands_first_and_nothing_repeats_the_verdict() {
        let mut status = status(Health::Down, 5);
        status.instances[0].monitoring = Monitoring::Arming { refused: Some("EPERM".to_owned()) };
        let found = alerts(&status, &[], NOW);
        let severities = found.iter().map(|alert| alert.severity).collect::<Vec<_>>();
        assert_eq!(severities, [Severity::Warning, Severity::Info]);
        assert!(found[0].title.contains("instance 0: EPERM"), "{found:?}");
    }

    #[test]
    fn an_app_that_does_well_has_no_alert() {
        let mut well = status(Health::Healthy, 0);
        well.instances[0].state = InstanceState::Running;
        well.crash_monitoring_enabled = true;
        assert!(alerts(&well, &[], NOW).is_empty());
    }
}
