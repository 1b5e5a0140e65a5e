//! What a trusted proxy says of a request: `X-Forwarded-For`, `-Proto` and `-Host`, or `Forwarded` (RFC 7239). Each proxy adds its
//! own at the right end, and whatever stands left of that anybody may have written: the right-most address that is no trusted
//! proxy's is where the request came from.
//!
//! Both kinds at once are refused: a proxy sends one of them and passes on the other as the browser sent it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

use super::reach::Reach;

const FORWARDED: HeaderName = HeaderName::from_static("forwarded");
const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// More proxies in a row than anybody has.
const MOST_HOPS: usize = 32;

/// It is not of its form, so it is not known what the proxy wanted to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What is known then.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// Where the request came from; none where the proxy says nothing, or hides it.
    pub(super) from: Option<IpAddr>,
    pub(super) is_https: Option<bool>,
    pub(super) host: Option<String>,
}

/// What one proxy said of what came to it.
#[derive(Clone, Debug, Default)]
struct Hop {
    /// None where it is hidden or unknown.
    from: Option<IpAddr>,
    is_https: Option<bool>,
    host: Option<String>,
}

/// What the request's proxies, the last of which is trusted, say of it.
pub(super) fn read(headers: &HeaderMap, reach: &Reach) -> Result<Told, Malformed> {
    let has_x = [FOR, PROTO, HOST].iter().any(|name| headers.contains_key(name));
    match (headers.contains_key(FORWARDED), has_x) {
        (true, true) => Err(Malformed),
        (true, false) => first_untrusted(forwarded(headers)?, reach),
        (false, true) => by_x_headers(headers, reach),
        (false, false) => Ok(Told::default()),
    }
}

fn first_untrusted(mut hops: Vec<Hop>, reach: &Reach) -> Result<Told, Malformed> {
    let index = index_of_first_untrusted(&hops, reach).ok_or(Malformed)?;
    let nearest = hops.iter().skip(index).find_map(|hop| hop.from);
    let Hop { is_https, host, .. } = hops.swap_remove(index);
    Ok(Told { from: nearest, is_https, host })
}

/// Of the hops' addresses, the right-most that is no trusted proxy's; the first where all are.
fn index_of_first_untrusted(hops: &[Hop], reach: &Reach) -> Option<usize> {
    let is_trusted = |hop: &Hop| hop.from.is_some_and(|address| reach.trusts(address));
    hops.iter().rposition(|hop| !is_trusted(hop)).or_else(|| (!hops.is_empty()).then_some(0))
}

fn by_x_headers(headers: &HeaderMap, reach: &Reach) -> Result<Told, Malformed> {
    let hops: Vec<Hop> = list(headers, &FOR)?
        .into_iter()
        .map(|text| Ok(Hop { from: node(text)?, ..Hop::default() }))
        .collect::<Result<_, Malformed>>()?;
    let index = index_of_first_untrusted(&hops, reach);
    // one value is the last proxy's word; as many as there are addresses belong to these
    let of_hop = |values: Vec<String>| match (values.len(), index) {
        (0, _) => Ok(None),
        (1, _) => Ok(values.into_iter().next()),
        (count, Some(index)) if count == hops.len() => Ok(values.into_iter().nth(index)),
        _ => Err(Malformed),
    };
    let owned = |name| list(headers, &name).map(|values| values.into_iter().map(str::to_owned).collect());
    let is_https = of_hop(owned(PROTO)?)?.map(|text| is_https(&text)).transpose()?;
    let host = of_hop(owned(HOST)?)?;
    let from = index.and_then(|index| hops.iter().skip(index).find_map(|hop| hop.from));
    Ok(Told { from, is_https, host })
}

/// The values of all lines of a header, in their order.
fn list<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Vec<&'h str>, Malformed> {
    let mut values = Vec::new();
    for line in headers.get_all(name) {
        let line = line.to_str().map_err(|_| Malformed)?;
        values.extend(line.split(',').map(|value| value.trim_matches([' ', '\t'])));
    }
    let is_good = values.len() <= MOST_HOPS && values.iter().all(|value| !value.is_empty());
    is_good.then_some(values).ok_or(Malformed)
}

