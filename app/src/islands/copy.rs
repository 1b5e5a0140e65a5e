//! Copies what a link leads to: a click on any `<a data-copy>` of the page fetches its text and puts it into the clipboard; with
//! `data-copy-text` that text instead.
//! Without JavaScript the link simply shows the text. It listens on the document, so that links in regions which are exchanged
//! while the page is open work too.

use leptos::prelude::*;

/// Says what was copied.
#[island]
pub fn Copy() -> impl IntoView {
    let (said, say) = signal("");
    Effect::new(move |_| {
        super::dom::on_document("click", move |event: web_sys::MouseEvent| {
            let plain = !event.ctrl_key() && !event.meta_key() && !event.shift_key() && event.button() == 0;
            let Some(link) = plain.then(|| super::dom::closest(&event, "a[data-copy]")).flatten() else {
                return;
            };
            let Some(href) = link.get_attribute("href") else { return };
            // the link itself, where that is what is to be copied
            let text = link.get_attribute("data-copy-text");
            event.prevent_default();
            leptos::task::spawn_local(async move {
                let copied = match &text {
                    Some(text) => super::dom::copy_text(text).await,
                    None => super::dom::copy_text_of(&href).await,
                };
                if copied.is_none() {
                    // the browser refuses the clipboard to this page: show the text instead
                    super::dom::go_to(&href);
                    return;
                }
                say.set(if text.is_some() { "Link copied" } else { "Copied as Markdown" });
                set_timeout(move || say.set(""), std::time::Duration::from_secs(4));
            });
        });
    });
    view! {
        <span class="copied" role="status">
            {move || said.get()}
        </span>
    }
}
