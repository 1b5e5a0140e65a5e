//! The search while typing. The server renders every row and hides those that do not match; here rows are only shown and hidden.

use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::{Element, HtmlInputElement};

use super::dom;

/// Stands inside the form that it filters.
#[island]
pub fn SearchWhileTyping() -> impl IntoView {
    Effect::new(move |_| {
        dom::on_document("input", |event: web_sys::Event| {
            if let Some(form) = dom::closest(&event, FORM) {
                show_found(&form);
            }
        });
        dom::on_document("keydown", |event: web_sys::KeyboardEvent| {
            if event.key() != "Escape" {
                return;
            }
            let Some(form) = dom::closest(&event, FORM) else { return };
            event.prevent_default();
            if let Some(field) = field(&form) {
                field.set_value("");
                drop(field.focus());
            }
            show_found(&form);
        });
        // what was typed before this was here
        if let Some(form) = dom::document().and_then(|page| page.query_selector(FORM).ok().flatten()) {
            show_found(&form);
        }
    });
}

const FORM: &str = "form.search";

fn field(form: &Element) -> Option<HtmlInputElement> {
    form.query_selector("input").ok()??.dyn_into().ok()
}

fn show_found(form: &Element) {
    let Some(field) = field(form) else { return };
    let query = String::from(js_sys::JsString::from(field.value()).to_lower_case());
    let mut found = 0;
    for row in dom::all(form, "[data-words]") {
        let shown = matches(&row.get_attribute("data-words").unwrap_or_default(), &query);
        found += usize::from(shown);
        drop(row.toggle_attribute_with_force("hidden", !shown));
    }
    if let Ok(Some(list)) = form.query_selector(".search-results") {
        drop(list.toggle_attribute_with_force("hidden", !is_asked(&query) || found == 0));
    }
    if let Ok(Some(status)) = form.query_selector("[role=status]") {
        status.set_text_content(Some(&count(&query, found)));
    }
}

/// Is there anything to search for?
pub fn is_asked(query: &str) -> bool {
    !query.trim().is_empty()
}

/// Does every word of `query` stand in `words`? Both are in lower case.
pub fn matches(words: &str, query: &str) -> bool {
    query.split_whitespace().all(|word| words.contains(word))
}

/// How many were found, in words.
pub fn count(query: &str, found: usize) -> String {
    match found {
        _ if !is_asked(query) => String::new(),
        0 => "No results. Try another word, such as crash or settings.".to_owned(),
        1 => "1 result".to_owned(),
        more => more.to_string() + " results",
    }
}
