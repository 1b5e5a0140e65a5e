//! The names under which this machine is asked: `Host`, an absolute request target, `Origin`. A page from elsewhere can have a
//! foreign name point at 127.0.0.1 ("DNS rebinding"), so only names that nobody else can point anywhere are taken: this machine's
//! for itself, and the one that `server.public_url` gives.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::uri::Scheme;
use axum::http::{HeaderMap, Uri};

use super::reach::Reach;

/// Why a name is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameRefusal {
    /// None, several, or not of the form `name` or `name:port`.
    Malformed,
    /// Not a name of this machine.
    Foreign,
    /// A page of another site sent the request.
    Origin,
    /// A trusted proxy says something that is not of its form.
    Forwarded,
    /// The public name is for https, and this is not.
    Unencrypted,
}

/// Whose name it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    /// This machine's for itself.
    Loopback,
    /// That of `server.public_url`. (Names of apps under it have their place here.)
    Public,
}

/// The one name by which the request was sent, as `127.0.0.1:3000`, and whose it is; `scheme` is the connection's.
pub(super) fn of_request<'r>(
    uri: &'r Uri,
    headers: &'r HeaderMap,
    scheme: &Scheme,
    reach: &Reach,
) -> Result<(&'r str, Name), NameRefusal> {
    let host = only(headers, &HOST)?.ok_or(NameRefusal::Malformed)?;
    let name = whose(host, reach)?;
    let Some(target) = uri.authority() else { return Ok((host, name)) };
    whose(target.as_str(), reach)?;
    let is_one = target.as_str().eq_ignore_ascii_case(host) && uri.scheme().is_none_or(|it| it == scheme);
    if is_one { Ok((host, name)) } else { Err(NameRefusal::Malformed) }
}

/// Whose name `host` is, with or without a port.
pub(super) fn whose(host: &str, reach: &Reach) -> Result<Name, NameRefusal> {
    if is_this_machine(host)? {
        return Ok(Name::Loopback);
    }
    let is_public = reach.public_url.as_ref().is_some_and(|url| url.is_named(host));
    if is_public { Ok(Name::Public) } else { Err(NameRefusal::Foreign) }
}

/// A browser says which site's page sent a change; other programs do not. `own` is the origin of Medic's pages.
pub(super) fn is_from_own_page(own: &str, headers: &HeaderMap) -> Result<(), NameRefusal> {
    let origin = only(headers, &ORIGIN).map_err(|_| NameRefusal::Origin)?;
    let same = |origin: &str| {
        let (scheme, own_host) = own.split_once("://")?;
        let host = origin.strip_prefix(scheme)?.strip_prefix("://")?;
        Some(host.eq_ignore_ascii_case(own_host))
    };
    let own_origin = origin.is_none_or(|origin| same(origin) == Some(true));
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
        (Text::Address(address.to_canonical().is_loopback()), rest)
    } else {
        let end = authority.find(':').unwrap_or(authority.len());
        let (name, rest) = authority.split_at(end);
        (Text::Name(name), rest)
    };
    if !is_port(port) {
        return Err(NameRefusal::Malformed);
    }
    match name {
        Text::Address(is_loopback) => Ok(is_loopback),
        Text::Name("") => Err(NameRefusal::Malformed),
        Text::Name(name) => Ok(name.eq_ignore_ascii_case("localhost")
            || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())),
    }
}

enum Text<'a> {
    Address(bool),
    Name(&'a str),
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
    use super::super::reach::PublicUrl;
    use super::*;
    use NameRefusal::{Foreign, Malformed, Origin};

    fn of_request<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Result<&'r str, NameRefusal> {
        let of = super::of_request(uri, headers, &Scheme::HTTP, &Reach::default());
        of.map(|(host, _)| host)
    }

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
        let from = |lines: &[(&'static str, &'static str)]| {
            is_from_own_page("http://127.0.0.1:3000", &headers(lines))
        };
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
    #[test]
    fn the_public_name_is_taken_beside_this_machines_and_no_other_is() {
        let reach =
            Reach { public_url: PublicUrl::parse("https://medic.example.com").ok(), ..Reach::default() };
        for (host, name) in [
            ("medic.example.com", Ok(Name::Public)),
            ("Medic.Example.Com:443", Ok(Name::Public)),
            ("127.0.0.1:3000", Ok(Name::Loopback)),
            ("medic.example.com.", Err(Foreign)),
            ("medic.example.com:80", Err(Foreign)),
            ("medic.example.com:3000", Err(Foreign)),
            ("shop.scm.medic.example.com", Err(Foreign)),
            ("medic.example.com.evil.example", Err(Foreign)),
            ("example.com", Err(Foreign)),
            ("medic.example.com@evil.example", Err(Foreign)),
            ("medic.example.com,evil.example", Err(Foreign)),
            ("medic.example.com/", Err(Foreign)),
            ("medic.example.com:", Err(Malformed)),
            ("medic.example.com:443:443", Err(Malformed)),
            ("a@medic.example.com:443", Err(Foreign)),
        ] {
            assert_eq!(whose(host, &reach), name, "{host}");
        }
        let (target, both) =
            (Uri::from_static("https://medic.example.com/"), [("host", "medic.example.com")]);
        let of = |scheme| super::of_request(&target, &headers(&both), scheme, &reach).map(|(_, name)| name);
        assert_eq!((of(&Scheme::HTTPS), of(&Scheme::HTTP)), (Ok(Name::Public), Err(Malformed)));
        for origin in
            ["http://medic.example.com", "https://medic.example.com:3000", "https://evil.example", "null"]
        {
            let refused = is_from_own_page("https://medic.example.com", &headers(&[("origin", origin)]));
            assert_eq!(refused, Err(Origin), "{origin}");
        }
    }
}
