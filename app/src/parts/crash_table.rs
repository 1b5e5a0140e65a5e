//! The table of single crashes.

use leptos::prelude::*;
use model::crash::Crash;
use model::time::humanise;

use super::frame::Scroll;
use super::when::When;
use crate::address::INCIDENT;

/// The crashes, newest first.
#[component]
pub(crate) fn CrashTable(
    /// What to list.
    crashes: Vec<Crash>,
    /// With a column that leads to each one's incident.
    #[prop(optional)]
    with_incident: bool,
) -> impl IntoView {
    if crashes.is_empty() {
        return view! { <p class="quiet">"No crashes in this time range"</p> }.into_any();
    }
    view! {
        <Scroll label="Latest crashes">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Time (UTC)"</th>
                        <th scope="col">"Instance"</th>
                        <th scope="col">"Type"</th>
                        <th scope="col">"Termination"</th>
                        {with_incident.then(|| view! { <th scope="col">"Signature"</th> })}
                        <th scope="col" class="number">
                            "Uptime"
                        </th>
                        <th scope="col" class="number">
                            "In flight"
                        </th>
                        <th scope="col">"Stack source"</th>
                    </tr>
                </thead>
                <tbody>{crashes.into_iter().map(|crash| row(crash, with_incident)).collect_view()}</tbody>
            </table>
        </Scroll>
    }
    .into_any()
}

fn row(crash: Crash, with_incident: bool) -> impl IntoView {
    let ended_by = ended_by(crash.signal.as_deref(), crash.exit_code);
    let source = match (&crash.audit, crash.findings.crashing_thread.frames.is_empty()) {
        (Some(_), _) => "Memory dump",
        (None, false) => "stderr",
        (None, true) => "None",
    };
    view! {
        <tr>
            <td>
                <When at=crash.at bare=true />
            </td>
            <td title=format!("Process id {}", crash.pid)>{format!("{}/{}", crash.node, crash.instance)}</td>
            <td class="wrap">
                <code>{crash.findings.exception_type}</code>
            </td>
            <td>{ended_by}</td>
            {with_incident
                .then(|| {
                    view! {
                        <td class="wrap">
                            <a href=INCIDENT.of_incident(&crash.incident)>
                                <code>{crash.findings.signature}</code>
                            </a>
                        </td>
                    }
                })}
            <td class="number">{humanise(std::time::Duration::from_millis(crash.uptime_ms))}</td>
            <td class="number">{crash.in_flight_count}</td>
            <td>{source}</td>
        </tr>
    }
}

/// `SIGSEGV`, `Exit code 1`.
pub(crate) fn ended_by(signal: Option<&str>, exit_code: Option<i32>) -> String {
    match (signal, exit_code) {
        (Some(signal), _) => signal.to_owned(),
        (None, Some(code)) => format!("Exit code {code}"),
        (None, None) => "Unknown".to_owned(),
    }
}
