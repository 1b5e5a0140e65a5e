//! The few calls to the browser that the islands share. Whatever the browser does not have is answered by `None`, never by a
//! panic: the page works without.

use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Document, Element, Response, Window};

/// The window, in a browser.
pub(super) fn window() -> Option<Window> {
    web_sys::window()
}

/// The page.
pub(super) fn document() -> Option<Document> {
    window()?.document()
}

/// Calls `heard` for each event of that name on the page, for as long as the page is there.
pub(super) fn on_document<E: wasm_bindgen::convert::FromWasmAbi + 'static>(
    name: &str,
    heard: impl FnMut(E) + 'static,
) {
    let Some(document) = document() else { return };
    let heard = Closure::<dyn FnMut(E)>::new(heard);
    if document.add_event_listener_with_callback(name, heard.as_ref().unchecked_ref()).is_ok() {
        heard.forget();
    }
}

/// The innermost element around the event's target that `selector` names.
pub(super) fn closest(event: &web_sys::Event, selector: &str) -> Option<Element> {
    event.target()?.dyn_into::<Element>().ok()?.closest(selector).ok()?
}

/// Every element that `selector` names.
pub(super) fn all(root: &Element, selector: &str) -> Vec<Element> {
    let Ok(list) = root.query_selector_all(selector) else { return Vec::new() };
    (0..list.length()).filter_map(|at| list.item(at)?.dyn_into().ok()).collect()
}

/// The text at an address of this site.
pub(super) async fn text_of(href: &str) -> Option<String> {
    let (text, is_there) = answer_of(href).await?;
    is_there.then_some(text)
}

/// What an address of this site answers, and whether that is what was asked for. Where the answer is another page, as the one to
/// sign in on, the reader is led there.
pub(super) async fn answer_of(href: &str) -> Option<(String, bool)> {
    let response = JsFuture::from(window()?.fetch_with_str(href)).await.ok()?.dyn_into::<Response>().ok()?;
    if response.redirected() {
        go_to(&response.url());
        return None;
    }
    let text = JsFuture::from(response.text().ok()?).await.ok()?.as_string()?;
    Some((text, response.ok()))
}

/// Puts the text at `href` into the clipboard.
pub(super) async fn copy_text_of(href: &str) -> Option<()> {
    copy_text(&text_of(href).await?).await
}

/// Puts a text into the clipboard.
pub(super) async fn copy_text(text: &str) -> Option<()> {
    let clipboard = js_sys::Reflect::get(&window()?.navigator(), &"clipboard".into()).ok()?;
    if clipboard.is_undefined() {
        return None; // only in secure contexts
    }
    JsFuture::from(clipboard.unchecked_into::<web_sys::Clipboard>().write_text(text)).await.ok()?;
    Some(())
}

/// Leaves for another page.
pub(super) fn go_to(href: &str) {
    if let Some(window) = window() {
        // a browser that refuses leaves the reader where they are
        drop(window.location().set_href(href));
    }
}

/// Gives the `<time>` under the pointer the reader's own local time to show. Only that one: a page may have hundreds, and each
/// takes the browser a while.
pub(super) fn show_local_time_on_hover() {
    on_document("pointerover", |event: web_sys::Event| {
        if let Some(time) = closest(&event, "time[datetime]:not([title])") {
            show_local_time(&time);
        }
    });
}

fn show_local_time(time: &Element) {
    let Some(utc) = time.get_attribute("datetime") else { return };
    let date = js_sys::Date::new(&utc.into());
    if date.get_time().is_nan() {
        return;
    }
    let local = String::from(date.to_locale_string("default", &JsValue::UNDEFINED));
    drop(time.set_attribute("title", &(local + " local time")));
}
