//! Incidents: crashes of one app with one signature. Count, first and last time stand in the incident's own row, so that no page
//! scans its crashes; everything else is read from the crash that it shows: the latest captured one, else the latest.

use model::crash::{Crash, Incident, Module, Thread};
use model::{AppName, IncidentId, NodeName, Place, TimeRange, Timestamp};

use crate::crashes::{crash_columns, crash_of};
use crate::sql::{Row, Value};
use crate::{Store, StoreError};

macro_rules! select_incidents {
    ($which:literal) => {
        concat!(
            "SELECT i.crash_count, i.first_seen_ms, i.last_seen_ms, \
             (SELECT string_agg(p.instance || '/' || p.node, '\n') FROM incident_instance AS p WHERE p.incident = i.id) AS places, ",
            crash_columns!(),
            " FROM incident AS i JOIN crash AS c ON c.worker = (SELECT s.worker FROM crash AS s WHERE s.incident = i.id \
             ORDER BY s.captured DESC, s.at_ms DESC, s.worker DESC LIMIT 1) \
             LEFT JOIN audit AS a ON a.worker = c.worker ",
            $which
        )
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
        let (start, end) =
            range.map_or((i64::MIN, i64::MAX), |range| (range.start.as_ms(), range.end.as_ms()));
        let mut values: Vec<Value> = vec![start.into(), end.into(), i64::from(limit).into()];
        let sql = if let Some(app) = app {
            values.push(app.as_str().into());
            select_incidents!(
                "WHERE i.app = $4 AND i.last_seen_ms >= $1 AND i.first_seen_ms < $2 AND EXISTS (SELECT 1 FROM crash AS r \
                 WHERE r.incident = i.id AND r.at_ms >= $1 AND r.at_ms < $2) ORDER BY i.last_seen_ms DESC, i.id LIMIT $3"
            )
        } else {
            select_incidents!(
                "WHERE i.last_seen_ms >= $1 AND i.first_seen_ms < $2 AND EXISTS (SELECT 1 FROM crash AS r \
                 WHERE r.incident = i.id AND r.at_ms >= $1 AND r.at_ms < $2) ORDER BY i.last_seen_ms DESC, i.id LIMIT $3"
            )
        };
        self.read_incidents(sql, values).await
    }

    /// One incident.
    pub async fn incident(&self, id: &IncidentId) -> Result<Option<Incident>, StoreError> {
        let sql = select_incidents!("WHERE i.id = $1");
        Ok(self.read_incidents(sql, vec![id.as_str().into()]).await?.pop())
    }

    async fn read_incidents(
        &self,
        sql: &'static str,
        values: Vec<Value>,
    ) -> Result<Vec<Incident>, StoreError> {
        let rows = self.sql.rows(sql, values).await;
        rows.and_then(|rows| rows.iter().map(incident_of).collect()).map_err(self.failed("Reading incidents"))
    }
}

fn incident_of(row: &Row) -> sqlx::Result<Incident> {
    let Crash {
        place: Place { app, .. },
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
        signature: findings.signature,
        exception_type: findings.exception_type,
        runtime: findings.runtime,
        cause,
        signal,
        exit_code,
        count: row.number("crash_count")?,
        first_seen: Timestamp::from_ms(row.int("first_seen_ms")?),
        last_seen: Timestamp::from_ms(row.int("last_seen_ms")?),
        instances,
        modules: frames_first(findings.modules, &findings.crashing_thread),
        crashing_thread: findings.crashing_thread,
        in_flight,
        in_flight_count,
        memory,
        audit,
        notes: findings.notes,
    })
}

/// From lines of `instance/node` to `node/instance`, by node and then number.
fn instances(app: &AppName, places: &str) -> Vec<String> {
    let place = |line: &str| {
        let (instance, node) = line.split_once('/')?;
        Some(Place { node: NodeName::of_hostname(node), app: app.clone(), instance: instance.parse().ok()? })
    };
    let mut places: Vec<Place> = places.lines().filter_map(place).collect();
    places.sort();
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
