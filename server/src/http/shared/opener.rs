//! Who opens a link: a person in a browser, or one of the programs that fetch every link that is posted or mailed.

use axum::http::{HeaderMap, HeaderValue, Method, header};
use model::share::Opener;

/// Parts of the names by which such programs say who they are, in lower case.
const PROGRAMS: [&str; 22] = [
    "bot",
    "crawl",
    "spider",
    "slurp",
    "preview",
    "fetch",
    "scan",
    "monitor",
    "facebookexternalhit",
    "facebookcatalog",
    "embedly",
    "slack",
    "discord",
    "whatsapp",
    "telegram",
    "skype",
    "teams",
    "twitter",
    "linkedin",
    "pinterest",
    "curl",
    "wget",
];

/// A browser that goes to a page says so, and none of the programs does both.
pub(super) fn of(method: &Method, headers: &HeaderMap) -> Opener {
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
    let goes_there = method == Method::GET
        && is("sec-fetch-mode", "navigate")
        && !headers.contains_key("sec-purpose")
        && !headers.contains_key("purpose");
    let agent = headers.get(header::USER_AGENT).map(HeaderValue::as_bytes).unwrap_or_default();
    let agent = String::from_utf8_lossy(agent).to_lowercase();
    let is_program = agent.is_empty() || PROGRAMS.iter().any(|program| agent.contains(program));
    if goes_there && !is_program { Opener::Person } else { Opener::Program }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

    fn opened(method: &Method, lines: &[(&'static str, &'static str)]) -> Opener {
        let line = |(name, value): &(&'static str, &'static str)| {
            (name.parse::<header::HeaderName>().unwrap(), value.parse().unwrap())
        };
        of(method, &lines.iter().map(line).collect())
    }

    #[test]
    fn a_person_goes_there_in_a_browser() {
        let there = ("sec-fetch-mode", "navigate");
        assert_eq!(opened(&Method::GET, &[("user-agent", BROWSER), there]), Opener::Person);
        assert_eq!(opened(&Method::HEAD, &[("user-agent", BROWSER), there]), Opener::Program);
        assert_eq!(opened(&Method::GET, &[("user-agent", BROWSER)]), Opener::Program);
        let ahead = [("user-agent", BROWSER), there, ("sec-purpose", "prefetch")];
        assert_eq!(opened(&Method::GET, &ahead), Opener::Program);
        for program in [
            "",
            "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
            "Mozilla/5.0 (compatible; Discordbot/2.0; +https://discordapp.com)",
            "facebookexternalhit/1.1",
            "Twitterbot/1.0",
            "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
            "WhatsApp/2.23.20.0",
            "curl/8.5.0",
        ] {
            assert_eq!(opened(&Method::GET, &[("user-agent", program), there]), Opener::Program, "{program}");
        }
    }
}
