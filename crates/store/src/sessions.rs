//! Who is signed in.

use model::Timestamp;
use model::account::{AccountName, Session, SessionId};

use crate::sql::{Durability, Row};
use crate::{Store, StoreError, bounds};

/// The newest of an account; the oldest goes for one more. More than a person's browsers and programs. Ours.
const OF_ACCOUNT_LIMIT: i64 = 50;
/// An address and the short form of a user agent, in characters.
const TEXT_LIMIT: usize = 80;

impl Store {
    /// Those that have not expired.
    pub async fn sessions(&self, now: Timestamp) -> Result<Vec<Session>, StoreError> {
        let sql = "SELECT id, account, made_ms, seen_ms, expires_ms, address, agent FROM session \
                   WHERE expires_ms > $1 ORDER BY made_ms, id";
        self.sql.read(sql, vec![now.into()], session_of).await.map_err(self.failed("Reading the sessions"))
    }

    /// Begins one, durably; those that have expired go, and the oldest of too many. Which of the account are left.
    pub async fn add_session(&self, session: &Session) -> Result<Vec<SessionId>, StoreError> {
        self.insert_session(session).await.map_err(self.failed("Signing in"))
    }

    async fn insert_session(&self, session: &Session) -> sqlx::Result<Vec<SessionId>> {
        let account = || session.account.as_str().into();
        let mut transaction = self.sql.begin(Durability::Durable).await?;
        let expired = "DELETE FROM session WHERE expires_ms <= $1";
        transaction.execute(expired, vec![session.made.into()]).await?;
        // an account that is being removed is not signed in any more
        let insert = "INSERT INTO session (id, account, made_ms, seen_ms, expires_ms, address, agent) \
                      SELECT $1, name, $3, $4, $5, $6, $7 FROM account WHERE name = $2";
        let values = vec![
            session.id.as_str().into(),
            account(),
            session.made.into(),
            session.last_seen.into(),
            session.expires.into(),
            bounds::text(&session.address, TEXT_LIMIT).into(),
            bounds::text(&session.agent, TEXT_LIMIT).into(),
        ];
        transaction.execute(insert, values).await?;
        let bound = "DELETE FROM session WHERE account = $1 AND id NOT IN \
                     (SELECT id FROM session WHERE account = $1 ORDER BY made_ms DESC, id LIMIT $2)";
        transaction.execute(bound, vec![account(), OF_ACCOUNT_LIMIT.into()]).await?;
        let left = "SELECT id FROM session WHERE account = $1";
        let left = transaction.rows(left, vec![account()]).await?;
        transaction.commit().await?;
        left.iter().map(|row| row.raw("id").map(SessionId::new)).collect()
    }

    /// Says when it was last used.
    pub async fn touch_session(&self, id: &SessionId, at: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE session SET seen_ms = $2 WHERE id = $1 AND seen_ms < $2";
        let touched = self.sql.execute(Durability::Quick, sql, vec![id.as_str().into(), at.into()]).await;
        touched.map(drop).map_err(self.failed("Saving when a session was used"))
    }

    /// Ends one, durably.
    pub async fn end_session(&self, id: &SessionId) -> Result<(), StoreError> {
        let sql = "DELETE FROM session WHERE id = $1";
        let ended = self.sql.execute(Durability::Durable, sql, vec![id.as_str().into()]).await;
        ended.map(drop).map_err(self.failed("Ending a session"))
    }

    /// Ends all of an account, durably.
    pub async fn end_sessions(&self, account: &AccountName) -> Result<(), StoreError> {
        let sql = "DELETE FROM session WHERE account = $1";
        let ended = self.sql.execute(Durability::Durable, sql, vec![account.as_str().into()]).await;
        ended.map(drop).map_err(self.failed("Ending sessions"))
    }
}

fn session_of(row: &Row) -> sqlx::Result<Session> {
    Ok(Session {
        id: SessionId::new(row.raw("id")?),
        account: row.name("account")?,
        made: Timestamp::from_ms(row.int("made_ms")?),
        last_seen: Timestamp::from_ms(row.int("seen_ms")?),
        expires: Timestamp::from_ms(row.int("expires_ms")?),
        address: row.text("address")?,
        agent: row.text("agent")?,
    })
}
