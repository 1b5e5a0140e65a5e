//! How the files that Medic may have open are shared out among the apps' clients, the dashboard, and what keeps the apps
//! running: so that no number of clients keeps a crashed worker from being replaced, or the operator from seeing why.
//!
//! At its start Medic raises the soft limit as far as it may; what it starts gets the old one back (see [`shim::OpenFiles`]).
//! Somebody may change the limits of a running process, so they are looked at every second, and what there may be of
//! connections follows.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use front_door::{ConnectionCounts, ServingThreads};
use model::status::Snapshot;
use shim::OpenFiles;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use crate::config::{App, Line};
use crate::http_server::Limits;

/// How often the limits are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A shortage is said with the first look that finds it, and with every so many more.
const SAY_EVERY_LOOKS: u32 = 60;
/// The runtime, the store, logs, and what is read of processes.
const OWN: u64 = 64;
/// The runtime of a serving thread.
const OF_THREAD: u64 = 3;
/// A worker that is being started: its specification, its folder and socket, its log, what it says, its port, its link.
const OF_START: u64 = 8;
/// Links of successors and questions whether workers are warm, beside one link for each instance: for one instance in four, and
/// for so many anyway.
const SUCCESSORS: u64 = 32;
/// With fewer connections than this, a limit is called too low.
const CONNECTIONS_AT_LEAST: u64 = 64;
/// What the apps' connections get of a limit that is too low: one part of so many.
const PART_OF_TOO_LOW: u64 = 8;

/// What has to find room below the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Needs {
    apps: u64,
    instances: u64,
    threads: u64,
}

/// Nothing is wrong with what was to be opened: there is no file, memory or port left for it.
pub fn is_shortage(error: &io::Error) -> bool {
    use libc::{EADDRNOTAVAIL, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    matches!(error.raw_os_error(), Some(EADDRNOTAVAIL | EMFILE | ENFILE | ENOBUFS | ENOMEM))
}

/// What is decided at the start and stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shares {
    /// Listening sockets of each app.
    pub listening: usize,
    /// Connections to the dashboard.
    pub dashboard: usize,
    /// Connections to the Unix socket.
    pub operator: usize,
    /// Workers that are started at the same time.
    pub starts: usize,
}

impl Shares {
    fn of(limit: u64, needs: Needs) -> Self {
        let of_limit = |part: u64, least: usize, most: usize| count(limit / part).clamp(least, most);
        Self {
            listening: count(limit / 4 / needs.apps.max(1)).clamp(1, count(needs.threads).max(1)),
            dashboard: of_limit(8, 16, Limits::TCP.connections),
            operator: of_limit(32, 8, Limits::UNIX.connections),
            starts: of_limit(128, 4, 64),
        }
    }

    /// What is kept for all but the apps' connections.
    fn kept(self, needs: Needs) -> u64 {
        let Needs { apps, instances, threads } = needs;
        let links = instances + instances / 4 + SUCCESSORS;
        let starts = OF_START * self.starts as u64;
        let dashboard = (self.dashboard + self.operator) as u64;
        OWN + OF_THREAD * threads + starts + dashboard + self.listening as u64 * apps + links
    }
}

/// What follows the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rest {
    limit: u64,
    /// Connections of all apps.
    connections: usize,
    /// What the limit would have to be, where it is too low.
    too_low_for: Option<u64>,
}

impl Rest {
    fn of(limit: u64, shares: Shares, needs: Needs) -> Self {
        let kept = shares.kept(needs);
        let connections = limit.saturating_sub(kept).max(CONNECTIONS_AT_LEAST.min(limit / PART_OF_TOO_LOW));
        let least = kept + CONNECTIONS_AT_LEAST;
        let too_low_for = (limit < least).then(|| least.next_multiple_of(1_024));
        Self { limit, connections: count(connections), too_low_for }
    }
}

fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// The process's open files.
pub struct Descriptors {
    serving: ServingThreads,
    /// The soft limit that Medic was started with.
    before: Option<u64>,
    needs: Needs,
    shares: Shares,
    rest: Rest,
    /// Looks in a row in which no file could be opened.
    none_free: u32,
}

impl Descriptors {
    /// Raises the limit and shares it out among the `apps`.
    pub fn share_out(serving: ServingThreads, apps: &[App]) -> Self {
        let before = OpenFiles::raise().inspect_err(|error| {
            tracing::warn!(%error, "the limit of open files could not be raised to its hard limit");
        });
        let instances = apps.iter().map(|app| u64::from(app.instances)).sum();
        let needs = Needs { apps: apps.len() as u64, instances, threads: serving.count() as u64 };
        let limit = limit();
        let shares = Shares::of(limit, needs);
        let rest = Rest::of(limit, shares, needs);
        serving.limit_connections(rest.connections);
        let before = before.ok().map(|before| before.soft);
        let descriptors = Self { serving, before, needs, shares, rest, none_free: 0 };
        descriptors.say_if_too_low();
        descriptors
    }

    /// The soft limit that whatever Medic starts gets back.
    pub fn before(&self) -> Option<u64> {
        self.before
    }

    /// Who may have how many.
    pub fn shares(&self) -> Shares {
        self.shares
    }

    /// Where apps are served.
    pub fn serving(&self) -> &ServingThreads {
        &self.serving
    }

