//! Incidents: crashes of one app with one signature. Count, first and last time stand in the incident's own row, and how many
//! there were within an hour in a row of that hour, so that no page scans a day of crashes; everything else is read from the crash
//! that it shows: the latest captured one, else the latest. What is counted with an incident from parts of another one
//! ([`crate::signal_only`]) is added up as it is read.

use std::time::Duration;

use model::change::Change;
use model::crash::{Crash, Incident, IncidentInRange, IncidentSummary, Module, Thread};
use model::incident_state::IncidentState;
use model::{AppName, IncidentId, NodeName, Place, TimeRange, Timestamp};

use crate::access::Writing;
use crate::crash_minutes::whole;
use crate::crash_row::{crash_columns, crash_of};
use crate::sql::{Durability, Row, Value, tagged};
use crate::{Store, StoreError, bounds, changes, deploys};

pub(crate) const HOUR_MS: i64 = 3_600_000;

/// The rows that count what is shown of incident `i`.
macro_rules! rows {
    () => {
        "(SELECT m.id FROM incident AS m WHERE m.id = i.id OR m.joined_to = i.id)"
    };
}

/// The incidents that crashed from `$1` to `$2`; of one app where `$of` says so. Where the last crash lies in the range, no other
/// is looked for.
macro_rules! in_range {
    ($of:literal) => {
        concat!(
            "SELECT i.* FROM incident AS i WHERE ",
            $of,
            "i.shown_last_ms >= $1 AND i.shown_first_ms < $2 AND (i.shown_last_ms < $2 OR EXISTS (SELECT 1 FROM crash AS r \
             WHERE r.incident IN ",
            rows!(),
            " AND r.at_ms >= $1 AND r.at_ms < $2))"
        )
    };
}

/// The last seen of them, at most `$3`.
macro_rules! last_seen {
    ($of:literal) => {
        concat!(in_range!($of), " ORDER BY i.shown_last_ms DESC, i.id LIMIT $3")
    };
}

/// Some incidents, each with the crash that it shows.
macro_rules! select {
    ($columns:expr, $incidents:expr, $audit:literal) => {
        concat!(
            "SELECT i.shown_first_ms, i.shown_last_ms, i.state, i.state_fields, i.signature AS incident_signature, i.joins, \
             i.crash_count + (SELECT CAST(COALESCE(SUM(m.crash_count), 0) AS BIGINT) FROM incident AS m WHERE m.joined_to = i.id) \
             AS crash_count, \
             (SELECT CAST(COALESCE(SUM(m.crash_count), 0) AS BIGINT) FROM incident AS m \
             WHERE m.joined_to = i.id AND m.part_of <> i.id) AS probable, \
             (SELECT string_agg(p.instance || '/' || p.node, '\n') FROM incident_instance AS p WHERE p.incident IN ",
            rows!(),
            ") AS places, ",
            $columns,
            " FROM (",
            $incidents,
            // of the parts the one that was seen last, which has the latest crash
            ") AS i JOIN crash AS c ON c.id = (SELECT s.id FROM crash AS s WHERE s.incident = \
             CASE WHEN EXISTS (SELECT 1 FROM crash AS s WHERE s.incident = i.id AND s.captured = 1) THEN i.id \
             ELSE (SELECT m.id FROM incident AS m WHERE (m.id = i.id OR m.joined_to = i.id) AND m.crash_count > 0 \
             ORDER BY m.last_seen_ms DESC, m.id LIMIT 1) END \
             ORDER BY s.captured DESC, s.at_ms DESC, s.id DESC LIMIT 1) ",
            $audit,
            " ORDER BY i.shown_last_ms DESC, i.id"
        )
    };
}

