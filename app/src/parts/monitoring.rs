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
            "Counting",
            format!("No crash in {window}. More than {limit} attach the debugger."),
        ),
        Monitoring::Counting { crashes, limit } => (
            Severity::Info,
            "Counting",
            format!(
                "{} in {window} ({crashes} of {limit}). More than {limit} attach the debugger.",
                counted(u64::from(*crashes), "crash", "crashes")
            ),
        ),
        Monitoring::Arming { refused: None } => (
            Severity::Info,
            "Arming",
            "Too many crashes: the debugger is being attached to the worker.".to_owned(),
        ),
        Monitoring::Arming { refused: Some(why) } => (
            Severity::Warning,
            "Arming",
            format!("The debugger could not be attached; it is tried again. {why}"),
        ),
        Monitoring::Armed => (
            Severity::Warning,
            "Armed",
            "The debugger waits: the next crash by a signal is captured with its stack.".to_owned(),
        ),
        Monitoring::Analysing => (
            Severity::Info,
            "Analysing",
            "A crash was captured in memory and is being analysed; the dump is dropped when that is done."
                .to_owned(),
        ),
        Monitoring::Paused { until } => (
            Severity::Success,
            "Paused",
            format!(
                "A crash was captured. No further dump for {}, until {} UTC.",
                humanise(until.since(now)),
                minute_text(*until)
            ),
        ),
        Monitoring::OptedOut => (
            Severity::None,
            "Opted out",
            "Switched off in the app's settings: crashes are listed, but no debugger is attached.".to_owned(),
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
            "The debugger is always attached; after a dump, none on the same instance for {pause}."
        );
    }
    format!(
        "More than {} in {} on the same instance attach the debugger to its worker; after a dump, none on the same instance for {pause}.",
        counted(u64::from(numbers.crashes), "crash", "crashes"),
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
                    {instance.message} {instance.next_start.map(|at| view! { " Next start: "<When at=at /> })}
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
                            "Process id"
                        </th>
                        <th scope="col" class="number">
                            "Port"
                        </th>
                        <th scope="col">"Since (UTC)"</th>
                        <th scope="col">"Why"</th>
                    </tr>
                </thead>
                <tbody>{status.instances.into_iter().map(row).collect_view()}</tbody>
            </table>
        </Scroll>
        <p class="quiet">
            "A restart is overlapped: a new worker warms up and takes over, the old one finishes what it has. Requests are not failed."
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
                <button class="button quiet-button small" type="submit" title="Overlapped: requests are not failed">
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
        RestartStage::WarmingUp => "New worker warms up",
        RestartStage::Draining => "Old worker drains",
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
            busy.contains("Old worker drains") && !busy.contains("<form") && !busy.contains("<b>"),
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
            (Monitoring::Counting { crashes: 2, limit: 3 }, "Counting", "2 crashes in 24 h (2 of 3)"),
            (Monitoring::Counting { crashes: 1, limit: 3 }, "Counting", "1 crash in 24 h"),
            (Monitoring::Counting { crashes: 0, limit: 3 }, "Counting", "No crash in 24 h"),
            (Monitoring::Arming { refused: None }, "Arming", "is being attached"),
            (Monitoring::Arming { refused: Some("EPERM".to_owned()) }, "Arming", "EPERM"),
            (Monitoring::Armed, "Armed", "is captured"),
            (Monitoring::Analysing, "Analysing", "being analysed"),
            (Monitoring::Paused { until }, "Paused", "for 7 h 12 min, until 2026-01-31 15:27 UTC"),
            (Monitoring::OptedOut, "Opted out", "Switched off"),
        ];
        for (monitoring, word, part) in cases {
            let explained = explain(&monitoring, numbers, NOW);
            assert_eq!(explained.word, word);
            assert!(explained.sentence.contains(part), "{part} in {}", explained.sentence);
        }
    }
}
