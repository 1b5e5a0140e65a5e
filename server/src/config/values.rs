//! Values before and after they are checked: what a setting may look like in the file and in the environment, and what it means.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use toml::de::DeValue;

/// A value before it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    Text(String),
    Integer(i64),
    List(Vec<String>),
    Map(BTreeMap<String, String>),
    Other(&'static str),
}

/// A duration that is shown as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        let (unit, name) = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")]
            .into_iter()
            .find(|(unit, _)| ms.is_multiple_of(*unit))
            .unwrap_or((1, "ms"));
        write!(f, "{}{name}", ms / unit)
    }
}

pub(super) fn raw(value: DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.into_owned()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Raw::Other("a number that is too large"), Raw::Integer),
        DeValue::Float(_) => Raw::Other("a number with a point"),
        DeValue::Boolean(_) => Raw::Other("true or false"),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Array(values) => {
            let texts = values.into_iter().map(|value| match value.into_inner() {
                DeValue::String(text) => Some(text.into_owned()),
                _ => None,
            });
            texts
                .collect::<Option<Vec<_>>>()
                .map_or(Raw::Other("a list of other things than text"), Raw::List)
        }
        DeValue::Table(table) => {
            let texts = table.into_iter().map(|(key, value)| match value.into_inner() {
                DeValue::String(text) => Some((key.into_inner().into_owned(), text.into_owned())),
                _ => None,
            });
            texts
                .collect::<Option<BTreeMap<_, _>>>()
                .map_or(Raw::Other("a table of other things than text"), Raw::Map)
        }
    }
}

/// As the settings page shows it. The values of a map are the app's environment and may be secrets.
pub(super) fn shown(raw: &Raw) -> String {
    match raw {
        Raw::Text(text) => text.clone(),
        Raw::Integer(integer) => integer.to_string(),
        Raw::List(list) => list.join(" "),
        Raw::Map(map) => map.keys().map(|key| format!("{key}=***")).collect::<Vec<_>>().join(" "),
        Raw::Other(_) => String::new(),
    }
}

fn kind(raw: &Raw) -> &'static str {
    match raw {
        Raw::Text(_) => "a text",
        Raw::Integer(_) => "a number",
        Raw::List(_) => "a list",
        Raw::Map(_) => "a table",
        Raw::Other(kind) => kind,
    }
}

/// A text.
pub(super) fn text(raw: &Raw) -> Result<String, String> {
    match raw {
        Raw::Text(text) => Ok(text.clone()),
        other => Err(format!("it is {}; write a text in quotation marks", kind(other))),
    }
}

/// A duration with its unit.
pub(super) fn duration(raw: &Raw) -> Result<Duration, String> {
    let remedy = "write it with its unit, such as \"500ms\", \"30s\", \"24h\" or \"30d\"";
    match raw {
        Raw::Text(text) => match humantime::parse_duration(text) {
            Ok(duration) if duration <= Duration::from_hours(3_650 * 24) => Ok(duration),
            Ok(_) => Err("it is longer than ten years; take a shorter time".to_owned()),
            Err(_) => Err(format!("`{text}` is no duration; {remedy}")),
        },
        other => Err(format!("it is {}; {remedy}", kind(other))),
    }
}

/// An IP address and a port.
pub(super) fn address(raw: &Raw) -> Result<SocketAddr, String> {
    let remedy = "write an IP address and a port, such as \"127.0.0.1:8080\"";
    let text = text(raw).map_err(|_| format!("it is {}; {remedy}", kind(raw)))?;
    text.replace("localhost:", "127.0.0.1:").parse().map_err(|_| format!("`{text}` is no address; {remedy}"))
}

/// A whole number within a range; the environment sends it as text.
pub(super) fn count<T: TryFrom<i64>>(least: i64, most: i64) -> impl Fn(&Raw) -> Result<T, String> {
    move |raw| {
        let number = match raw {
            Raw::Integer(number) => Some(*number),
            Raw::Text(text) => text.trim().parse().ok(),
            _ => None,
        };
        let fits = number
            .filter(|number| (least..=most).contains(number))
            .and_then(|number| T::try_from(number).ok());
        fits.ok_or_else(|| {
            format!("`{}` does not fit; write a whole number from {least} to {most}", shown(raw))
        })
    }
}
