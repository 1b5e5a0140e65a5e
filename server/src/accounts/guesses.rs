//! How long somebody waits after wrong passwords. Counted are three things, each with a pause that doubles with every further
//! failure: one account from one address, one account from anywhere, and one address whatever account it tries.
//!
//! ```text
//! try ──▶ in a pause? ──yes──▶ refused, with what is left of the pause; nothing is counted or computed
//!            │no
//!            └──▶ counted as a failure at once, so that many at the same time are many ──▶ right? counts of the account go
//! ```
//!
//! An account's pause from anywhere is short, and does not hold for an address at which it is signed in: else a stranger could
//! keep a person out by guessing. Loopback addresses are not counted by themselves: an SSH tunnel or a program on this machine
//! may speak for many.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use model::Monotonic;

/// How many things are counted at most: an attacker chooses their names.
const COUNTED: usize = 4_096;
/// How long after its pause a count is kept.
const KEPT: Duration = Duration::from_mins(15);
/// Ours: failures without a pause, and the longest pause.
const OF_PAIR: Limit = Limit { free: 4, longest: Duration::from_mins(5) };
const OF_ACCOUNT: Limit = Limit { free: 10, longest: Duration::from_secs(30) };
const OF_ADDRESS: Limit = Limit { free: 30, longest: Duration::from_secs(30) };

struct Limit {
    free: u32,
    longest: Duration,
}

impl Limit {
    fn pause(&self, failures: u32) -> Duration {
        let Some(over) = failures.checked_sub(self.free).filter(|over| *over > 0) else {
            return Duration::ZERO;
        };
        Duration::from_secs(1 << (over - 1).min(20)).min(self.longest)
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Counted {
    Pair(String, IpAddr),
    Account(String),
    Address(IpAddr),
}

impl Counted {
    const fn limit(&self) -> &'static Limit {
        match self {
            Self::Pair(..) => &OF_PAIR,
            Self::Account(_) => &OF_ACCOUNT,
            Self::Address(_) => &OF_ADDRESS,
        }
    }
}

#[derive(Clone, Copy)]
struct Failures {
    count: u32,
    until: Monotonic,
}

/// Who tries to sign in as whom.
pub(super) struct Try {
    /// As it was typed, whether there is such an account or not.
    pub(super) name: String,
    /// Unknown for the Unix socket.
    pub(super) address: Option<IpAddr>,
    /// The account is signed in at that address.
    pub(super) is_at_home: bool,
}

impl Try {
    fn counted(&self) -> Vec<Counted> {
        let name: String = self.name.chars().take(64).collect::<String>().to_ascii_lowercase();
        let address = self.address.map_or(IpAddr::V6(Ipv6Addr::LOCALHOST), network_of);
        let mut counted = vec![Counted::Pair(name.clone(), address)];
        if !self.is_at_home {
            counted.push(Counted::Account(name));
        }
        if !address.is_loopback() {
            counted.push(Counted::Address(address));
        }
        counted
    }
}

/// Of IPv6 a network of 64 bits is one customer's.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

/// What failed lately.
#[derive(Default)]
pub(super) struct Guesses(BTreeMap<Counted, Failures>);

impl Guesses {
    /// Whether it may be tried now; if not, after which pause. What may be tried counts as a failure until it [succeeds](Self::succeed).
    pub(super) fn begin(&mut self, tried: &Try, now: Monotonic) -> Result<(), Duration> {
        let counted = tried.counted();
        let left = counted.iter().filter_map(|one| self.0.get(one)).map(|one| one.until.since(now)).max();
        if let Some(left) = left.filter(|left| !left.is_zero()) {
            return Err(left);
        }
        for one in counted {
            self.make_room(&one, now);
            let failures = self.0.entry(one.clone()).or_insert(Failures { count: 0, until: now });
            failures.count = failures.count.saturating_add(1);
            failures.until = now + one.limit().pause(failures.count);
        }
        Ok(())
    }

    /// The password was right: the account's failures from there are forgotten. Those from elsewhere stay, and those of the address:
    /// whoever has an account of their own must not buy guesses by it.
    pub(super) fn succeed(&mut self, tried: &Try) {
        for one in tried.counted() {
            match one {
                Counted::Pair(..) => drop(self.0.remove(&one)),
                Counted::Account(_) | Counted::Address(_) => {
                    if let Some(failures) = self.0.get_mut(&one) {
                        failures.count = failures.count.saturating_sub(1);
                        failures.until = Monotonic::default();
                    }
                }
            }
        }
    }

    /// It could not be tried after all.
    pub(super) fn take_back(&mut self, tried: &Try) {
        for one in tried.counted() {
            if let Some(failures) = self.0.get_mut(&one) {
                failures.count = failures.count.saturating_sub(1);
                failures.until = Monotonic::default();
            }
        }
    }

