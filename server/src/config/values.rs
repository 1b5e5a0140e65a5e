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
    Truth(bool),
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

/// A size in bytes. Its units are of 1,024, as App Service counts and as the pages show it: `MB` and `MiB` are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Size(pub(super) u64);

impl Size {
    const UNITS: [(u64, [&str; 3]); 5] = [
        (1 << 40, ["TiB", "TB", "T"]),
        (1 << 30, ["GiB", "GB", "G"]),
        (1 << 20, ["MiB", "MB", "M"]),
        (1 << 10, ["KiB", "KB", "K"]),
        (1, ["B", "bytes", ""]),
    ];

    /// `512MiB`, `1.5GB`, `200 MB`, `1073741824`.
    fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, unit) = text.split_at(digits);
        let is_unit = |names: &[&str; 3]| names.iter().any(|name| name.eq_ignore_ascii_case(unit.trim()));
        let (unit, _) = Self::UNITS.iter().find(|(_, names)| is_unit(names))?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        // Whole numbers throughout: a size that is read is the size that is compared.
        let digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()).then(|| text.parse::<u64>().ok()).flatten()
        };
        let (whole, part, tens) =
            (digits(whole, 19)?, digits(part, 6)?, 10_u64.pow(u32::try_from(part.len()).ok()?));
        let part = unit.checked_mul(part)? / tens;
        whole.checked_mul(*unit)?.checked_add(part).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |unit: &u64| self.0 > 0 && self.0.is_multiple_of(*unit);
        let (unit, names) = Self::UNITS.iter().find(|(unit, _)| fits(unit)).unwrap_or(&Self::UNITS[4]);
        write!(f, "{}{}", self.0 / unit, names[0])
    }
}

pub(super) fn raw(value: DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.into_owned()),
        DeValue::Integer(integer) => i64::from_str_radix(integer.as_str(), integer.radix())
            .map_or(Raw::Other("a number that is too large"), Raw::Integer),
        DeValue::Float(_) => Raw::Other("a decimal number"),
        DeValue::Boolean(truth) => Raw::Truth(truth),
        DeValue::Datetime(_) => Raw::Other("a date"),
        DeValue::Array(values) => {
            let texts = values.into_iter().map(|value| match value.into_inner() {
                DeValue::String(text) => Some(text.into_owned()),
                _ => None,
            });
            texts.collect::<Option<Vec<_>>>().map_or(Raw::Other("a list that is not all text"), Raw::List)
        }
        DeValue::Table(table) => {
            let texts = table.into_iter().map(|(key, value)| match value.into_inner() {
                DeValue::String(text) => Some((key.into_inner().into_owned(), text.into_owned())),
                _ => None,
            });
            texts
                .collect::<Option<BTreeMap<_, _>>>()
                .map_or(Raw::Other("a table that is not all text"), Raw::Map)
        }
    }
}

/// As the settings page shows it. Secrets stand in the arguments of a command, in the values of a map, which is an app's
/// environment, and in what follows `?` in an address.
pub(super) fn shown(raw: &Raw) -> String {
    match raw {
        Raw::Text(text) => without_query(text),
        Raw::Integer(integer) => integer.to_string(),
        Raw::Truth(truth) => truth.to_string(),
        Raw::List(list) => command(list),
        Raw::Map(map) => map.keys().map(|key| format!("{key}=***")).collect::<Vec<_>>().join(" "),
        Raw::Other(_) => String::new(),
    }
}

fn without_query(text: &str) -> String {
    text.split_once('?').map_or_else(|| text.to_owned(), |(path, _)| format!("{path}?***"))
}

fn command(list: &[String]) -> String {
    let (program, arguments) =
        list.split_first().map_or(("", 0), |(program, rest)| (program.as_str(), rest.len()));
    match arguments {
        0 => program.to_owned(),
        1 => format!("{program} (1 argument)"),
        count => format!("{program} ({count} arguments)"),
    }
}

fn kind(raw: &Raw) -> &'static str {
    match raw {
        Raw::Text(_) => "text",
        Raw::Integer(_) => "a number",
        Raw::Truth(_) => "true or false",
        Raw::List(_) => "a list",
        Raw::Map(_) => "a table",
        Raw::Other(kind) => kind,
    }
}

/// The value received, as an error states it.
pub(super) fn got(raw: &Raw) -> String {
    match raw {
        Raw::Text(text) if text.trim().parse::<i64>().is_err() => format!("\"{}\"", without_query(text)),
        Raw::Text(_) | Raw::Integer(_) | Raw::Truth(_) => shown(raw),
        other => kind(other).to_owned(),
    }
}

/// A text.
pub(super) fn text(raw: &Raw) -> Result<String, String> {
    match raw {
        Raw::Text(text) => Ok(text.clone()),
        other => Err(format!("must be text in quotation marks (got {})", kind(other))),
    }
}

/// A duration with its unit.
pub(super) fn duration(raw: &Raw) -> Result<Duration, String> {
    match raw {
        Raw::Text(text) => match humantime::parse_duration(text) {
            Ok(duration) if duration <= Duration::from_hours(3_650 * 24) => Ok(duration),
            Ok(_) => Err(format!("must be at most 3650d (got {text})")),
            Err(_) => Err(format!("invalid duration \"{text}\"; use 500ms, 30s, 24h or 30d")),
        },
        other => Err(format!("must be a duration such as \"30s\" or \"24h\" (got {})", got(other))),
    }
}

/// A size within a range; 0 and nothing are `None`.
pub(super) fn size(least: Size, most: Size) -> impl Fn(&Raw) -> Result<Option<Size>, String> {
    move |raw| {
        let accepted = "\"512MiB\", \"1.5GiB\" or a number of bytes";
        let size = match raw {
            Raw::Integer(bytes) => u64::try_from(*bytes).ok().map(Size),
            Raw::Text(text) if text.is_empty() => return Ok(None),
            Raw::Text(text) => Size::read(text),
            other => return Err(format!("must be {accepted} (got {})", got(other))),
        };
        match size {
            None => Err(format!("invalid size \"{}\"; use {accepted}", shown(raw))),
            Some(Size(0)) => Ok(None),
            Some(size) if (least..=most).contains(&size) => Ok(Some(size)),
            Some(_) => Err(format!("must be {least} to {most} (got {})", got(raw))),
        }
    }
}

/// True or false; the environment sends it as text.
pub(super) fn truth(raw: &Raw) -> Result<bool, String> {
    match raw {
        Raw::Truth(truth) => Ok(*truth),
        Raw::Text(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Raw::Text(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        other => Err(format!("must be true or false (got {})", got(other))),
    }
}

/// An IP address and a port.
pub(super) fn address(raw: &Raw) -> Result<SocketAddr, String> {
    let refused =
        || format!("must be an IP address and a port, such as \"127.0.0.1:8080\" (got {})", got(raw));
    let text = text(raw).map_err(|_| refused())?;
    text.replace("localhost:", "127.0.0.1:").parse().map_err(|_| refused())
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
        fits.ok_or_else(|| format!("must be {least} to {most} (got {})", got(raw)))
    }
}