/// With all that is known of them.
macro_rules! select_incidents {
    ($incidents:expr) => {
        select!(
            concat!(
                crash_columns!(),
                ", (SELECT COUNT(*) FROM crash AS r WHERE r.incident = i.id AND r.captured = 1) AS captured_count, \
                 (SELECT string_agg(f.incident, ',') FROM (SELECT DISTINCT q.incident FROM incident AS m \
                 JOIN incident_origin AS o ON o.incident = m.id \
                 JOIN incident_origin AS q ON q.app = o.app AND q.node = o.node AND q.instance = o.instance \
                 AND q.executable = o.executable AND q.build = o.build AND q.signal = o.signal \
                 JOIN incident AS h ON h.id = q.incident AND h.part_of IS NULL \
                 WHERE m.part_of = i.id AND m.joined_to = i.id) AS f) AS matches"
            ),
            $incidents,
            "LEFT JOIN audit AS a ON a.crash = c.id"
        )
    };
}

/// The columns that [`summary_of`] reads.
macro_rules! summary_columns {
    () => {
        "i.id AS incident, c.app, c.exception_type, c.cause, c.signal, c.exit_code, c.captured"
    };
}

impl Store {
    /// The incidents that crashed in a range (or ever), last seen first. Count, first and last are over all time.
    pub async fn incidents(
        &self,
        app: Option<&AppName>,
        range: Option<TimeRange>,
        limit: u32,
    ) -> Result<Vec<Incident>, StoreError> {
        let mut values = range_values(range, limit);
        let sql = if let Some(app) = app {
            values.push(app.into());
            select_incidents!(last_seen!("i.app = $4 AND "))
        } else {
            select_incidents!(last_seen!(""))
        };
        self.read_incidents(sql, values).await
    }

