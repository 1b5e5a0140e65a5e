//! The proof of a dump's deletion: it existed in memory between two times, and this row is all that is left of it.

use leptos::prelude::*;
use model::crash::Audit;
use model::time::humanise;
use model::{IncidentId, WorkerId};

use super::frame::Scroll;
use super::when::{When, bytes_text, micros_text};
use crate::address::INCIDENT;

/// One proof, and whose dump it was.
pub(crate) struct AuditRow {
    /// The worker whose memory was dumped, where it is known.
    pub(crate) worker: Option<WorkerId>,
    /// The incident that the crash belongs to, where the page is not about it.
    pub(crate) incident: Option<IncidentId>,
    /// The proof.
    pub(crate) audit: Audit,
}

/// The table of proofs.
#[component]
pub(crate) fn AuditTable(
    /// Newest first.
    rows: Vec<AuditRow>,
) -> impl IntoView {
    if rows.is_empty() {
        return view! {
            <p class="quiet">"No memory dumps were taken"</p>
        }
        .into_any();
    }
    let with_incident = rows.iter().any(|row| row.incident.is_some());
    view! {
        <p class="quiet">
            "Dumps stay in memory and are deleted after analysis. Only these facts are kept."
        </p>
        <Scroll label="Deleted memory dumps">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Captured (UTC)"</th>
                        <th scope="col">"Deleted (UTC)"</th>
                        <th scope="col" class="number">
                            "Retained"
                        </th>
                        <th scope="col" class="number" title="How long all threads of the worker were paused for the capture">
                            "Process paused"
                        </th>
                        <th scope="col" class="number">
                            "Size"
                        </th>
                        <th scope="col">"SHA-256"</th>
                        <th scope="col">"Analysis"</th>
                        <th scope="col">"Instance"</th>
                        {with_incident.then(|| view! { <th scope="col">"Incident"</th> })}
                    </tr>
                </thead>
                <tbody>{rows.into_iter().map(row).collect_view()}</tbody>
            </table>
        </Scroll>
    }
    .into_any()
}

fn row(AuditRow { worker, incident, audit }: AuditRow) -> impl IntoView {
    let short = audit.sha256.chars().take(12).collect::<String>();
    let worker_title = worker.as_ref().map(|worker| format!("Worker {worker}"));
    view! {
        <tr>
            <td>
                <When at=audit.captured_at bare=true />
            </td>
            <td>
                <When at=audit.dropped_at bare=true />
            </td>
            <td class="number">{humanise(audit.dropped_at.since(audit.captured_at))}</td>
            <td class="number">{micros_text(audit.stopped_us)}</td>
            <td class="number">{bytes_text(audit.size_bytes)}</td>
            <td>
                <code class="hash" title=audit.sha256>
                    {short}
                    "…"
                </code>
            </td>
            <td>{audit.result}</td>
            <td title=worker_title>
                {worker.map(|worker| format!("Instance {}", worker.instance.index))}
            </td>
            {incident
                .map(|id| {
                    view! {
                        <td>
                            <a href=INCIDENT.of_incident(&id)>{id.to_string()}</a>
                        </td>
                    }
                })}
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;

    #[test]
    fn a_proof_names_size_hash_both_times_and_the_result() {
        let audit = Audit {
            size_bytes: 35_651_584,
            sha256: "ab".repeat(32),
            captured_at: Timestamp::from_ms(1_769_847_300_000),
            dropped_at: Timestamp::from_ms(1_769_847_300_850),
            stopped_us: 12_400,
            result: "<b>analysed".to_owned(),
        };
        let worker = "shop/1/1769847000000".parse().ok();
        let html = view! { <AuditTable rows=vec![AuditRow { worker, incident: None, audit }] /> }.to_html();
        let wanted = [
            "34.0 MiB",
            &*"ab".repeat(32),
            "2026-01-31T08:15:00.000Z",
            "2026-01-31T08:15:00.850Z",
            "850 ms",
            "12.4 ms",
            "&lt;b&gt;analysed",
            "shop/1/1769847000000",
        ];
        for expected in wanted {
            assert!(html.contains(expected), "{expected} in {html}");
        }
    }
}
