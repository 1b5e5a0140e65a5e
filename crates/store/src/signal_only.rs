//! Crashes of which only the signal is known, and the captured incident that they probably belong to.
//!
//! An incident's crashes of a signal alone are counted in parts: one for each executable, build and instance that crashed so. A part
//! is counted with the captured incident of the same origin where there is exactly one, and the sum over all incidents stays that of
//! all crashes:
//!
//! ```text
//!                  one captured incident has the same origin and joins
//!   counted with ─────────────────────────────────────────────────────▶ counted with
//!   its signature ◀──────────────────────────────────────────────────── the captured one
//!                  another one has it too, or somebody has parted them
//! ```
//! Nothing is moved but the part's pointer (`joined_to`), whatever it counts: readers add up the few rows that point to an incident.

use model::change::Change;
use model::crash::{Crash, Executable};
use model::{IncidentId, Place};

use crate::access::Writing;
use crate::sql::{Durability, Row, Value};
use crate::{Store, StoreError, changes};

/// Which rows count a crash.
pub(crate) struct Counted {
    /// The part, or the incident itself.
    pub(crate) row: String,
    /// The incident that it is shown with.
    pub(crate) incident: String,
}

/// What two crashes must have in common to be probably the same.
struct Origin<'a> {
    place: &'a Place,
    executable: &'a Executable,
    signal: &'a str,
}

impl<'a> Origin<'a> {
    fn of(crash: &'a Crash) -> Option<Self> {
        let executable = crash.findings.executable.as_ref()?;
        Some(Self { place: &crash.place, executable, signal: crash.signal.as_deref()? })
    }

    fn of_part(crash: &'a Crash) -> Option<Self> {
        crash.is_signal_only().then(|| Self::of(crash)).flatten()
    }

    /// `$1` to `$6`.
    fn values(&self) -> Vec<Value> {
        let Self { place: Place { node, app, instance }, executable, signal } = self;
        vec![
            app.into(),
            node.into(),
            i64::from(*instance).into(),
            executable.name.as_str().into(),
            executable.build.as_str().into(),
            (*signal).into(),
        ]
    }

    fn part(&self, incident: &IncidentId) -> String {
        let Self { place: Place { node, instance, .. }, executable: Executable { name, build }, signal } =
            self;
        format!("{incident}/{node}/{instance}/{signal}/{build}/{name}")
    }
}

/// Says which rows count a crash whose incident is there, and makes the part where it is new. Its row is held until the end, as the
/// incident's is.
pub(crate) async fn counted(transaction: &mut Writing<'_>, crash: &Crash) -> sqlx::Result<Counted> {
    let incident = crash.incident.as_str().to_owned();
    let Some(origin) = Origin::of_part(crash) else {
        if let Some(origin) = crash.is_captured().then(|| Origin::of(crash)).flatten()
            && add_origin(transaction, &incident, &origin).await?
        {
            join_alike(transaction, origin.values()).await?;
        }
        return Ok(Counted { row: incident.clone(), incident });
    };
    let part = origin.part(&crash.incident);
    let sql = "INSERT INTO incident (id, app, signature, crash_count, first_seen_ms, last_seen_ms, part_of, joined_to) \
               VALUES ($1, $2, $3, 0, $4, $4, $5, $5) ON CONFLICT (id) DO UPDATE SET signature = excluded.signature \
               RETURNING joined_to";
    let values = vec![
        part.as_str().into(),
        (&crash.place.app).into(),
        crash.findings.signature.as_str().into(),
        crash.at.into(),
        incident.as_str().into(),
    ];
    let rows = transaction.rows(sql, values).await?;
    let mut joined_to = rows.first().ok_or(sqlx::Error::RowNotFound)?.raw("joined_to")?;
    if add_origin(transaction, &part, &origin).await? {
        joined_to = target(transaction, origin.values()).await?.unwrap_or(incident);
        let sql = "UPDATE incident SET joined_to = $2 WHERE id = $1";
        transaction.execute(sql, vec![part.as_str().into(), joined_to.as_str().into()]).await?;
    }
    Ok(Counted { row: part, incident: joined_to })
}

/// Was it not known?
async fn add_origin(transaction: &mut Writing<'_>, row: &str, origin: &Origin<'_>) -> sqlx::Result<bool> {
    let sql = "INSERT INTO incident_origin (app, node, instance, executable, build, signal, incident) \
               VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING";
    let mut values = origin.values();
    values.push(row.into());
    Ok(transaction.execute(sql, values).await? == 1)
}

