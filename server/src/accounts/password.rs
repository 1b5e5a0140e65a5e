//! Passwords: which are taken, and how they are kept and compared (argon2id, 19 MiB, two passes). A comparison takes memory and
//! some ten milliseconds of a processor on purpose, so only two are made at once, and only so many wait.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use argon2::password_hash::PasswordHasher as _;
use argon2::{Algorithm, Argon2, Params, PasswordVerifier as _, Version};
use model::account::{AccountName, PasswordHash};
use tokio::sync::Semaphore;

/// In characters. Ours; what people choose is weak below.
const SHORTEST: usize = 12;
/// In bytes: nobody types more, and a hash must not take for ever.
const LONGEST_BYTES: usize = 1_024;
/// How many comparisons are made at the same time: each takes 19 MiB.
const AT_ONCE: usize = 2;
/// How many wait for that.
const WAITING: usize = 64;
/// How long they wait.
const WAIT: Duration = Duration::from_secs(10);

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("the password must have at least {SHORTEST} characters")]
    Short,
    #[error("the password must have at most {LONGEST_BYTES} bytes")]
    Long,
    #[error("the password must not contain control characters, such as the end of a line")]
    Control,
    #[error("the password must be something else than the account's name, and not one character repeated")]
    Simple,
}

/// Too many sign in at the same time, or the machine has no memory for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins at the same time")]
pub struct Busy;

/// May this account have this password?
pub fn check(name: &AccountName, password: &str) -> Result<(), PasswordError> {
    if password.chars().count() < SHORTEST {
        return Err(PasswordError::Short);
    }
    if password.len() > LONGEST_BYTES {
        return Err(PasswordError::Long);
    }
    if password.chars().any(char::is_control) {
        return Err(PasswordError::Control);
    }
    let first = password.chars().next();
    let is_repeated = password.chars().all(|c| Some(c) == first);
    if is_repeated || password.eq_ignore_ascii_case(name.as_str()) {
        return Err(PasswordError::Simple);
    }
    Ok(())
}

/// The turns of those who wait for a comparison.
pub(super) struct Turns {
    places: Semaphore,
    turns: Arc<Semaphore>,
}

impl Turns {
    pub(super) fn new() -> Self {
        Self { places: Semaphore::new(WAITING), turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// As it is kept.
    pub(super) async fn hash(&self, password: String) -> Result<PasswordHash, Busy> {
        self.take(move || hash(&password)).await?.ok_or(Busy)
    }

    /// Is it that one? Without an account it takes as long, and is not.
    pub(super) async fn is(&self, password: String, kept: Option<PasswordHash>) -> Result<bool, Busy> {
        let compare = move || {
            let is_known = kept.is_some();
            let kept = kept.or_else(|| NOBODYS.clone());
            is_known & kept.is_some_and(|kept| is_same(&password, &kept))
        };
        self.take(compare).await
    }

    async fn take<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let _place = self.places.try_acquire().map_err(|_| Busy)?;
        let turn = tokio::time::timeout(WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        let turn = turn.map_err(|_| Busy)?.map_err(|_| Busy)?;
        let work = move || {
            // whoever asked may have gone: the turn is over when the work is
            let _turn = turn;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Busy)
    }
}

fn argon2() -> Option<Argon2<'static>> {
    let params = Params::new(19 * 1_024, 2, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// With a salt of its own. None where the machine has no memory or no randomness for it.
pub(super) fn hash(password: &str) -> Option<PasswordHash> {
    let salt = super::random::<16>()?;
    let hash = argon2()?.hash_password_with_salt(password.as_bytes(), &salt).ok()?;
    Some(PasswordHash::new(hash.to_string()))
}

fn is_same(password: &str, kept: &PasswordHash) -> bool {
    password.len() <= LONGEST_BYTES
        && argon2().is_some_and(|argon2| argon2.verify_password(password.as_bytes(), kept.phc()).is_ok())
}

/// What an unknown name's password is compared with.
static NOBODYS: LazyLock<Option<PasswordHash>> = LazyLock::new(|| hash("nobody has this password"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_weak_is_refused_with_a_reason() {
        let name = "alice".parse().unwrap();
        let checked = |password: &str| check(&name, password);
        assert_eq!(checked("correct horse"), Ok(()));
        assert_eq!(checked("ü".repeat(6).as_str()), Err(PasswordError::Short));
        assert_eq!(checked("aaaaaaaaaaaaaa"), Err(PasswordError::Simple));
        assert_eq!(checked("a line\nand more"), Err(PasswordError::Control));
        assert_eq!(checked(&"ab".repeat(513)), Err(PasswordError::Long));
        let long: AccountName = "a.very.long.name".parse().unwrap();
        assert_eq!(check(&long, "A.very.long.name"), Err(PasswordError::Simple));
    }

    #[tokio::test]
    async fn a_password_is_known_by_its_hash_and_nobody_has_one() {
        let turns = Turns::new();
        let kept = turns.hash("correct horse".to_owned()).await.unwrap();
        assert!(kept.phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.phc());
        assert_ne!(kept, turns.hash("correct horse".to_owned()).await.unwrap(), "each has a salt");
        let is = async |password: &str, kept| turns.is(password.to_owned(), kept).await.unwrap();
        assert!(is("correct horse", Some(kept.clone())).await);
        assert!(!is("correct horsE", Some(kept)).await);
        assert!(!is("nobody has this password", None).await);
        assert!(!is("correct horse", Some(PasswordHash::new("not a hash".to_owned()))).await);
    }

    #[tokio::test]
    async fn only_so_many_wait() {
        let turns = Turns::new();
        let all = turns.turns.clone().acquire_many_owned(2).await.unwrap();
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(turns.is("a".to_owned(), None))).collect();
        for one in &mut waiting {
            assert!(futures_util::poll!(one).is_pending());
        }
        assert_eq!(turns.is("a".to_owned(), None).await, Err(Busy));
        drop(all);
        drop(waiting);
        assert_eq!(turns.is("a".to_owned(), None).await, Ok(false));
    }
}
