//! How many requests may be tried again, so that retries do not keep down an app that cannot take even the first tries.
//!
//! Ours, after Finagle's budget (a share of the requests plus a floor, over 10 s) and Envoy's (a share of 20 %): at most a fifth
//! of the last ten seconds' requests, plus ten a second so that an app with few requests loses none of them.

use std::time::Duration;

const WINDOW_S: usize = 10;
const FLOOR_PER_S: u64 = 10;
const REQUESTS_PER_RETRY: u64 = 5;

/// One app's retries, of all threads.
#[derive(Default)]
pub(crate) struct RetryBudget {
    seconds: [Second; WINDOW_S],
}

#[derive(Clone, Copy, Default)]
struct Second {
    number: u64,
    requests: u64,
    retries: u64,
}

impl RetryBudget {
    /// So many requests came.
    pub(crate) fn requests(&mut self, now: Duration, count: u64) {
        self.second(now).requests += count;
    }

    /// Grants as many of `wanted` retries as there are left.
    pub(crate) fn grant(&mut self, now: Duration, wanted: u32) -> u32 {
        let oldest = now.as_secs().saturating_sub(WINDOW_S as u64 - 1);
        let recent = self.seconds.iter().filter(|second| second.number >= oldest);
        let (requests, retries) = recent.fold((0, 0), |(requests, retries), second| {
            (requests + second.requests, retries + second.retries)
        });
        let limit = FLOOR_PER_S * WINDOW_S as u64 + requests / REQUESTS_PER_RETRY;
        let left = u32::try_from(limit.saturating_sub(retries)).unwrap_or(u32::MAX);
        let granted = wanted.min(left);
        self.second(now).retries += u64::from(granted);
        granted
    }

    fn second(&mut self, now: Duration) -> &mut Second {
        let number = now.as_secs();
        let place = usize::try_from(number % WINDOW_S as u64).unwrap_or(0);
        let second = &mut self.seconds[place];
        if second.number != number {
            *second = Second { number, ..Second::default() };
        }
        second
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_of_the_recent_requests_and_ten_a_second() {
        let at = Duration::from_secs;
        let mut budget = RetryBudget::default();
        assert_eq!(budget.grant(at(100), 1_000), 100, "ten a second for ten seconds");
        assert_eq!(budget.grant(at(101), 1), 0);
        budget.requests(at(101), 49);
        assert_eq!(budget.grant(at(101), 1_000), 9, "a fifth, rounded down");
        budget.requests(at(102), 1);
        assert_eq!((budget.grant(at(102), 1), budget.grant(at(102), 1)), (1, 0));
        assert_eq!(budget.grant(at(109), 1), 0);
        assert_eq!(budget.grant(at(110), 1_000), 100, "what the 100th second spent is over");
        assert_eq!(budget.grant(at(500), 1_000), 100);
    }
}
