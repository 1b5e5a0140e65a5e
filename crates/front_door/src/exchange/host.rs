//! Which site a request is for: one host, said once, that nobody on the way can read in another way.

use std::net::Ipv6Addr;

use hyper::header::{HOST, HeaderValue};
use hyper::http::request;
use hyper::http::uri::Scheme;
use hyper::{Method, Uri, Version};

use super::answers::Refusal;
use super::peer::Peer;

/// As long as a name can be in DNS.
const NAME_LIMIT: usize = 253;

/// The request's one host; its target becomes a path. Two hosts would let the worker see another site than whoever stands in
/// front.
pub(crate) fn one_host(parts: &mut request::Parts, peer: &Peer) -> Result<HeaderValue, Refusal> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (first, second) = (hosts.next().cloned(), hosts.next());
    if second.is_some() || (first.is_none() && parts.version != Version::HTTP_10) {
        return Err(Refusal::BadRequest);
    }
    if first.as_ref().is_some_and(|host| !is_host(host.as_bytes())) {
        return Err(Refusal::BadRequest);
    }
    let mut host = first.clone().unwrap_or_else(|| peer.default_host.clone());
    if let Some(authority) = parts.uri.authority() {
        let http =
            parts.uri.scheme().is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
        if !http || !is_host(authority.as_str().as_bytes()) {
            return Err(Refusal::BadRequest);
        }
        // the absolute form's host is the one that counts (RFC 9112, 3.2.2)
        host = HeaderValue::from_str(authority.as_str()).map_err(|_| Refusal::BadRequest)?;
        let path = parts.uri.path_and_query().ok_or(Refusal::BadRequest)?.clone();
        parts.uri = Uri::from(path);
        parts.headers.insert(HOST, host.clone());
    } else if first.is_none() {
        parts.headers.insert(HOST, host.clone());
    }
    if parts.uri.path() == "*" && parts.method != Method::OPTIONS {
        return Err(Refusal::BadRequest);
    }
    Ok(host)
}

/// A name of DNS (with the `_` that machines' own names have), an address, and perhaps a port. What RFC 3986 allows beside
/// that, such as user information, `%2f` or a comma, no browser sends, and every app reads it in its own way.
fn is_host(host: &[u8]) -> bool {
    let Ok(host) = std::str::from_utf8(host) else { return false };
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => (None, port),
        Some(_) => return false,
        None => {
            let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
            (Some(name), port)
        }
    };
    name.is_none_or(is_name) && is_port(port)
}

fn is_name(name: &str) -> bool {
    (1..=NAME_LIMIT).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
        && !name.starts_with('.')
        && !name.contains("..")
}

/// Nothing, or a colon and a number, which may be missing (RFC 3986, 3.2.3).
fn is_port(port: &str) -> bool {
    port.is_empty()
        || port.strip_prefix(':').is_some_and(|digits| {
            digits.bytes().all(|byte| byte.is_ascii_digit())
                && (digits.is_empty() || digits.parse::<u16>().is_ok())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_and_perhaps_a_port() {
        for host in [
            "shop.example",
            "shop.example.:443",
            "SHOP",
            "db_1:5432",
            "xn--bcher-kva.example",
            "127.0.0.1:8080",
            "[::1]",
            "[::ffff:10.0.0.1]:80",
            "shop:",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "",
            ":80",
            "a/b",
            "a\\b",
            "a?b",
            "a#b",
            "ada@shop.example",
            "a:b@shop",
            "a b",
            "a,b",
            "a;b",
            "a%2fb",
            ".a",
            "a..b",
            "a:80:90",
            "a:x",
            "a:65536",
            "a:-1",
            "a:+1",
            "[::1",
            "[::1]evil",
            "[::1]:x",
            "[evil]",
            "[::1%25eth0]",
            "::1",
            "b\u{fc}cher",
            "a\u{202e}b",
            "a\tb",
        ] {
            assert!(!is_host(host.as_bytes()), "{host:?}");
        }
        assert!(!is_host(b"a\xff") && !is_host(&[b'a'; 254]));
    }
}
