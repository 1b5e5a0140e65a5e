//! By which way a request came: what cookies, pauses after wrong passwords and records go by, and whether it may have come from
//! another machine.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{HOST, STRICT_TRANSPORT_SECURITY};
use axum::http::uri::Scheme;
use axum::http::{HeaderValue, Version};
use axum::middleware::Next;
use axum::response::Response;

use super::asked::{is_change, is_shared, proxy_header};
use super::caller::Caller;
use super::forwarded::{self, Told};
use super::host::{self, Name, NameRefusal};
use super::reach::Reach;
use super::refusal::{Refusal, answer};

/// A year: browsers come by https alone from then on.
const HTTPS_ALONE: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Every request that is let in has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Nobody between the browser and this machine reads it.
    pub is_https: bool,
    /// Where it was sent: the other end's address, or what a trusted proxy says; none for the Unix socket.
    pub from: Option<IpAddr>,
}

/// What the guard goes by, beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    /// Who sent it may be on another machine, as far as can be known.
    pub(super) may_be_elsewhere: bool,
    /// No page of another site sent it.
    pub(super) is_own_page: bool,
    pub(super) name: Name,
}

/// Refuses what was not sent to Medic, or what another site's page wants to change; notes by which way the rest came, and the
/// [`Reach`] that links go by.
pub async fn arrive(State(reach): State<Arc<Reach>>, mut request: Request, next: Next) -> Response {
    name_in_header(&mut request);
    let caller = request.extensions().get::<Arc<Caller>>().cloned();
    let (arrival, way) = match of(&request, caller.as_deref(), &reach) {
        Ok(known) => known,
        Err(refusal) => return answer(&Refusal::Name(refusal), request.uri().path()),
    };
    let is_change = is_change(request.method()) && !is_shared(request.uri().path());
    if is_change && !way.is_own_page {
        return answer(&Refusal::Name(NameRefusal::Origin), request.uri().path());
    }
    request.extensions_mut().insert(arrival);
    request.extensions_mut().insert(way);
    request.extensions_mut().insert(reach);
    let mut response = next.run(request).await;
    // not for loopback names: a browser would hold other servers on its machine to it
    if arrival.is_https && way.name == Name::Public {
        response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HTTPS_ALONE);
    }
    response
}

/// HTTP/2 names the host in the target alone.
fn name_in_header(request: &mut Request) {
    if request.version() != Version::HTTP_2 || request.headers().contains_key(HOST) {
        return;
    }
    let name = request.uri().authority().and_then(|name| HeaderValue::from_str(name.as_str()).ok());
    if let Some(name) = name {
        request.headers_mut().insert(HOST, name);
    }
}

