//! People who sign in: accounts, their sessions, and what is tried to get one.
//!
//! All of it is kept in memory as the database has it, so that a request is let in without asking that, and while it is away.
//! From the first account on nobody is let in without a session, whatever becomes of the database: a file in the data folder
//! says that there was one.
//!
//! ```text
//! no account ──first owner──▶ in force ──┐ database lost, restored without accounts, Medic restarted
//!   (this machine's users)        ▲      │
//!                                 └──────┘ never back
//! ```

mod agent;
mod guesses;
mod keep;
mod known;
mod password;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::Duration;

use model::account::{Account, AccountName, AccountRole, EmailAddress, Session, SessionId};
use model::{AppName, Clock};
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest as _, Sha256};
use store::{Added, Changed, Store, StoreError};
use tokio::sync::watch;

pub use password::{PasswordError, check as check_password};

use guesses::{Guesses, Try};
use known::Known;
use password::Turns;

/// How long somebody stays signed in, and how long without a request. Ours: a month, and a week.
pub const SESSION: Duration = Duration::from_hours(30 * 24);
const IDLE: Duration = Duration::from_hours(7 * 24);
/// So often it is written down that a session is used.
const SEEN: Duration = Duration::from_mins(1);
/// The file in the data folder that says that there was an account.
const MARK: &str = "accounts.in-force";

/// Everybody who may sign in, and everybody who has; clones share it.
#[derive(Clone)]
pub struct Accounts(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    data_dir: PathBuf,
    in_force: AtomicBool,
    known: RwLock<Known>,
    /// Grows whenever a session may have ended.
    version: watch::Sender<u64>,
    /// Held while the database and what is known are brought in step.
    changing: tokio::sync::Mutex<()>,
    guesses: Mutex<Guesses>,
    turns: Turns,
    /// The word in the address by which the first owner is made.
    first_owner: Mutex<Option<SessionId>>,
}

/// Somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    pub account: Account,
    pub session: SessionId,
}

/// Where a sign-in comes from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    pub address: Option<IpAddr>,
    pub user_agent: String,
}

/// What a browser keeps.
pub struct SignedIn {
    pub token: String,
    pub person: Person,
}

/// An account that is to be.
#[derive(Clone, serde::Deserialize, serde::Serialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    pub name: AccountName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    pub role: AccountRole,
    /// None stand for all.
    #[serde(default)]
    pub apps: BTreeSet<AppName>,
    pub password: String,
}

/// Why somebody is not signed in. Which of name and password was wrong is not said.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    #[error("Name or password is wrong.")]
    Wrong,
    #[error("Too many wrong passwords. Try again in {} s.", .0.as_secs() + 1)]
    Paused(Duration),
    #[error("Too many sign-ins at the same time. Try again in some seconds.")]
    Busy,
    #[error("No account exists. Add one on this machine: medic user add NAME --role owner")]
    NoAccount,
    #[error("Sign-in failed: {}.", .0.reason())]
    Store(#[source] StoreError),
    #[error("Sign-in failed: the operating system gave no random numbers.")]
    Random,
}

