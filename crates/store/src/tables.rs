//! What the database holds, a row here for each table: what its columns are, and what keeps it from growing without end. A table
//! that is added is a row here and a migration; retention and the conformance suite go by this list.

use std::time::Duration;

/// One of them.
pub struct Table {
    pub name: &'static str,
    pub columns: &'static [&'static str],
    pub bound: Bound,
}

/// What keeps a table from growing without end.
pub enum Bound {
    /// A row goes when it is older than the retention.
    Age(Age),
    /// A row goes with the last row of this other table that it belongs to.
    With(&'static str),
    /// A row each for what is configured, which people keep small: nodes, apps, instances, settings.
    Configured,
}

/// How old rows are found.
pub struct Age {
    /// Deletes rows before `$1`, at most `$2` of them.
    pub(crate) delete: &'static str,
    /// When the oldest row is of; none where rows say nothing of how far history reaches.
    pub(crate) oldest: Option<&'static str>,
    /// How much longer rows are kept: one that counts a whole minute is needed until all of that is old.
    pub(crate) grace: Duration,
}

/// By a primary key and the column of the time.
macro_rules! delete_before {
    ($table:literal, $key:literal, $time:literal) => {
        concat!(
            "DELETE FROM ",
            $table,
            " WHERE (",
            $key,
            ") IN (SELECT ",
            $key,
            " FROM ",
            $table,
            " WHERE ",
            $time,
            " < $1 ORDER BY ",
            $time,
            " LIMIT $2)"
        )
    };
}

macro_rules! age {
    ($table:literal, $key:literal, $time:literal) => {
        Bound::Age(Age {
            delete: delete_before!($table, $key, $time),
            oldest: Some(concat!("SELECT MIN(", $time, ") AS oldest FROM ", $table)),
            grace: Duration::ZERO,
        })
    };
}

/// All of them, in the order in which old rows are deleted.
pub const TABLES: &[Table] = &[
    Table {
        name: "crash",
        columns: &[
            "id",
            "app",
            "at_ms",
            "node",
            "instance",
            "incident",
            "captured",
            "pid",
            "role",
            "uptime_ms",
            "cause",
            "signal",
            "exit_code",
            "exception_type",
            "runtime",
            "signature",
            "in_flight_count",
            "in_flight",
            "notes",
            "crashing_thread",
            "modules",
            "memory",
            "executable",
            "build",
        ],
        bound: age!("crash", "id", "at_ms"),
    },
    Table {
        name: "audit",
        columns: &[
            "crash",
            "app",
            "incident",
            "size_bytes",
            "sha256",
            "captured_at_ms",
            "dropped_at_ms",
            "stopped_us",
            "result",
        ],
        bound: Bound::With("crash"),
    },
    Table {
        name: "incident",
        columns: &[
            "id",
            "app",
            "signature",
            "crash_count",
            "first_seen_ms",
            "last_seen_ms",
            "state",
            "state_fields",
            "part_of",
            "joined_to",
            "joins",
            "shown_first_ms",
            "shown_last_ms",
        ],
        bound: Bound::With("crash"),
    },
    Table {
        name: "incident_origin",
        columns: &["incident", "app", "node", "instance", "executable", "build", "signal"],
        bound: Bound::With("incident"),
    },
    Table {
        name: "incident_instance",
        columns: &["incident", "node", "instance"],
        bound: Bound::With("incident"),
    },
    Table {
        name: "incident_hour",
        columns: &["incident", "hour_ms", "crash_count"],
        bound: Bound::Age(Age {
            delete: delete_before!("incident_hour", "incident, hour_ms", "hour_ms"),
            oldest: None,
            grace: Duration::from_hours(1),
        }),
    },
    Table {
        name: "crash_place_minute",
        columns: &[
            "app",
            "minute_ms",
            "node",
            "instance",
            "crash_count",
            "out_of_memory",
            "first_ms",
            "last_ms",
        ],
        bound: Bound::Age(Age {
            delete: delete_before!("crash_place_minute", "app, minute_ms, node, instance", "minute_ms"),
            oldest: None,
            grace: Duration::from_mins(1),
        }),
    },
    Table {
        name: "request_hour",
        columns: &["app", "hour_ms", "node", "instance", "counts", "latencies"],
        bound: Bound::Age(Age {
            delete: delete_before!("request_hour", "app, hour_ms, node, instance", "hour_ms"),
            oldest: Some("SELECT MIN(hour_ms) AS oldest FROM request_hour"),
            grace: Duration::from_hours(1),
        }),
    },
    Table {
        name: "memory_hour",
        columns: &["app", "hour_ms", "node", "instance", "minutes"],
        bound: Bound::Age(Age {
            delete: delete_before!("memory_hour", "app, hour_ms, node, instance", "hour_ms"),
            oldest: Some("SELECT MIN(hour_ms) AS oldest FROM memory_hour"),
            grace: Duration::from_hours(1),
        }),
    },
    Table {
        name: "restart",
        columns: &[
            "id",
            "app",
            "at_ms",
            "node",
            "instance",
            "old_worker",
            "new_worker",
            "reason",
            "reason_fields",
            "outcome",
            "outcome_fields",
            "failed",
            "drained",
            "duration_ms",
            "evidence",
            "streams_ended",
            "tunnels_ended",
            "measurements",
        ],
        bound: age!("restart", "id", "at_ms"),
    },
    Table {
        name: "heal_event",
        columns: &[
            "id",
            "app",
            "at_ms",
            "node",
            "worker",
            "event",
            "event_fields",
            "evidence",
            "measurements",
        ],
        bound: age!("heal_event", "id", "at_ms"),
    },
    Table {
        name: "change",
        columns: &["id", "app", "at_ms", "node", "changed_by", "change", "change_fields"],
        bound: age!("change", "id", "at_ms"),
    },
    Table {
        name: "request_flush",
        columns: &["node", "boot", "number", "at_ms"],
        bound: Bound::Age(Age {
            delete: delete_before!("request_flush", "node, boot", "at_ms"),
            oldest: None,
            grace: Duration::ZERO,
        }),
    },
    Table {
        name: "deploy",
        columns: &["app", "at_ms", "node", "code", "code_from"],
        bound: Bound::Age(Age {
            delete: delete_before!("deploy", "app, at_ms, node", "at_ms"),
            // what has run for long was deployed long ago
            oldest: None,
            grace: Duration::ZERO,
        }),
    },
    Table {
        name: "session",
        columns: &["id", "account", "made_ms", "seen_ms", "expires_ms", "address", "agent"],
        bound: Bound::Age(Age {
            // a new sign-in deletes what has expired before that, and bounds those of its account
            delete: delete_before!("session", "id", "expires_ms"),
            oldest: None,
            grace: Duration::ZERO,
        }),
    },
    Table {
        name: "share",
        columns: &[
            "id",
            "token_sha256",
            "app",
            "title",
            "subject",
            "subject_fields",
            "included",
            "report",
            "data_until_ms",
            "made_ms",
            "made_by",
            "expires_ms",
            "revoked_ms",
            "revoked_by",
            "opened_by_people",
            "opened_by_programs",
            "last_opened_ms",
        ],
        bound: Bound::Age(Age {
            // a snapshot is no way to keep what is past the retention
            delete: delete_before!("share", "id", "data_until_ms"),
            oldest: None,
            grace: Duration::ZERO,
        }),
    },
    Table {
        name: "account",
        columns: &["name", "email", "role", "apps", "password", "made_ms", "changed_ms"],
        bound: Bound::Configured,
    },
    Table { name: "app_code", columns: &["node", "app", "since_ms", "code"], bound: Bound::Configured },
    Table { name: "app_setting", columns: &["app", "name", "value"], bound: Bound::Configured },
    Table { name: "auto_heal", columns: &["app", "rules"], bound: Bound::Configured },
    Table {
        name: "instance_state",
        columns: &["node", "app", "instance", "state"],
        bound: Bound::Configured,
    },
    Table { name: "heal_guard", columns: &["node", "app", "instance", "state"], bound: Bound::Configured },
    Table { name: "fuse", columns: &["node", "app", "state"], bound: Bound::Configured },
    Table { name: "retention", columns: &["id", "keep_from_ms"], bound: Bound::Configured },
];

/// Those whose rows go by their age.
pub(crate) fn with_age() -> impl Iterator<Item = (&'static str, &'static Age)> {
    TABLES.iter().filter_map(|table| match &table.bound {
        Bound::Age(age) => Some((table.name, age)),
        Bound::With(_) | Bound::Configured => None,
    })
}
