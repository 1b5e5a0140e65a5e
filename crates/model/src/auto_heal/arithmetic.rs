//! Shares and times in whole numbers, so that what a sentence says is what was compared.

use std::time::Duration;

/// How many hundredths of `whole` the `part` is, rounded down; 0 of nothing.
pub fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    u64::try_from(u128::from(part) * 100 / u128::from(whole)).unwrap_or(u64::MAX)
}

/// Whole milliseconds.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_rounded_down_and_one_of_nothing_is_nothing() {
        assert_eq!((percent(4, 5), percent(79, 100), percent(1, 0)), (80, 79, 0));
        assert_eq!(percent(u64::MAX, 1), u64::MAX);
        assert_eq!(millis(Duration::MAX), u64::MAX);
    }
}
