//! `/account`: what the reader may do, and where they are signed in.

use leptos::prelude::*;
use model::account::{Session, SessionId};

use super::sign_in::NotNeeded;
use crate::address::{ACCOUNT, ACCOUNTS, APPS, END_SESSIONS};
use crate::answer::{console, query_part};
use crate::console::{Action, Person, Reader};
use crate::parts::frame::Page;
use crate::parts::outcome::Outcome;
use crate::parts::region::{LiveRegion, Scroll};
use crate::parts::rights::rights;
use crate::parts::when::When;

/// The page.
#[component]
pub(crate) fn AccountPage() -> impl IntoView {
    let console = console();
    let ended = query_part("ended");
    let sees_accounts = console.lacks(Action::SeeAccounts).is_none();
    let content = match console.reader() {
        Reader::Person(person) => {
            view! { <Own person=*person sessions=console.sessions() sees_accounts=sees_accounts /> }
                .into_any()
        }
        Reader::Operator => {
            view! { <p class="lead">"You use the Unix socket, without an account."</p> }.into_any()
        }
        Reader::Machine | Reader::Stranger => view! { <NotNeeded /> }.into_any(),
    };
    view! {
        <Page title=ACCOUNT.title crumbs=vec![(APPS.title.to_owned(), APPS.template())] here=ACCOUNT.template()>
            <h1>{ACCOUNT.title}</h1>
            <EndOutcome word=ended />
            {content}
        </Page>
    }
}

#[component]
fn Own(person: Person, sessions: Vec<Session>, sees_accounts: bool) -> impl IntoView {
    let Person { account, session } = person;
    view! {
        <p class="lead">
            <strong>{account.name.to_string()}</strong>
            ", "
            {rights(&account)}
            {account.email.as_ref().map(|email| format!(", {}", email.as_str()))}
        </p>
        {sees_accounts
            .then(|| {
                view! {
                    <p class="actions">
                        <a class="button quiet-button" href=ACCOUNTS.template()>
                            "All accounts"
                        </a>
                    </p>
                }
            })}
        <LiveRegion name="sessions" heading="Sessions">
            <Sessions sessions=sessions own=session />
        </LiveRegion>
        <form class="actions" method="post" action=END_SESSIONS.template()>
            <button class="button" type="submit" name="id" value="all">
                "Sign out everywhere"
            </button>
        </form>
    }
}

#[component]
fn Sessions(sessions: Vec<Session>, own: SessionId) -> impl IntoView {
    let row = move |session: Session| {
        let is_own = session.id == own;
        let short = session.id.short().to_owned();
        view! {
            <tr>
                <th scope="row" class="wrap">
                    {session.agent} {is_own.then(|| view! { " " <span class="tag">"This browser"</span> })}
                </th>
                <td data-label="Address">
                    <code>{session.address}</code>
                </td>
                <td data-label="Signed in (UTC)">
                    <When at=session.made bare=true />
                </td>
                <td data-label="Last used (UTC)">
                    <When at=session.last_seen bare=true />
                </td>
                <td data-label="Ends (UTC)">
                    <When at=session.expires bare=true />
                </td>
                <td>
                    <form method="post" action=END_SESSIONS.template()>
                        <button class="button quiet-button small" type="submit" name="id" value=short>
                            "End"
                            <span class="hidden-label">" this session"</span>
                        </button>
                    </form>
                </td>
            </tr>
        }
    };
    view! {
        <Scroll label="Sessions">
            <table class="cards">
                <thead>
                    <tr>
                        <th scope="col">"Browser or program"</th>
                        <th scope="col">"Address"</th>
                        <th scope="col">"Signed in (UTC)"</th>
                        <th scope="col">"Last used (UTC)"</th>
                        <th scope="col">"Ends (UTC)"</th>
                        <th scope="col">
                            <span class="hidden-label">"Action"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>{sessions.into_iter().map(row).collect_view()}</tbody>
            </table>
        </Scroll>
    }
}

/// How ending a session went. The words are ours, whatever the address says.
#[component]
fn EndOutcome(word: Option<String>) -> impl IntoView {
    let outcome = match word.as_deref()? {
        "yes" => Outcome::Done("Session ended."),
        "unknown" => Outcome::Warned("The session had ended already."),
        "failed" => {
            Outcome::Warned("Session ended on this node only: database unavailable. See the Medic log.")
        }
        _ => return None,
    };
    Some(outcome.view())
}