    /// Follows the limits until `shut_down` turns true; what there is goes to `note`, for the settings page.
    pub async fn watch(
        mut self,
        snapshot: watch::Receiver<Arc<Snapshot>>,
        note: impl Fn(Line) + Send,
        mut shut_down: watch::Receiver<bool>,
    ) {
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = None;
        loop {
            tokio::select! {
                _ = shut_down.wait_for(|stop| *stop) => return,
                _ = looks.tick() => {}
            }
            let (apps, instances) = {
                let apps = &snapshot.borrow().apps;
                (apps.len() as u64, apps.iter().map(|app| app.instances.len() as u64).sum())
            };
            self.look(limit(), Needs { apps, instances, ..self.needs });
            self.keep_some_free().await;
            let line = self.line();
            if said.as_ref() != Some(&line) {
                note(line.clone());
                said = Some(line);
            }
        }
    }

    fn look(&mut self, limit: u64, needs: Needs) {
        self.needs = needs;
        let rest = Rest::of(limit, self.shares, self.needs);
        if rest == self.rest {
            return;
        }
        let before = std::mem::replace(&mut self.rest, rest);
        self.serving.limit_connections(rest.connections);
        if before.limit != limit {
            tracing::warn!(
                before = before.limit,
                now = limit,
                connections = rest.connections,
                "the limit of open files was changed: the apps' connections follow it"
            );
        }
        if before.too_low_for != rest.too_low_for {
            self.say_if_too_low();
        }
    }

    /// Where not one file can be opened any more, something that nobody can do without would fail next.
    async fn keep_some_free(&mut self) {
        let Err(error) = tokio::fs::File::open("/dev/null").await else {
            if std::mem::take(&mut self.none_free) > 0 {
                tracing::info!("files can be opened again");
            }
            return;
        };
        self.serving.give_back();
        if self.none_free.is_multiple_of(SAY_EVERY_LOOKS) {
            tracing::error!(
                %error,
                limit = self.rest.limit,
                "no file can be opened: idle connections are closed; raise the limit of open files (LimitNOFILE= in the unit, \
                 or ulimit -n; fs.file-max for the whole machine)"
            );
        }
        self.none_free += 1;
    }

    fn say_if_too_low(&self) {
        if let Some(least) = self.rest.too_low_for {
            tracing::error!("{}", too_low(self.rest.limit, least, self.needs));
        }
    }

    fn line(&self) -> Line {
        let ConnectionCounts { clients, limit, closed_idle, turned_away, out_of_descriptors, .. } =
            self.serving.connections();
        let mut value = format!(
            "at most {}; {clients} of {limit} clients connected; since the start {closed_idle} idle ones disconnected for \
             others, {turned_away} turned away",
            self.rest.limit
        );
        if out_of_descriptors > 0 {
            let times = out_of_descriptors.to_string();
            value.extend(["; ", &times, " times there was no file left for a connection"]);
        }
        if let Some(least) = self.rest.too_low_for {
            value.extend([". ", &too_low(self.rest.limit, least, self.needs)]);
        }
        Line { app: None, key: "open files".to_owned(), value, source: "this machine".to_owned(), hint: None }
    }
}

fn too_low(limit: u64, least: u64, needs: Needs) -> String {
    let Needs { apps, instances, .. } = needs;
    format!(
        "The limit of open files ({limit}) is too low for {apps} apps with {instances} instances: some may not start, and \
         clients may be turned away. Raise the hard limit to {least} or more (LimitNOFILE= in the unit, or ulimit -Hn)."
    )
}

/// The limit that holds now. One that cannot be read is taken for what is usual.
fn limit() -> u64 {
    OpenFiles::now().map_or(1_024, |files| files.soft)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(apps: u64) -> Needs {
        Needs { apps, instances: apps, threads: 2 }
    }

    fn rest(limit: u64, apps: u64) -> Rest {
        Rest::of(limit, Shares::of(limit, needs(apps)), needs(apps))
    }

    #[test]
    fn what_is_shared_out_stays_below_the_limit() {
        for limit in [1_024, 4_096, 20_000, 524_288] {
            for apps in [1, 10, 200] {
                let (shares, rest) = (Shares::of(limit, needs(apps)), rest(limit, apps));
                let taken = shares.kept(needs(apps)) + rest.connections as u64;
                assert_eq!((taken, rest.too_low_for), (limit, None), "{limit} for {apps}: {shares:?}");
            }
        }
    }

    #[test]
    fn two_hundred_apps_find_room_in_1_024() {
        assert_eq!(Shares::of(1_024, needs(200)).listening, 1);
        assert!(rest(1_024, 200).connections >= 200);
    }

    #[test]
    fn a_limit_that_is_too_low_is_named_with_one_that_is_not() {
        let low = rest(256, 200);
        assert_eq!(rest(low.too_low_for.unwrap(), 200).too_low_for, None);
        assert_eq!(low.connections, 32, "what there is goes to what keeps the apps running");
    }

    #[test]
    fn as_many_sockets_listen_as_threads_serve_where_there_is_room() {
        let many = |limit| Shares::of(limit, Needs { threads: 8, ..needs(200) }).listening;
        assert_eq!((many(524_288), many(4_096), many(1_024)), (8, 5, 1));
    }

    #[test]
    fn what_was_opened_at_the_start_is_kept_when_the_limit_is_lowered() {
        let shares = Shares::of(20_000, needs(200));
        assert_eq!(shares.listening, 2);
        let lowered = Rest::of(1_024, shares, needs(200));
        assert!(lowered.too_low_for.is_some() && lowered.connections == 64, "{lowered:?}");
    }
}