    fn make_room(&mut self, one: &Counted, now: Monotonic) {
        if self.0.len() < COUNTED || self.0.contains_key(one) {
            return;
        }
        self.0.retain(|_, failures| failures.until + KEPT > now);
        if self.0.len() < COUNTED {
            return;
        }
        // what has failed least is worth least; a quarter at once, so that a flood does not look through all of it each time
        let mut worth: Vec<_> = self.0.values().map(|failures| (failures.count, failures.until)).collect();
        worth.sort_unstable();
        let Some(least) = worth.get(COUNTED / 4).copied() else { return };
        let mut left = COUNTED / 4;
        self.0.retain(|_, failures| {
            let goes = left > 0 && (failures.count, failures.until) <= least;
            left -= usize::from(goes);
            !goes
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Monotonic {
        Monotonic::from_start(Duration::from_secs(seconds))
    }

    fn from(name: &str, address: &str) -> Try {
        Try { name: name.to_owned(), address: Some(address.parse().unwrap()), is_at_home: false }
    }

    #[test]
    fn pauses_double_and_have_an_end() {
        let mut guesses = Guesses::default();
        let alice = from("alice", "192.0.2.1");
        let mut now = at(1);
        let mut pauses = Vec::new();
        for _ in 0..20 {
            match guesses.begin(&alice, now) {
                Ok(()) => {}
                Err(left) => {
                    pauses.push(left.as_secs());
                    now = now + left;
                    guesses.begin(&alice, now).unwrap();
                }
            }
        }
        assert_eq!(pauses[..6], [1, 2, 4, 8, 16, 32]);
        assert_eq!(pauses.iter().max(), Some(&300));
        assert!(guesses.begin(&from("ALICE", "192.0.2.1"), now).is_err(), "capitals are no other name");
    }

    #[test]
    fn others_and_the_person_at_home_are_not_held_up() {
        let mut guesses = Guesses::default();
        for number in 0..200 {
            let _held = guesses.begin(&from("alice", &format!("192.0.2.{number}")), at(1));
        }
        assert!(
            guesses.begin(&from("alice", "198.51.100.1"), at(1)).is_err(),
            "the account is paused for strangers"
        );
        let home = Try { is_at_home: true, ..from("alice", "203.0.113.9") };
        assert_eq!(guesses.begin(&home, at(1)), Ok(()));
        assert_eq!(guesses.begin(&from("bob", "203.0.113.9"), at(1)), Ok(()));
    }

    #[test]
    fn one_address_that_tries_many_names_is_paused_and_a_network_is_one() {
        let mut guesses = Guesses::default();
        let tried = |guesses: &mut Guesses, number: u32, address: &str| {
            guesses.begin(&from(&format!("name-{number}"), address), at(1)).is_ok()
        };
        let taken =
            (0..100).filter(|number| tried(&mut guesses, *number, &format!("2001:db8::{number}"))).count();
        assert_eq!(taken, 31);
        assert!(tried(&mut guesses, 200, "2001:db8:0:1::1"));
        let local = (0..100).filter(|number| tried(&mut guesses, *number, "127.0.0.1")).count();
        assert_eq!(local, 100, "it may speak for many");
    }

    #[test]
    fn many_at_the_same_time_are_many() {
        let mut guesses = Guesses::default();
        let taken = (0..50).filter(|_| guesses.begin(&from("alice", "192.0.2.1"), at(1)).is_ok()).count();
        assert_eq!(taken, 5);
    }

    #[test]
    fn a_right_password_forgets_what_came_before_it_from_there() {
        let mut guesses = Guesses::default();
        let alice = from("alice", "192.0.2.1");
        for _ in 0..4 {
            guesses.begin(&alice, at(1)).unwrap();
        }
        guesses.succeed(&alice);
        for _ in 0..4 {
            assert_eq!(guesses.begin(&alice, at(1)), Ok(()));
        }
    }

    #[test]
    fn ten_thousand_names_take_bounded_memory_and_the_worst_is_kept() {
        let mut guesses = Guesses::default();
        let alice = from("alice", "127.0.0.1");
        while guesses.begin(&alice, at(1)).is_ok() {}
        for number in 0..10_000 {
            let _taken = guesses.begin(&from(&format!("name-{number}"), "127.0.0.1"), at(1));
            assert!(guesses.0.len() <= COUNTED);
        }
        assert!(guesses.begin(&alice, at(1)).is_err());
        for number in 0..COUNTED {
            guesses.begin(&from(&format!("later-{number}"), "127.0.0.1"), at(3_600)).unwrap();
        }
        assert!(guesses.0.len() <= COUNTED);
        assert!(
            !guesses.0.contains_key(&Counted::Account("alice".to_owned())),
            "what is long over is forgotten"
        );
    }
}
