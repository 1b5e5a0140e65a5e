//! What the reader may not do, and which role is missing for it: in the place of what would do it.

use leptos::prelude::*;
use model::AppName;
use model::account::{Account, AccountRole};

/// `Restarting an instance requires the role operator.`
#[component]
pub(crate) fn RoleNeeded(
    /// What cannot be done, as the start of a sentence.
    what: &'static str,
    role: AccountRole,
) -> impl IntoView {
    let said = format!("{what} requires the role ");
    view! { <p class="quiet role-needed">{said} <strong>{role.word()}</strong> "."</p> }
}

/// `operator for shop, till`.
pub(crate) fn rights(account: &Account) -> String {
    let apps: Vec<&str> = account.apps.iter().map(AppName::as_str).collect();
    let apps = if apps.is_empty() { "all apps".to_owned() } else { apps.join(", ") };
    format!("{} for {apps}", account.role)
}
