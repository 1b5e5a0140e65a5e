//! The WASM entry: brings the islands of the server-rendered pages to life.

// Named though nothing of it is called: else the linker would leave out the crate that registers the islands.
use app as _;

use wasm_bindgen::prelude::wasm_bindgen;

/// Called by the page's inline module script once the WASM is there.
#[wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
