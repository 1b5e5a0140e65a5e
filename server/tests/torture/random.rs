//! Random moments that can be repeated.

use std::time::Duration;

/// xorshift64*, enough to choose moments.
pub(crate) struct Random(u64);

impl Random {
    /// Begins with `MEDIC_TORTURE_SEED`, or another seed each time, and prints it.
    pub(crate) fn new(case: &str) -> Self {
        let given = std::env::var("MEDIC_TORTURE_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(fresh_seed) | 1;
        println!("{case}: MEDIC_TORTURE_SEED={seed}");
        Self(seed)
    }

    /// From 0 to below `limit`.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % limit
    }

    /// One of them.
    pub(crate) fn of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let count = u64::try_from(all.len()).ok().filter(|count| *count > 0)?;
        all.get(usize::try_from(self.below(count)).ok()?)
    }

    /// Lets a random time pass: the moment at which a fault strikes is what is chosen here, and nothing is waited for.
    pub(crate) fn pause(&mut self, at_most_ms: u64) {
        std::thread::sleep(Duration::from_millis(self.below(at_most_ms + 1)));
    }
}

fn fresh_seed() -> u64 {
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap_or_default();
    u64::from_str_radix(uuid.get(..8).unwrap_or("1"), 16).unwrap_or(1)
}
