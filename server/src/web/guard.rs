//! Who may ask. As long as no account exists, everybody on this machine may, and nobody else: a page from elsewhere that the
//! user's browser has open must neither change anything (cross-site requests) nor read anything (a foreign name that was made to
//! point at 127.0.0.1, "DNS rebinding").

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

/// Refuses foreign hosts always, and foreign origins for everything that may change something.
pub(super) async fn refuse_foreign(request: Request, next: Next) -> Response {
    match check(request.method(), request.headers(), request.uri().authority()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => (StatusCode::FORBIDDEN, format!("{refusal}\n")).into_response(),
    }
}

/// Why a request is not answered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    /// Not a name of this machine.
    #[error(
        "Medic answers on this machine only: ask for http://127.0.0.1 or http://localhost, or through an SSH tunnel to it."
    )]
    Host,
    /// A page of another site sent it.
    #[error("Medic takes changes from its own pages only: this request came from another site.")]
    Origin,
}

fn check(method: &Method, headers: &HeaderMap, authority: Option<&Authority>) -> Result<(), Refusal> {
    let host =
        authority.map(Authority::as_str).or_else(|| headers.get(HOST)?.to_str().ok()).ok_or(Refusal::Host)?;
    if !is_this_machine(host) {
        return Err(Refusal::Host);
    }
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    let own_origin = headers.get(ORIGIN).is_none_or(|origin| {
        origin.to_str().is_ok_and(|origin| origin.eq_ignore_ascii_case(&format!("http://{host}")))
    });
    let own_site = headers.get("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none");
    if own_origin && own_site { Ok(()) } else { Err(Refusal::Origin) }
}

fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host();
    if authority.as_str().contains('@') {
        return false;
    }
    name.eq_ignore_ascii_case("localhost")
        || name
            .trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(method: &Method, headers: &[(&'static str, &'static str)]) -> Result<(), Refusal> {
        let headers =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        check(method, &headers, None)
    }

    #[test]
    fn only_this_machines_names_are_answered() {
        for host in ["127.0.0.1:3000", "localhost:3000", "LOCALHOST", "[::1]:3000", "127.8.9.1"] {
            assert_eq!(checked(&Method::GET, &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.example",
            "evil.example:3000",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "a@127.0.0.1",
            "10.0.0.1",
            "",
        ] {
            assert_eq!(checked(&Method::GET, &[("host", host)]), Err(Refusal::Host), "{host}");
        }
        assert_eq!(checked(&Method::GET, &[]), Err(Refusal::Host));
    }

    #[test]
    fn another_site_may_change_nothing() {
        let host = ("host", "127.0.0.1:3000");
        let put = |more: &[(&'static str, &'static str)]| checked(&Method::PUT, &[&[host], more].concat());
        assert_eq!(put(&[]), Ok(()), "a command line");
        assert_eq!(put(&[("origin", "http://127.0.0.1:3000"), ("sec-fetch-site", "same-origin")]), Ok(()));
        for origin in [
            "http://evil.example",
            "null",
            "https://127.0.0.1:3000",
            "http://127.0.0.1:4000",
            "http://localhost:3000",
        ] {
            assert_eq!(put(&[("origin", origin)]), Err(Refusal::Origin), "{origin}");
        }
        for site in ["cross-site", "same-site"] {
            assert_eq!(put(&[("sec-fetch-site", site)]), Err(Refusal::Origin), "{site}");
        }
        assert_eq!(
            checked(&Method::GET, &[host, ("sec-fetch-site", "cross-site")]),
            Ok(()),
            "a link from elsewhere"
        );
    }
}
