//! How many links that open nothing one address may ask for. A token cannot be guessed; whoever tries is only to cost nothing. What
//! does open is shown to everybody, however much else was asked for from the same address.
//!
//! Each address has room for [`ROOM`] misses and gets one back each [`REFILL`].

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::Clock;

/// Ours: a whole team behind one address may follow links that have expired.
const ROOM: u32 = 30;
pub(super) const REFILL: Duration = Duration::from_secs(2);
/// Addresses that are remembered; the one that was quiet for the longest is forgotten for another.
const REMEMBERED: usize = 1_024;

pub(super) struct Misses {
    clock: Arc<dyn Clock>,
    /// By address, when its room is empty again.
    busy_until: Mutex<HashMap<IpAddr, Duration>>,
}

impl Misses {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, busy_until: Mutex::default() }
    }

    /// May this address miss once more? It has then.
    pub(super) fn allow(&self, from: IpAddr) -> bool {
        let (from, now) = (network(from), self.clock.monotonic());
        let mut known = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
        let until = known.get(&from).copied().unwrap_or(now).max(now) + REFILL;
        if until.saturating_sub(now) > REFILL * ROOM {
            return false;
        }
        if !known.contains_key(&from) && known.len() >= REMEMBERED {
            known.retain(|_, until| *until > now);
            let quiet = known.iter().min_by_key(|(_, until)| **until).map(|(address, _)| *address);
            if let Some(quiet) = quiet.filter(|_| known.len() >= REMEMBERED) {
                known.remove(&quiet);
            }
        }
        known.insert(from, until);
        true
    }
}

/// Of IPv6 the half that one customer has.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;

    #[derive(Default)]
    struct SetClock(Mutex<Duration>);

    impl Clock for SetClock {
        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn wall(&self) -> Timestamp {
            Timestamp::from_ms(0)
        }
    }

    fn allowed(misses: &Misses, from: &str) -> u32 {
        (0..100).filter(|_| misses.allow(from.parse().unwrap())).count().try_into().unwrap()
    }

    #[test]
    fn an_address_has_its_own_room_which_comes_back() {
        let clock = Arc::new(SetClock::default());
        let misses = Misses::new(Arc::clone(&clock) as Arc<dyn Clock>);
        assert_eq!(allowed(&misses, "192.0.2.1"), ROOM);
        assert_eq!(allowed(&misses, "192.0.2.2"), ROOM);
        *clock.0.lock().unwrap() += REFILL * 3;
        assert_eq!(allowed(&misses, "192.0.2.1"), 3);
        assert_eq!(allowed(&misses, "::ffff:192.0.2.1"), 0, "the same address");
        assert_eq!(allowed(&misses, "2001:db8:1:2::1"), ROOM);
        assert_eq!(allowed(&misses, "2001:db8:1:2:ffff::9"), 0, "the same network");
        assert_eq!(allowed(&misses, "2001:db8:1:3::1"), ROOM);
    }

    #[test]
    fn however_many_addresses_ask_few_are_remembered() {
        let misses = Misses::new(Arc::new(SetClock::default()));
        assert_eq!(allowed(&misses, "192.0.2.1"), ROOM);
        for number in 0..5_000_u32 {
            assert!(misses.allow(IpAddr::V4((0x0a00_0000 + number).into())));
        }
        assert_eq!(misses.busy_until.lock().unwrap().len(), REMEMBERED);
        assert_eq!(allowed(&misses, "192.0.2.1"), 0, "who asked most is not forgotten first");
    }
}
