//! `/accounts`: everybody who may sign in, for an owner for all apps. They are changed on the command line.

use leptos::prelude::*;
use model::AppName;
use model::account::Account;

use super::sign_in::NotNeeded;
use crate::address::{ACCOUNT, ACCOUNTS, APPS};
use crate::answer::{answer, console};
use crate::parts::frame::Page;
use crate::parts::region::Scroll;
use crate::parts::when::When;

/// The page.
#[component]
pub(crate) fn AccountsPage() -> impl IntoView {
    let console = console();
    answer(async move {
        let accounts = console.accounts()?;
        let content = if accounts.is_empty() {
            view! { <NotNeeded /> }.into_any()
        } else {
            view! { <List accounts=accounts /> }.into_any()
        };
        let crumbs =
            vec![(APPS.title.to_owned(), APPS.template()), (ACCOUNT.title.to_owned(), ACCOUNT.template())];
        let view = view! {
            <Page title=ACCOUNTS.title crumbs=crumbs here=ACCOUNTS.template()>
                <h1>{ACCOUNTS.title}</h1>
                {content}
            </Page>
        };
        Ok(view.into_any())
    })
}

#[component]
fn List(accounts: Vec<Account>) -> impl IntoView {
    let row = |account: Account| {
        let apps: Vec<&str> = account.apps.iter().map(AppName::as_str).collect();
        let apps = if apps.is_empty() { "All apps".to_owned() } else { apps.join(", ") };
        view! {
            <tr>
                <th scope="row" class="wrap">
                    {account.name.to_string()}
                </th>
                <td data-label="Role">{account.role.word()}</td>
                <td class="wrap" data-label="Apps">
                    {apps}
                </td>
                <td class="wrap" data-label="E-mail">
                    {account.email.as_ref().map(|email| email.as_str().to_owned())}
                </td>
                <td data-label="Added (UTC)">
                    <When at=account.made bare=true />
                </td>
                <td data-label="Changed (UTC)">
                    <When at=account.changed bare=true />
                </td>
            </tr>
        }
    };
    view! {
        <Scroll label="Accounts">
            <table class="cards">
                <thead>
                    <tr>
                        <th scope="col">"Name"</th>
                        <th scope="col">"Role"</th>
                        <th scope="col">"Apps"</th>
                        <th scope="col">"E-mail"</th>
                        <th scope="col">"Added (UTC)"</th>
                        <th scope="col">"Changed (UTC)"</th>
                    </tr>
                </thead>
                <tbody>{accounts.into_iter().map(row).collect_view()}</tbody>
            </table>
        </Scroll>
        <p class="quiet">
            "Change accounts on the machine that runs Medic: " <code>"medic user add"</code> ", " <code>"role"</code> ", "
            <code>"password"</code> ", " <code>"remove"</code> "."
        </p>
    }
}
