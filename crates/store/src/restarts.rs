//! Restarts, one row each.

use model::auto_heal::evidence::Evidence;
use model::auto_heal::restart::Restart;
use model::{AppName, TimeRange, Timestamp};

use crate::sql::{Durability, Row, Value, count, tagged};
use crate::{Store, StoreError, bounds, evidence};

macro_rules! select_restarts {
    ($more:literal) => {
        concat!(
            "SELECT app, at_ms, node, instance, old_worker, new_worker, reason, reason_fields, outcome, \
             outcome_fields, failed, drained, streams_ended, tunnels_ended, duration_ms, evidence",
            $more,
            " FROM restart WHERE app = $1 AND at_ms >= $2 AND at_ms < $3 ORDER BY at_ms DESC, id DESC LIMIT $4"
        )
    };
}

impl Store {
    /// Remembers a restart, durably. Was it new? Handed in again, by its [`Restart::id`], it changes nothing.
    pub async fn record_restart(&self, restart: &Restart) -> Result<bool, StoreError> {
        self.insert_restart(&bounds::restart(restart)).await.map_err(self.failed("Recording a restart"))
    }

    async fn insert_restart(&self, restart: &Restart) -> sqlx::Result<bool> {
        let sql = "INSERT INTO restart (id, app, at_ms, node, instance, old_worker, new_worker, reason, reason_fields, \
                   outcome, outcome_fields, failed, drained, streams_ended, tunnels_ended, duration_ms, evidence, measurements) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT (id) DO NOTHING";
        let [reason, reason_fields] = tagged("kind", &restart.reason)?;
        let [outcome, outcome_fields] = tagged("outcome", &restart.outcome)?;
        let [brief, measurements] = evidence::values(restart.evidence.as_ref())?;
        let values = vec![
            restart.id().into(),
            (&restart.place.app).into(),
            restart.at.into(),
            (&restart.place.node).into(),
            i64::from(restart.place.instance).into(),
            restart.old.to_string().into(),
            Value::MaybeText(restart.new.as_ref().map(ToString::to_string)),
            reason,
            reason_fields,
            outcome,
            outcome_fields,
            count(restart.failed),
            count(restart.drained),
            count(restart.streams_ended),
            count(restart.tunnels_ended),
            count(restart.duration_ms),
            brief,
            measurements,
        ];
        Ok(self.sql.execute(Durability::Durable, sql, values).await? == 1)
    }

    /// An app's restarts that were decided in a range, newest first.
    pub async fn restarts(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Restart>, StoreError> {
        let whole = |row: &Row| restart_of(row, evidence::whole(row)?);
        let restarts = self.sql.read_in(select_restarts!(", measurements"), app, range, limit, whole).await;
        restarts.map_err(self.failed("Reading restarts"))
    }

    /// The same with evidence that lacks samples and the other rules' readings.
    pub async fn restarts_in_brief(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Restart>, StoreError> {
        let brief = |row: &Row| restart_of(row, evidence::brief(row)?);
        let restarts = self.sql.read_in(select_restarts!(""), app, range, limit, brief).await;
        restarts.map_err(self.failed("Reading restarts"))
    }
}

fn restart_of(row: &Row, evidence: Option<Evidence>) -> sqlx::Result<Restart> {
    let new = row.maybe_text("new_worker")?;
    Ok(Restart {
        old: row.name("old_worker")?,
        new: new.map(|_| row.name("new_worker")).transpose()?,
        place: row.place()?,
        at: Timestamp::from_ms(row.int("at_ms")?),
        reason: row.tagged("kind", "reason", "reason_fields")?,
        evidence,
        duration_ms: row.number("duration_ms")?,
        drained: row.number("drained")?,
        failed: row.number("failed")?,
        streams_ended: row.number("streams_ended")?,
        tunnels_ended: row.number("tunnels_ended")?,
        outcome: row.tagged("outcome", "outcome", "outcome_fields")?,
    })
}
