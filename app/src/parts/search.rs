//! The search over detectors and tools: a GET form that the server answers. In the browser [`SearchWhileTyping`] filters its rows.

use leptos::prelude::*;

use crate::catalog::SearchEntry;
use crate::islands::{SearchWhileTyping, count, is_asked, matches};

/// The search field and what it finds. `query` is what the address asks for.
#[component]
pub(crate) fn Search(entries: Vec<SearchEntry>, query: String) -> impl IntoView {
    let asked = query.to_lowercase();
    let found = entries.iter().filter(|entry| matches(&entry.words, &asked)).count();
    let rows =
        entries.into_iter().map(|entry| view! { <Row query=asked.clone() entry=entry /> }).collect_view();
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
                value=query
            />
            <button type="submit">"Search"</button>
            <p class="search-count" role="status">
                {count(&asked, found)}
            </p>
            <ul class="search-results" hidden=!is_asked(&asked) || found == 0>
                {rows}
            </ul>
            <SearchWhileTyping />
        </form>
    }
}

#[component]
fn Row(entry: SearchEntry, query: String) -> impl IntoView {
    let hidden = !matches(&entry.words, &query);
    view! {
        <li data-words=entry.words hidden=hidden>
            <a href=entry.href>
                <span class="search-name">{entry.name}</span>
                <span class="search-category">{entry.category}</span>
            </a>
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> String {
        let entry = SearchEntry {
            name: "Application Crashes",
            category: "Availability and Performance",
            href: "/x".to_owned(),
            words: "application crashes availability sigsegv stack".to_owned(),
        };
        let other = SearchEntry {
            name: "Settings",
            href: "/y".to_owned(),
            words: "settings availability".to_owned(),
            ..entry.clone()
        };
        view! { <Search entries=vec![entry, other] query=query.to_owned() /> }.to_html()
    }

    #[test]
    fn every_word_must_be_found_in_any_case_and_order() {
        for query in ["crash", "STACK crash", "  sigsegv "] {
            let page = page(query);
            assert!(page.contains("1 result"), "{query}: {page}");
            assert_eq!(page.matches("<li data-words").count(), 2, "{query}: {page}");
            assert_eq!(page.matches(" hidden>").count(), 1, "{query}: {page}");
        }
        for query in ["memory", "crash memory"] {
            assert!(page(query).contains("No results"), "{query}");
        }
        assert!(page("availability").contains("2 results"));
    }

    #[test]
    fn without_a_question_nothing_is_listed() {
        for query in ["", "   "] {
            let page = page(query);
            assert!(page.contains("<ul hidden class=\"search-results\""), "{page}");
            assert!(!page.contains("result<") && !page.contains("results<"), "{page}");
        }
    }
}
