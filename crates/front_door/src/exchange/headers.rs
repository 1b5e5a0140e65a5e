//! What is changed in a message's head on its way through, and in the fields behind a chunked body.
//!
//! The front door is taken to be the outermost proxy: what a client says about `X-Forwarded-Proto`, `X-Forwarded-Host`,
//! `X-Real-IP` or `Forwarded` is not believed but replaced or removed; its `X-Forwarded-For` is kept and the client's address
//! appended, so an app may trust the last entry. `Host` stays as it came. No `Via` is added.

use hyper::body::{Bytes, Frame};
use hyper::header::{
    CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, HeaderMap, HeaderName, HeaderValue, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use hyper::http::{request, response};
use hyper::{Method, StatusCode, Version};

use super::answers::Refusal;
use super::fault::Fault;
use super::host::one_host;
use super::peer::Peer;
use super::session_cookie;
use crate::settings::Scheme;

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");

/// What only the front door says of a request, and what frames it.
const OURS: [HeaderName; 8] =
    [FOR, PROTO, FORWARDED_HOST, REAL_IP, FORWARDED, HTTP2_SETTINGS, HOST, CONTENT_LENGTH];

/// Makes a client's request one to a worker; says which other protocols it asks for. An `Err` is what to answer instead.
pub(crate) fn to_worker(
    parts: &mut request::Parts,
    peer: &Peer,
    has_body: bool,
) -> Result<Option<HeaderValue>, Refusal> {
    if parts.method == Method::CONNECT || parts.method == Method::TRACE {
        return Err(Refusal::NotImplemented);
    }
    let host = one_host(parts, peer)?;
    let headers = &mut parts.headers;
    if !is_plainly_chunked(headers) {
        return Err(Refusal::NotImplemented);
    }
    let upgrade = wanted_upgrade(headers, parts.version);
    let trailers = listed(headers, &TE).any(|coding| coding.eq_ignore_ascii_case(b"trailers"));
    remove_hop_by_hop(headers);
    headers.remove(EXPECT);
    session_cookie::remove(headers);
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
    Ok(upgrade)
}

/// Makes a worker's answer one to a client that asked for the protocols `asked`. Says what was put right; an `Err` is why it
/// cannot be passed on.
pub(crate) fn to_client(
    parts: &mut response::Parts,
    asked: Option<&HeaderValue>,
) -> Result<Option<Fault>, Fault> {
    let headers = &mut parts.headers;
    if !is_plainly_chunked(headers) {
        return Err(Fault::TransferCoding);
    }
    let mended = one_length(parts.status, headers)?;
    let protocol = headers.get(UPGRADE).filter(|_| parts.status == StatusCode::SWITCHING_PROTOCOLS).cloned();
    remove_hop_by_hop(headers);
    if parts.status == StatusCode::SWITCHING_PROTOCOLS {
        let protocol = protocol.filter(|protocol| was_asked_for(protocol, asked)).ok_or(Fault::Protocol)?;
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, protocol);
    }
    // hyper takes it down again for a client that speaks 1.0
    parts.version = Version::HTTP_11;
    Ok(mended)
}

/// Cleans the fields behind a body, where the frame has them.
pub(crate) fn clean_frame(mut frame: Frame<Bytes>) -> Frame<Bytes> {
    if let Some(trailers) = frame.trailers_mut() {
        clean_trailers(trailers);
    }
    frame
}

/// Removes from the fields behind a body what stands in no message's head that came through here: an app that adds them to the
/// head's would believe the client.
fn clean_trailers(trailers: &mut HeaderMap) {
    remove_hop_by_hop(trailers);
    remove_disguised(trailers);
    for name in OURS {
        trailers.remove(name);
    }
}

/// Leaves an answer's length standing once and only where it counts: `chunked` outweighs it (RFC 9112, 6.3), and no reader
/// should be asked which of two is meant, not even of an answer without a body.
fn one_length(status: StatusCode, headers: &mut HeaderMap) -> Result<Option<Fault>, Fault> {
    if !headers.contains_key(CONTENT_LENGTH) {
        return Ok(None);
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        headers.remove(CONTENT_LENGTH);
        return Ok(Some(Fault::TwoLengths));
    }
    let length = the_length(headers).ok_or(Fault::NotHttp)?;
    if status == StatusCode::NO_CONTENT || status == StatusCode::SWITCHING_PROTOCOLS {
        headers.remove(CONTENT_LENGTH);
    } else {
        headers.insert(CONTENT_LENGTH, length);
    }
    Ok(None)
}

/// hyper frames a body by `chunked` alone; another coding beside it would be lost on the way.
fn is_plainly_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        && codings.next().is_none()
}

/// The number that all of `Content-Length` says.
fn the_length(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lengths = listed(headers, &CONTENT_LENGTH);
    let length =
        lengths.next().filter(|length| !length.is_empty() && length.iter().all(u8::is_ascii_digit))?;
    lengths.all(|other| other == length).then(|| HeaderValue::from_bytes(length).ok())?
}

/// The protocols that the client would change to. Not HTTP/2, which Java's client and `curl --http2` offer beside others, and
/// not TLS: past the change, requests would go by unseen.
fn wanted_upgrade(headers: &HeaderMap, version: Version) -> Option<HeaderValue> {
    let asked = listed(headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case(b"upgrade"));
    if !asked || version != Version::HTTP_11 {
        return None;
    }
    let kept: Vec<_> = listed(headers, &UPGRADE)
        .filter(|protocol| !protocol.is_empty() && !hides_requests(protocol))
        .collect();
    HeaderValue::from_bytes(&kept.join(&b", "[..])).ok().filter(|protocols| !protocols.is_empty())
}

fn hides_requests(protocol: &[u8]) -> bool {
    let name =
        protocol.split(|byte| *byte == b'/').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
    name.starts_with(b"h2") || name.starts_with(b"h3") || name == b"http" || name == b"tls"
}

/// Whether a worker changes to nothing but what it was offered.
fn was_asked_for(protocol: &HeaderValue, asked: Option<&HeaderValue>) -> bool {
    let split = |value: &'_ HeaderValue| -> Vec<Vec<u8>> {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .map(|one| one.trim_ascii().to_ascii_lowercase())
            .collect()
    };
    let offered = asked.map(split).unwrap_or_default();
    split(protocol).iter().all(|chosen| offered.contains(chosen))
}

fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
}

/// What is meant for the next hop only, besides what `Connection` lists.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection"
            | "keep-alive"
            | "proxy-connection"
            | "te"
            | "transfer-encoding"
            | "upgrade"
            | "proxy-authenticate"
            | "proxy-authorization"
    )
}

/// One look at all names first, since most messages have none to remove and each removal is a search.
fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let present: Vec<HeaderName> =
        headers.keys().filter(|name| is_hop_by_hop(name.as_str())).cloned().collect();
    if present.contains(&CONNECTION) {
        for name in named_by_connection(headers) {
            headers.remove(name);
        }
    }
    for name in present {
        headers.remove(name);
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

/// `X_Forwarded_For` reaches a WSGI or CGI app under the same name as `X-Forwarded-For`, and `Content_Length` as the length.
fn remove_disguised(headers: &mut HeaderMap) {
    let disguised: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().contains('_'))
        .filter(|name| {
            let plain = name.as_str().replace('_', "-");
            is_hop_by_hop(&plain) || OURS.iter().any(|ours| *ours == plain.as_str())
        })
        .cloned()
        .collect();
    for name in disguised {
        headers.remove(name);
    }
}
