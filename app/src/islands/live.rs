//! News by themselves: one stream of server-sent events says that something changed; the page is then fetched again and the
//! regions marked `data-live` are exchanged. So a live page shows exactly what a reload would, from the same code.
//!
//! What is true has a number, which a page has from before it was rendered and which the stream tells as soon as it is open: where
//! the two are the same, there is no news.
//!
//! Where there is no page any more, as of an app that was removed, the answer says so in a region that the page has as well; the rest
//! stays as it was, and the reader is told that it is not updated.
//!
//! The stream is closed while the page is hidden: a browser keeps only six connections to one server, and each open tab would
//! hold one of them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use wasm_bindgen::prelude::*;
use web_sys::{Element, EventSource, MessageEvent};

use super::dom;

/// Times on the page (time left, the end of the range) move without an event; this often they are brought up to date.
const REFRESH: Duration = Duration::from_mins(1);
/// After the server closed the stream for good: when to ask again.
const RETRY: Duration = Duration::from_secs(5);

/// Whether news arrive, and what the last one was.
#[island]
pub fn Live() -> impl IntoView {
    let (state, set_state) = signal("off");
    let (is_there, set_is_there) = signal(true);
    let (news, set_news) = signal(String::new());
    Effect::new(move |_| {
        dom::show_local_time_on_hover();
        let Some((address, number)) = stream_of_page() else { return };
        let stream = Rc::new(Stream {
            address,
            set_state,
            set_is_there,
            set_news,
            source: RefCell::default(),
            shown: RefCell::new(Some(number)),
            busy: Cell::default(),
            again: RefCell::default(),
        });
        stream.clone().open();
        let on_visibility = stream.clone();
        dom::on_document("visibilitychange", move |_: web_sys::Event| {
            on_visibility.clone().follow_visibility();
        });
        let timer = stream;
        if let Ok(handle) = set_interval_with_handle(move || timer.clone().refresh(), REFRESH) {
            on_cleanup(move || handle.clear());
        }
    });
    let state = move || if state.get() == "live" && !is_there.get() { "stale" } else { state.get() };
    let word = move || match state() {
        "live" => "Live",
        "stale" => "Not updated",
        "lost" => "Connection lost, retrying",
        _ => "",
    };
    view! {
        <span class="live" data-state=state>
            {word}
        </span>
        <span class="hidden-label" role="status">
            {move || news.get()}
        </span>
    }
}

struct Stream {
    address: String,
    set_state: WriteSignal<&'static str>,
    /// Whether the page's address had the page when it was last asked.
    set_is_there: WriteSignal<bool>,
    set_news: WriteSignal<String>,
    source: RefCell<Option<EventSource>>,
    /// The number of what the page shows; not known once the stream was lost: another Medic counts anew.
    shown: RefCell<Option<String>>,
    /// A page is being fetched.
    busy: Cell<bool>,
    /// The number that was told meanwhile.
    again: RefCell<Option<String>>,
}

impl Stream {
    fn open(self: Rc<Self>) {
        if self.source.borrow().is_some() || hidden() {
            return;
        }
        let Ok(source) = EventSource::new(&self.address) else { return };
        let opened = self.clone();
        let opened = Closure::<dyn FnMut()>::new(move || opened.set_state.set("live"));
        source.set_onopen(Some(opened.into_js_value().unchecked_ref()));
        let failed = self.clone();
        let failed = Closure::<dyn FnMut()>::new(move || failed.clone().failed());
        source.set_onerror(Some(failed.into_js_value().unchecked_ref()));
        let changed = self.clone();
        let changed = Closure::<dyn FnMut(_)>::new(move |event: MessageEvent| changed.clone().hear(&event));
        drop(source.add_event_listener_with_callback("changed", changed.into_js_value().unchecked_ref()));
        *self.source.borrow_mut() = Some(source);
    }

    /// The browser connects again by itself unless the answer was no stream.
    fn failed(self: Rc<Self>) {
        self.set_state.set("lost");
        *self.shown.borrow_mut() = None;
        let closed =
            self.source.borrow().as_ref().is_none_or(|source| source.ready_state() == EventSource::CLOSED);
        if closed {
            self.close();
            // whoever is not signed in any more is led to the sign-in by it
            self.clone().refresh();
            set_timeout(move || self.open(), RETRY);
        }
    }

    fn close(&self) {
        if let Some(source) = self.source.borrow_mut().take() {
            source.close();
        }
    }

    fn follow_visibility(self: Rc<Self>) {
        if hidden() {
            self.close();
            self.set_state.set("off");
        } else {
            self.clone().open();
            self.refresh();
        }
    }

    fn hear(self: Rc<Self>, event: &MessageEvent) {
        let number = event.data().as_string();
        if self.busy.get() {
            *self.again.borrow_mut() = number;
        } else if number.is_none() || *self.shown.borrow() != number {
            self.refresh();
        }
    }

    /// Fetches the page and exchanges what is live in it; one fetch at a time, and one more when something changed meanwhile.
    fn refresh(self: Rc<Self>) {
        if hidden() || self.busy.replace(true) {
            return;
        }
        leptos::task::spawn_local(async move {
            if let Some((fresh, is_there)) = fetch().await {
                self.set_is_there.set(is_there);
                *self.shown.borrow_mut() = number_of(&fresh);
                if let Some(news) = exchange(&fresh) {
                    self.set_news.set(news);
                }
            }
            self.busy.set(false);
            let told = self.again.take();
            if told.is_some() && *self.shown.borrow() != told {
                self.refresh();
            }
        });
    }
}

