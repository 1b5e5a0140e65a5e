//! By which names and through which proxies the dashboard may be reached, as `[server]` says it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What the guard compares requests with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// What browsers elsewhere know the dashboard by.
    pub public_url: Option<PublicUrl>,
    /// What these say of where a request came from is believed.
    pub trusted_proxies: Vec<Network>,
}

impl Reach {
    /// Whether somebody on another machine is meant to get here.
    pub const fn is_for_others(&self) -> bool {
        self.public_url.is_some() || !self.trusted_proxies.is_empty()
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }
}

/// Scheme, host and port that browsers know the dashboard by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    pub is_https: bool,
    /// In small letters; an IPv6 address is in brackets.
    host: String,
    /// Where it is not the scheme's own.
    port: Option<u16>,
}

impl PublicUrl {
    /// What is wrong with `text` is said after "must".
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (is_https, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Err("begin with https:// or http://"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?', '#', '\\']) {
            return Err("have no path: only scheme, host and port");
        }
        if authority.contains('@') {
            return Err("have no user name or password");
        }
        let (host, port) = split_port(authority).ok_or("have a port of 1 to 65535, or none")?;
        if !is_host(host) {
            return Err(
                "name one host, such as medic.example.com (letters of other scripts as xn--…), or an IP address",
            );
        }
        let own = if is_https { 443 } else { 80 };
        Ok(Self { is_https, host: host.to_ascii_lowercase(), port: port.filter(|port| *port != own) })
    }

    /// As browsers send it, and as the beginning of a link: `https://medic.example.com`.
    pub fn origin(&self) -> String {
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}", self.scheme(), self.host)
    }

    const fn scheme(&self) -> &'static str {
        if self.is_https { "https" } else { "http" }
    }

    /// Whether a `Host` says this one. Proxies leave out the port, or add the scheme's own.
    pub(super) fn is_named(&self, authority: &str) -> bool {
        let Some((host, port)) = split_port(authority) else { return false };
        let own = if self.is_https { 443 } else { 80 };
        let is_port = port.is_none_or(|port| port == self.port.unwrap_or(own));
        is_port && host.eq_ignore_ascii_case(&self.host)
    }
}

/// `name`, `name:1`, `[::1]:1`.
fn split_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let end = if authority.starts_with('[') { authority.find(']')? + 1 } else { 0 };
    let colon = authority.get(end..)?.find(':').map(|at| at + end);
    let Some(colon) = colon else { return Some((authority, None)) };
    let (host, port) = authority.split_at(colon);
    let digits = port.strip_prefix(':')?;
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    Some((host, Some(digits.parse().ok().filter(|_| is_number)?)))
}

fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[') {
        return address.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    let is_label = |label: &str| {
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_letter)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    // browsers read a last label of digits as a part of an address
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_address = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
    host.len() <= 253 && host.split('.').all(is_label) && (!is_address || host.parse::<Ipv4Addr>().is_ok())
}

/// Addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    first: IpAddr,
    bits: u32,
}

impl Network {
    /// `10.0.0.0/8`, `127.0.0.1`, `fd00::/8`. What is wrong with `text` is said after "must".
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "be an IP address or a network, such as \"127.0.0.1\" or \"10.0.0.0/8\"";
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let first: IpAddr = address.parse().map_err(|_| FORM)?;
        let whole = if first.is_ipv4() { 32 } else { 128 };
        let is_number =
            |bits: &str| (1..=3).contains(&bits.len()) && bits.bytes().all(|b| b.is_ascii_digit());
        let bits = match bits {
            None => whole,
            Some(bits) if is_number(bits) => bits.parse().map_err(|_| FORM)?,
            Some(_) => return Err(FORM),
        };
        if bits > whole {
            return Err(FORM);
        }
        if matches!(first, IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
            return Err("be written as an IPv4 address");
        }
        if bits == 0 {
            return Err("not be everybody's address");
        }
        if masked(first, bits) != number(first) {
            return Err("have no bits beyond its prefix: 10.0.0.0/8, not 10.0.0.1/8");
        }
        Ok(Self { first, bits })
    }

    fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.bits) == number(self.first)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.bits)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        // at the upper end, as the bits of a prefix are counted
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