fn is_https(text: &str) -> Result<bool, Malformed> {
    if text.eq_ignore_ascii_case("https") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("http") {
        Ok(false)
    } else {
        Err(Malformed)
    }
}

/// An address with or without a port; `unknown` and hidden names (`_…`) are no address.
fn node(text: &str) -> Result<Option<IpAddr>, Malformed> {
    let is_hidden = text.strip_prefix('_').is_some_and(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    });
    if is_hidden || text.eq_ignore_ascii_case("unknown") {
        return Ok(None);
    }
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let address = text.parse::<IpAddr>().ok().or_else(bracketed);
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address| Some(address.to_canonical())).ok_or(Malformed)
}

/// The elements of `Forwarded`: `for=192.0.2.1;proto=https, for="[2001:db8::1]:4711"`.
fn forwarded(headers: &HeaderMap) -> Result<Vec<Hop>, Malformed> {
    let mut hops = Vec::new();
    for line in headers.get_all(FORWARDED) {
        let mut rest = line.to_str().map_err(|_| Malformed)?;
        loop {
            let (hop, after) = element(rest)?;
            hops.push(hop);
            if hops.len() > MOST_HOPS {
                return Err(Malformed);
            }
            match after {
                Some(after) => rest = after,
                None => break,
            }
        }
    }
    Ok(hops)
}

/// The first element, and what follows its comma.
fn element(mut text: &str) -> Result<(Hop, Option<&str>), Malformed> {
    let mut hop = Hop::default();
    let mut seen = Vec::new();
    loop {
        let (name, after) = text.split_once('=').ok_or(Malformed)?;
        let name = name.trim_start_matches([' ', '\t']).to_ascii_lowercase();
        let (value, after) = value(after)?;
        if name.is_empty() || !name.bytes().all(is_token) || seen.contains(&name) {
            return Err(Malformed);
        }
        match name.as_str() {
            "for" => hop.from = node(&value)?,
            "proto" => hop.is_https = Some(is_https(&value)?),
            "host" => hop.host = Some(value),
            _ => {}
        }
        seen.push(name);
        let after = after.trim_start_matches([' ', '\t']);
        if after.is_empty() {
            return Ok((hop, None));
        }
        if let Some(after) = after.strip_prefix(',') {
            return Ok((hop, Some(after)));
        }
        text = after.strip_prefix(';').ok_or(Malformed)?;
    }
}