fn hidden() -> bool {
    dom::document().is_none_or(|document| document.hidden())
}

/// The page as it is now, or the one that says why there is none.
async fn fetch() -> Option<(Element, bool)> {
    let href = dom::window()?.location().href().ok()?;
    let (text, is_there) = dom::answer_of(href.split('#').next()?).await?;
    let parser = web_sys::DomParser::new().ok()?;
    let page = parser.parse_from_string(&text, web_sys::SupportedType::TextHtml).ok()?;
    Some((page.document_element()?, is_there))
}

/// The stream's address, and the number of what the page shows: both stand in the page, so that no island reads JSON.
fn stream_of_page() -> Option<(String, String)> {
    let page = dom::document()?.document_element()?;
    let address = page.query_selector("[data-events]").ok()??.get_attribute("data-events")?;
    Some((address, number_of(&page)?))
}

fn number_of(page: &Element) -> Option<String> {
    page.query_selector("[data-number]").ok()??.get_attribute("data-number")
}

/// Exchanges the live regions that differ; answers what to tell the reader, if anything.
fn exchange(fresh: &Element) -> Option<String> {
    let page = dom::document()?;
    let body = page.body()?;
    let before = counted(&body);
    let mut changed = false;
    for old in dom::all(&body, "[data-live]") {
        let name = old.get_attribute("data-live").unwrap_or_default();
        let selector = ["[data-live=\"", &name, "\"]"].concat();
        let Some(new) = fresh.query_selector(&selector).ok().flatten() else { continue };
        keep_open(&old, &new);
        if old.outer_html() == new.outer_html() || is_selected(&page, &old) || is_edited(&old) {
            continue;
        }
        let focus = focused_key(&page, &old);
        page.adopt_node(&new).ok()?;
        old.replace_with_with_node_1(&new).ok()?;
        restore_focus(&new, focus);
        changed = true;
    }
    let after = counted(&body);
    changed.then(|| tell(before.as_ref(), after.as_ref())).flatten()
}

/// What `<… data-count data-one data-many>` on the page counts.
struct Counted {
    number: u64,
    one: String,
    many: String,
}

fn counted(root: &Element) -> Option<Counted> {
    let counter = root.query_selector("[data-count]").ok()??;
    Some(Counted {
        number: counter.get_attribute("data-count")?.parse().ok()?,
        one: counter.get_attribute("data-one")?,
        many: counter.get_attribute("data-many")?,
    })
}

/// Only what is new is told: a page that speaks with every state change would be switched off.
fn tell(before: Option<&Counted>, after: Option<&Counted>) -> Option<String> {
    let after = after?;
    match after.number.checked_sub(before?.number)? {
        0 => None,
        1 => Some(["Updated: 1 new ", &after.one].concat()),
        more => Some(["Updated: ", &more.to_string(), " new ", &after.many].concat()),
    }
}

/// What the reader has opened or closed stays so.
fn keep_open(old: &Element, new: &Element) {
    for details in dom::all(old, "details[data-key]") {
        let Some(key) = details.get_attribute("data-key") else { continue };
        for twin in dom::all(new, "details[data-key]") {
            if twin.get_attribute("data-key").as_deref() == Some(&*key) {
                drop(twin.toggle_attribute_with_force("open", details.has_attribute("open")));
            }
        }
    }
}

/// A region in which text is selected is left alone until the next time: somebody is about to copy it.
fn is_selected(page: &web_sys::Document, region: &Element) -> bool {
    let selection = page.get_selection().ok().flatten().filter(|selection| !selection.is_collapsed());
    selection.and_then(|selection| selection.anchor_node()).is_some_and(|node| region.contains(Some(&node)))
}

/// A region with a field that was filled in is left alone: what was typed would be lost, or sent as it was before.
fn is_edited(region: &Element) -> bool {
    dom::all(region, "input")
        .iter()
        .filter_map(JsCast::dyn_ref::<web_sys::HtmlInputElement>)
        .any(|input| input.value() != input.default_value() || input.checked() != input.default_checked())
}

const FOCUSABLE: &str = "a[href], button, input, summary, [tabindex]";

/// Which of the region's elements has the focus: its place among them and its address, if it is a link.
fn focused_key(page: &web_sys::Document, region: &Element) -> Option<(usize, Option<String>)> {
    let active = page.active_element().filter(|active| region.contains(Some(active)))?;
    let at = dom::all(region, FOCUSABLE).iter().position(|element| *element == active)?;
    Some((at, active.get_attribute("href")))
}

fn restore_focus(region: &Element, key: Option<(usize, Option<String>)>) {
    let Some((at, href)) = key else { return };
    let elements = dom::all(region, FOCUSABLE);
    let same_link = elements.iter().find(|element| href.is_some() && element.get_attribute("href") == href);
    if let Some(element) =
        same_link.or_else(|| elements.get(at)).and_then(|e| e.dyn_ref::<web_sys::HtmlElement>())
    {
        let options = web_sys::FocusOptions::new();
        options.set_prevent_scroll(true);
        drop(element.focus_with_options(&options));
    }
}
