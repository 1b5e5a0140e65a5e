//! Accounts and sessions as the database has them, in memory. Nothing is decided here but whether a session still holds.

use std::collections::BTreeMap;

use model::Timestamp;
use model::account::{Account, AccountName, PasswordHash, Session, SessionId};

use super::{IDLE, Person, SEEN};

#[derive(Default)]
pub(super) struct Known {
    accounts: BTreeMap<AccountName, (Account, PasswordHash)>,
    sessions: BTreeMap<SessionId, Session>,
}

impl Known {
    /// As it was read; when a session was last used may be known better here. Did somebody's session end, or an account change?
    pub(super) fn replace(&mut self, accounts: Vec<(Account, PasswordHash)>, sessions: Vec<Session>) -> bool {
        let accounts: BTreeMap<_, _> = accounts.into_iter().map(|both| (both.0.name.clone(), both)).collect();
        let sessions: BTreeMap<_, _> = sessions
            .into_iter()
            .map(|mut session| {
                if let Some(known) = self.sessions.get(&session.id) {
                    session.last_seen = session.last_seen.max(known.last_seen);
                }
                (session.id.clone(), session)
            })
            .collect();
        let is_changed =
            accounts != self.accounts || self.sessions.keys().any(|id| !sessions.contains_key(id));
        (self.accounts, self.sessions) = (accounts, sessions);
        is_changed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    pub(super) fn everything(&self) -> (Vec<(Account, PasswordHash)>, Vec<Session>) {
        (self.accounts.values().cloned().collect(), self.sessions.values().cloned().collect())
    }

    pub(super) fn account(&self, name: &AccountName) -> Option<(Account, PasswordHash)> {
        self.accounts.get(name).cloned()
    }

    pub(super) fn accounts(&self) -> Vec<Account> {
        self.accounts.values().map(|(account, _)| account.clone()).collect()
    }

    pub(super) fn put(&mut self, account: Account, hash: PasswordHash) {
        self.accounts.insert(account.name.clone(), (account, hash));
    }

    pub(super) fn change_password(&mut self, name: &AccountName, hash: PasswordHash, now: Timestamp) {
        if let Some((account, kept)) = self.accounts.get_mut(name) {
            (account.changed, *kept) = (now, hash);
        }
        self.end_all(name);
    }

    pub(super) fn remove(&mut self, name: &AccountName) {
        self.accounts.remove(name);
        self.end_all(name);
    }

    /// Whose session it is, while it holds.
    pub(super) fn person(&self, id: &SessionId, now: Timestamp) -> Option<Person> {
        let session = self.sessions.get(id).filter(|session| holds(session, now))?;
        let (account, _) = self.accounts.get(&session.account)?;
        Some(Person { account: account.clone(), session: id.clone() })
    }

    /// Is it to be written down that it is used?
    pub(super) fn touch(&mut self, id: &SessionId, now: Timestamp) -> bool {
        let Some(session) = self.sessions.get_mut(id).filter(|one| now.since(one.last_seen) >= SEEN) else {
            return false;
        };
        session.last_seen = now;
        true
    }

    /// Adds one; of that account those are `left` beside it that the database has.
    pub(super) fn add_session(&mut self, session: Session, left: &[SessionId]) {
        self.sessions.retain(|id, one| one.account != session.account || left.contains(id));
        if left.contains(&session.id) {
            self.sessions.insert(session.id.clone(), session);
        }
    }

    pub(super) fn sessions_of(&self, account: &AccountName, now: Timestamp) -> Vec<Session> {
        let own = self.sessions.values().filter(|one| one.account == *account && holds(one, now));
        let mut own: Vec<_> = own.cloned().collect();
        own.sort_by(|a, b| b.last_seen.cmp(&a.last_seen).then(b.made.cmp(&a.made)));
        own
    }

    /// Is the account signed in at that address?
    pub(super) fn is_at(&self, account: &AccountName, address: &str, now: Timestamp) -> bool {
        self.sessions_of(account, now).iter().any(|session| session.address == address)
    }

    pub(super) fn end(&mut self, id: &SessionId) {
        self.sessions.remove(id);
    }

    pub(super) fn end_all(&mut self, account: &AccountName) {
        self.sessions.retain(|_, session| session.account != *account);
    }
}

fn holds(session: &Session, now: Timestamp) -> bool {
    now < session.expires && now.since(session.last_seen) < IDLE
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use model::account::AccountRole;

    use super::*;
    use crate::accounts::SESSION;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn known() -> (Known, SessionId) {
        let account = Account {
            name: "alice".parse().unwrap(),
            email: None,
            role: AccountRole::Owner,
            apps: std::collections::BTreeSet::new(),
            made: at(0),
            changed: at(0),
        };
        let id = SessionId::new("a".repeat(64));
        let session = Session {
            id: id.clone(),
            account: account.name.clone(),
            made: at(0),
            last_seen: at(0),
            expires: at(0) + SESSION,
            address: "192.0.2.1".to_owned(),
            agent: "curl".to_owned(),
        };
        let mut known = Known::default();
        known.replace(vec![(account, PasswordHash::new("h".to_owned()))], vec![session]);
        (known, id)
    }

    #[test]
    fn a_session_ends_when_it_is_old_or_unused() {
        let (mut known, id) = known();
        assert!(known.person(&id, at(0)).is_some());
        assert!(known.person(&id, at(0) + IDLE).is_none());
        let mut now = at(0);
        while now < at(0) + SESSION - IDLE {
            now = now + Duration::from_hours(7 * 24 - 1);
            assert!(known.touch(&id, now));
        }
        assert!(known.person(&id, at(0) + SESSION - Duration::from_secs(1)).is_some());
        assert!(known.person(&id, at(0) + SESSION).is_none());
    }

    #[test]
    fn what_is_read_ends_sessions_and_keeps_when_they_were_used() {
        let (mut known, id) = known();
        let (accounts, sessions) = known.everything();
        assert!(known.touch(&id, at(60_000)) && !known.touch(&id, at(60_001)));
        assert!(!known.replace(accounts.clone(), sessions), "nothing changed");
        assert_eq!(known.sessions_of(&"alice".parse().unwrap(), at(0))[0].last_seen, at(60_000));
        assert!(known.replace(accounts, vec![]), "it was ended elsewhere");
        assert!(known.person(&id, at(0)).is_none());
        assert!(known.replace(vec![], vec![]) && known.is_empty());
    }
}
