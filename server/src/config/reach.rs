//! By which address others reach the dashboard, and through which proxies: `public_url` and `trusted_proxies` of `[server]`.

use super::reader::{Reader, Section};
use super::values::{Raw, got};
use crate::access::{Network, PublicUrl, Reach};

pub(super) fn read<'t>(reader: &mut Reader<'t>, section: &mut Section<'t>) -> Reach {
    let public_url = reader.or(section, "public_url", "", public_url);
    if let Some(url) = public_url.as_ref().filter(|url| !url.is_https) {
        reader.doubt(
            section,
            "public_url",
            format!("{} has no encryption: passwords can be read on the network", url.origin()),
            "use https".to_owned(),
        );
    }
    let trusted_proxies = reader.or(section, "trusted_proxies", "", trusted_proxies);
    if let Some(source) = reader.source_of(section, "trusted_proxies").filter(|_| !trusted_proxies.is_empty())
    {
        let all: Vec<_> = trusted_proxies.iter().map(ToString::to_string).collect();
        reader.instead(section, "trusted_proxies", &all.join(", "), source);
    }
    if trusted_proxies.is_empty() && public_url.as_ref().is_some_and(|url| url.is_https) {
        reader.doubt(
            section,
            "public_url",
            "no proxy is trusted, so nobody is known to come over https, and all are refused there"
                .to_owned(),
            "name the address of the proxy in front, such as trusted_proxies = [\"127.0.0.1\"]".to_owned(),
        );
    }
    Reach { public_url, trusted_proxies }
}

/// Empty is none.
fn public_url(raw: &Raw) -> Result<Option<PublicUrl>, String> {
    let Raw::Text(text) = raw else {
        return Err(format!("must be text such as \"https://medic.example.com\" (got {})", got(raw)));
    };
    if text.is_empty() {
        return Ok(None);
    }
    let refused =
        |what| format!("must {what} (got {}); use the form \"https://medic.example.com\"", got(raw));
    PublicUrl::parse(text).map(Some).map_err(refused)
}

/// A list; the environment sends it with commas.
fn trusted_proxies(raw: &Raw) -> Result<Vec<Network>, String> {
    let networks: Vec<&str> = match raw {
        Raw::List(list) => list.iter().map(String::as_str).collect(),
        Raw::Text(text) => text.split(',').map(str::trim).filter(|text| !text.is_empty()).collect(),
        other => return Err(format!("must be a list such as [\"127.0.0.1\"] (got {})", got(other))),
    };
    let read = |text: &str| {
        if text == "unix" {
            let what =
                "must be addresses (got \"unix\"): what comes by the Unix socket is Medic's own user's";
            return Err(format!("{what}; have the proxy connect to server.listen"));
        }
        let shown = got(&Raw::Text(text.to_owned()));
        Network::parse(text).map_err(|what| format!("must {what} (got {shown})"))
    };
    networks.into_iter().map(read).collect()
}
