//! Risk alerts of an app: what needs a look now, worst first.

use std::time::Duration;

use insight::report::Severity;
use leptos::prelude::*;
use model::Timestamp;
use model::auto_heal::words::counted;
use model::crash::Incident;
use model::status::{AppStatus, Health, InstanceState, Monitoring};

use super::icon::{Status, tone};
use super::when::minute_text;
use crate::address::INCIDENT;
use crate::catalog::{CRASHES, OVERVIEW, SETTINGS};

/// What an incident's last crash must be younger than to be an alert; the default range of the detectors.
const RECENT: Duration = Duration::from_hours(24);

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
    let (app, overview) = (&status.name, OVERVIEW.href(&status.name));
    if let Some(closed) = &status.not_listening {
        let title = format!(
            "Not listening on {} since {} UTC: {}",
            closed.address,
            minute_text(closed.since),
            closed.reason
        );
        add(Severity::Critical, title, overview.clone());
    }
    match status.health {
        Health::Down if status.not_listening.is_some() => {}
        Health::Down => {
            add(Severity::Critical, format!("{app} is down: no instance answers"), overview.clone());
        }
        Health::Stopped => add(Severity::Info, format!("{app} was stopped"), overview.clone()),
        Health::Healthy | Health::Degraded => {}
    }
    for instance in &status.instances {
        let index = instance.index;
        if instance.ends_in_a_row > 1 {
            let ends = counted(u64::from(instance.ends_in_a_row), "time", "times");
            let title = format!("Instance {index} keeps ending: {ends} in a row soon after its start");
            add(Severity::Critical, title, overview.clone());
        } else if instance.state == InstanceState::Waiting {
            add(Severity::Warning, format!("Instance {index} has no worker"), overview.clone());
        }
        if let Monitoring::Arming { refused: Some(why) } = &instance.monitoring {
            let title = format!("The debugger could not be attached to instance {index}: {why}");
            add(Severity::Warning, title, CRASHES.href(app));
        }
    }
    for incident in incidents.iter().filter(|incident| now.since(incident.last_seen) < RECENT) {
        let age = if now.since(incident.first_seen) < RECENT { "New" } else { "Still happening" };
        let title = format!("{age}: {}, last at {} UTC", incident.title(), minute_text(incident.last_seen));
        add(Severity::Warning, title, INCIDENT.of_incident(&incident.id));
    }
    if !status.crash_monitoring_enabled {
        add(Severity::Info, "Proactive crash monitoring is switched off".to_owned(), SETTINGS.href(app));
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
        return view! {
            <p class="alert success">
                <Status severity=Severity::Success word="No risks found" />
                <span>
                    {if is_whole {
                        "Every instance answers, and nothing crashed in the last 24 hours."
                    } else {
                        "All instances are running."
                    }}
                </span>
            </p>
        }
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
    use model::status::InstanceStatus;

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
            ends_in_a_row,
            monitoring: Monitoring::Counting { crashes: 0, limit: 3 },
            restarting: None,
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
    fn the_worst_stands_first() {
        let found = alerts(&status(Health::Down, 5), &[], NOW);
        let severities = found.iter().map(|alert| alert.severity).collect::<Vec<_>>();
        assert_eq!(severities, [Severity::Critical, Severity::Critical, Severity::Info]);
        assert!(found[1].title.contains("5 times in a row"), "{found:?}");
    }

    #[test]
    fn an_app_that_does_well_has_no_alert() {
        let mut well = status(Health::Healthy, 0);
        well.instances[0].state = InstanceState::Running;
        well.crash_monitoring_enabled = true;
        assert!(alerts(&well, &[], NOW).is_empty());
    }
}
