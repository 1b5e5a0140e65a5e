//! When a new worker is warm: App Service's variables in the app's environment, or the app's own `health_path`.
//!
//! | set | asked for | warm when it answers |
//! |---|---|---|
//! | nothing | `/robots933456.txt` | at all |
//! | `health_path` | that | 200 to 299 |
//! | `WEBSITE_WARMUP_PATH` | that, whatever `health_path` is | at all |
//!
//! `WEBSITE_WARMUP_STATUSES` replaces the last column in every row.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use app_service::environment::{START_TIME_LIMIT, WARM_UP_PATH, WARM_UP_STATUSES};
use axum::http::uri::PathAndQuery;

use super::reader::{Reader, Section};
use super::values::{Raw, count, text};

/// What App Service asks for where nothing is set: a file that no app has, so that any answer proves that the app answers.
const DEFAULT_PATH: &str = "/robots933456.txt";
/// The longest path. Ours: what every server takes.
const PATH_LIMIT_BYTES: usize = 2_048;
/// The seconds that `WEBSITES_CONTAINER_START_TIME_LIMIT` may give: App Service's range.
const START_LIMIT_S: (i64, i64) = (10, 1_800);

/// What a new worker is asked for until it is warm, and which answers say that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmUpCheck {
    /// Begins with `/`.
    pub path: String,
    /// The statuses that say so.
    pub statuses: Statuses,
}

/// Some statuses, or all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statuses(Vec<RangeInclusive<u16>>);

impl Statuses {
    /// A success.
    fn ok() -> Self {
        Self(vec![200..=299])
    }

    /// Is `status` one of them?
    pub fn accept(&self, status: u16) -> bool {
        self.0.is_empty() || self.0.iter().any(|range| range.contains(&status))
    }
}

/// `200,202`, `200-399`; without any, all.
impl FromStr for Statuses {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let status =
            |text: &str| text.trim().parse::<u16>().ok().filter(|status| (100..=599).contains(status));
        let range = |part: &str| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (status(first)?, status(last)?);
            (first <= last).then_some(first..=last)
        };
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts
            .map(|part| range(part).ok_or_else(|| part.chars().take(40).collect::<String>()))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("any");
        }
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let (first, last) = (range.start(), range.end());
            if first == last { write!(f, "{comma}{first}")? } else { write!(f, "{comma}{first}-{last}")? }
        }
        Ok(())
    }
}

/// The check that an app's `health_path` and environment ask for.
pub(super) fn check<'t>(
    reader: &mut Reader<'t>,
    section: &Section<'t>,
    environment: &BTreeMap<String, String>,
    health_path: Option<&str>,
) -> WarmUpCheck {
    let set = |name: &str| environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let mut check = health_path.map_or_else(
        || WarmUpCheck { path: DEFAULT_PATH.to_owned(), statuses: Statuses::default() },
        |path| WarmUpCheck { path: path.to_owned(), statuses: Statuses::ok() },
    );
    if let Some(value) = set(WARM_UP_PATH) {
        match path(value) {
            Ok(path) => check = WarmUpCheck { path, statuses: Statuses::default() },
            Err(what) => complain(reader, section, WARM_UP_PATH, &what),
        }
    }
    if let Some(value) = set(WARM_UP_STATUSES) {
        match value.parse() {
            Ok(statuses) => check.statuses = statuses,
            Err(part) => {
                let what = format!("invalid status \"{part}\"; use 100 to 599, such as 200,202 or 200-399");
                complain(reader, section, WARM_UP_STATUSES, &what);
            }
        }
    }
    check
}

/// The time that `WEBSITES_CONTAINER_START_TIME_LIMIT` gives a new worker; `warm_up` where it is not set.
pub(super) fn limit<'t>(
    reader: &mut Reader<'t>,
    section: &Section<'t>,
    environment: &BTreeMap<String, String>,
    warm_up: Duration,
) -> Duration {
    let Some(value) = environment.get(START_TIME_LIMIT).filter(|value| !value.trim().is_empty()) else {
        return warm_up;
    };
    let (least, most) = START_LIMIT_S;
    if let Ok(seconds) = count::<u32>(least, most)(&Raw::Text(value.clone())) {
        reader.instead(section, "warm_up", &format!("{seconds}s"), START_TIME_LIMIT.to_owned());
        return Duration::from_secs(seconds.into());
    }
    let what = format!("must be {least} to {most} seconds (got {})", value.trim());
    complain(reader, section, START_TIME_LIMIT, &what);
    warm_up
}

/// A path, or nothing.
pub(super) fn path_or_none(raw: &Raw) -> Result<Option<String>, String> {
    let text = text(raw)?;
    if text.is_empty() { Ok(None) } else { path(&text).map(Some) }
}

fn path(text: &str) -> Result<String, String> {
    let sendable = text.is_ascii() && !text.contains('#') && PathAndQuery::try_from(text).is_ok();
    if text.starts_with('/') && sendable && text.len() <= PATH_LIMIT_BYTES {
        return Ok(text.to_owned());
    }
    // what follows may be a secret
    let text: String = text.split('?').next().unwrap_or_default().chars().take(80).collect();
    Err(format!(
        "invalid path \"{}\"; begin it with /, and percent-encode spaces, #, <, > and what is not ASCII",
        text.escape_debug()
    ))
}

/// The variables stand in one table, so the message says which.
fn complain<'t>(reader: &mut Reader<'t>, section: &Section<'t>, variable: &str, what: &str) {
    let (what, remedy) = what.split_once("; ").unwrap_or((what, ""));
    reader.complain(section, "environment", format!("{variable}: {what}"), remedy.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_a_list_of_single_ones_and_ranges() {
        let cases: [(&str, &[u16], &[u16]); 5] = [
            ("", &[100, 200, 500, 599], &[]),
            ("200,202", &[200, 202], &[199, 201, 203, 500]),
            ("200-399", &[200, 302, 399], &[199, 400]),
            (" 200 , 301-302,", &[200, 301, 302], &[201, 300, 303]),
            ("204-204", &[204], &[203, 205]),
        ];
        for (text, accepted, refused) in cases {
            let statuses: Statuses = text.parse().unwrap();
            assert!(accepted.iter().all(|status| statuses.accept(*status)), "{text}");
            assert!(!refused.iter().any(|status| statuses.accept(*status)), "{text}");
            assert_eq!(statuses.to_string().replace("any", "").parse(), Ok(statuses), "{text}");
        }
        for bad in ["99", "600", "ok", "300-200", "200-", "-200", "2xx", "200;202", "200-300-400"] {
            assert!(bad.parse::<Statuses>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_begins_with_a_slash_and_can_be_sent() {
        for good in ["/", "/healthz", "/a/b?c=d&e=%20"] {
            assert_eq!(path(good), Ok(good.to_owned()));
        }
        for bad in ["healthz", "http://x/", "/a b", "/a\r\nHost: evil", "/ü", "/a#b", "/a<b>"] {
            assert!(path(bad).is_err(), "{bad}");
        }
        assert!(path(&format!("/{}", "a".repeat(PATH_LIMIT_BYTES))).is_err());
    }
}
