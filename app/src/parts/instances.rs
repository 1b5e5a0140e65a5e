//! The instances of an app as they are, with the button that restarts one.

use insight::report::Severity;
use insight::start;
use insight::words::instance_state;
use insight::{healing, words};
use leptos::prelude::*;
use model::account::AccountRole;
use model::status::{AppHeal, AppStatus, InstanceState, InstanceStatus, RestartStage, Restarting};
use model::time::humanise;
use model::{AppName, Timestamp};

use super::icon::Status;
use super::region::Scroll;
use super::rights::RoleNeeded;
use super::when::When;
use crate::address::{OUTPUT, RESTART};

/// The roles that the reader lacks.
#[derive(Clone, Copy, Default)]
pub(crate) struct InstanceRights {
    pub(crate) restart: Option<AccountRole>,
    pub(crate) output: Option<AccountRole>,
}

/// Every instance: state, process, since when, and why.
#[component]
pub(crate) fn InstanceTable(
    /// The app now.
    status: AppStatus,
    /// What auto-heal sees of it.
    heal: Option<AppHeal>,
    /// The wall clock.
    now: Timestamp,
    /// What the reader lacks to restart one, and to read its output.
    rights: InstanceRights,
) -> impl IntoView {
    let InstanceRights { restart: lacks_restart, output: lacks_output } = rights;
    let app = status.name.clone();
    let row = move |instance: InstanceStatus| {
        let severity = Severity::of_instance(&instance);
        let restart = restart_cell(&app, &instance, now, lacks_restart.is_none());
        view! {
            <tr>
                <th scope="row">
                    <span class="card-label">"Instance "</span>
                    {instance.index}
                </th>
                <td data-label="State">
                    <Status severity=severity word=instance_state(instance.state) />
                </td>
                <td data-label="Restart">{restart}</td>
                <td class="number" data-label="Process ID">
                    {instance.pid}
                </td>
                <td class="number" data-label="Port">
                    {instance.port}
                </td>
                <td data-label="Open streams">{open_streams(heal.as_ref(), instance.index)}</td>
                <td data-label="Since (UTC)" title=humanise(now.since(instance.since))>
                    <When at=instance.since bare=true />
                </td>
                <td class="wrap" data-label="Reason">
                    {reason(&instance)} {lacks_output.is_none().then(|| output_link(&app, &instance))} {instance.next_start.map(|at| view! { " Next attempt "<When at=at /> })}
                </td>
            </tr>
        }
    };
    view! {
        <Scroll label="Instances">
            <table class="cards">
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
                        <th scope="col">"Open streams"</th>
                        <th scope="col">"Since (UTC)"</th>
                        <th scope="col">"Reason"</th>
                    </tr>
                </thead>
                <tbody>{status.instances.into_iter().map(row).collect_view()}</tbody>
            </table>
        </Scroll>
        {lacks_restart.map(|role| view! { <RoleNeeded what="Restarting an instance" role=role /> })}
        {lacks_output.map(|role| view! { <RoleNeeded what="Reading the output of an instance" role=role /> })}
        <p class="quiet">
            "Restarts are graceful: the new worker takes over, then the old one finishes its requests (limited by stop_grace). Streams and WebSockets that are still open then end with the old worker."
        </p>
    }
}

/// Why the last worker ended, and what the new one does.
fn reason(instance: &InstanceStatus) -> String {
    let message = instance.message.as_ref().map(healing::message);
    let activity = instance.starting.as_ref().map(start::activity);
    [message, activity].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn open_streams(heal: Option<&AppHeal>, index: u16) -> String {
    let instance = heal.and_then(|heal| heal.instances.iter().find(|instance| instance.index == index));
    instance.and_then(|instance| words::open_streams(&instance.open)).unwrap_or_else(|| "–".to_owned())
}

/// What its output says of a worker that is not running or not ready.
fn output_link(app: &AppName, instance: &InstanceStatus) -> Option<impl IntoView + use<>> {
    let is_wanted = instance.ends.is_some() || instance.starting.is_some();
    is_wanted.then(|| view! { " "<a href=OUTPUT.of_instance(app, instance.index)>"Last output"</a> })
}

/// How far the restart is that is under way, or the button that begins one; nothing where no worker could be replaced.
fn restart_cell(
    app: &AppName,
    instance: &InstanceStatus,
    now: Timestamp,
    may_restart: bool,
) -> Option<AnyView> {
    if let Some(restarting) = &instance.restarting {
        let text = restart_stage(restarting);
        let age = humanise(now.since(restarting.since));
        let title = format!("For {age}: {}", healing::reason(&restarting.reason));
        return Some(
            view! { <span title=title><Status severity=Severity::Info word=text /></span> }.into_any(),
        );
    }
    let index = instance.index;
    (may_restart && instance.state == InstanceState::Running).then(|| {
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
    use model::auto_heal::restart::RestartReason;
    use model::status::Monitoring;

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
            starting: None,
        };
        let cell = |instance: &InstanceStatus| {
            restart_cell(&"shop".parse().unwrap(), instance, NOW, true).map(RenderHtml::to_html)
        };
        assert!(cell(&instance).unwrap().contains("action=\"/apps/shop/instances/1/restart\""));
        let by_hand = RestartReason::ByHand { by: Some("<b>alice".to_owned()) };
        let restarting = Restarting { since: NOW, reason: by_hand, stage: RestartStage::Draining };
        instance.restarting = Some(restarting);
        let busy = cell(&instance).unwrap();
        assert!(
            busy.contains("Draining old worker") && !busy.contains("<form") && !busy.contains("<b>"),
            "{busy}"
        );
        (instance.restarting, instance.state) = (None, InstanceState::Waiting);
        assert!(cell(&instance).is_none());
    }
}