/// The one captured incident of an origin that parts are counted with; none where there are several, for nobody knows which it is.
async fn target(transaction: &mut Writing<'_>, origin: Vec<Value>) -> sqlx::Result<Option<String>> {
    let sql = "SELECT i.id FROM incident_origin AS o JOIN incident AS i ON i.id = o.incident \
               WHERE o.app = $1 AND o.node = $2 AND o.instance = $3 AND o.executable = $4 AND o.build = $5 AND o.signal = $6 \
               AND i.part_of IS NULL AND i.joins = 1 LIMIT 2";
    let found = transaction.rows(sql, origin).await?;
    let [only] = &found[..] else { return Ok(None) };
    let id = only.raw("id")?;
    // held until the end, as the crash's own incident is
    let sql = "UPDATE incident SET joins = joins WHERE id = $1";
    let is_there = transaction.execute(sql, vec![id.as_str().into()]).await? == 1;
    Ok(is_there.then_some(id))
}

/// Counts the parts of an origin with whom they are to be counted now.
async fn join_alike(transaction: &mut Writing<'_>, origin: Vec<Value>) -> sqlx::Result<()> {
    let sql = "SELECT i.id, i.part_of, i.joined_to FROM incident_origin AS o JOIN incident AS i ON i.id = o.incident \
               WHERE o.app = $1 AND o.node = $2 AND o.instance = $3 AND o.executable = $4 AND o.build = $5 AND o.signal = $6 \
               AND i.part_of IS NOT NULL ORDER BY i.id";
    let parts = transaction.rows(sql, origin.clone()).await?;
    if parts.is_empty() {
        return Ok(());
    }
    let target = target(transaction, origin).await?;
    for part in parts {
        let (before, own) = (part.raw("joined_to")?, part.raw("part_of")?);
        let now = target.clone().unwrap_or(own);
        if now != before {
            let sql = "UPDATE incident SET joined_to = $2 WHERE id = $1";
            transaction.execute(sql, vec![part.raw("id")?.into(), now.as_str().into()]).await?;
            show(transaction, &before).await?;
            show(transaction, &now).await?;
        }
    }
    Ok(())
}

/// Brings first and last of an incident up to what is counted with it.
async fn show(transaction: &mut Writing<'_>, incident: &str) -> sqlx::Result<()> {
    let sql = "UPDATE incident SET \
               shown_first_ms = (SELECT MIN(m.first_seen_ms) FROM incident AS m \
               WHERE (m.id = $1 OR m.joined_to = $1) AND m.crash_count > 0), \
               shown_last_ms = (SELECT MAX(m.last_seen_ms) FROM incident AS m \
               WHERE (m.id = $1 OR m.joined_to = $1) AND m.crash_count > 0) WHERE id = $1";
    transaction.execute(sql, vec![incident.into()]).await.map(drop)
}

impl Store {
    /// Counts crashes of which only the signal is known with a captured incident, or apart from it, from now on and those that there
    /// are; and remembers who wanted so, in one transaction, durably. False where there is no such incident.
    pub async fn join_signal_only(
        &self,
        id: &IncidentId,
        joins: bool,
        change: &Change,
    ) -> Result<bool, StoreError> {
        self.set_joins(id, joins, change).await.map_err(self.failed("Joining or separating crashes"))
    }

    async fn set_joins(&self, id: &IncidentId, joins: bool, change: &Change) -> sqlx::Result<bool> {
        let mut transaction = self.sql.begin(Durability::Durable).await?;
        let sql = "UPDATE incident SET joins = $2 WHERE id = $1 AND part_of IS NULL";
        if transaction.execute(sql, vec![id.as_str().into(), i64::from(joins).into()]).await? == 0 {
            return Ok(false);
        }
        let sql = "SELECT app, node, instance, executable, build, signal FROM incident_origin WHERE incident = $1 \
                   ORDER BY node, instance, executable, build, signal";
        for row in transaction.rows(sql, vec![id.as_str().into()]).await? {
            join_alike(&mut transaction, origin_values(&row)?).await?;
        }
        transaction.execute(changes::INSERT, changes::values(change)?).await?;
        transaction.commit().await.map(|()| true)
    }
}

fn origin_values(row: &Row) -> sqlx::Result<Vec<Value>> {
    Ok(vec![
        row.raw("app")?.into(),
        row.raw("node")?.into(),
        row.int("instance")?.into(),
        row.raw("executable")?.into(),
        row.raw("build")?.into(),
        row.raw("signal")?.into(),
    ])
}
