//! `/sign-in`: a plain form, which leads back to the page that was asked for.

use leptos::prelude::*;

use crate::address::{APPS, SIGN_IN, own_page};
use crate::answer::{console, query_part_of};
use crate::console::Reader;
use crate::parts::frame::Page;

/// Why a sign-in failed, and what was typed; never the password.
#[derive(Clone, Debug)]
pub struct SignInReply {
    pub error: String,
    pub name: String,
    pub to: String,
}

/// The page.
#[component]
pub(crate) fn SignInPage() -> impl IntoView {
    let reply = use_context::<SignInReply>();
    let asked = query_part_of("to", 2_000).unwrap_or_default();
    let to = reply.as_ref().map_or(asked, |reply| reply.to.clone());
    let to = own_page(&to).to_owned();
    let name = reply.as_ref().map(|reply| reply.name.clone()).unwrap_or_default();
    let error = reply.map(|reply| reply.error);
    let content = match console().reader() {
        Reader::Machine if error.is_none() => view! { <NotNeeded /> }.into_any(),
        Reader::Person(person) if error.is_none() => view! {
            <p class="lead">"You are signed in as " <strong>{person.account.name.to_string()}</strong> "."</p>
            <p class="actions">
                <a class="button" href=to>
                    "Continue"
                </a>
            </p>
        }
        .into_any(),
        _ => view! { <SignInForm to=to name=name error=error /> }.into_any(),
    };
    view! {
        <Page title=SIGN_IN.title>
            <h1>{SIGN_IN.title}</h1>
            {content}
        </Page>
    }
}

#[component]
fn SignInForm(to: String, name: String, #[prop(optional_no_strip)] error: Option<String>) -> impl IntoView {
    // where the name stands already, the password is what is missing
    let (asks_name, asks_password) = (name.is_empty(), !name.is_empty());
    view! {
        {error
            .map(|error| {
                view! {
                    <p class="message critical" role="alert">
                        {error}
                    </p>
                }
            })}
        <form class="settings credentials" method="post" action=SIGN_IN.template()>
            <input type="hidden" name="to" value=to />
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
                    autofocus=asks_name
                />
            </div>
            <div class="field">
                <label for="password">"Password"</label>
                <input
                    type="password"
                    id="password"
                    name="password"
                    autocomplete="current-password"
                    required=true
                    autofocus=asks_password
                />
            </div>
            <button class="button" type="submit">
                "Sign in"
            </button>
        </form>
        <p class="quiet">
            "Password lost? On the machine that runs Medic: " <code>"medic user password NAME"</code>
        </p>
    }
}

/// Before the first account.
#[component]
pub(crate) fn NotNeeded() -> impl IntoView {
    view! {
        <p class="lead">"No accounts. Every user of this machine can read this dashboard."</p>
        <div class="empty">
            <p>"Add the first account, an owner. From then on everybody signs in:"</p>
            <pre tabindex="0">
                <code>"medic user add NAME --role owner"</code>
            </pre>
            <p class="actions">
                <a class="button" href=APPS.template()>
                    "All apps"
                </a>
            </p>
        </div>
    }
}
