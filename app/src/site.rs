//! The document around every page.

use std::sync::Arc;

use leptos::config::LeptosOptions;
use leptos::prelude::*;
use leptos_meta::{Meta, MetaTags, Title, provide_meta_context};
use leptos_router::components::Router;

use crate::Console;
use crate::address::{ACCOUNT, APPS, EVENTS, SIGN_OUT};
use crate::console::Reader;
use crate::islands::{Copy, Live};
use crate::parts::icon::Mark;
use crate::parts::markup;
use crate::parts::problems::MedicProblems;
use crate::router::Pages;

/// The document: what stands around [`App`].
pub fn shell(options: LeptosOptions) -> impl IntoView {
    let style = format!("/{}/{}.css", options.site_pkg_dir, options.output_name);
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="stylesheet" id="style" href=style />
                <link rel="icon" type="image/svg+xml" href="/favicon.svg" />
                <HydrationScripts options islands=true />
                <MetaTags />
            </head>
            <body>
                <App />
            </body>
        </html>
    }
}

/// What stands on every page, and the page.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    view! {
        <Title formatter=|page: String| document_title(&page) />
        <Meta name="robots" content="noindex" />
        <Router>
            <a class="skip" href="#main">
                "Skip to the content"
            </a>
            <Masthead />
            <MedicProblems />
            <Pages />
        </Router>
    }
}

/// The title of the document, as markup: `leptos_meta` puts it between its tags as it is. Every page's title comes through here.
fn document_title(page: &str) -> String {
    if page.is_empty() { "Medic".to_owned() } else { format!("{} · Medic", markup::text(page)) }
}

/// The bar at the top of every page.
#[component]
fn Masthead() -> impl IntoView {
    let console = use_context::<Arc<dyn Console>>();
    let reader = console.as_ref().map(|console| console.reader());
    // a stranger hears nothing, of this machine neither
    let is_stranger = matches!(reader, Some(Reader::Stranger));
    let node = console.as_ref().filter(|_| !is_stranger).map(|console| console.node());
    // before the page asks for anything: what it shows is not older
    let number = console.map_or(0, |console| console.snapshot().number);
    view! {
        <header class="masthead">
            <a class="brand" href=APPS.template()>
                <Mark />
                <span>"Medic"</span>
            </a>
            {node
                .map(|node| {
                    view! {
                        <span class="node" title="The machine that answers">
                            {node.to_string()}
                        </span>
                    }
                })} <span class="masthead-end" data-events=(!is_stranger).then(|| EVENTS.template()) data-number=number>
                <Copy />
                <Live />
                {match reader {
                    Some(Reader::Person(person)) => Some(view! { <SignedIn name=person.account.name.to_string() /> }),
                    _ => None,
                }}
            </span>
        </header>
    }
}

/// Who is signed in, and the way out.
#[component]
fn SignedIn(name: String) -> impl IntoView {
    view! {
        <a class="account" href=ACCOUNT.template() title="Your account">
            {name}
        </a>
        <form method="post" action=SIGN_OUT.template()>
            <button class="sign-out" type="submit">
                "Sign out"
            </button>
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::document_title;

    #[test]
    fn a_title_does_not_end_before_its_end() {
        assert_eq!(document_title(""), "Medic");
        let title = document_title("shop: </title><meta http-equiv=refresh content=\"0\">");
        assert_eq!(
            title,
            "shop: &lt;/title&gt;&lt;meta http-equiv=refresh content=&quot;0&quot;&gt; · Medic"
        );
    }
}
