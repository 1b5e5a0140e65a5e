//! The times that stand before lines.

/// What follows a time in one of the forms that stand before lines.
pub(super) fn time(text: &str) -> Option<&str> {
    if let Some(text) = weekday(text) {
        return dated(text).map(|more| zone(more).unwrap_or(more));
    }
    dated(text)
        .or_else(|| clock(text))
        .or_else(|| epoch(text))
        .or_else(|| since_boot(text))
        .or_else(|| tai(text))
}

fn dated(text: &str) -> Option<&str> {
    iso(text).or_else(|| day_and_month(text)).or_else(|| month_and_day(text))
}

/// ` CET`, of journald, which writes the day's name before.
fn zone(text: &str) -> Option<&str> {
    let zone = text.strip_prefix(' ')?;
    let end = zone.find(|c: char| !c.is_ascii_uppercase()).unwrap_or(zone.len());
    (2..=5).contains(&end).then(|| &zone[end..])
}

/// `1767871394.123456`, or milliseconds before a tab.
fn epoch(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let more = &text[end..];
    match (end, more.strip_prefix('.')) {
        (10, Some(fraction)) => Some(fraction.trim_start_matches(|c: char| c.is_ascii_digit())),
        (13, None) if more.is_empty() || more.starts_with('\t') => Some(more),
        _ => None,
    }
}

/// ` 1234.567890` or ` 1234.567890 <    0.000012 >` in brackets, whose end is left.
fn since_boot(text: &str) -> Option<&str> {
    let text = text.trim_start_matches(' ');
    let (seconds, fraction) = text.split_once('.')?;
    let is_seconds = !seconds.is_empty() && seconds.len() <= 9 && digits(seconds, seconds.len()).is_some();
    let more = digits(fraction, 6)?;
    let delta = more.strip_prefix(" <").and_then(|more| more.split_once('>')).map(|(_, more)| more);
    let more = delta.unwrap_or(more);
    (is_seconds && more.starts_with(']')).then_some(more)
}

/// `@400000006523af1e2d3c4b5a`: TAI64N.
fn tai(text: &str) -> Option<&str> {
    let (label, more) = text.strip_prefix("@4")?.split_at_checked(23)?;
    label.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(more)
}

/// `Fri ` of `Fri 2024-03-15 18:13:49 UTC`.
fn weekday(text: &str) -> Option<&str> {
    let (day, more) = text.split_at_checked(3)?;
    let is_day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].contains(&day);
    is_day.then(|| more.strip_prefix(',').unwrap_or(more)).and_then(|more| more.strip_prefix(' '))
}

/// `2024-03-01T12:34:56.789Z`, `2024/03/01 12:34:56`, `2024-03-01, 12:34:56 UTC`.
fn iso(text: &str) -> Option<&str> {
    let text = digits(text, 4)?.strip_prefix(['-', '/'])?;
    let text = digits(digits(text, 2)?.strip_prefix(['-', '/'])?, 2)?;
    clock(text.strip_prefix(", ").or_else(|| text.strip_prefix(['T', ' ', '\t', '_']))?)
}

/// `01-Jul-2020 15:34:08`, `01/Jul/2020:15:34:08`.
fn day_and_month(text: &str) -> Option<&str> {
    let text = month(digits(text, 2)?.strip_prefix(['-', '/'])?)?.strip_prefix(['-', '/'])?;
    clock(digits(text, 4)?.strip_prefix([' ', ':'])?)
}

/// `Mar 15 18:13:49`, `Mar  5 06:13:49 PM`, `Jul 01 15:34:08.123456 2020`.
fn month_and_day(text: &str) -> Option<&str> {
    let text = month(text)?.strip_prefix(' ')?.trim_start_matches(' ');
    let text = digits(text, 2).or_else(|| digits(text, 1))?.strip_prefix(' ')?;
    let text = clock(text)?;
    Some(text.strip_prefix(' ').and_then(|text| digits(text, 4)).unwrap_or(text))
}

fn month(text: &str) -> Option<&str> {
    const MONTHS: &str = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    let (month, more) = text.split_at_checked(3)?;
    MONTHS.split(' ').any(|known| known == month).then_some(more)
}

/// `18:13:49`, with a fraction, a zone or half of the day.
fn clock(text: &str) -> Option<&str> {
    let text = digits(digits(digits(text, 2)?.strip_prefix(':')?, 2)?.strip_prefix(':')?, 2)?;
    let text = text
        .strip_prefix(['.', ','])
        .map_or(text, |fraction| fraction.trim_start_matches(|c: char| c.is_ascii_digit()));
    let words = ["Z", " UTC", " GMT", " AM", " PM"];
    Some(words.iter().find_map(|word| text.strip_prefix(word)).or_else(|| offset(text)).unwrap_or(text))
}

/// `+00:00`, ` +0000`.
fn offset(text: &str) -> Option<&str> {
    let text = text.strip_prefix(' ').unwrap_or(text).strip_prefix(['+', '-'])?;
    let text = digits(text, 2)?;
    digits(text.strip_prefix(':').unwrap_or(text), 2)
}

fn digits(text: &str, count: usize) -> Option<&str> {
    let (number, more) = text.split_at_checked(count)?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then_some(more)
}
