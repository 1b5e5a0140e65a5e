//! What the crash monitoring of each instance is doing, in one sentence each.

use insight::report::Severity;
use leptos::prelude::*;
use model::auto_heal::words::counted;
use model::status::{AppStatus, InstanceState, InstanceStatus, Monitoring, RestartStage, Restarting};
use model::time::humanise;
use model::{AppName, Timestamp};

use super::frame::Scroll;
use super::icon::Status;
use super::when::{When, hours_text, minute_text};
use crate::CrashMonitoringNumbers;
use crate::address::{RESTART, SETTINGS};

/// A state in a word, and explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Explained {
    /// For the picture.
    pub(crate) severity: Severity,
    /// One or two words.
    pub(crate) word: &'static str,
    /// One sentence.
    pub(crate) sentence: String,
}

/// Explains what the monitoring does.
pub(crate) fn explain(
    monitoring: &Monitoring,
    numbers: Option<CrashMonitoringNumbers>,
    now: Timestamp,
) -> Explained {
    let window = numbers.map_or_else(|| "the window".to_owned(), |numbers| hours_text(numbers.window));
    let (severity, word, sentence) = match monitoring {
        Monitoring::Counting { crashes: 0, limit } => (
            Severity::Success,
            "Not armed",
            format!("No crashes in {window}. Capture is armed after {} crashes.", limit + 1),
        ),
        Monitoring::Counting { crashes, limit } => (
            Severity::Info,
            "Not armed",
            format!(
                "{} in {window}. Capture is armed after {} crashes.",
                counted(u64::from(*crashes), "crash", "crashes"),
                limit + 1
            ),
        ),
        Monitoring::Arming { refused: None } => {
            (Severity::Info, "Arming", "Arming capture: attaching the debugger to the worker.".to_owned())
        }
        Monitoring::Arming { refused: Some(why) } => {
            (Severity::Warning, "Arming", format!("Cannot attach the debugger; retrying. {why}"))
        }
        Monitoring::Armed => (
            Severity::Warning,
            "Armed",
            "Capture armed: the next fatal signal is recorded with a stack trace.".to_owned(),
        ),
        Monitoring::Analysing => (
            Severity::Info,
            "Analyzing",
            "Analyzing the captured crash in memory. The dump is deleted after that.".to_owned(),
        ),
        Monitoring::Paused { until } => (
            Severity::Success,
            "Paused",
            format!(
                "Crash captured. Next capture possible in {} ({} UTC).",
                humanise(until.since(now)),
                minute_text(*until)
            ),
        ),
        Monitoring::OptedOut => (
            Severity::None,
            "Opted out",
            "Off in the app's settings: crashes are listed, the debugger is not attached.".to_owned(),
        ),
    };
    Explained { severity, word, sentence }
}

/// The monitoring of all instances of an app.
#[component]
pub(crate) fn MonitoringList(
    /// The app now.
    status: AppStatus,
    /// What its monitoring goes by.
    numbers: Option<CrashMonitoringNumbers>,
    /// The wall clock.
    now: Timestamp,
) -> impl IntoView {
    let app = status.name.clone();
    let row = move |instance: InstanceStatus| {
        let explained = explain(&instance.monitoring, numbers, now);
        view! {
            <li>
                <strong>{format!("Instance {}", instance.index)}</strong>
                <Status severity=explained.severity word=explained.word />
                <span>{explained.sentence}</span>
            </li>
        }
    };
    view! {
        <ul class="states" aria-label="Crash monitoring of each instance">
            {status.instances.into_iter().map(row).collect_view()}
        </ul>
        <p class="quiet">
            {numbers.map(rule)} " "<a href=SETTINGS.of_app(&app)>{SETTINGS.title}</a>
        </p>
    }
}

/// The rule in one sentence.
fn rule(numbers: CrashMonitoringNumbers) -> String {
    let pause = hours_text(numbers.pause);
    if numbers.crashes == 0 {
        return format!(
            "Capture is always armed, then paused for {pause} after a capture on the same instance."
        );
    }
    format!(
        "Capture is armed after {} crashes within {} on one instance, then paused for {pause} after a capture.",
        numbers.crashes + 1,
        hours_text(numbers.window)
    )
}

/// How bad an instance's state is.
pub(crate) fn instance_severity(instance: &InstanceStatus) -> Severity {
    match instance.state {
        InstanceState::Running => Severity::Success,
        InstanceState::Starting if instance.ends_in_a_row == 0 => Severity::Info,
        InstanceState::Starting | InstanceState::Waiting => Severity::Critical,
        InstanceState::Stopping => Severity::Info,
        InstanceState::Stopped => Severity::None,
    }
}

