//! Crashes, one row each, and the audit rows of their dumps.

use std::cmp::Reverse;

use model::crash::{Audit, Crash};
use model::{AppName, CrashId, IncidentId, Place, TimeRange};

use crate::access::Writing;
use crate::crash_row::{audit_of, crash_columns, crash_of};
use crate::signal_only::Counted;
use crate::sql::{Durability, Row, Value, count, json, word};
use crate::{AuditRow, Recorded, Store, StoreError, bounds, crash_minutes, incidents, signal_only};

macro_rules! select_crashes {
    ($which:literal) => {
        concat!(
            "SELECT ",
            crash_columns!(),
            " FROM crash AS c LEFT JOIN audit AS a ON a.crash = c.id ",
            $which
        )
    };
}

impl Store {
    /// Remembers a crash and counts it for its incident, in one transaction, durably. A process crashes once: handed in again, it
    /// changes nothing.
    pub async fn record_crash(&self, crash: &Crash) -> Result<Recorded, StoreError> {
        self.record(&bounds::crash(crash)).await.map_err(self.failed("Recording a crash"))
    }

    async fn record(&self, crash: &Crash) -> sqlx::Result<Recorded> {
        let mut transaction = self.sql.begin(Durability::Durable).await?;
        if let Some(count) = known(&mut transaction, &crash.id()).await? {
            return Ok(Recorded { new: false, count });
        }
        insert_incident(&mut transaction, crash).await?;
        let counted = signal_only::counted(&mut transaction, crash).await?;
        insert_instance(&mut transaction, crash, &counted.row).await?;
        if insert_crash(&mut transaction, crash, &counted.row).await? == 0 {
            // another node's connection was faster; what this transaction did to the incident is dropped with it
            drop(transaction);
            let mut transaction = self.sql.begin(Durability::Durable).await?;
            let count = known(&mut transaction, &crash.id()).await?.unwrap_or(0);
            return Ok(Recorded { new: false, count });
        }
        if let Some(audit) = &crash.audit {
            insert_audit(&mut transaction, crash, audit).await?;
        }
        crash_minutes::add(&mut transaction, crash).await?;
        incidents::count_hour(&mut transaction, crash, &counted.row).await?;
        let count = count_crash(&mut transaction, crash, &counted).await?;
        transaction.commit().await?;
        Ok(Recorded { new: true, count })
    }

    /// The crash of one process.
    pub async fn crash(&self, id: &CrashId) -> Result<Option<Crash>, StoreError> {
        let sql = select_crashes!("WHERE c.id = $1");
        Ok(self.read_crashes(sql, vec![id.to_string().into()]).await?.pop())
    }

