//! The times that stand before lines.

/// What follows a time in one of the forms that stand before lines.
pub(super) fn time(text: &str) -> Option<&str> {
    let text = weekday(text).unwrap_or(text);
    iso(text).or_else(|| clock(text)).or_else(|| day_and_month(text)).or_else(|| month_and_day(text))
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
    clock(text.strip_prefix(", ").or_else(|| text.strip_prefix(['T', ' ', '\t']))?)
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

pub(super) fn month(text: &str) -> Option<&str> {
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
