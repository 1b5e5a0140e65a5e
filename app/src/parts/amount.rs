//! What a rule measures, in the unit that it is compared in.

use insight::words::{bytes, requests};
use model::auto_heal::evidence::Unit;

/// A value with its unit.
pub(crate) fn amount(value: u64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => bytes(value),
        Unit::Percent => format!("{value}%"),
        Unit::Requests => requests(value),
        Unit::Seconds => format!("{value} s"),
    }
}

/// What a column of such values is headed with.
pub(crate) const fn unit_word(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "Private bytes",
        Unit::Percent => "Percent",
        Unit::Requests => "Requests",
        Unit::Seconds => "Seconds",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_in_their_unit() {
        let cases = [
            (1_879_048_192, Unit::Bytes, "1.75 GiB"),
            (104_857_600, Unit::Bytes, "100 MiB"),
            (1_023, Unit::Bytes, "1023 bytes"),
            (80, Unit::Percent, "80%"),
            (1, Unit::Requests, "1 request"),
            (5, Unit::Requests, "5 requests"),
            (60, Unit::Seconds, "60 s"),
        ];
        for (value, unit, text) in cases {
            assert_eq!(amount(value, unit), text);
        }
    }
}
