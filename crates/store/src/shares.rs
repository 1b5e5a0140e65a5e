//! Share links, one row each, with the snapshot that each shows. The store knows no token: a link is found by the SHA-256 of its own,
//! which is random and long enough that a fast hash is right for it.

use model::share::{Opened, Opener, Share, ShareId};
use model::{AppName, Timestamp};

use crate::sql::{Durability, Row, Value, json, tagged};
use crate::{Store, StoreError, bounds};

/// A link that is to be kept.
pub struct NewShare<'a> {
    pub share: &'a Share,
    /// In hexadecimal digits.
    pub token_sha256: &'a str,
    /// What it shows, as JSON, which is not looked into here.
    pub report: &'a str,
    /// When the newest of that is of. The link goes with what it shows.
    pub data_until: Timestamp,
}

/// What a list has of a link.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, app, title, subject, subject_fields, included, made_ms, made_by, expires_ms, revoked_ms, revoked_by, \
             opened_by_people, opened_by_programs, last_opened_ms FROM share ",
            $rest
        )
    };
}

impl Store {
    /// Remembers a link, durably.
    pub async fn add_share(&self, new: &NewShare<'_>) -> Result<(), StoreError> {
        self.insert_share(new).await.map_err(self.failed("Saving a share link"))
    }

    async fn insert_share(&self, new: &NewShare<'_>) -> sqlx::Result<()> {
        let sql = "INSERT INTO share (id, token_sha256, app, title, subject, subject_fields, included, report, data_until_ms, \
                   made_ms, made_by, expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
        let NewShare { share, token_sha256, report, data_until } = new;
        let [subject, subject_fields] = tagged("subject", &share.subject)?;
        let values = vec![
            share.id.to_string().into(),
            (*token_sha256).into(),
            (&share.app).into(),
            bounds::name(&share.title).into(),
            subject,
            subject_fields,
            json(share.included)?,
            bounds::state(report).into(),
            (*data_until).into(),
            share.made_at.into(),
            Value::MaybeText(share.made_by.as_deref().map(bounds::name)),
            share.expires_at.into(),
        ];
        self.sql.execute(Durability::Durable, sql, values).await.map(drop)
    }

    /// The links of one app or of all, made last first.
    pub async fn shares(&self, app: Option<&AppName>, limit: u32) -> Result<Vec<Share>, StoreError> {
        let limit = Value::Int(limit.into());
        let shares = match app {
            Some(app) => {
                let sql = select!("WHERE app = $1 ORDER BY made_ms DESC, id LIMIT $2");
                self.sql.read(sql, vec![app.into(), limit], share_of).await
            }
            None => self.sql.read(select!("ORDER BY made_ms DESC, id LIMIT $1"), vec![limit], share_of).await,
        };
        shares.map_err(self.failed("Reading the share links"))
    }

    /// How many links work now.
    pub async fn active_shares(&self, now: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) AS active FROM share WHERE revoked_ms IS NULL AND expires_ms > $1";
        let counted = self.sql.read(sql, vec![now.into()], |row| row.number("active")).await;
        Ok(counted.map_err(self.failed("Counting the share links"))?.pop().unwrap_or(0))
    }

    /// What the link with this token shows, and its app; nothing where there is none that works now.
    pub async fn open_share(
        &self,
        token_sha256: &str,
        now: Timestamp,
    ) -> Result<Option<(ShareId, AppName, String)>, StoreError> {
        let sql = "SELECT id, app, report FROM share WHERE token_sha256 = $1 AND revoked_ms IS NULL AND expires_ms > $2";
        let opened = |row: &Row| Ok((row.name("id")?, row.name("app")?, row.raw("report")?));
        let found = self.sql.read(sql, vec![token_sha256.into(), now.into()], opened).await;
        Ok(found.map_err(self.failed("Opening a share link"))?.pop())
    }

    /// Counts that somebody opened a link.
    pub async fn count_opening(&self, id: &ShareId, by: Opener, at: Timestamp) -> Result<(), StoreError> {
        let sql = match by {
            Opener::Person => {
                "UPDATE share SET opened_by_people = opened_by_people + 1, last_opened_ms = $2 WHERE id = $1"
            }
            Opener::Program => {
                "UPDATE share SET opened_by_programs = opened_by_programs + 1, last_opened_ms = $2 WHERE id = $1"
            }
        };
        let counted = self.sql.execute(Durability::Quick, sql, vec![id.to_string().into(), at.into()]).await;
        counted.map(drop).map_err(self.failed("Counting an opened share link"))
    }

    /// Ends a link, durably. Was there one? One that has ended stays as it is.
    pub async fn end_share(&self, id: &ShareId, by: Option<&str>, at: Timestamp) -> Result<bool, StoreError> {
        let sql = "UPDATE share SET revoked_by = CASE WHEN revoked_ms IS NULL AND expires_ms > $2 THEN $3 ELSE revoked_by END, \
                   revoked_ms = CASE WHEN revoked_ms IS NULL AND expires_ms > $2 THEN $2 ELSE revoked_ms END WHERE id = $1";
        let by = Value::MaybeText(by.map(bounds::name));
        let ended =
            self.sql.execute(Durability::Durable, sql, vec![id.to_string().into(), at.into(), by]).await;
        Ok(ended.map_err(self.failed("Revoking a share link"))? == 1)
    }
}

fn share_of(row: &Row) -> sqlx::Result<Share> {
    let time = |column: &str| Ok::<_, sqlx::Error>(row.maybe_int(column)?.map(Timestamp::from_ms));
    Ok(Share {
        id: row.name("id")?,
        app: row.name("app")?,
        title: row.text("title")?,
        subject: row.tagged("subject", "subject", "subject_fields")?,
        included: row.json("included")?,
        made_at: Timestamp::from_ms(row.int("made_ms")?),
        made_by: row.maybe_text("made_by")?,
        expires_at: Timestamp::from_ms(row.int("expires_ms")?),
        revoked_at: time("revoked_ms")?,
        revoked_by: row.maybe_text("revoked_by")?,
        opened: Opened {
            by_people: row.number("opened_by_people")?,
            by_programs: row.number("opened_by_programs")?,
            last_at: time("last_opened_ms")?,
        },
    })
}