/// Why an account is not changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    #[error("account \"{0}\" not found; see medic user list")]
    Unknown(AccountName),
    #[error("account \"{0}\" exists; use medic user password to give it another password")]
    Exists(AccountName),
    #[error("the first account must be an owner for all apps: --role owner, without --app")]
    NotOwner,
    #[error("account \"{0}\" is the last owner for all apps; add another owner first")]
    LastOwner(AccountName),
    #[error("this address is not valid any more; see medic user add")]
    NotOffered,
    #[error("there are 1,000 accounts, which is the limit; remove one first")]
    TooMany,
    #[error(transparent)]
    Password(#[from] PasswordError),
    #[error(transparent)]
    Busy(#[from] password::Busy),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Random bytes of the operating system.
fn random<const N: usize>() -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (getrandom(&mut bytes[..], GetRandomFlags::empty()).ok()? == N).then_some(bytes)
}

/// How a session is known by its token.
fn id_of(token: &str) -> SessionId {
    SessionId::new(hex::encode(Sha256::digest(token.as_bytes())))
}

impl Accounts {
    /// Before anything is read: in force where there was an account once.
    pub fn new(store: Store, clock: Arc<dyn Clock>, data_dir: PathBuf) -> Self {
        let in_force = AtomicBool::new(data_dir.join(MARK).exists());
        Self(Arc::new(Inner {
            store,
            clock,
            data_dir,
            in_force,
            known: RwLock::default(),
            version: watch::Sender::default(),
            changing: tokio::sync::Mutex::default(),
            guesses: Mutex::default(),
            turns: Turns::new(),
            first_owner: Mutex::default(),
        }))
    }

    /// Must everybody sign in?
    pub fn are_in_force(&self) -> bool {
        self.0.in_force.load(Ordering::Acquire)
    }

    /// Hears whenever a session may have ended.
    pub fn ends(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// Who has this token. Notes that it is used.
    pub fn person_of(&self, token: &str) -> Option<Person> {
        let (id, now) = (id_of(token), self.0.clock.wall());
        let person = self.0.known().person(&id, now)?;
        if self.0.known_mut().touch(&id, now) {
            let (store, id) = (self.0.store.clone(), id.clone());
            // what is lost of it makes a session end earlier
            tokio::spawn(async move { store.touch_session(&id, now).await });
        }
        Some(person)
    }

    /// Is that session still one, for the same account as it was?
    pub fn is_signed_in(&self, person: &Person) -> bool {
        let known = self.0.known().person(&person.session, self.0.clock.wall());
        known.is_some_and(|known| known.account == person.account)
    }

    /// Begins a session.
    pub async fn sign_in(&self, name: &str, password: String, from: Origin) -> Result<SignedIn, SignInError> {
        let inner = &self.0;
        if !self.are_in_force() {
            return Err(SignInError::NoAccount);
        }
        let name = name.trim();
        let account = name.parse::<AccountName>().ok().and_then(|name| inner.known().account(&name));
        let (account, kept) = account.unzip();
        let is_at_home = account.as_ref().zip(from.address).is_some_and(|(account, address)| {
            inner.known().is_at(&account.name, &address.to_string(), inner.clock.wall())
        });
        let tried = Try { name: name.to_owned(), address: from.address, is_at_home };
        inner.guesses().begin(&tried, inner.clock.now().monotonic).map_err(SignInError::Paused)?;
        let is_right = inner.turns.is(password, kept).await.map_err(|_busy| {
            inner.guesses().take_back(&tried);
            SignInError::Busy
        })?;
        let Some(account) = account.filter(|_| is_right) else {
            let address = from.address.map(|address| address.to_string()).unwrap_or_default();
            tracing::warn!(from = address, "sign-in failed");
            return Err(SignInError::Wrong);
        };
        inner.guesses().succeed(&tried);
        self.begin_session(account, from).await
    }

    async fn begin_session(&self, account: Account, from: Origin) -> Result<SignedIn, SignInError> {
        let token = hex::encode(random::<32>().ok_or(SignInError::Random)?);
        let now = self.0.clock.wall();
        let session = Session {
            id: id_of(&token),
            account: account.name.clone(),
            made: now,
            last_seen: now,
            expires: now + SESSION,
            address: from.address.map_or_else(|| "Unix socket".to_owned(), |address| address.to_string()),
            agent: agent::short(&from.user_agent),
        };
        let _one_after_another = self.0.changing.lock().await;
        let left = self.0.store.add_session(&session).await.map_err(SignInError::Store)?;
        let person = Person { account, session: session.id.clone() };
        self.0.known_mut().add_session(session, &left);
        tracing::info!(account = %person.account.name, "signed in");
        Ok(SignedIn { token, person })
    }

    /// The sessions of an account, last used first.
    pub fn sessions_of(&self, account: &AccountName) -> Vec<Session> {
        self.0.known().sessions_of(account, self.0.clock.wall())
    }

    /// Every account, by name.
    pub fn all(&self) -> Vec<Account> {
        self.0.known().accounts()
    }

    /// Ends one session of an account, by its id or the short form of that. Was there one?
    pub async fn end_session(&self, account: &AccountName, id: &str) -> Result<bool, StoreError> {
        let _one_after_another = self.0.changing.lock().await;
        let sessions = self.sessions_of(account);
        let Some(session) = sessions.iter().find(|one| one.id.as_str() == id || one.id.short() == id) else {
            return Ok(false);
        };
        // signed out here even where the database cannot be written
        self.0.known_mut().end(&session.id);
        self.tell();
        self.0.store.end_session(&session.id).await.map(|()| true)
    }

    /// Ends all sessions of an account.
    pub async fn end_sessions(&self, account: &AccountName) -> Result<(), StoreError> {
        let _one_after_another = self.0.changing.lock().await;
        self.0.known_mut().end_all(account);
        self.tell();
        self.0.store.end_sessions(account).await
    }

    /// Adds an account; from the first one on they are in force.
    pub async fn add(&self, new: NewAccount) -> Result<Account, ChangeError> {
        password::check(&new.name, &new.password)?;
        let hash = self.0.turns.hash(new.password).await?;
        let now = self.0.clock.wall();
        let NewAccount { name, email, role, apps, .. } = new;
        let account = Account { name, email, role, apps, made: now, changed: now };
        let _one_after_another = self.0.changing.lock().await;
        match self.0.store.add_account(&account, &hash).await? {
            Added::Added => {}
            Added::Exists => return Err(ChangeError::Exists(account.name)),
            Added::NotOwner => return Err(ChangeError::NotOwner),
            Added::TooMany => return Err(ChangeError::TooMany),
        }
        self.0.known_mut().put(account.clone(), hash);
        self.enforce();
        tracing::info!(account = %account.name, role = %account.role, "account added");
        Ok(account)
    }

    /// Gives an account another role.
    pub async fn change_role(
        &self,
        name: &AccountName,
        role: AccountRole,
        apps: BTreeSet<AppName>,
    ) -> Result<Account, ChangeError> {
        let _one_after_another = self.0.changing.lock().await;
        let (account, hash) =
            self.0.known().account(name).ok_or_else(|| ChangeError::Unknown(name.clone()))?;
        let account = Account { role, apps, changed: self.0.clock.wall(), ..account };
        said(self.0.store.change_role(&account).await?, name)?;
        self.0.known_mut().put(account.clone(), hash);
        self.tell();
        tracing::info!(account = %name, %role, "role changed");
        Ok(account)
    }

    /// Gives an account another password and ends its sessions.
    pub async fn change_password(&self, name: &AccountName, password: String) -> Result<(), ChangeError> {
        password::check(name, &password)?;
        let hash = self.0.turns.hash(password).await?;
        let _one_after_another = self.0.changing.lock().await;
        said(self.0.store.change_password(name, &hash, self.0.clock.wall()).await?, name)?;
        self.0.known_mut().change_password(name, hash, self.0.clock.wall());
        self.tell();
        tracing::info!(account = %name, "password changed");
        Ok(())
    }

    /// Removes an account and ends its sessions.
    pub async fn remove(&self, name: &AccountName) -> Result<(), ChangeError> {
        let _one_after_another = self.0.changing.lock().await;
        said(self.0.store.remove_account(name).await?, name)?;
        self.0.known_mut().remove(name);
        self.tell();
        tracing::info!(account = %name, "account removed");
        Ok(())
    }

    fn tell(&self) {
        self.0.version.send_modify(|version| *version += 1);
    }
}

fn said(changed: Changed, name: &AccountName) -> Result<(), ChangeError> {
    match changed {
        Changed::Changed => Ok(()),
        Changed::Unknown => Err(ChangeError::Unknown(name.clone())),
        Changed::LastOwner => Err(ChangeError::LastOwner(name.clone())),
    }
}

impl Inner {
    fn known(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.known.read().expect("nothing panics while it holds what is known")
    }

    fn known_mut(&self) -> std::sync::RwLockWriteGuard<'_, Known> {
        self.known.write().expect("nothing panics while it holds what is known")
    }

    fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.guesses.lock().expect("nothing panics while it holds what was guessed")
    }
}
