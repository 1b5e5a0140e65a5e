//! What a rule measures, in the unit that it is compared in.

use engine::auto_heal::evidence::Unit;

use super::when::counted;

const UNITS: [(u64, &str); 3] = [(1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")];

/// `1.75 GB`: powers of 1,024 under the names that App Service's pages use, as the rules' own sentences have them.
pub(crate) fn bytes_words(bytes: u64) -> String {
    let Some((size, unit)) = UNITS.iter().find(|(size, _)| bytes >= *size) else {
        return format!("{bytes} bytes");
    };
    let hundredths = u128::from(bytes) * 100 / u128::from(*size);
    match (hundredths / 100, hundredths % 100) {
        (whole, 0) => format!("{whole} {unit}"),
        (whole, part) if part % 10 == 0 => format!("{whole}.{} {unit}", part / 10),
        (whole, part) => format!("{whole}.{part:02} {unit}"),
    }
}

/// A value with its unit.
pub(crate) fn amount(value: u64, unit: Unit) -> String {
    match unit {
        Unit::Bytes => bytes_words(value),
        Unit::Percent => format!("{value} %"),
        Unit::Requests => counted(value, "request", "requests"),
    }
}

/// What a column of such values is headed with.
pub(crate) const fn unit_word(unit: Unit) -> &'static str {
    match unit {
        Unit::Bytes => "Private bytes",
        Unit::Percent => "Percent",
        Unit::Requests => "Requests",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_in_their_unit() {
        let cases = [
            (1_879_048_192, Unit::Bytes, "1.75 GB"),
            (104_857_600, Unit::Bytes, "100 MB"),
            (1_023, Unit::Bytes, "1023 bytes"),
            (80, Unit::Percent, "80 %"),
            (1, Unit::Requests, "1 request"),
            (5, Unit::Requests, "5 requests"),
        ];
        for (value, unit, text) in cases {
            assert_eq!(amount(value, unit), text);
        }
    }
}
