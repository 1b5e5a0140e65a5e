//! The search over detectors and tools: a GET form that the server answers, and, alive, a filter while typing.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// One thing that can be found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchEntry {
    /// Its name.
    pub name: String,
    /// What it belongs to.
    pub category: String,
    /// Its address.
    pub href: String,
    /// What else people call it.
    pub keywords: String,
}

/// Does every word of `query` stand in the entry? Upper and lower case are the same.
pub fn matches(entry: &SearchEntry, query: &str) -> bool {
    let text = [&*entry.name, &*entry.category, &*entry.keywords].join(" ").to_lowercase();
    query.to_lowercase().split_whitespace().all(|word| text.contains(word))
}

/// The search field and what it finds. `query` is what the address asks for.
#[island]
pub fn Search(entries: Vec<SearchEntry>, query: String) -> impl IntoView {
    let (query, set_query) = signal(query);
    let asked = move || !query.read().trim().is_empty();
    let entries = StoredValue::new(entries);
    let found = Memo::new(move |_| {
        let query = query.read();
        entries.read_value().iter().filter(|entry| matches(entry, &query)).cloned().collect::<Vec<_>>()
    });
    let count = move || match found.read().len() {
        _ if !asked() => String::new(),
        0 => "No results. Try another word, such as crash or settings.".to_owned(),
        1 => "1 result".to_owned(),
        count => count.to_string() + " results",
    };
    view! {
        <form class="search" role="search" method="get" autocomplete="off">
            <label class="hidden-label" for="search">
                "Search for common problems or tools"
            </label>
            <input
                id="search"
                type="search"
                name="q"
                maxlength="100"
                placeholder="Search for common problems or tools"
                value=query.get_untracked()
                prop:value=move || query.get()
                on:input=move |event| set_query.set(event_target_value(&event))
                on:keydown=move |event| {
                    if event.key() == "Escape" {
                        event.prevent_default();
                        set_query.set(String::new());
                    }
                }
            />
            <button type="submit">"Search"</button>
            <p class="search-count" role="status">
                {count}
            </p>
            <ul class="search-results" class:shown=asked>
                <For each=move || found.get() key=|entry| entry.href.clone() let:entry>
                    <li>
                        <a href=entry.href>
                            <span class="search-name">{entry.name}</span>
                            <span class="search-category">{entry.category}</span>
                        </a>
                    </li>
                </For>
            </ul>
        </form>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_must_be_found_in_any_case_and_order() {
        let entry = SearchEntry {
            name: "Application Crashes".to_owned(),
            category: "Availability and Performance".to_owned(),
            href: "/x".to_owned(),
            keywords: "SIGSEGV stack".to_owned(),
        };
        for query in ["", "crash", "STACK crash", "  sigsegv ", "availability"] {
            assert!(matches(&entry, query), "{query}");
        }
        for query in ["memory", "crash memory"] {
            assert!(!matches(&entry, query), "{query}");
        }
    }
}
