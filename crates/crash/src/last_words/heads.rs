//! Where on a line a report may begin: at its beginning, and behind a label (`Failed to start: Error: x`,
//! `[ioredis] Unhandled error event: Error: x`, `ERROR:    Traceback (most recent call last):`,
//! `NOTICE: PHP message: PHP Fatal error:  …`, `Could not connect TypeError: x`, `could not start {"stack":"…"}`).

use super::form;

/// How many labels are looked behind. Ours: the longest real ones have three.
const MAX_HEADS: usize = 10;
/// How far into a line labels are looked for.
const LABEL_BYTES: usize = 400;

/// The line from each place where a report may begin, the whole of it first.
pub(super) fn of(line: &str) -> impl Iterator<Item = &str> {
    let line = line.trim_start();
    let starts = line
        .match_indices([' ', '\t'])
        .take_while(|(at, _)| *at < LABEL_BYTES)
        .map(|(at, _)| (&line[..at], &line[at + 1..]))
        .filter(|(label, rest)| !rest.starts_with([' ', '\t']) && begins(label, rest))
        .map(|(_, rest)| rest);
    std::iter::once(line).filter(|line| !line.is_empty()).chain(starts).take(MAX_HEADS)
}

/// Does something begin after a label? Behind a sign that ends one, or where a word is an error's type.
fn begins(label: &str, rest: &str) -> bool {
    const ENDS: [char; 13] = [':', ']', ')', '|', '!', '>', '=', '-', '❯', '✖', '✘', '•', '»'];
    label.trim_end().ends_with(ENDS) || is_type(rest) || (rest.starts_with("{\"") && rest.ends_with('}'))
}

/// `TypeError: x`, `Error`, `AxiosError [AggregateError]: x`.
fn is_type(rest: &str) -> bool {
    let end = rest.find([' ', '\t']).unwrap_or(rest.len());
    let (word, more) = rest.split_at(end);
    let is_followed = more.is_empty() || word.ends_with(':') || more.starts_with(" [");
    is_followed && form::is_error(word.trim_end_matches(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_may_begin_behind_a_label() {
        let heads = |line| of(line).collect::<Vec<_>>();
        assert_eq!(heads("  Error: x"), ["Error: x", "x"]);
        assert_eq!(
            heads("Could not start TypeError: x"),
            ["Could not start TypeError: x", "TypeError: x", "x"]
        );
        assert_eq!(heads("ERROR:    Traceback"), ["ERROR:    Traceback", "Traceback"]);
        assert_eq!(heads("a plain sentence"), ["a plain sentence"]);
        assert_eq!(heads("").len(), 0);
        assert_eq!(heads(&"a: ".repeat(100)).len(), MAX_HEADS);
    }
}
