//! `/shares`: every share link, who made it, who opened it, and the button that revokes it.

use insight::detectors::detector;
use insight::words::capitalized;
use leptos::prelude::*;
use model::Timestamp;
use model::share::{Included, Share, ShareState, ShareSubject};

use crate::address::{DETECTOR, INCIDENT, REVOKE_SHARE, SHARES};
use crate::answer::{answer, console, query_part};
use crate::catalog::{AUTO_HEAL, SHARES as ENTRY};
use crate::parts::frame::Page;
use crate::parts::outcome::Outcome;
use crate::parts::region::{LiveRegion, Scroll};
use crate::parts::when::{When, range_text};

/// So many are listed.
const LISTED: u32 = 200;

/// The page.
#[component]
pub(crate) fn SharesPage() -> impl IntoView {
    let console = console();
    let revoked = query_part("revoked");
    answer(async move {
        let now = console.now();
        let shares = console.shares(None, LISTED).await?;
        let is_full = shares.len() as u64 == u64::from(LISTED);
        let view = view! {
            <Page title=SHARES.title crumbs=vec![("Apps".to_owned(), "/".to_owned())]>
                <h1>{SHARES.title}</h1>
                <p class="lead">{ENTRY.description}</p>
                <Revoked word=revoked />
                <LiveRegion name="shares">
                    {if shares.is_empty() {
                        view! {
                            <p class="quiet">
                                "No share links. To create one, open an incident, a report or the auto-heal history of an app, then select Share."
                            </p>
                        }
                            .into_any()
                    } else {
                        view! { <ShareTable shares=shares now=now /> }.into_any()
                    }}
                    {is_full.then(|| view! { <p class="quiet">{format!("Only the newest {LISTED} are listed")}</p> })}
                </LiveRegion>
                <p class="hint">
                    "Programs are previews in chats, mail scanners and tools: they open most links once before a person does. Medic deletes a link, ended or not, when the data that it shows is past the retention period."
                </p>
            </Page>
        };
        Ok(view.into_any())
    })
}

#[component]
fn Revoked(word: Option<String>) -> impl IntoView {
    let outcome = match word.as_deref()? {
        "yes" => Outcome::Done("Link revoked. Whoever opens it now sees that the link was not found."),
        "refused" => Outcome::Failed("Not revoked: you may not do this."),
        "failed" => Outcome::Failed("Not revoked: database unavailable. See the Medic log."),
        _ => return None,
    };
    Some(outcome.view())
}

#[component]
fn ShareTable(shares: Vec<Share>, now: Timestamp) -> impl IntoView {
    let rows = shares.into_iter().map(|share| view! { <Row share=share now=now /> }).collect_view();
    view! {
        <Scroll label="Share links">
            <table class="cards shares">
                <thead>
                    <tr>
                        <th scope="col">"Snapshot"</th>
                        <th scope="col">"App"</th>
                        <th scope="col">"Status"</th>
                        <th scope="col">"Opened"</th>
                        <th scope="col">"Includes"</th>
                        <th scope="col">"Created (UTC)"</th>
                        <th scope="col">"Created by"</th>
                        <th scope="col">
                            <span class="hidden-label">"Revoke"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </Scroll>
    }
}

#[component]
fn Row(share: Share, now: Timestamp) -> impl IntoView {
    let (href, subject) = subject(&share);
    let state = share.state(now);
    let opened = opened(&share);
    let label = format!("Revoke the link to {}", share.title);
    let revoke = (state == ShareState::Active).then(|| {
        view! {
            <form method="post" action=REVOKE_SHARE.of_share(&share.id)>
                <button class="button small quiet-button" type="submit" aria-label=label>
                    "Revoke"
                </button>
            </form>
        }
    });
    let status = match state {
        ShareState::Active => view! { "Expires " <When at=share.expires_at /> }.into_any(),
        ShareState::Expired => view! { "Expired " <When at=share.expires_at /> }.into_any(),
        ShareState::Revoked => {
            let by = share.revoked_by.map(|by| format!(" by {by}"));
            view! { "Revoked " {share.revoked_at.map(|at| view! { <When at=at /> })} {by} }.into_any()
        }
    };
    let last = share.opened.last_at.map(|at| {
        view! {
            <br />
            <span class="quiet">"last " <When at=at /></span>
        }
    });
    view! {
        <tr>
            <th scope="row" class="wrap">
                <a href=href>{share.title}</a>
                <br />
                <span class="quiet">{subject}</span>
            </th>
            <td data-label="App">{share.app.to_string()}</td>
            <td class="wrap" data-label="Status">
                {status}
            </td>
            <td class="wrap" data-label="Opened">
                {opened}
                {last}
            </td>
            <td class="wrap" data-label="Includes">
                {included(share.included)}
            </td>
            <td data-label="Created (UTC)">
                <When at=share.made_at bare=true />
            </td>
            <td class="wrap" data-label="Created by">
                {share.made_by.unwrap_or_else(|| "unknown".to_owned())}
            </td>
            <td>{revoke}</td>
        </tr>
    }
}

/// Where it is in the dashboard, and what it is.
fn subject(share: &Share) -> (String, String) {
    match &share.subject {
        ShareSubject::Incident { incident } => (INCIDENT.of_incident(incident), "Incident".to_owned()),
        ShareSubject::Detector { detector: id, range } => {
            let page = detector(id).map(|detector| DETECTOR.of_detector(&share.app, detector));
            let here = page.unwrap_or_default();
            let address = format!("{here}?startTime={}&endTime={}", range.start, range.end);
            (address, format!("Report, {} UTC", range_text(*range)))
        }
        ShareSubject::Restart { .. } => {
            (format!("{}?tab=history", AUTO_HEAL.href(&share.app)), "Restart".to_owned())
        }
    }
}

fn opened(share: &Share) -> String {
    let times = |count: u64| if count == 1 { "once".to_owned() } else { format!("{count} times") };
    match (share.opened.by_people, share.opened.by_programs) {
        (0, 0) => "Never".to_owned(),
        (people, 0) => capitalized(&format!("{} by people", times(people))),
        (0, programs) => capitalized(&format!("{} by programs", times(programs))),
        (people, programs) => {
            capitalized(&format!("{} by people, {} by programs", times(people), times(programs)))
        }
    }
}

fn included(Included { app, hosts, paths }: Included) -> String {
    let named = [(app, "app name"), (hosts, "machine names"), (paths, "paths")];
    let named: Vec<&str> = named.into_iter().filter(|(is_in, _)| *is_in).map(|(_, name)| name).collect();
    if named.is_empty() { "None of the options".to_owned() } else { capitalized(&named.join(", ")) }
}
