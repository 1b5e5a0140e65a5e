//! What a request says of itself, before anybody is asked who sent it.

use axum::http::{HeaderMap, Method};

/// What proxies add to what they pass on. (Names that begin with `x-forwarded` are theirs, too.)
const PROXY_HEADERS: [&str; 9] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
];
const FORWARDED: &str = "x-forwarded";

pub(super) fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// A proxy on this machine is somebody's process, and not whoever it speaks for.
pub(super) fn proxy_header(headers: &HeaderMap) -> Option<&'static str> {
    let of_proxy = |name: &str| {
        let known = PROXY_HEADERS.into_iter().find(|header| *header == name);
        known.or_else(|| name.starts_with(FORWARDED).then_some("x-forwarded-*"))
    };
    headers.keys().find_map(|name| of_proxy(name.as_str()))
}

/// Below this whoever has a link reads, and whoever else asks is told nothing.
pub(super) fn is_shared(path: &str) -> bool {
    path.starts_with("/s/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_passes_on_is_known_by_any_of_its_headers() {
        let of = |name: &str| {
            let name: axum::http::HeaderName = name.parse().unwrap();
            proxy_header(&[(name, "x".parse().unwrap())].into_iter().collect())
        };
        for name in ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded", "X-Real-IP"] {
            assert!(of(name).is_some(), "{name}");
        }
        for name in ["Host", "User-Agent", "X-Requested-With", "Forward"] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
