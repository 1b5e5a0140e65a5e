//! `medic user`: accounts from the command line. While a server runs it is asked by its Unix socket, so that what changes is in
//! force at once; without one the database is changed itself. Both take Medic's own user or root: the socket and the database are
//! theirs alone.

mod password;
mod socket;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::account::Account;
use serde::de::DeserializeOwned;
use serde_json::json;
use store::{Store, StoreError};

use crate::accounts::{Accounts, ChangeError, NewAccount};
use crate::command_line::{RoleFor, UserCommand};
use crate::config::Config;
use crate::running::{self, Found, LockError};
use crate::serve::{self, ServeError};
use socket::Answer;

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    DataDir(#[from] ServeError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Password(#[from] password::ReadError),
    #[error("cannot ask the server at {}: {source}; use the user that runs it, or root", path.display())]
    Socket { path: PathBuf, source: std::io::Error },
    #[error("cannot ask the server, process {0}; use the user that runs it, or root")]
    Hidden(i32),
    /// In the server's words.
    #[error("{0}")]
    Refused(String),
    #[error("the server at {} gave no answer that this version of medic understands", .0.display())]
    Answer(PathBuf),
}

/// Where the accounts are changed.
enum Place {
    Server(PathBuf),
    Database(Box<Accounts>),
}

/// Does it; what to say of it.
pub async fn run(path: &Path, config: &Config, command: UserCommand) -> Result<String, UserError> {
    let found = running::find(path, Some(&config.data_dir))?;
    let place = match found {
        Found::Server(server) => Place::Server(server.data_dir.join("medic.sock")),
        Found::Hidden(pid) => return Err(UserError::Hidden(pid.as_raw_nonzero().get())),
        Found::Nobody => {
            // no server starts meanwhile
            let lock = serve::lock(&config.data_dir)?;
            let store = Store::open(&serve::database(config)).await?;
            let clock = Arc::new(shim::SystemClock);
            let accounts = Accounts::new(store.clone(), clock, config.data_dir.clone());
            accounts.read().await?;
            let done = place_run(&Place::Database(Box::new(accounts)), command).await;
            store.close().await;
            give_to_owner(&config.data_dir);
            drop(lock);
            return done;
        }
    };
    place_run(&place, command).await
}

async fn place_run(place: &Place, command: UserCommand) -> Result<String, UserError> {
    match command {
        UserCommand::List => Ok(table(&place.list()?)),
        UserCommand::Add { name, role: RoleFor { role, apps }, email, password } => {
            let password = password::read(&password, &name)?;
            let is_first = place.list()?.is_empty();
            let new = NewAccount { name, email, role, apps, password };
            let account = place.add(new).await?;
            let more = if is_first { "\nEverybody must sign in from now on." } else { "" };
            Ok(format!("added {} ({}){more}", account.name, rights(&account)))
        }
        UserCommand::Role { name, role: RoleFor { role, apps } } => {
            let account = match place {
                Place::Database(accounts) => accounts.change_role(&name, role, apps).await?,
                Place::Server(socket) => {
                    let path = format!("/api/v1/accounts/{name}/role");
                    read(socket, &ask(socket, "PUT", &path, &json!({"role": role, "apps": apps}))?)?
                }
            };
            Ok(format!("{} is now {}", account.name, rights(&account)))
        }
        UserCommand::Password { name, password } => {
            let password = password::read(&password, &name)?;
            match place {
                Place::Database(accounts) => accounts.change_password(&name, password).await?,
                Place::Server(socket) => {
                    let path = format!("/api/v1/accounts/{name}/password");
                    drop(ask(socket, "PUT", &path, &json!({"password": password}))?);
                }
            }
            Ok(format!("changed the password of {name}; its sessions have ended"))
        }
        UserCommand::Remove { name } => {
            match place {
                Place::Database(accounts) => accounts.remove(&name).await?,
                Place::Server(socket) => {
                    let path = format!("/api/v1/accounts/{name}");
                    drop(ask(socket, "DELETE", &path, &json!({}))?);
                }
            }
            Ok(format!("removed {name}; its sessions have ended"))
        }
    }
}

impl Place {
    fn list(&self) -> Result<Vec<Account>, UserError> {
        match self {
            Self::Database(accounts) => Ok(accounts.all()),
            Self::Server(socket) => read(socket, &ask(socket, "GET", "/api/v1/accounts", &json!({}))?),
        }
    }

    async fn add(&self, new: NewAccount) -> Result<Account, UserError> {
        match self {
            Self::Database(accounts) => Ok(accounts.add(new).await?),
            Self::Server(socket) => read(socket, &ask(socket, "POST", "/api/v1/accounts", &json!(new))?),
        }
    }
}

fn ask(socket: &Path, method: &str, path: &str, body: &serde_json::Value) -> Result<Answer, UserError> {
    let failed = |source| UserError::Socket { path: socket.to_owned(), source };
    let answer = socket::ask(socket, method, path, &body.to_string()).map_err(failed)?;
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let said = serde_json::from_str::<serde_json::Value>(&answer.body).ok();
    let said = said.and_then(|said| Some(said.get("error")?.as_str()?.to_owned()));
    Err(said.map_or_else(|| UserError::Answer(socket.to_owned()), UserError::Refused))
}

fn read<T: DeserializeOwned>(socket: &Path, answer: &Answer) -> Result<T, UserError> {
    serde_json::from_str(&answer.body).map_err(|_| UserError::Answer(socket.to_owned()))
}

fn rights(account: &Account) -> String {
    let apps: Vec<&str> = account.apps.iter().map(model::AppName::as_str).collect();
    let apps = if apps.is_empty() { "all apps".to_owned() } else { apps.join(", ") };
    format!("{} for {apps}", account.role)
}

fn table(accounts: &[Account]) -> String {
    if accounts.is_empty() {
        return "no accounts; add the first with medic user add NAME --role owner".to_owned();
    }
    let longest = accounts.iter().map(|account| account.name.as_str().len()).max().unwrap_or_default();
    let line = |account: &Account| {
        let email = account.email.as_ref().map_or_else(String::new, |email| format!("  {}", email.as_str()));
        format!("{:longest$}  {}{email}\n", account.name.as_str(), rights(account))
    };
    accounts.iter().map(line).collect()
}

/// What root makes in a data folder of another user's is that user's, whose server could not open it else.
fn give_to_owner(data_dir: &Path) {
    let Ok(folder) = std::fs::metadata(data_dir) else { return };
    for entry in std::fs::read_dir(data_dir).into_iter().flatten().flatten() {
        let is_ours = entry.metadata().is_ok_and(|file| file.is_file() && file.uid() != folder.uid());
        if is_ours {
            let given = std::os::unix::fs::lchown(entry.path(), Some(folder.uid()), Some(folder.gid()));
            if let Err(error) = given {
                eprintln!(
                    "medic: cannot give {} to the data folder's owner: {error}",
                    entry.path().display()
                );
            }
        }
    }
}
