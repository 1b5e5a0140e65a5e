//! What a browser is told about a page: what it may load and do, so that a hostile name that slipped through as
//! markup would still be dead.

use axum::http::header::{self, HeaderValue};
use leptos_axum::ResponseOptions;

/// A page's own: scripts and styles from here only, and the one inline script by its nonce. `wasm-unsafe-eval` is what
/// browsers call compiling WASM; it does not permit `eval`.
pub(super) fn add_page_headers(response: &ResponseOptions) {
    let nonce = leptos::nonce::use_nonce().map(|nonce| format!("'nonce-{nonce}' ")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self' {nonce}'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response.insert_header(header::CONTENT_SECURITY_POLICY, policy);
    }
    // what a page shows changes without notice, and it is nobody's but the reader's
    response.insert_header(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
}
