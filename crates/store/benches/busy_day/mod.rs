//! A day of a busy app in a database, for benches: crashes by the million, minutes of every instance, restarts. What is many is
//! multiplied inside the database from a few rows that the store recorded, and counted as the migrations count what they find.

mod samples;

use model::{AppName, NodeName, Place, Timestamp};
use sqlx::{AssertSqlSafe, Connection, Database as Driver, Executor, PgConnection, SqliteConnection};
use store::{Database, Flush, Store};

const DAY_MS: i64 = 86_400_000;
/// The crashes lie within this, so that none leaves the last 24 hours while a bench runs.
const CRASHES_MS: i64 = 84_600_000;
/// The app of which the store recorded a crash of each kind.
const SAMPLE: &str = "sample";

/// How much happened.
pub(crate) struct BusyDay {
    pub(crate) instances: u16,
    pub(crate) crashes: i64,
    /// The crashes are theirs in turns, on every instance. One in ten was captured once, one in fifty ran out of memory.
    pub(crate) incidents: i64,
    /// Of one instance within a minute.
    pub(crate) requests_per_minute: u64,
    pub(crate) restarts: i64,
}

/// Whose day it was.
struct Whose<'a> {
    day: &'a BusyDay,
    node: &'a NodeName,
    app: &'a AppName,
    end: Timestamp,
}

impl BusyDay {
    /// The 24 hours of an app before `end`, into a database that may be new.
    pub(crate) async fn write(&self, database: &Database, node: &NodeName, app: &AppName, end: Timestamp) {
        let store = Store::open(database).await.unwrap();
        let whose = Whose { day: self, node, app, end };
        whose.record(&store).await;
        match database {
            Database::Sqlite(path) => {
                let mut shell = SqliteConnection::connect(&path.display().to_string()).await.unwrap();
                shell.execute("PRAGMA synchronous = OFF").await.unwrap();
                shell.execute("PRAGMA cache_size = -200000").await.unwrap();
                whose.multiply(&mut shell).await;
                shell.close().await.unwrap();
            }
            Database::Postgres(url) => {
                let mut shell = PgConnection::connect(url).await.unwrap();
                whose.multiply(&mut shell).await;
                // as autovacuum has done by the time that anybody looks
                shell.execute("VACUUM ANALYZE").await.unwrap();
                shell.close().await.unwrap();
            }
        }
        // the samples, which lie before everything else
        store.purge(Timestamp::from_ms(DAY_MS)).await.unwrap();
        store.close().await;
    }
}

