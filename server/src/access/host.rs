//! The names under which this machine is asked: `Host`, an absolute request target, `Origin`. A page from elsewhere can have a
//! foreign name point at 127.0.0.1 ("DNS rebinding"), so only names that nobody else can point anywhere are taken.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::uri::Scheme;
use axum::http::{HeaderMap, Uri};

/// Why a name is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameRefusal {
    /// None, several, or not of the form `name` or `name:port`.
    Malformed,
    /// Not a name of this machine.
    Foreign,
    /// A page of another site sent the request.
    Origin,
}

/// The one name by which the request was sent, as `127.0.0.1:3000`.
pub(super) fn of_request<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Result<&'r str, NameRefusal> {
    let host = only(headers, &HOST)?.ok_or(NameRefusal::Malformed)?;
    if !is_this_machine(host)? {
        return Err(NameRefusal::Foreign);
    }
    let Some(target) = uri.authority() else { return Ok(host) };
    if !is_this_machine(target.as_str())? {
        return Err(NameRefusal::Foreign);
    }
    let is_one =
        target.as_str().eq_ignore_ascii_case(host) && uri.scheme().is_none_or(|it| *it == Scheme::HTTP);
    if is_one { Ok(host) } else { Err(NameRefusal::Malformed) }
}

/// A browser says which site's page sent a change; other programs do not.
pub(super) fn is_from_own_page(host: &str, headers: &HeaderMap) -> Result<(), NameRefusal> {
    let origin = only(headers, &ORIGIN).map_err(|_| NameRefusal::Origin)?;
    let own_origin = origin.is_none_or(|origin| {
        origin.strip_prefix("http://").is_some_and(|origin| origin.eq_ignore_ascii_case(host))
    });
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let own_site = sites.all(|site| site == "same-origin" || site == "none");
    if own_origin && own_site { Ok(()) } else { Err(NameRefusal::Origin) }
}

/// The value of a header that may stand once.
fn only<'r>(headers: &'r HeaderMap, name: &HeaderName) -> Result<Option<&'r str>, NameRefusal> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(NameRefusal::Malformed);
    }
    value.to_str().map(Some).map_err(|_| NameRefusal::Malformed)
}

/// `localhost`, or a loopback address as browsers write it, with or without a port. An SSH tunnel's port is another than ours.
fn is_this_machine(authority: &str) -> Result<bool, NameRefusal> {
    let (name, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(NameRefusal::Malformed)?;
        let address: Ipv6Addr = address.parse().map_err(|_| NameRefusal::Malformed)?;
        (Name::Address(address.to_canonical().is_loopback()), rest)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (name, rest) = authority.split_at(end);
        (Name::Text(name), rest)
    };
    if !is_port(port) {
        return Err(NameRefusal::Malformed);
    }
    match name {
        Name::Address(is_loopback) => Ok(is_loopback),
        Name::Text("") => Err(NameRefusal::Malformed),
        Name::Text(name) => Ok(name.eq_ignore_ascii_case("localhost")
            || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())),
    }
}

enum Name<'a> {
    Address(bool),
    Text(&'a str),
}

