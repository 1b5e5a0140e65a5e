//! `/first-owner`: makes the first account, by the address that Medic has printed on the terminal where it was started.

use leptos::prelude::*;

use crate::address::FIRST_OWNER;
use crate::answer::query_part_of;
use crate::parts::frame::Page;

/// Why there is no owner yet, and what was typed; never a password.
#[derive(Clone, Debug)]
pub struct FirstOwnerReply {
    pub error: String,
    pub name: String,
    pub token: String,
}

/// The page. Whether the word in its address holds is said when the form is sent.
#[component]
pub(crate) fn FirstOwnerPage() -> impl IntoView {
    let reply = use_context::<FirstOwnerReply>();
    let asked = query_part_of("token", 64).unwrap_or_default();
    let token = reply.as_ref().map_or(asked, |reply| reply.token.clone());
    let name = reply.as_ref().map(|reply| reply.name.clone()).unwrap_or_default();
    let error = reply.map(|reply| reply.error);
    let password = |id: &'static str, label: &'static str| {
        view! {
            <div class="field">
                <label for=id>{label}</label>
                <input type="password" id=id name=id autocomplete="new-password" minlength="12" required=true />
            </div>
        }
    };
    view! {
        <Page title=FIRST_OWNER.title>
            <h1>{FIRST_OWNER.title}</h1>
            <p class="lead">
                "Add the first account, an owner for all apps. From then on everybody signs in."
            </p>
            {error
                .map(|error| {
                    view! {
                        <p class="message critical" role="alert">
                            {error}
                        </p>
                    }
                })}
            <form class="settings credentials" method="post" action=FIRST_OWNER.template()>
                <input type="hidden" name="token" value=token />
                <div class="field">
                    <label for="name">"Name"</label>
                    <input
                        type="text"
                        id="name"
                        name="name"
                        value=name
                        autocomplete="username"
                        autocapitalize="none"
                        spellcheck="false"
                        maxlength="64"
                        required=true
                        autofocus=true
                    />
                </div>
                {password("password", "Password (at least 12 characters)")}
                {password("again", "The same password again")}
                <button class="button" type="submit">
                    "Add owner"
                </button>
            </form>
        </Page>
    }
}