fn of(request: &Request, caller: Option<&Caller>, reach: &Reach) -> Result<(Arrival, Way), NameRefusal> {
    let headers = request.headers();
    let peer = caller.and_then(Caller::address);
    let is_encrypted = caller.is_some_and(Caller::is_encrypted);
    let scheme = if is_encrypted { Scheme::HTTPS } else { Scheme::HTTP };
    let (host, name) = host::of_request(request.uri(), headers, &scheme, reach)?;
    let is_trusted = peer.is_some_and(|peer| reach.trusts(peer));
    let told = if is_trusted { forwarded::read(headers, reach) } else { Ok(Told::default()) };
    let told = told.map_err(|_| NameRefusal::Forwarded)?;
    let (host, name) = match &told.host {
        Some(host) => (host.as_str(), host::whose(host, reach)?),
        None => (host, name),
    };
    let is_https = told.is_https.unwrap_or(is_encrypted);
    let is_proxied = proxy_header(headers).is_some();
    let public = reach.public_url.as_ref().filter(|_| name == Name::Public || (is_trusted && is_proxied));
    if public.is_some_and(|url| url.is_https && !is_https) {
        return Err(NameRefusal::Unencrypted);
    }
    let scheme = if is_https { "https" } else { "http" };
    let own = public.map_or_else(|| format!("{scheme}://{host}"), super::PublicUrl::origin);
    let way = Way {
        // a proxy on this machine may pass on requests as its own, without a word
        may_be_elsewhere: (reach.is_for_others() && (peer.is_some() || is_proxied))
            || peer.is_some_and(|peer| !peer.to_canonical().is_loopback()),
        is_own_page: host::is_from_own_page(&own, headers).is_ok(),
        name,
    };
    Ok((Arrival { is_https, from: told.from.or(peer) }, way))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::super::reach::{Network, PublicUrl};
    use super::*;

    const PUBLIC: (&str, &str) = ("host", "medic.example.com");

    fn reach(url: &str) -> Reach {
        let trusted_proxies = vec![Network::parse("127.0.0.1").unwrap()];
        Reach { public_url: PublicUrl::parse(url).ok(), trusted_proxies }
    }

    fn arrived(peer: &str, lines: &[(&str, &str)], reach: &Reach) -> Result<(Arrival, Way), NameRefusal> {
        let mut request = Request::builder().uri("/");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let caller = Caller::of_peer(peer.parse().unwrap());
        of(&request.body(Body::empty()).unwrap(), Some(&caller), reach)
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_nobody_else() {
        let reach = reach("https://medic.example.com");
        let told = [PUBLIC, ("x-forwarded-for", "203.0.113.9"), ("x-forwarded-proto", "https")];
        let (arrival, way) = arrived("127.0.0.1:9", &told, &reach).unwrap();
        assert_eq!(arrival, Arrival { is_https: true, from: "203.0.113.9".parse().ok() });
        assert!(way.may_be_elsewhere && way.name == Name::Public);
        assert_eq!(arrived("127.0.0.2:9", &told, &reach), Err(NameRefusal::Unencrypted));
        let local = [("host", "127.0.0.1:3000"), told[1], told[2]];
        let (arrival, way) = arrived("127.0.0.2:9", &local, &reach).unwrap();
        assert_eq!(arrival, Arrival { is_https: false, from: "127.0.0.2".parse().ok() });
        assert!(way.may_be_elsewhere, "a proxy that nobody named");
    }

    #[test]
    fn where_others_are_meant_to_get_nobody_is_on_this_machine_for_sure() {
        let (none, some) = (Reach::default(), reach("http://medic.example.com"));
        let named = Reach { trusted_proxies: Vec::new(), ..some.clone() };
        let local = ("host", "localhost:3000");
        let may =
            |peer, lines: &[(&str, &str)], reach| arrived(peer, lines, reach).unwrap().1.may_be_elsewhere;
        assert!(!may("127.0.0.1:9", &[local], &none) && may("192.0.2.1:9", &[local], &none));
        for reach in [&some, &named] {
            assert!(may("127.0.0.1:9", &[local], reach), "a proxy may say nothing of it");
            assert!(may("[::1]:9", &[local, ("via", "1.1 x")], reach) && may("[::1]:9", &[PUBLIC], reach));
        }
    }

    #[test]
    fn the_page_that_asks_for_a_change_is_of_the_name_that_was_asked() {
        let reach = reach("https://medic.example.com");
        let https = ("x-forwarded-proto", "https");
        let own = |peer, lines: &[(&str, &str)]| arrived(peer, lines, &reach).unwrap().1.is_own_page;
        let (page, local) = (("origin", "https://medic.example.com"), ("host", "127.0.0.1:3000"));
        assert!(own("127.0.0.1:9", &[PUBLIC, https, page]));
        assert!(own("127.0.0.1:9", &[local, https, page]), "a proxy that does not pass on the name");
        assert!(!own("127.0.0.2:9", &[local, page]));
        assert!(!own("127.0.0.1:9", &[PUBLIC, https, ("origin", "http://medic.example.com")]));
        assert!(!own("127.0.0.1:9", &[PUBLIC, https, ("origin", "http://127.0.0.1:3000")]));
        assert!(!own("127.0.0.1:9", &[PUBLIC, https, page, ("sec-fetch-site", "cross-site")]));
        assert!(own("127.0.0.2:9", &[local, ("origin", "http://127.0.0.1:3000")]));
    }
}
