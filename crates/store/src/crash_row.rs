//! A crash with its audit, as a row that was read.

use model::crash::{Audit, Crash, Executable, Findings};
use model::{CrashId, Timestamp};

use crate::sql::Row;

/// The columns that [`crash_of`] reads, of `crash AS c LEFT JOIN audit AS a`.
macro_rules! crash_columns {
    () => {
        "c.id, c.app, c.at_ms, c.node, c.instance, \
         COALESCE((SELECT h.joined_to FROM incident AS h WHERE h.id = c.incident), c.incident) AS incident, c.pid, c.role, c.uptime_ms, c.cause, c.signal, \
         c.exit_code, c.exception_type, c.runtime, c.signature, c.in_flight_count, c.in_flight, c.notes, \
         c.crashing_thread, c.modules, c.memory, c.executable, c.build, a.size_bytes, a.sha256, a.captured_at_ms, a.dropped_at_ms, a.stopped_us, \
         a.result"
    };
}
pub(crate) use crash_columns;

pub(crate) fn crash_of(row: &Row) -> sqlx::Result<Crash> {
    let exit_code = row.maybe_int("exit_code")?;
    let CrashId { worker, process } = row.name("id")?;
    Ok(Crash {
        place: row.place()?,
        pid: row.number("pid")?,
        role: row.word("role")?,
        process_started_at: process.map_or(worker.started_at, |process| process.started_at),
        worker,
        at: Timestamp::from_ms(row.int("at_ms")?),
        uptime_ms: row.number("uptime_ms")?,
        cause: row.word("cause")?,
        signal: row.maybe_text("signal")?,
        exit_code: exit_code.and_then(|code| i32::try_from(code).ok()),
        findings: Findings {
            exception_type: row.text("exception_type")?,
            runtime: row.word("runtime")?,
            signature: row.text("signature")?,
            crashing_thread: row.json("crashing_thread")?,
            modules: row.json("modules")?,
            notes: row.json("notes")?,
            executable: executable_of(row)?,
        },
        in_flight: row.json("in_flight")?,
        in_flight_count: row.number("in_flight_count")?,
        memory: row.json("memory")?,
        audit: row.maybe_int("size_bytes")?.map(|_| audit_of(row)).transpose()?,
        incident: row.name("incident")?,
    })
}

fn executable_of(row: &Row) -> sqlx::Result<Option<Executable>> {
    let name = row.maybe_text("executable")?;
    Ok(name.zip(row.maybe_text("build")?).map(|(name, build)| Executable { name, build }))
}

pub(crate) fn audit_of(row: &Row) -> sqlx::Result<Audit> {
    Ok(Audit {
        size_bytes: row.number("size_bytes")?,
        sha256: row.text("sha256")?,
        captured_at: Timestamp::from_ms(row.int("captured_at_ms")?),
        dropped_at: Timestamp::from_ms(row.int("dropped_at_ms")?),
        stopped_us: row.number("stopped_us")?,
        result: row.text("result")?,
    })
}