/// Nothing, or `:1` to `:65535` without leading zeros.
fn is_port(text: &str) -> bool {
    let Some(digits) = text.strip_prefix(':') else { return text.is_empty() };
    digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
        && digits.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use NameRefusal::{Foreign, Malformed, Origin};

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn only_this_machines_names_are_answered() {
        let cases = [
            ("127.0.0.1:3000", None),
            ("127.0.0.1", None),
            ("127.8.9.1", None),
            ("localhost:3000", None),
            ("LOCALHOST", None),
            ("LocalHost:8080", None),
            ("[::1]:3000", None),
            ("[::1]", None),
            ("[0:0:0:0:0:0:0:1]", None),
            ("[::ffff:127.0.0.1]:3000", None),
            ("[::ffff:7f00:1]", None),
            ("localhost:65535", None),
            // of another machine, or of one that another machine's name server decides about
            ("evil.example", Some(Foreign)),
            ("evil.example:3000", Some(Foreign)),
            ("localhost.evil.example", Some(Foreign)),
            ("evil.localhost", Some(Foreign)),
            ("127.0.0.1.evil.example", Some(Foreign)),
            ("localhost.", Some(Foreign)),
            ("127.0.0.1.", Some(Foreign)),
            ("10.0.0.1", Some(Foreign)),
            ("0.0.0.0", Some(Foreign)),
            ("[::]", Some(Foreign)),
            ("[::2]", Some(Foreign)),
            ("[::ffff:10.0.0.1]", Some(Foreign)),
            // browsers write these as 127.0.0.1 before they send them
            ("0177.0.0.1", Some(Foreign)),
            ("127.1", Some(Foreign)),
            ("2130706433", Some(Foreign)),
            ("0x7f.0.0.1", Some(Foreign)),
            ("127.0.0.01", Some(Foreign)),
            ("a@127.0.0.1", Some(Foreign)),
            ("localhost/x", Some(Foreign)),
            ("localhost x", Some(Foreign)),
            ("localhost,localhost", Some(Foreign)),
            ("", Some(Malformed)),
            (":3000", Some(Malformed)),
            ("::1", Some(Malformed)),
            ("[::1]evil", Some(Malformed)),
            ("[::1]evil:3000", Some(Malformed)),
            ("[::1].evil.example", Some(Malformed)),
            ("[::1]@evil.example", Some(Malformed)),
            ("[::1", Some(Malformed)),
            ("[127.0.0.1]", Some(Malformed)),
            ("[localhost]", Some(Malformed)),
            ("[::1%25lo]", Some(Malformed)),
            ("[]", Some(Malformed)),
            ("localhost:", Some(Malformed)),
            ("localhost:0", Some(Malformed)),
            ("localhost:03000", Some(Malformed)),
            ("localhost:+80", Some(Malformed)),
            ("localhost:65536", Some(Malformed)),
            ("localhost:99999999999999999999", Some(Malformed)),
            ("localhost:80evil", Some(Malformed)),
            ("localhost:80:80", Some(Malformed)),
            ("user:pass@localhost", Some(Malformed)),
            ("[::1]:evil", Some(Malformed)),
            ("[::1]:", Some(Malformed)),
        ];
        for (host, refusal) in cases {
            let headers = headers(&[("host", host)]);
            let target = Uri::from_static("/");
            assert_eq!(of_request(&target, &headers).err(), refusal, "{host}");
        }
        assert_eq!(of_request(&Uri::from_static("/"), &headers(&[])), Err(Malformed), "none at all");
        for second in ["localhost", "evil.example"] {
            let twice = headers(&[("host", "localhost"), ("host", second)]);
            assert_eq!(of_request(&Uri::from_static("/"), &twice), Err(Malformed));
        }
    }

    #[test]
    fn an_absolute_target_names_the_same_machine_as_the_host() {
        let cases = [
            ("http://127.0.0.1:3000/", "127.0.0.1:3000", None),
            ("http://LOCALHOST/", "localhost", None),
            ("http://evil.example/", "localhost", Some(Foreign)),
            ("http://localhost/", "evil.example", Some(Foreign)),
            ("http://localhost/", "127.0.0.1", Some(Malformed)),
            ("https://localhost/", "localhost", Some(Malformed)),
            ("http://a@localhost/", "localhost", Some(Foreign)),
        ];
        for (target, host, refusal) in cases {
            let answer = of_request(&Uri::from_static(target), &headers(&[("host", host)])).err();
            assert_eq!(answer, refusal, "{target} {host}");
        }
    }

    #[test]
    fn another_site_may_change_nothing() {
        let own = ("origin", "http://127.0.0.1:3000");
        let from =
            |lines: &[(&'static str, &'static str)]| is_from_own_page("127.0.0.1:3000", &headers(lines));
        assert_eq!(from(&[]), Ok(()), "a command line");
        assert_eq!(from(&[own, ("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(from(&[own, ("sec-fetch-site", "none")]), Ok(()), "typed by the user");
        for origin in [
            "http://evil.example",
            "null",
            "",
            "https://127.0.0.1:3000",
            "http://127.0.0.1:4000",
            "http://127.0.0.1:3000/",
            "http://localhost:3000",
            "HTTP://127.0.0.1:3000",
        ] {
            assert_eq!(from(&[("origin", origin)]), Err(Origin), "{origin}");
            assert_eq!(from(&[own, ("origin", origin)]), Err(Origin), "twice: {origin}");
            assert_eq!(from(&[("origin", origin), own]), Err(Origin), "twice: {origin}");
        }
        assert_eq!(from(&[own, own]), Err(Origin), "twice");
        for site in ["cross-site", "same-site", ""] {
            assert_eq!(from(&[("sec-fetch-site", site)]), Err(Origin), "{site}");
            assert_eq!(from(&[("sec-fetch-site", "same-origin"), ("sec-fetch-site", site)]), Err(Origin));
        }
    }
}
