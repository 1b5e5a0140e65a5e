//! The WASM entry: brings the islands of the server-rendered pages to life.

// Without a name from it, the linker would leave out the crate that registers the islands.
extern crate app;

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page's inline module script once the WASM is there.
#[wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