    /// An app's crashes in a range, newest first.
    pub async fn crashes(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<Crash>, StoreError> {
        let sql = select_crashes!(
            "WHERE c.app = $1 AND c.at_ms >= $2 AND c.at_ms < $3 ORDER BY c.at_ms DESC, c.id DESC LIMIT $4"
        );
        self.sql.read_in(sql, app, range, limit, crash_of).await.map_err(self.failed(READING))
    }

    /// An incident's crashes, newest first.
    pub async fn crashes_of_incident(&self, id: &IncidentId, limit: u32) -> Result<Vec<Crash>, StoreError> {
        let parts = "SELECT id, last_seen_ms FROM incident WHERE (id = $1 OR joined_to = $1) AND crash_count > 0 \
                     ORDER BY last_seen_ms DESC, id";
        let part = |row: &Row| Ok((row.raw("id")?, row.int("last_seen_ms")?));
        let parts = self.sql.read(parts, vec![id.as_str().into()], part).await;
        let sql = select_crashes!("WHERE c.incident = $1 ORDER BY c.at_ms DESC, c.id DESC LIMIT $2");
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut newest: Vec<Crash> = Vec::new();
        for (part, last_seen_ms) in parts.map_err(self.failed("Reading an incident's parts"))? {
            // the parts that follow ended before
            if newest.len() == most && newest.last().is_some_and(|oldest| oldest.at.as_ms() > last_seen_ms) {
                break;
            }
            newest.extend(self.read_crashes(sql, vec![part.into(), i64::from(limit).into()]).await?);
            newest.sort_by_cached_key(|crash| Reverse((crash.at, crash.id().to_string())));
            newest.truncate(most);
        }
        Ok(newest)
    }

    async fn read_crashes(&self, sql: &'static str, values: Vec<Value>) -> Result<Vec<Crash>, StoreError> {
        self.sql.read(sql, values, crash_of).await.map_err(self.failed(READING))
    }

    /// The audit rows of an app's dumps that were captured in a range, newest first.
    pub async fn audits(
        &self,
        app: &AppName,
        range: TimeRange,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let sql = "SELECT crash, incident, size_bytes, sha256, captured_at_ms, dropped_at_ms, stopped_us, result \
                   FROM audit WHERE app = $1 AND captured_at_ms >= $2 AND captured_at_ms < $3 \
                   ORDER BY captured_at_ms DESC, crash DESC LIMIT $4";
        let audits = self.sql.read_in(sql, app, range, limit, audit_row_of).await;
        audits.map_err(self.failed("Reading the audit of dumps"))
    }
}

/// For errors.
const READING: &str = "Reading crashes";

/// How many crashes the incident of an already recorded one counts.
async fn known(transaction: &mut Writing<'_>, id: &CrashId) -> sqlx::Result<Option<u64>> {
    let sql = "SELECT COALESCE(i.joined_to, i.id) AS incident FROM crash AS c JOIN incident AS i ON i.id = c.incident \
               WHERE c.id = $1";
    let rows = transaction.rows(sql, vec![id.to_string().into()]).await?;
    match rows.first() {
        Some(row) => all_crashes(transaction, &row.raw("incident")?).await.map(Some),
        None => Ok(None),
    }
}

/// How many crashes are counted with an incident.
async fn all_crashes(transaction: &mut Writing<'_>, incident: &str) -> sqlx::Result<u64> {
    let sql = "SELECT CAST(COALESCE(SUM(crash_count), 0) AS BIGINT) AS crash_count FROM incident \
               WHERE id = $1 OR joined_to = $1";
    let rows = transaction.rows(sql, vec![incident.into()]).await?;
    rows.first().map_or(Ok(0), |row| row.number("crash_count"))
}

/// Makes the incident where it is new, and in either case holds its row until the end: retention cannot take it away meanwhile.
async fn insert_incident(transaction: &mut Writing<'_>, crash: &Crash) -> sqlx::Result<()> {
    let sql = "INSERT INTO incident (id, app, signature, crash_count, first_seen_ms, last_seen_ms) \
               VALUES ($1, $2, $3, 0, $4, $4) ON CONFLICT (id) DO UPDATE SET signature = excluded.signature";
    let values = vec![
        crash.incident.as_str().into(),
        (&crash.place.app).into(),
        crash.findings.signature.as_str().into(),
        crash.at.into(),
    ];
    transaction.execute(sql, values).await.map(drop)
}

async fn insert_instance(transaction: &mut Writing<'_>, crash: &Crash, row: &str) -> sqlx::Result<()> {
    let sql =
        "INSERT INTO incident_instance (incident, node, instance) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    let Place { node, instance, .. } = &crash.place;
    let values = vec![row.into(), node.into(), i64::from(*instance).into()];
    transaction.execute(sql, values).await.map(drop)
}

async fn insert_crash(transaction: &mut Writing<'_>, crash: &Crash, row: &str) -> sqlx::Result<u64> {
    let sql = "INSERT INTO crash (id, app, at_ms, node, instance, incident, captured, pid, role, uptime_ms, cause, signal, \
               exit_code, exception_type, runtime, signature, in_flight_count, in_flight, notes, crashing_thread, modules, memory, \
               executable, build) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, \
               $21, $22, $23, $24) \
               ON CONFLICT (id) DO NOTHING";
    let findings = &crash.findings;
    let values = vec![
        crash.id().to_string().into(),
        (&crash.place.app).into(),
        crash.at.into(),
        (&crash.place.node).into(),
        i64::from(crash.place.instance).into(),
        row.into(),
        i64::from(crash.audit.is_some()).into(),
        i64::from(crash.pid).into(),
        word(crash.role)?,
        count(crash.uptime_ms),
        word(crash.cause)?,
        Value::MaybeText(crash.signal.clone()),
        Value::MaybeInt(crash.exit_code.map(i64::from)),
        findings.exception_type.as_str().into(),
        word(findings.runtime)?,
        findings.signature.as_str().into(),
        i64::from(crash.in_flight_count).into(),
        json(&crash.in_flight)?,
        json(&findings.notes)?,
        json(&findings.crashing_thread)?,
        json(&findings.modules)?,
        json(&crash.memory)?,
        Value::MaybeText(findings.executable.as_ref().map(|executable| executable.name.clone())),
        Value::MaybeText(findings.executable.as_ref().map(|executable| executable.build.clone())),
    ];
    transaction.execute(sql, values).await
}

async fn insert_audit(transaction: &mut Writing<'_>, crash: &Crash, audit: &Audit) -> sqlx::Result<()> {
    let sql = "INSERT INTO audit (crash, app, incident, size_bytes, sha256, captured_at_ms, dropped_at_ms, stopped_us, result) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let values = vec![
        crash.id().to_string().into(),
        (&crash.place.app).into(),
        crash.incident.as_str().into(),
        count(audit.size_bytes),
        audit.sha256.as_str().into(),
        audit.captured_at.into(),
        audit.dropped_at.into(),
        count(audit.stopped_us),
        audit.result.as_str().into(),
    ];
    transaction.execute(sql, values).await.map(drop)
}

async fn count_crash(
    transaction: &mut Writing<'_>,
    crash: &Crash,
    Counted { row, incident }: &Counted,
) -> sqlx::Result<u64> {
    let sql = "UPDATE incident SET crash_count = crash_count + 1, \
               first_seen_ms = CASE WHEN first_seen_ms < $2 THEN first_seen_ms ELSE $2 END, \
               last_seen_ms = CASE WHEN last_seen_ms > $2 THEN last_seen_ms ELSE $2 END WHERE id = $1";
    transaction.execute(sql, vec![row.as_str().into(), crash.at.into()]).await?;
    let sql = "UPDATE incident SET \
               shown_first_ms = CASE WHEN shown_first_ms < $2 THEN shown_first_ms ELSE $2 END, \
               shown_last_ms = CASE WHEN shown_last_ms > $2 THEN shown_last_ms ELSE $2 END \
               WHERE id = $1 RETURNING state, state_fields";
    let rows = transaction.rows(sql, vec![incident.as_str().into(), crash.at.into()]).await?;
    incidents::take_notice(transaction, crash, incident, rows.first().ok_or(sqlx::Error::RowNotFound)?)
        .await?;
    all_crashes(transaction, incident).await
}

fn audit_row_of(row: &Row) -> sqlx::Result<AuditRow> {
    Ok(AuditRow { crash: row.name("crash")?, incident: row.name("incident")?, audit: audit_of(row)? })
}