impl Whose<'_> {
    /// What is few enough to be recorded as Medic records it.
    async fn record(&self, store: &Store) {
        let sample = Place { app: SAMPLE.parse().unwrap(), ..self.place(0) };
        for crash in samples::crashes(&sample) {
            store.record_crash(&crash).await.unwrap();
        }
        let flush = Flush { boot: "a busy day".to_owned(), number: 1, at: self.end };
        let requests = |(place, minute)| samples::requests(place, minute, self.day.requests_per_minute);
        let minutes: Vec<_> = self.minutes().map(requests).collect();
        store.add_minutes(self.node, &flush, &minutes).await.unwrap();
        let memory = |(place, minute)| {
            let memory = samples::memory(&place, minute);
            (place, memory)
        };
        let memory: Vec<_> = self.minutes().map(memory).collect();
        store.add_memory_minutes(&memory).await.unwrap();
        for number in 0..self.day.restarts {
            let at =
                Timestamp::from_ms(self.end.as_ms() - CRASHES_MS + number * CRASHES_MS / self.day.restarts);
            let place = self.place(u16::try_from(number % i64::from(self.day.instances)).unwrap());
            store.record_restart(&samples::restart(place.clone(), at)).await.unwrap();
            store.record_heal_event(&samples::heal_event(place, at)).await.unwrap();
        }
    }

    fn place(&self, instance: u16) -> Place {
        Place { node: self.node.clone(), app: self.app.clone(), instance }
    }

    /// Every whole minute of every instance.
    fn minutes(&self) -> impl Iterator<Item = (Place, Timestamp)> {
        let last = self.end.as_ms() / 60_000;
        (last - DAY_MS / 60_000..last).flat_map(move |minute| {
            (0..self.day.instances)
                .map(move |instance| (self.place(instance), Timestamp::from_ms(minute * 60_000)))
        })
    }

    /// One transaction: a database without all of it is none to measure on.
    async fn multiply<C>(&self, shell: &mut C)
    where
        C: Connection,
        for<'c> &'c mut C: Executor<'c, Database = C::Database>,
        C::Database: Driver,
    {
        shell.execute("BEGIN").await.unwrap();
        for sql in self.statements() {
            shell.execute(AssertSqlSafe(sql)).await.unwrap();
        }
        shell.execute("COMMIT").await.unwrap();
    }

    fn statements(&self) -> Vec<String> {
        let Self { day: BusyDay { instances, crashes, incidents, .. }, node, app, end } = self;
        let (start, last) = (end.as_ms() - CRASHES_MS, crashes - 1);
        let worker = format!("'{node}/{app}/' || h.instance || '/' || (h.at_ms - t.uptime_ms)");
        vec![
            format!(
                "CREATE TEMP TABLE happened AS WITH RECURSIVE numbers(n) AS \
                 (SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < {last}) \
                 SELECT {start} + n * {CRASHES_MS} / {crashes} AS at_ms, n / {incidents} % {instances} AS instance, \
                 substr('0000000000000000', 1, 16 - length(CAST(n % {incidents} AS TEXT))) || CAST(n % {incidents} AS TEXT) \
                 AS incident, CASE WHEN n < {incidents} AND n % 10 = 0 THEN {captured} WHEN n % {incidents} % 50 = 1 \
                 THEN {out_of_memory} ELSE {exit} END AS kind FROM numbers",
                captured = samples::CAPTURED,
                out_of_memory = samples::OUT_OF_MEMORY,
                exit = samples::EXIT,
            ),
            format!(
                "INSERT INTO incident (id, app, signature, crash_count, first_seen_ms, last_seen_ms, shown_first_ms, shown_last_ms) \
                 SELECT incident, '{app}', 'total_of_cart_' || incident, COUNT(*), MIN(at_ms), MAX(at_ms), MIN(at_ms), MAX(at_ms) \
                 FROM happened GROUP BY incident"
            ),
            format!(
                "INSERT INTO incident_instance (incident, node, instance) SELECT DISTINCT incident, '{node}', instance FROM happened"
            ),
            format!(
                "INSERT INTO crash (id, app, at_ms, node, instance, incident, captured, pid, uptime_ms, cause, signal, \
                 exit_code, exception_type, runtime, signature, in_flight_count, in_flight, notes, crashing_thread, modules, \
                 memory) SELECT {worker}, '{app}', h.at_ms, '{node}', h.instance, h.incident, t.captured, t.pid, t.uptime_ms, \
                 t.cause, t.signal, t.exit_code, t.exception_type, t.runtime, 'total_of_cart_' || h.incident, \
                 t.in_flight_count, t.in_flight, t.notes, t.crashing_thread, t.modules, t.memory \
                 FROM happened AS h JOIN crash AS t ON t.app = '{SAMPLE}' AND t.pid = h.kind"
            ),
            format!(
                "INSERT INTO audit (crash, app, incident, size_bytes, sha256, captured_at_ms, dropped_at_ms, stopped_us, result) \
                 SELECT {worker}, '{app}', h.incident, a.size_bytes, a.sha256, h.at_ms, h.at_ms + 900, a.stopped_us, a.result \
                 FROM happened AS h JOIN crash AS t ON t.app = '{SAMPLE}' AND t.pid = h.kind JOIN audit AS a ON a.crash = t.id"
            ),
            format!(
                "INSERT INTO incident_hour (incident, hour_ms, crash_count) \
                 SELECT incident, at_ms - at_ms % 3600000, COUNT(*) FROM crash \
                 WHERE app = '{app}' GROUP BY incident, at_ms - at_ms % 3600000"
            ),
            format!(
                "INSERT INTO crash_place_minute (app, minute_ms, node, instance, crash_count, out_of_memory, first_ms, last_ms) \
                 SELECT app, at_ms - at_ms % 60000, node, instance, COUNT(*), \
                 SUM(CASE WHEN cause = 'out_of_memory' THEN 1 ELSE 0 END), MIN(at_ms), MAX(at_ms) FROM crash \
                 WHERE app = '{app}' GROUP BY app, at_ms - at_ms % 60000, node, instance"
            ),
        ]
    }
}
