//! Keeps what is known in step with the database: it is read when that is there, again and again where other nodes write it too,
//! and given to a database that has begun anew.

use std::fs;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use model::account::SessionId;
use store::{StoreError, StoreStatus};
use tokio::sync::watch;

use super::{Accounts, ChangeError, MARK, NewAccount, Origin, SignInError, SignedIn, id_of, random};

/// How soon another node's change is in force here.
const LOOK: Duration = Duration::from_secs(5);
/// After the database refused to be read.
const PAUSE: Duration = Duration::from_secs(1);

impl Accounts {
    /// Takes over what the database has.
    pub async fn read(&self) -> Result<(), StoreError> {
        let _one_after_another = self.0.changing.lock().await;
        let accounts = self.0.store.accounts().await?;
        let sessions = self.0.store.sessions(self.0.clock.wall()).await?;
        if self.0.known_mut().replace(accounts, sessions) {
            self.tell();
        }
        if !self.0.known().is_empty() {
            self.enforce();
        }
        Ok(())
    }

    /// Reads and restores for as long as this is polled; `is_shared` where other nodes have the same database.
    pub async fn keep(self, is_shared: bool) {
        let mut status = self.0.store.status();
        let mut begun_anew = status.borrow().begun_anew;
        loop {
            if until_open(&mut status).await.is_err() {
                return;
            }
            let now = status.borrow_and_update().begun_anew;
            let done = if now == begun_anew { self.read().await } else { self.restore().await };
            if done.is_err() {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            begun_anew = now;
            let again = async {
                if is_shared { tokio::time::sleep(LOOK).await } else { std::future::pending().await }
            };
            tokio::select! {
                changed = status.changed() => if changed.is_err() { return },
                () = again => {}
            }
        }
    }

    /// Gives what is known to a database that has begun anew, owners first.
    async fn restore(&self) -> Result<(), StoreError> {
        let _one_after_another = self.0.changing.lock().await;
        let (mut accounts, sessions) = self.0.known().everything();
        accounts.sort_by_key(|(account, _)| !account.owns_all());
        for (account, hash) in &accounts {
            self.0.store.add_account(account, hash).await?;
        }
        for session in &sessions {
            self.0.store.add_session(session).await?;
        }
        Ok(())
    }

    /// From now on nobody is let in without a session, after a restart too.
    pub(super) fn enforce(&self) {
        if self.0.in_force.swap(true, Ordering::AcqRel) {
            return;
        }
        self.first_owner().take();
        if let Err(error) = mark(&self.0.data_dir.join(MARK)) {
            tracing::error!(%error, "cannot write {MARK} in the data folder; without the database, a restart would not know of the accounts");
        }
        self.tell();
        tracing::info!("accounts are in force: everybody signs in");
    }

    /// The word by which the first owner is made in a browser, until there is one. It is kept nowhere.
    pub fn offer_first_owner(&self) -> Option<String> {
        let token = hex::encode(random::<32>()?);
        *self.first_owner() = Some(id_of(&token));
        Some(token)
    }

    /// Makes the first owner, who is signed in by it.
    pub async fn add_first_owner(
        &self,
        token: &str,
        owner: NewAccount,
        from: Origin,
    ) -> Result<Result<SignedIn, SignInError>, ChangeError> {
        // of two who have it one makes an owner
        let offered = self.first_owner().take_if(|offered| *offered == id_of(token));
        let offered = offered.ok_or(ChangeError::NotOffered)?;
        match self.add(owner).await {
            Ok(account) => Ok(self.begin_session(account, from).await),
            Err(error) => {
                if !self.are_in_force() {
                    *self.first_owner() = Some(offered);
                }
                Err(error)
            }
        }
    }

    fn first_owner(&self) -> std::sync::MutexGuard<'_, Option<SessionId>> {
        self.0.first_owner.lock().expect("nothing panics while it holds the word")
    }
}

async fn until_open(status: &mut watch::Receiver<StoreStatus>) -> Result<(), watch::error::RecvError> {
    status.wait_for(StoreStatus::is_open).await.map(drop)
}

fn mark(path: &std::path::Path) -> io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(path)?;
    file.write_all(b"Medic has accounts: nobody is let in without a session. Deleting this file while the database has none opens the dashboard to all users of this machine.\n")?;
    file.sync_all()
}