fn masked(address: IpAddr, bits: u32) -> u128 {
    number(address) & u128::MAX.checked_shl(128 - bits).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_scheme_host_and_port() {
        for (text, origin) in [
            ("https://medic.example.com", "https://medic.example.com"),
            ("https://Medic.Example.com/", "https://medic.example.com"),
            ("https://medic.example.com:443", "https://medic.example.com"),
            ("http://medic:8080", "http://medic:8080"),
            ("http://10.0.0.7:80", "http://10.0.0.7"),
            ("https://[fd00::7]:8443", "https://[fd00::7]:8443"),
            ("https://xn--rztin-gra.example", "https://xn--rztin-gra.example"),
        ] {
            assert_eq!(PublicUrl::parse(text).unwrap().origin(), origin, "{text}");
        }
        for wrong in [
            "",
            "medic.example.com",
            "ftp://medic.example.com",
            "HTTPS://medic.example.com",
            "https://",
            "https:///",
            "https://a b",
            "https://a/b",
            "https://a?b",
            "https://a#b",
            "https://u:p@a",
            "https://a:",
            "https://a:0",
            "https://a:65536",
            "https://a:x",
            "https://a:080",
            "https://ärztin.example",
            "https://-a",
            "https://a.",
            "https://a..b",
            "https://*.example.com",
            "https://[::1",
            "https://::1",
            "https://[x]",
            "https://1.2.3",
            "https://0x7f.0.0.1",
            "https://a\n",
            "https://a//",
            "https://a\\b",
            "https://a,b",
        ] {
            assert!(PublicUrl::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn its_name_is_known_with_its_port_or_without() {
        let url = PublicUrl::parse("https://medic.example.com").unwrap();
        for name in ["medic.example.com", "MEDIC.example.com", "medic.example.com:443"] {
            assert!(url.is_named(name), "{name}");
        }
        for name in [
            "medic.example.com:80",
            "medic.example.com.",
            "xmedic.example.com",
            "example.com",
            "medic.example.com:",
            "",
        ] {
            assert!(!url.is_named(name), "{name}");
        }
        let url = PublicUrl::parse("https://medic.example.com:8443").unwrap();
        assert!(url.is_named("medic.example.com:8443") && url.is_named("medic.example.com"));
        assert!(!url.is_named("medic.example.com:443"));
    }

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        let reach = |networks: &[&str]| Reach {
            public_url: None,
            trusted_proxies: networks.iter().map(|text| Network::parse(text).unwrap()).collect(),
        };
        let trusts = |networks: &[&str], address: &str| reach(networks).trusts(address.parse().unwrap());
        assert!(trusts(&["127.0.0.1"], "127.0.0.1") && trusts(&["127.0.0.1"], "::ffff:127.0.0.1"));
        assert!(!trusts(&["127.0.0.1"], "127.0.0.2") && !trusts(&["127.0.0.1"], "::1"));
        assert!(trusts(&["::1", "10.0.0.0/8"], "10.255.0.1") && !trusts(&["10.0.0.0/8"], "11.0.0.1"));
        assert!(trusts(&["172.16.0.0/12"], "172.31.9.9") && !trusts(&["172.16.0.0/12"], "172.32.0.0"));
        assert!(trusts(&["fd00::/8"], "fdff::1") && !trusts(&["fd00::/8"], "fe00::1"));
        assert!(!trusts(&["fd00::/8"], "253.0.0.1") && !trusts(&[], "127.0.0.1"));
        for wrong in [
            "",
            "unix",
            "localhost",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "0.0.0.0/0",
            "::/0",
            "::1/129",
            "::ffff:10.0.0.0/104",
            "10.0.0.0/0008",
            "10.0.0",
        ] {
            assert!(Network::parse(wrong).is_err(), "{wrong}");
        }
    }
}
