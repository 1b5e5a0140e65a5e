//! The first account where nobody has typed `medic user add`: from the environment, as containers have it, or in a browser, by an
//! address that is printed on the terminal where Medic was started. The address stands in no log, and holds until there is an
//! account or Medic ends.

use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::time::Duration;

use app::address::FIRST_OWNER;
use model::account::AccountRole;

use crate::accounts::{Accounts, ChangeError, NewAccount};

/// Variables of Medic's own environment that begin so are for it alone.
pub(super) const VARIABLES: &str = "MEDIC_FIRST_OWNER_";
/// While there is no database.
const PAUSE: Duration = Duration::from_secs(1);

/// Why there is no owner from the environment.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("MEDIC_FIRST_OWNER_NAME: {0}")]
    Name(#[source] model::account::AccountError),
    #[error("MEDIC_FIRST_OWNER_EMAIL: {0}")]
    Email(#[source] model::account::AccountError),
    #[error(
        "set MEDIC_FIRST_OWNER_PASSWORD_FILE or MEDIC_FIRST_OWNER_PASSWORD beside MEDIC_FIRST_OWNER_NAME"
    )]
    NoPassword,
    #[error("cannot read {path}, which MEDIC_FIRST_OWNER_PASSWORD_FILE names: {source}")]
    File { path: String, source: std::io::Error },
}

/// What the environment asks for; nothing where it names nobody.
fn read(variable: impl Fn(&str) -> Option<String>) -> Option<Result<NewAccount, Refusal>> {
    let of = |name: &str| variable(&format!("{VARIABLES}{name}"));
    let name = of("NAME")?;
    let read = || {
        let password = match (of("PASSWORD_FILE"), of("PASSWORD")) {
            (Some(path), _) => {
                let read = std::fs::read_to_string(&path);
                let text = read.map_err(|source| Refusal::File { path: path.clone(), source })?;
                text.strip_suffix('\n').unwrap_or(&text).trim_end_matches('\r').to_owned()
            }
            (None, Some(password)) => password,
            (None, None) => return Err(Refusal::NoPassword),
        };
        Ok(NewAccount {
            name: name.parse().map_err(Refusal::Name)?,
            email: of("EMAIL").map(|email| email.parse()).transpose().map_err(Refusal::Email)?,
            role: AccountRole::Owner,
            apps: BTreeSet::new(),
            password,
        })
    };
    Some(read())
}

/// Adds the one from the environment as soon as the database is there, or prints the address, which is closed where the dashboard
/// `is_for_others`. Nothing where there is an account.
pub(super) async fn offer(accounts: Accounts, listen: SocketAddr, is_for_others: bool) {
    match read(|name| std::env::var(name).ok()) {
        Some(Ok(owner)) => add(&accounts, owner).await,
        Some(Err(refusal)) => tracing::error!("no first owner: {refusal}"),
        None => {
            let is_told = std::io::stdout().is_terminal() && accounts.read().await.is_ok();
            if is_told && !accounts.are_in_force() {
                if is_for_others {
                    let how = "To add the first owner: medic user add NAME --role owner";
                    let _closed = writeln!(std::io::stdout(), "No accounts. {how}");
                } else {
                    print(&accounts, listen);
                }
            }
        }
    }
}

async fn add(accounts: &Accounts, owner: NewAccount) {
    while let Err(error) = accounts.read().await {
        tracing::debug!(%error, "the first owner waits for the database");
        tokio::time::sleep(PAUSE).await;
    }
    if !accounts.all().is_empty() {
        return;
    }
    match accounts.add(owner).await {
        Ok(_) | Err(ChangeError::Exists(_)) => {}
        Err(error) => tracing::error!("no first owner: {error}"),
    }
}

fn print(accounts: &Accounts, listen: SocketAddr) {
    let Some(token) = accounts.offer_first_owner() else { return };
    let host = if listen.ip().is_unspecified() {
        format!("127.0.0.1:{}", listen.port())
    } else {
        listen.to_string()
    };
    let address = format!("http://{host}{}?token={token}", FIRST_OWNER.template());
    let _closed = writeln!(
        std::io::stdout(),
        "No accounts. To add the first owner, open this address, which works once:\n  {address}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_an_owner_or_says_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "correct horse\n").unwrap();
        let given = |variables: &[(&str, &str)]| {
            let found = |name: &str| {
                let found = variables.iter().find(|(known, _)| name == format!("{VARIABLES}{known}"));
                found.map(|(_, value)| (*value).to_owned())
            };
            read(found)
        };
        assert!(given(&[("PASSWORD", "correct horse")]).is_none());
        let owner = given(&[("NAME", "Alice"), ("PASSWORD_FILE", file.to_str().unwrap())]).unwrap().unwrap();
        assert_eq!((owner.name.as_str(), owner.password.as_str()), ("alice", "correct horse"));
        let owner = given(&[("NAME", "a"), ("PASSWORD", "b"), ("EMAIL", "a@b")]).unwrap().unwrap();
        assert!(owner.role == AccountRole::Owner && owner.apps.is_empty() && owner.email.is_some());
        assert!(matches!(given(&[("NAME", "a")]), Some(Err(Refusal::NoPassword))));
        assert!(matches!(given(&[("NAME", "a b"), ("PASSWORD", "b")]), Some(Err(Refusal::Name(_)))));
        let gone = [("NAME", "a"), ("PASSWORD_FILE", "/nonexistent")];
        assert!(matches!(given(&gone), Some(Err(Refusal::File { .. }))));
    }
}
