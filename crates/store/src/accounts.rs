//! Who may sign in. What must hold of all accounts together (the first is an owner for all apps, and one such stays) is decided
//! in the transaction that changes one.

use model::Timestamp;
use model::account::{Account, AccountName, PasswordHash};

use crate::access::Writing;
use crate::sql::{Durability, Row, Value, json, word};
use crate::{Store, StoreError, bounds};

/// More than people who look after the apps of some machines. Ours.
const ACCOUNTS_LIMIT: i64 = 1_000;

/// What became of an account that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    Added,
    /// There is one of that name, and it stays as it was.
    Exists,
    /// The first one must be an owner for all apps.
    NotOwner,
    /// There are as many as there may be.
    TooMany,
}

/// What became of an account that was to be changed or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    Changed,
    Unknown,
    /// It is the last owner for all apps, and must stay one.
    LastOwner,
}

impl Store {
    /// All of them, by name.
    pub async fn accounts(&self) -> Result<Vec<(Account, PasswordHash)>, StoreError> {
        let sql = "SELECT name, email, role, apps, password, made_ms, changed_ms FROM account ORDER BY name";
        self.sql.read(sql, vec![], account_of).await.map_err(self.failed("Reading the accounts"))
    }

    /// Adds one, durably.
    pub async fn add_account(&self, account: &Account, password: &PasswordHash) -> Result<Added, StoreError> {
        self.insert_account(account, password).await.map_err(self.failed("Adding an account"))
    }

    async fn insert_account(&self, account: &Account, password: &PasswordHash) -> sqlx::Result<Added> {
        let mut transaction = self.sql.begin(Durability::Durable).await?;
        let count = transaction.rows("SELECT COUNT(*) AS count FROM account", vec![]).await?;
        let count = count.first().map_or(Ok(0), |row| row.int("count"))?;
        if count == 0 && !account.owns_all() {
            return Ok(Added::NotOwner);
        }
        if count >= ACCOUNTS_LIMIT {
            return Ok(Added::TooMany);
        }
        let sql = "INSERT INTO account (name, email, role, apps, password, made_ms, changed_ms) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (name) DO NOTHING";
        let values = vec![
            account.name.as_str().into(),
            Value::MaybeText(account.email.as_ref().map(|email| bounds::name(email.as_str()))),
            word(account.role)?,
            json(&account.apps)?,
            password.phc().into(),
            account.made.into(),
            account.changed.into(),
        ];
        let is_new = transaction.execute(sql, values).await? == 1;
        transaction.commit().await?;
        Ok(if is_new { Added::Added } else { Added::Exists })
    }

    /// Gives one another role, durably.
    pub async fn change_role(&self, account: &Account) -> Result<Changed, StoreError> {
        self.update_role(account).await.map_err(self.failed("Changing an account"))
    }

    async fn update_role(&self, account: &Account) -> sqlx::Result<Changed> {
        let mut transaction = self.sql.begin(Durability::Durable).await?;
        if !account.owns_all() && is_last_owner(&mut transaction, &account.name).await? {
            return Ok(Changed::LastOwner);
        }
        let sql = "UPDATE account SET role = $2, apps = $3, changed_ms = $4 WHERE name = $1";
        let values = vec![
            account.name.as_str().into(),
            word(account.role)?,
            json(&account.apps)?,
            account.changed.into(),
        ];
        let changed = transaction.execute(sql, values).await?;
        transaction.commit().await?;
        Ok(if changed == 1 { Changed::Changed } else { Changed::Unknown })
    }

    /// Gives one another password and ends its sessions, durably.
    pub async fn change_password(
        &self,
        name: &AccountName,
        password: &PasswordHash,
        at: Timestamp,
    ) -> Result<Changed, StoreError> {
        let changed = async {
            let mut transaction = self.sql.begin(Durability::Durable).await?;
            let sql = "UPDATE account SET password = $2, changed_ms = $3 WHERE name = $1";
            let values = vec![name.as_str().into(), password.phc().into(), at.into()];
            let changed = transaction.execute(sql, values).await?;
            end_sessions(&mut transaction, name).await?;
            transaction.commit().await?;
            Ok(if changed == 1 { Changed::Changed } else { Changed::Unknown })
        };
        changed.await.map_err(self.failed("Changing a password"))
    }

    /// Removes one with its sessions, durably.
    pub async fn remove_account(&self, name: &AccountName) -> Result<Changed, StoreError> {
        let removed = async {
            let mut transaction = self.sql.begin(Durability::Durable).await?;
            if is_last_owner(&mut transaction, name).await? {
                return Ok(Changed::LastOwner);
            }
            let sql = "DELETE FROM account WHERE name = $1";
            let removed = transaction.execute(sql, vec![name.as_str().into()]).await?;
            end_sessions(&mut transaction, name).await?;
            transaction.commit().await?;
            Ok(if removed == 1 { Changed::Changed } else { Changed::Unknown })
        };
        removed.await.map_err(self.failed("Removing an account"))
    }
}

/// Is it an owner for all apps, and nobody else? Whoever removes another one at the same time waits for this transaction.
async fn is_last_owner(transaction: &mut Writing<'_>, name: &AccountName) -> sqlx::Result<bool> {
    let lock = "UPDATE account SET changed_ms = changed_ms WHERE role = 'owner' AND apps = '[]'";
    transaction.execute(lock, vec![]).await?;
    let owners = "SELECT name FROM account WHERE role = 'owner' AND apps = '[]'";
    let owners = transaction.rows(owners, vec![]).await?;
    let [owner] = owners.as_slice() else { return Ok(false) };
    Ok(owner.text("name")? == name.as_str())
}

async fn end_sessions(transaction: &mut Writing<'_>, name: &AccountName) -> sqlx::Result<()> {
    let sql = "DELETE FROM session WHERE account = $1";
    transaction.execute(sql, vec![name.as_str().into()]).await.map(drop)
}

fn account_of(row: &Row) -> sqlx::Result<(Account, PasswordHash)> {
    let account = Account {
        name: row.name("name")?,
        // one that was changed by hand keeps nobody from signing in
        email: row.maybe_text("email")?.and_then(|email| email.parse().ok()),
        role: row.word("role")?,
        apps: row.json("apps")?,
        made: Timestamp::from_ms(row.int("made_ms")?),
        changed: Timestamp::from_ms(row.int("changed_ms")?),
    };
    Ok((account, PasswordHash::new(row.raw("password")?)))
}
