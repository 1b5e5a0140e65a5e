//! Regions of a page: those that exchange themselves while the page is open, and those that scroll inside themselves.

use leptos::prelude::*;

/// A region that is exchanged when something changes while the page is open. No island may stand in it.
#[component]
pub(crate) fn LiveRegion(
    /// Unique on the page.
    #[prop(into)]
    name: String,
    /// Names the region for those who cannot see it.
    #[prop(optional, into)]
    heading: String,
    /// The content.
    children: Children,
) -> impl IntoView {
    let id = (!heading.is_empty()).then(|| format!("region-{name}"));
    let labelled_by = id.clone();
    view! {
        <section class="region" data-live=name aria-labelledby=labelled_by>
            {id.map(|id| view! { <h2 id=id>{heading}</h2> })} {children()}
        </section>
    }
}

/// A title as a part of an id: letters and digits of ASCII, and `-`.
pub(crate) fn slug(title: &str) -> String {
    let words = title.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-")
}

/// The number whose growth is announced on an open page.
#[component]
pub(crate) fn Counter(
    /// How many there are.
    count: u64,
    /// What one is called.
    one: &'static str,
    /// What several are called.
    many: &'static str,
) -> impl IntoView {
    view! { <span hidden data-live="counter" data-count=count.to_string() data-one=one data-many=many></span> }
}

/// What may be wider than the page scrolls inside itself, with the keyboard too.
#[component]
pub(crate) fn Scroll(
    /// What is in it.
    label: &'static str,
    /// The content.
    children: Children,
) -> impl IntoView {
    view! {
        <div class="scroll" role="region" tabindex="0" aria-label=label>
            {children()}
        </div>
    }
}
