//! What a share link shows, as a page of its own and as Markdown. The page is static: no island, no script, nothing that asks the
//! server for more than the style and the icon, which are everybody's. Who makes the link sees the same [`SharedView`] before.

mod markdown;
mod table;
mod view;

use insight::share::SharedReport;
use leptos::prelude::*;

use crate::parts::icon::Mark;
use crate::parts::when::seconds_text;

pub use markdown::markdown;
pub(crate) use view::{Heading, SharedView};

/// What every page that is read by a link tells programs, and where its style is.
#[component]
fn Head(title: String, description: String, style: String) -> impl IntoView {
    view! {
        <head>
            <meta charset="utf-8" />
            <meta name="viewport" content="width=device-width, initial-scale=1" />
            <meta name="color-scheme" content="light dark" />
            <meta name="robots" content="noindex, nofollow, noarchive" />
            <meta name="referrer" content="no-referrer" />
            {open_graph("type", "article".to_owned())}
            {open_graph("site_name", "Medic".to_owned())}
            {open_graph("title", title.clone())}
            {open_graph("description", description)}
            <title>{format!("{title} · Medic")}</title>
            <link rel="stylesheet" href=style />
            <link rel="icon" type="image/svg+xml" href="/favicon.svg" />
        </head>
    }
}

/// What chats show of a link.
fn open_graph(name: &str, content: String) -> impl IntoView {
    leptos::html::meta().attr("property", format!("og:{name}")).content(content)
}

/// The bar at the top, which leads nowhere: the reader may have no other page.
#[component]
fn Masthead() -> impl IntoView {
    view! {
        <header class="masthead">
            <span class="brand">
                <Mark />
                <span>"Medic"</span>
            </span>
        </header>
    }
}

/// The page; `markdown` is the address of its text.
pub fn page(report: SharedReport, style: &str, markdown: &str) -> String {
    let title = report.full_title();
    let kind = report.kind.to_lowercase();
    let description = format!("Snapshot of an {kind}, made {} UTC", seconds_text(report.made_at));
    let description = if kind == "incident" { description } else { description.replacen("an ", "a ", 1) };
    let (style, markdown) = (style.to_owned(), markdown.to_owned());
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <Head title=title description=description style=style />
            <body>
                <Masthead />
                <div class="page">
                    <main id="main">
                        <SharedView report=report heading=Heading::OfPage />
                        <footer class="shared-end quiet">
                            <p>
                                "This page is a snapshot. Medic does not update it. Names of functions, modules and exceptions come from the program's code."
                            </p>
                            <p>
                                <a href=markdown>"View as Markdown"</a>
                            </p>
                        </footer>
                    </main>
                </div>
            </body>
        </html>
    }
    .to_html()
}

/// The page where a link shows nothing, whyever that is.
pub fn not_found(style: &str) -> String {
    without_report(
        "Link not found",
        "The link is unknown, expired or revoked. Ask the person who sent it for a new one.",
        style,
    )
}

/// The page while it cannot be told what a link shows.
pub fn unavailable(style: &str) -> String {
    without_report(
        "Link cannot be opened now",
        "The database of Medic is unavailable. Try again later.",
        style,
    )
}

fn without_report(title: &'static str, said: &'static str, style: &str) -> String {
    let style = style.to_owned();
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <Head title=title.to_owned() description=said.to_owned() style=style />
            <body>
                <Masthead />
                <div class="page">
                    <main id="main">
                        <h1>{title}</h1>
                        <p class="lead">{said}</p>
                    </main>
                </div>
            </body>
        </html>
    }
    .to_html()
}

#[cfg(test)]
mod tests;
