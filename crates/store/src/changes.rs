//! What people changed, and who it was, one row each.

use model::change::Change;
use model::{AppName, TimeRange, Timestamp};

use crate::sql::{Durability, Row, Value, tagged};
use crate::{Store, StoreError, bounds};

/// An app's, newest first.
macro_rules! newest_changes {
    ($which:literal, $limit:literal) => {
        concat!(
            "SELECT app, at_ms, node, changed_by, change, change_fields FROM change WHERE app = $1 AND ",
            $which,
            " ORDER BY at_ms DESC, id DESC LIMIT ",
            $limit
        )
    };
}

impl Store {
    /// Remembers a change, durably. Was it new? Handed in again, by its [`Change::id`], it changes nothing.
    pub async fn record_change(&self, change: &Change) -> Result<bool, StoreError> {
        self.insert_change(change).await.map_err(self.failed("Recording who changed something"))
    }

    async fn insert_change(&self, change: &Change) -> sqlx::Result<bool> {
        Ok(self.sql.execute(Durability::Durable, INSERT, values(change)?).await? == 1)
    }

    /// An app's changes in a range, newest first.
    pub async fn changes(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Change>, StoreError> {
        let sql = newest_changes!("at_ms >= $2 AND at_ms < $3", "$4");
        let changes = self.sql.read_in(sql, app, range, limit, change_of).await;
        changes.map_err(self.failed(READING))
    }

    /// The last change of an app's settings.
    pub async fn last_settings_change(&self, app: &AppName) -> Result<Option<Change>, StoreError> {
        let sql = newest_changes!("change = 'settings'", "1");
        let changes = self.sql.read(sql, vec![app.into()], change_of).await;
        Ok(changes.map_err(self.failed(READING))?.pop())
    }
}

/// For errors.
const READING: &str = "Reading who changed something";

/// For the transaction of what was changed.
pub(crate) const INSERT: &str = "INSERT INTO change (id, app, at_ms, node, changed_by, change, change_fields) \
                                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING";

pub(crate) fn values(change: &Change) -> sqlx::Result<Vec<Value>> {
    let [what, what_fields] = tagged("change", &change.what)?;
    Ok(vec![
        change.id().into(),
        (&change.app).into(),
        change.at.into(),
        (&change.node).into(),
        Value::MaybeText(change.by.as_deref().map(bounds::name)),
        what,
        what_fields,
    ])
}

fn change_of(row: &Row) -> sqlx::Result<Change> {
    Ok(Change {
        app: row.name("app")?,
        node: row.node()?,
        at: Timestamp::from_ms(row.int("at_ms")?),
        by: row.maybe_text("changed_by")?,
        what: row.tagged("change", "change", "change_fields")?,
    })
}