/// Every instance: state, process, since when, and why.
#[component]
pub(crate) fn InstanceTable(
    /// The app now.
    status: AppStatus,
    /// The wall clock.
    now: Timestamp,
) -> impl IntoView {
    let app = status.name.clone();
    let row = move |instance: InstanceStatus| {
        let severity = instance_severity(&instance);
        let restart = restart_cell(&app, &instance, now);
        view! {
            <tr>
                <th scope="row">{instance.index}</th>
                <td>
                    <Status severity=severity word=instance.state.word() />
                </td>
                <td>{restart}</td>
                <td class="number">{instance.pid}</td>
                <td class="number">{instance.port}</td>
                <td title=humanise(now.since(instance.since))>
                    <When at=instance.since bare=true />
                </td>
                <td class="wrap">
                    {instance.message} {instance.next_start.map(|at| view! { " Next attempt "<When at=at /> })}
                </td>
            </tr>
        }
    };
    view! {
        <Scroll label="Instances">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Instance"</th>
                        <th scope="col">"State"</th>
                        <th scope="col">"Restart"</th>
                        <th scope="col" class="number">
                            "Process ID"
                        </th>
                        <th scope="col" class="number">
                            "Port"
                        </th>
                        <th scope="col">"Since (UTC)"</th>
                        <th scope="col">"Reason"</th>
                    </tr>
                </thead>
                <tbody>{status.instances.into_iter().map(row).collect_view()}</tbody>
            </table>
        </Scroll>
        <p class="quiet">
            "Restarts are graceful: the new worker takes over, then the old one finishes its requests (limited by stop_grace)."
        </p>
    }
}

/// How far the restart is that is under way, or the button that begins one; nothing where no worker could be replaced.
fn restart_cell(app: &AppName, instance: &InstanceStatus, now: Timestamp) -> Option<AnyView> {
    if let Some(restarting) = &instance.restarting {
        let text = restart_stage(restarting);
        let age = humanise(now.since(restarting.since));
        let title = format!("For {age}: {}", restarting.reason);
        return Some(
            view! { <span title=title><Status severity=Severity::Info word=text /></span> }.into_any(),
        );
    }
    let index = instance.index;
    (instance.state == InstanceState::Running).then(|| {
        view! {
            <form method="post" action=RESTART.of_instance(app, index)>
                <button class="button quiet-button small" type="submit" title="Graceful restart: the old worker finishes its requests">
                    "Restart"
                    <span class="hidden-label">{format!(" instance {index}")}</span>
                </button>
            </form>
        }
        .into_any()
    })
}

const fn restart_stage(restarting: &Restarting) -> &'static str {
    match restarting.stage {
        RestartStage::WarmingUp => "Starting new worker",
        RestartStage::Draining => "Draining old worker",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Timestamp = Timestamp::from_ms(1_769_847_300_000);

    #[test]
    fn a_restart_can_be_asked_for_unless_one_is_under_way_or_nothing_runs() {
        let mut instance = InstanceStatus {
            index: 1,
            pid: None,
            started_at: None,
            state: InstanceState::Running,
            since: NOW,
            port: None,
            next_start: None,
            message: None,
            not_responding: false,
            not_responding_since: None,
            ends: None,
            recent_crashes: None,
            ends_in_a_row: 0,
            monitoring: Monitoring::Armed,
            restarting: None,
        };
        let cell = |instance: &InstanceStatus| {
            restart_cell(&"shop".parse().unwrap(), instance, NOW).map(RenderHtml::to_html)
        };
        assert!(cell(&instance).unwrap().contains("action=\"/apps/shop/instances/1/restart\""));
        let restarting =
            Restarting { since: NOW, reason: "by <b>hand".to_owned(), stage: RestartStage::Draining };
        instance.restarting = Some(restarting);
        let busy = cell(&instance).unwrap();
        assert!(
            busy.contains("Draining old worker") && !busy.contains("<form") && !busy.contains("<b>"),
            "{busy}"
        );
        (instance.restarting, instance.state) = (None, InstanceState::Waiting);
        assert!(cell(&instance).is_none());
    }

    #[test]
    fn every_state_is_explained_with_its_numbers() {
        let numbers = Some(CrashMonitoringNumbers {
            crashes: 3,
            window: Duration::from_hours(24),
            pause: Duration::from_hours(8),
        });
        let until = NOW + Duration::from_mins(432);
        let cases = [
            (
                Monitoring::Counting { crashes: 2, limit: 3 },
                "Not armed",
                "2 crashes in 24 h. Capture is armed after 4 crashes.",
            ),
            (Monitoring::Counting { crashes: 1, limit: 3 }, "Not armed", "1 crash in 24 h"),
            (Monitoring::Counting { crashes: 0, limit: 3 }, "Not armed", "No crashes in 24 h"),
            (Monitoring::Arming { refused: None }, "Arming", "attaching the debugger"),
            (Monitoring::Arming { refused: Some("EPERM".to_owned()) }, "Arming", "EPERM"),
            (Monitoring::Armed, "Armed", "is recorded with a stack trace"),
            (Monitoring::Analysing, "Analyzing", "is deleted after that"),
            (Monitoring::Paused { until }, "Paused", "in 7 h 12 min (2026-01-31 15:27 UTC)"),
            (Monitoring::OptedOut, "Opted out", "Off in the app"),
        ];
        for (monitoring, word, part) in cases {
            let explained = explain(&monitoring, numbers, NOW);
            assert_eq!(explained.word, word);
            assert!(explained.sentence.contains(part), "{part} in {}", explained.sentence);
        }
    }
}