/// A token or a text in quotation marks, and what follows it.
fn value(text: &str) -> Result<(String, &str), Malformed> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.bytes().position(|byte| !is_token(byte)).unwrap_or(text.len());
        let (value, after) = text.split_at(end);
        return if value.is_empty() { Err(Malformed) } else { Ok((value.to_owned(), after)) };
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Ok((value, quoted.get(at + 1..).unwrap_or_default())),
            '\\' => value.push(letters.next().ok_or(Malformed)?.1),
            letter => value.push(letter),
        }
    }
    Err(Malformed)
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::super::reach::Network;
    use super::*;

    fn told(lines: &[(&'static str, &str)]) -> Result<(String, Option<bool>, Option<String>), Malformed> {
        let headers = lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect();
        let trusted = ["127.0.0.1", "10.0.0.0/8"].map(|text| Network::parse(text).unwrap());
        let reach = Reach { public_url: None, trusted_proxies: trusted.to_vec() };
        let Told { from, is_https, host } = read(&headers, &reach)?;
        Ok((from.map(|from| from.to_string()).unwrap_or_default(), is_https, host))
    }

    #[test]
    fn the_right_most_address_that_is_no_proxys_is_the_senders() {
        for (text, from) in [
            ("203.0.113.9", "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9", "203.0.113.9"),
            ("198.51.100.1, 203.0.113.9, 10.0.0.7", "203.0.113.9"),
            ("127.0.0.1, 203.0.113.9,10.0.0.7 ,\t127.0.0.1", "203.0.113.9"),
            ("10.0.0.1, 10.0.0.2", "10.0.0.1"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::1]:4711", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("unknown, 10.0.0.7", "10.0.0.7"),
            ("198.51.100.1, unknown", ""),
        ] {
            assert_eq!(told(&[("x-forwarded-for", text)]), Ok((from.to_owned(), None, None)), "{text}");
        }
        let twice = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(told(&twice).unwrap().0, "203.0.113.9");
        let forwarded = r#"for=198.51.100.1;proto=http, For="[2001:db8::1]:4711";Proto=HTTPS;host="a.example:1";by=_x, for=10.0.0.7"#;
        let answer = ("2001:db8::1".to_owned(), Some(true), Some("a.example:1".to_owned()));
        assert_eq!(told(&[("forwarded", forwarded)]), Ok(answer));
    }

    #[test]
    fn scheme_and_host_are_the_last_proxys_word_or_belong_to_their_address() {
        let of =
            |hops, proto| told(&[("x-forwarded-for", hops), ("x-forwarded-proto", proto)]).map(|told| told.1);
        assert_eq!(of("203.0.113.9, 10.0.0.7", "https"), Ok(Some(true)));
        assert_eq!(of("198.51.100.1, 203.0.113.9, 10.0.0.7", "https, http, https"), Ok(Some(false)));
        assert_eq!(of("203.0.113.9, 10.0.0.7, 10.0.0.8", "https, http"), Err(Malformed));
        assert_eq!(told(&[("x-forwarded-proto", "HTTPS")]).unwrap().1, Some(true));
        assert_eq!(told(&[("x-forwarded-host", "a, b")]), Err(Malformed));
    }

    #[test]
    fn what_is_not_of_its_form_is_refused() {
        for (name, text) in [
            ("x-forwarded-for", ""),
            ("x-forwarded-for", ","),
            ("x-forwarded-for", "203.0.113.9,"),
            ("x-forwarded-for", "evil, 203.0.113.9"),
            ("x-forwarded-for", "203.0.113.9; 1"),
            ("x-forwarded-for", "203.0.113.999"),
            ("x-forwarded-for", "203.0.113.9:99999"),
            ("x-forwarded-for", "[2001:db8::1"),
            ("x-forwarded-for", "2130706433"),
            ("x-forwarded-for", "0x7f.1"),
            ("x-forwarded-for", "_"),
            ("x-forwarded-for", "\"203.0.113.9\""),
            ("x-forwarded-proto", "ftp"),
            ("x-forwarded-proto", ""),
            ("x-forwarded-proto", "https://"),
            ("x-forwarded-proto", "https,http"),
            ("forwarded", ""),
            ("forwarded", "for"),
            ("forwarded", "for="),
            ("forwarded", "=203.0.113.9"),
            ("forwarded", "for=203.0.113.9;"),
            ("forwarded", "for=203.0.113.9,"),
            ("forwarded", "for=203.0.113.9 proto=https"),
            ("forwarded", "for=203.0.113.9;for=198.51.100.1"),
            ("forwarded", "for=[2001:db8::1]"),
            ("forwarded", "for=\"203.0.113.9"),
            ("forwarded", "for=\"203.0.113.9\\"),
            ("forwarded", "for=203.0.113.9;proto=gopher"),
            ("forwarded", "for=evil.example"),
            ("forwarded", "f or=203.0.113.9"),
            ("forwarded", ";for=203.0.113.9"),
        ] {
            assert_eq!(told(&[(name, text)]), Err(Malformed), "{name}: {text}");
        }
        let both = [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=198.51.100.1")];
        assert_eq!(told(&both), Err(Malformed));
        let many = vec!["203.0.113.9"; MOST_HOPS + 1].join(",");
        assert_eq!(told(&[("x-forwarded-for", &many)]), Err(Malformed));
        let many = vec!["for=203.0.113.9"; MOST_HOPS + 1].join(",");
        assert_eq!(told(&[("forwarded", &many)]), Err(Malformed));
    }
}