    /// One incident. Where all of its crashes are counted with another one, that.
    pub async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        let sql = select_incidents!(
            "SELECT * FROM incident WHERE shown_last_ms IS NOT NULL AND id = CASE \
             WHEN EXISTS (SELECT 1 FROM incident WHERE id = $1 AND shown_last_ms IS NOT NULL) THEN $1 \
             ELSE (SELECT p.joined_to FROM incident AS p WHERE p.part_of = $1 ORDER BY p.last_seen_ms DESC, p.id LIMIT 1) END"
        );
        Ok(self.read_incidents(sql, vec![id.as_str().into()]).await?.pop())
    }

    /// Makes something of an incident and remembers who it was, in one transaction, durably. False where there is no such incident.
    pub async fn change_incident(
        &self,
        id: &IncidentId,
        state: &IncidentState,
        change: &Change,
    ) -> Result<bool, StoreError> {
        self.replace_state(id, state, change).await.map_err(self.failed("Changing an incident's state"))
    }

    async fn replace_state(
        &self,
        id: &IncidentId,
        state: &IncidentState,
        change: &Change,
    ) -> sqlx::Result<bool> {
        let mut transaction = self.sql.begin(Durability::Durable).await?;
        if set_state(&mut transaction, id.as_str(), state).await? == 0 {
            return Ok(false);
        }
        transaction.execute(changes::INSERT, changes::values(change)?).await?;
        transaction.commit().await.map(|()| true)
    }

    async fn read_incidents(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Incident>, StoreError> {
        let incidents = self.sql.read(sql, values, incident_of).await;
        incidents.map_err(self.failed("Reading incidents"))
    }

    /// An app's incidents in a line each, last seen first.
    pub async fn incident_summaries(
        &self,
        app: &AppName,
        limit: u32,
    ) -> Result<Vec<IncidentSummary>, StoreError> {
        let sql = select!(summary_columns!(), last_seen!("i.app = $4 AND "), "");
        let mut values = range_values(None, limit);
        values.push(app.into());
        let summaries = self.sql.read(sql, values, summary_of).await;
        summaries.map_err(self.failed("Listing incidents"))
    }

    /// An app's incidents that crashed in a range, last seen first, and how often each did there.
    pub async fn incidents_in_range(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<IncidentInRange>, StoreError> {
        // what lies between whole hours is counted from the crashes themselves
        let sql = select!(
            concat!(
                summary_columns!(),
                ", (SELECT COUNT(*) FROM crash AS r WHERE r.incident IN ",
                rows!(),
                " AND r.at_ms >= $1 AND r.at_ms < $5) + (SELECT COUNT(*) FROM crash AS r WHERE r.incident IN ",
                rows!(),
                " AND r.at_ms >= $6 AND r.at_ms < $2) + (SELECT CAST(COALESCE(SUM(h.crash_count), 0) AS BIGINT) \
                 FROM incident_hour AS h WHERE h.incident IN ",
                rows!(),
                " AND h.hour_ms >= $5 AND h.hour_ms < $6) AS count_in_range"
            ),
            last_seen!("i.app = $4 AND "),
            ""
        );
        let end = range.end.as_ms();
        let (first, last) = whole(range, HOUR_MS).unwrap_or((end, end));
        let mut values = range_values(Some(range), limit);
        values.extend([app.into(), first.into(), last.into()]);
        let in_range = |row: &Row| {
            Ok(IncidentInRange { incident: summary_of(row)?, count: row.number("count_in_range")? })
        };
        let incidents = self.sql.read(sql, values, in_range).await;
        incidents.map_err(self.failed("Counting crashes by incident"))
    }

    /// How many of an app's incidents crashed in a range.
    pub async fn incident_count(&self, app: &AppName, range: TimeRange) -> Result<u64, StoreError> {
        let sql = concat!("SELECT COUNT(*) AS incidents FROM (", in_range!("i.app = $3 AND "), ") AS i");
        let rows = self.sql.rows(sql, vec![range.start.into(), range.end.into(), app.into()]).await;
        rows.and_then(|rows| rows.first().map_or(Ok(0), |row| row.number("incidents")))
            .map_err(self.failed("Counting incidents"))
    }
}

/// `$1` to `$3` of [`last_seen`].
fn range_values(range: Option<TimeRange>, limit: u32) -> Vec<Value> {
    let (start, end) = range.map_or((i64::MIN, i64::MAX), |range| (range.start.as_ms(), range.end.as_ms()));
    vec![start.into(), end.into(), i64::from(limit).into()]
}

/// A resolved incident that crashes in later code has regressed. `row` has the incident as it is.
pub(crate) async fn take_notice(
    transaction: &mut Writing<'_>,
    crash: &Crash,
    incident: &str,
    row: &Row,
) -> sqlx::Result<()> {
    let started_at = crash.at - Duration::from_millis(crash.uptime_ms);
    let executable = crash.findings.executable.as_ref().map(|executable| executable.build.as_str());
    // of a crash of which only the signal is known the executable's is the only build
    let build = crash.build_id().or(executable.filter(|_| crash.is_signal_only()));
    let state = state_of(row)?;
    let code = match &state {
        IncidentState::Resolved(_) => {
            // what a worker has started runs the code that the worker was started from
            deploys::code_at(transaction, &crash.place.app, &crash.place.node, crash.worker.started_at)
                .await?
        }
        _ => None,
    };
    match state.after_crash(crash.at, started_at, build, code.as_ref()) {
        Some(state) => set_state(transaction, incident, &state).await.map(drop),
        None => Ok(()),
    }
}

async fn set_state(transaction: &mut Writing<'_>, id: &str, state: &IncidentState) -> sqlx::Result<u64> {
    let [word, fields] = tagged("state", bounds::incident_state(state))?;
    let sql = "UPDATE incident SET state = $2, state_fields = $3 WHERE id = $1";
    transaction.execute(sql, vec![id.into(), word, fields]).await
}

/// Counts a crash for the hour of its incident.
pub(crate) async fn count_hour(transaction: &mut Writing<'_>, crash: &Crash, row: &str) -> sqlx::Result<()> {
    let sql = "INSERT INTO incident_hour (incident, hour_ms, crash_count) VALUES ($1, $2, 1) \
               ON CONFLICT (incident, hour_ms) DO UPDATE SET crash_count = incident_hour.crash_count + 1";
    let at = crash.at.as_ms();
    let values = vec![row.into(), (at - at.rem_euclid(HOUR_MS)).into()];
    transaction.execute(sql, values).await.map(drop)
}

fn summary_of(row: &Row) -> sqlx::Result<IncidentSummary> {
    let app = row.name("app")?;
    let exit_code = row.maybe_int("exit_code")?;
    Ok(IncidentSummary {
        id: row.name("incident")?,
        instances: instances(&app, &row.maybe_raw("places")?.unwrap_or_default()),
        app,
        signature: row.text("incident_signature")?,
        exception_type: row.text("exception_type")?,
        cause: row.word("cause")?,
        signal: row.maybe_text("signal")?,
        exit_code: exit_code.and_then(|code| i32::try_from(code).ok()),
        count: row.number("crash_count")?,
        probable: row.number("probable")?,
        first_seen: Timestamp::from_ms(row.int("shown_first_ms")?),
        last_seen: Timestamp::from_ms(row.int("shown_last_ms")?),
        has_dump: row.int("captured")? != 0,
        state: state_of(row)?,
    })
}

fn incident_of(row: &Row) -> sqlx::Result<Incident> {
    let Crash {
        place: Place { app, .. },
        pid,
        role,
        cause,
        signal,
        exit_code,
        findings,
        in_flight,
        in_flight_count,
        memory,
        audit,
        incident,
        ..
    } = crash_of(row)?;
    let instances = instances(&app, &row.maybe_raw("places")?.unwrap_or_default());
    Ok(Incident {
        id: incident,
        app,
        signature: row.text("incident_signature")?,
        exception_type: findings.exception_type,
        runtime: findings.runtime,
        cause,
        signal,
        exit_code,
        pid,
        role,
        count: row.number("crash_count")?,
        probable: row.number("probable")?,
        captured: row.number("captured_count")?,
        joins: row.int("joins")? != 0,
        matches: matches(row)?,
        first_seen: Timestamp::from_ms(row.int("shown_first_ms")?),
        last_seen: Timestamp::from_ms(row.int("shown_last_ms")?),
        instances,
        modules: frames_first(findings.modules, &findings.crashing_thread),
        crashing_thread: findings.crashing_thread,
        in_flight,
        in_flight_count,
        memory,
        audit,
        notes: findings.notes,
        state: state_of(row)?,
    })
}

fn state_of(row: &Row) -> sqlx::Result<IncidentState> {
    row.tagged("state", "state", "state_fields")
}

fn matches(row: &Row) -> sqlx::Result<Vec<IncidentId>> {
    let ids = row.maybe_raw("matches")?.unwrap_or_default();
    let mut ids: Vec<IncidentId> = ids.split(',').filter_map(|id| id.parse().ok()).collect();
    ids.sort();
    Ok(ids)
}

/// From lines of `instance/node` to `node/instance`, by node and then number.
fn instances(app: &AppName, places: &str) -> Vec<String> {
    let place = |line: &str| {
        let (instance, node) = line.split_once('/')?;
        Some(Place { node: NodeName::of_hostname(node), app: app.clone(), instance: instance.parse().ok()? })
    };
    let mut places: Vec<Place> = places.lines().filter_map(place).collect();
    places.sort();
    places.dedup();
    places.iter().map(Place::within_app).collect()
}

/// A process loads hundreds of files; those on the stack are the ones that matter.
fn frames_first(mut modules: Vec<Module>, thread: &Thread) -> Vec<Module> {
    modules.sort_by_key(|module| {
        let on_stack = |frame: &model::crash::Frame| frame.module.as_deref() == Some(module.name.as_str());
        !thread.frames.iter().any(on_stack)
    });
    modules
}
