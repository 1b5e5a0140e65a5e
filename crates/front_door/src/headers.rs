//! What is changed in a message's head on its way through.
//!
//! The front door is taken to be the outermost proxy: what a client says about `X-Forwarded-Proto`, `X-Forwarded-Host`,
//! `X-Real-IP` or `Forwarded` is not believed but replaced or removed; its `X-Forwarded-For` is kept and the client's address
//! appended, so an app may trust the last entry. `Host` stays as it came. No `Via` is added.

use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::{request, response};
use hyper::{Method, StatusCode, Uri, Version};

use crate::settings::Scheme;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// What is meant for the next hop only, besides what `Connection` lists.
const HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    KEEP_ALIVE,
    PROXY_CONNECTION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
];

/// What is the same for all requests of one client connection.
pub(crate) struct Peer {
    /// The client's address.
    pub(crate) address: HeaderValue,
    /// What `Host` says where an HTTP/1.0 client did not.
    pub(crate) default_host: HeaderValue,
    pub(crate) scheme: Scheme,
}

/// Makes a client's request one to a worker; says whether it asks for another protocol. An `Err` is what to answer instead.
pub(crate) fn to_worker(parts: &mut request::Parts, peer: &Peer, has_body: bool) -> Result<bool, StatusCode> {
    if parts.method == Method::CONNECT || parts.method == Method::TRACE {
        return Err(StatusCode::NOT_IMPLEMENTED);
    }
    let host = one_host(parts, peer)?;
    let headers = &mut parts.headers;
    if !is_plainly_chunked(headers) {
        return Err(StatusCode::NOT_IMPLEMENTED);
    }
    let upgrade = wanted_upgrade(headers, parts.version);
    let trailers = listed(headers, &TE).any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
    remove_hop_by_hop(headers);
    headers.remove(EXPECT);
    if let Some(protocol) = upgrade.clone() {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    } else if trailers {
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
    }
    if has_body && !headers.contains_key(CONTENT_LENGTH) {
        headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    forwarded(headers, peer, host);
    parts.version = Version::HTTP_11;
    Ok(upgrade.is_some())
}

/// Makes a worker's answer one to the client; an `Err` is what to answer instead.
pub(crate) fn to_client(parts: &mut response::Parts) -> Result<(), StatusCode> {
    let headers = &mut parts.headers;
    if !is_plainly_chunked(headers) {
        return Err(StatusCode::BAD_GATEWAY);
    }
    let protocol = headers.get(UPGRADE).filter(|_| parts.status == StatusCode::SWITCHING_PROTOCOLS).cloned();
    remove_hop_by_hop(headers);
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol.ok_or(StatusCode::BAD_GATEWAY)?);
    }
    // hyper takes it down again for a client that speaks 1.0
    parts.version = Version::HTTP_11;
    Ok(())
}

/// The request's one host; its target becomes a path. Two hosts would let the worker see another site than whoever stands in
/// front.
fn one_host(parts: &mut request::Parts, peer: &Peer) -> Result<HeaderValue, StatusCode> {
    let mut hosts = parts.headers.get_all(HOST).iter();
    let (first, second) = (hosts.next().cloned(), hosts.next());
    if second.is_some() || (first.is_none() && parts.version != Version::HTTP_10) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let mut host = first.clone().unwrap_or_else(|| peer.default_host.clone());
    if let Some(authority) = parts.uri.authority() {
        // the absolute form's host is the one that counts (RFC 9112, 3.2.2)
        host = HeaderValue::from_str(authority.as_str()).map_err(|_| StatusCode::BAD_REQUEST)?;
        let path = parts.uri.path_and_query().ok_or(StatusCode::BAD_REQUEST)?.clone();
        parts.uri = Uri::from(path);
        parts.headers.insert(HOST, host.clone());
    } else if first.is_none() {
        parts.headers.insert(HOST, host.clone());
    }
    Ok(host)
}

/// hyper frames a body by `chunked` alone; another coding beside it would be lost on the way.
fn is_plainly_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        && codings.next().is_none()
}

/// The protocol to change to. Not HTTP/2: past the change, requests would go by unseen.
fn wanted_upgrade(headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
    let protocol = headers.get(UPGRADE).filter(|_| version == Version::HTTP_11)?;
    let asked = listed(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case(b"upgrade"));
    let http2 = protocol.as_bytes().get(..2).is_some_and(|start| start.eq_ignore_ascii_case(b"h2"));
    (asked && !http2).then(|| protocol.clone())
}

fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// One look at all names first: most messages have none to remove, and each removal is a search.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if headers.contains_key(CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    let present: u16 = headers.keys().fold(0, |present, name| {
        HOP_BY_HOP.iter().position(|hop| hop == name).map_or(present, |at| present | 1 << at)
    });
    for (at, name) in HOP_BY_HOP.iter().enumerate() {
        if present & (1 << at) != 0 {
            headers.remove(name);
        }
    }
}

/// What `Connection` names besides the usual; not `Host` and `Content-Length`, which no client may take from the worker.
fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    listed(headers, &CONNECTION)
        .filter(|token| {
            [&b"keep-alive"[..], b"close", b"upgrade", b""]
                .iter()
                .all(|usual| !token.eq_ignore_ascii_case(usual))
        })
        .filter_map(|token| HeaderName::from_bytes(token).ok())
        .filter(|name| *name != HOST && *name != CONTENT_LENGTH)
        .collect()
}

fn forwarded(headers: &mut HeaderMap, peer: &Peer, host: HeaderValue) {
    remove_disguised(headers);
    headers.remove(FORWARDED);
    headers.remove(HTTP2_SETTINGS);
    let hops = match headers.get(FOR) {
        None => peer.address.clone(),
        Some(_) => appended(headers, &peer.address),
    };
    headers.insert(FOR, hops);
    headers.insert(REAL_IP, peer.address.clone());
    headers.insert(FORWARDED_HOST, host);
    headers.insert(
        PROTO,
        HeaderValue::from_static(match peer.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        }),
    );
}

fn appended(headers: &HeaderMap, address: &HeaderValue) -> HeaderValue {
    let mut hops: Vec<&[u8]> = headers.get_all(FOR).iter().map(HeaderValue::as_bytes).collect();
    hops.push(address.as_bytes());
    HeaderValue::from_bytes(&hops.join(&b", "[..])).unwrap_or_else(|_| address.clone())
}

/// `X_Forwarded_For` reaches a WSGI or CGI app under the same name as `X-Forwarded-For`.
fn remove_disguised(headers: &mut HeaderMap) {
    let disguised: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().contains('_'))
        .filter(|name| {
            let plain = name.as_str().replace('_', "-");
            [FOR, PROTO, FORWARDED_HOST, REAL_IP].iter().any(|ours| *ours == plain.as_str())
        })
        .cloned()
        .collect();
    for name in disguised {
        headers.remove(name);
    }
}
