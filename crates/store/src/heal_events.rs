//! What auto-heal did short of a restart, one row each.

use model::auto_heal::event::HealEvent;
use model::auto_heal::evidence::Evidence;
use model::{AppName, TimeRange, Timestamp};

use crate::sql::{Durability, Row, tagged};
use crate::{Store, StoreError, bounds, evidence};

macro_rules! select_events {
    ($more:literal) => {
        concat!(
            "SELECT at_ms, worker, event, event_fields, evidence",
            $more,
            " FROM heal_event WHERE app = $1 AND at_ms >= $2 AND at_ms < $3 ORDER BY at_ms DESC, id DESC LIMIT $4"
        )
    };
}

impl Store {
    /// Remembers an event, durably. Was it new? Handed in again, by its [`HealEvent::id`], it changes nothing.
    pub async fn record_heal_event(&self, event: &HealEvent) -> Result<bool, StoreError> {
        let event = bounds::heal_event(event);
        self.insert_heal_event(&event).await.map_err(self.failed("Recording an event of auto-heal"))
    }

    async fn insert_heal_event(&self, event: &HealEvent) -> sqlx::Result<bool> {
        let sql = "INSERT INTO heal_event (id, app, at_ms, node, worker, event, event_fields, evidence, measurements) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO NOTHING";
        let [what, what_fields] = tagged("event", &event.what)?;
        let [brief, measurements] = evidence::values(Some(&event.evidence))?;
        let values = vec![
            event.id().into(),
            (&event.worker.place.app).into(),
            event.at.into(),
            (&event.worker.place.node).into(),
            event.worker.to_string().into(),
            what,
            what_fields,
            brief,
            measurements,
        ];
        Ok(self.sql.execute(Durability::Durable, sql, values).await? == 1)
    }

    /// An app's events that were decided in a range, newest first.
    pub async fn heal_events(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<HealEvent>, StoreError> {
        let whole = |row: &Row| event_of(row, evidence::whole(row)?);
        let events = self.sql.read_in(select_events!(", measurements"), app, range, limit, whole).await;
        events.map_err(self.failed("Reading the events of auto-heal"))
    }

    /// The same with evidence that lacks samples and the other rules' readings.
    pub async fn heal_events_in_brief(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<HealEvent>, StoreError> {
        let brief = |row: &Row| event_of(row, evidence::brief(row)?);
        let events = self.sql.read_in(select_events!(""), app, range, limit, brief).await;
        events.map_err(self.failed("Reading the events of auto-heal"))
    }
}

fn event_of(row: &Row, evidence: Option<Evidence>) -> sqlx::Result<HealEvent> {
    Ok(HealEvent {
        worker: row.name("worker")?,
        at: Timestamp::from_ms(row.int("at_ms")?),
        evidence: evidence::present(evidence)?,
        what: row.tagged("event", "event", "event_fields")?,
    })
}
