//! Share links: a snapshot is made and kept when somebody shares, and shown to whoever has the link.
//!
//! ```text
//!          share                    open with the token
//!  (none) ───────▶ active ◀──────────────────────────── reader: counted, whoever it is
//!                    │  ├── expires_at is over ──▶ expired ─┐
//!                    │  └── revoked ─────────────▶ revoked ─┼─▶ deleted with the data that it shows
//!                    └── its app is not configured: as if it did not exist
//! ```

use std::sync::Arc;
use std::time::Duration;

use app::{ConsoleError, MadeShare, ShareToken, ToShare};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use insight::detector::{Detector, Sharing};
use insight::share::{CRASHES, SharedReport};
use model::auto_heal::restart::RestartKey;
use model::range;
use model::share::{ACTIVE_LIMIT, Included, LONGEST, Opened, Opener, SHORTEST, Share, ShareId, ShareSubject};
use model::time::humanise;
use model::{AppName, Clock, IncidentId, TimeRange, Timestamp};
use sha2::{Digest, Sha256};
use store::NewShare;

use super::{LiveConsole, failed};

/// Of a token. 256 bits are beyond guessing, however many links there are.
const TOKEN_BYTES: usize = 32;
/// Of a link's name, which opens nothing.
const ID_BYTES: usize = 8;
/// Restarts that one place decides on in one millisecond, and more.
const RESTARTS: u32 = 100;
const MOMENT: Duration = Duration::from_millis(1);

/// What would be shared now.
pub(super) struct Snapshot {
    pub(super) report: SharedReport,
    app: AppName,
    subject: ShareSubject,
    /// When the newest of it is of.
    data_until: Timestamp,
}

impl LiveConsole {
    /// `None` where there is no such thing.
    pub(super) async fn snapshot_of(
        &self,
        what: &ToShare,
        included: Included,
    ) -> Result<Option<Snapshot>, ConsoleError> {
        match what {
            ToShare::Incident(id) => self.snapshot_of_incident(id, included).await,
            ToShare::Report { app, detector, range } => {
                self.snapshot_of_report(app, detector, *range, included).await.map(Some)
            }
            ToShare::Restart { app, restart } => self.snapshot_of_restart(app, restart, included).await,
        }
    }

    async fn snapshot_of_incident(
        &self,
        id: &IncidentId,
        included: Included,
    ) -> Result<Option<Snapshot>, ConsoleError> {
        let Some(incident) = self.incident_of(id).await? else { return Ok(None) };
        // its links would not open
        self.known(&incident.app)?;
        let crashes = self.store.crashes_of_incident(&incident.id, CRASHES).await;
        let crashes = crashes.map_err(|error| failed(&error))?;
        Ok(Some(Snapshot {
            report: SharedReport::of_incident(&incident, &crashes, included, self.clock.wall()),
            subject: ShareSubject::Incident { incident: incident.id },
            app: incident.app,
            data_until: incident.last_seen,
        }))
    }

    async fn snapshot_of_report(
        &self,
        app: &AppName,
        detector: &'static Detector,
        range: TimeRange,
        included: Included,
    ) -> Result<Snapshot, ConsoleError> {
        let private = || {
            ConsoleError::Refused(format!(
                "{} cannot be shared: it may show what is private to the machine.",
                detector.title
            ))
        };
        if detector.sharing == Sharing::Private {
            return Err(private());
        }
        if range.length() > range::LONGEST {
            let longest = humanise(range::LONGEST);
            return Err(ConsoleError::Refused(format!("from and to must be at most {longest} apart.")));
        }
        let evidence = self.evidence_of(app, detector, range).await?;
        Ok(Snapshot {
            report: SharedReport::of_report(detector, &evidence, included).ok_or_else(private)?,
            subject: ShareSubject::Detector { detector: detector.id.to_owned(), range },
            app: app.clone(),
            data_until: range.end.min(self.clock.wall()),
        })
    }

    async fn snapshot_of_restart(
        &self,
        app: &AppName,
        restart: &RestartKey,
        included: Included,
    ) -> Result<Option<Snapshot>, ConsoleError> {
        let range = TimeRange { start: restart.at, end: restart.at + MOMENT };
        let decided = self.recorded(app, self.store.restarts(app, range, RESTARTS)).await?;
        let found = decided.into_iter().find(|decided| decided.key() == *restart);
        Ok(found.map(|found| Snapshot {
            report: SharedReport::of_restart(&found, included, self.clock.wall()),
            subject: ShareSubject::Restart { restart: restart.to_string() },
            app: app.clone(),
            data_until: found.at,
        }))
    }

    /// `None` where there is no such thing.
    pub(super) async fn share(
        &self,
        what: &ToShare,
        included: Included,
        expires_in: Duration,
        by: Option<String>,
    ) -> Result<Option<MadeShare>, ConsoleError> {
        if !(SHORTEST..=LONGEST).contains(&expires_in) {
            return Err(ConsoleError::Refused(format!(
                "expires_in must be 1h to 90d (got {}).",
                humanise(expires_in)
            )));
        }
        let Some(Snapshot { report, app, subject, data_until }) = self.snapshot_of(what, included).await?
        else {
            return Ok(None);
        };
        let (now, retention) = (self.clock.wall(), self.retention());
        let (asked, kept_until) = (now + expires_in, data_until + retention);
        let expires_at = asked.min(kept_until);
        if expires_at <= now {
            let why = "Cannot share this: its data is past the retention period and will be deleted.";
            return Err(ConsoleError::Refused(why.to_owned()));
        }
        let _one_after_another = self.sharing.lock().await;
        let active = self.store.active_shares(now).await.map_err(|error| failed(&error))?;
        if active >= ACTIVE_LIMIT {
            let why = format!("{active} share links are active, the most allowed. Revoke some at /shares.");
            return Err(ConsoleError::Conflict(why));
        }
        let (token, id) = (random::<TOKEN_BYTES>()?, random::<ID_BYTES>()?);
        let token = URL_SAFE_NO_PAD.encode(token);
        let share = Share {
            id: hex::encode(id).parse().map_err(|_| no_randomness())?,
            title: report.title.clone(),
            app,
            subject,
            included,
            made_at: now,
            made_by: by,
            expires_at,
            revoked_at: None,
            revoked_by: None,
            opened: Opened::default(),
        };
        let report = serde_json::to_string(&report)
            .map_err(|error| ConsoleError::Unreadable(format!("Cannot write the snapshot: {error}.")))?;
        let new =
            NewShare { share: &share, token_sha256: &hash(token.as_bytes()), report: &report, data_until };
        self.store.add_share(&new).await.map_err(|error| failed(&error))?;
        let is_shortened = expires_at < asked;
        Ok(Some(MadeShare { id: share.id, token: ShareToken(token), expires_at, is_shortened }))
    }

    fn retention(&self) -> Duration {
        *self.retention.lock().expect("nothing panics while it holds the retention")
    }

    pub(super) fn set_retention(&self, retention: Duration) {
        *self.retention.lock().expect("nothing panics while it holds the retention") = retention;
    }

    pub(super) async fn shares_of(
        &self,
        app: Option<&AppName>,
        limit: u32,
    ) -> Result<Vec<Share>, ConsoleError> {
        if let Some(app) = app {
            self.known(app)?;
        }
        self.store.shares(app, limit).await.map_err(|error| failed(&error))
    }

    pub(super) async fn end_share(&self, id: &ShareId, by: Option<String>) -> Result<bool, ConsoleError> {
        let ended = self.store.end_share(id, by.as_deref(), self.clock.wall()).await;
        ended.map_err(|error| failed(&error))
    }
}

/// What share links show: for whoever has one, and of nothing else. It is no principal's.
#[derive(Clone)]
pub struct SharedLinks(Arc<LiveConsole>);

impl SharedLinks {
    pub(super) const fn new(live: Arc<LiveConsole>) -> Self {
        Self(live)
    }

    /// The clock by which links expire.
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0.clock)
    }

    /// What the link with this token shows, which is counted; `None` where there is none that works, whyever that is.
    pub async fn open(&self, token: &str, by: Opener) -> Result<Option<SharedReport>, ConsoleError> {
        let is_token = URL_SAFE_NO_PAD.decode(token).is_ok_and(|bytes| bytes.len() == TOKEN_BYTES);
        if !is_token {
            return Ok(None);
        }
        let Self(live) = self;
        let now = live.clock.wall();
        let found = live.store.open_share(&hash(token.as_bytes()), now).await;
        let Some((id, app, report)) = found.map_err(|error| failed(&error))? else { return Ok(None) };
        if live.app(&app).is_none() {
            return Ok(None);
        }
        let report = serde_json::from_str(&report).inspect_err(|error| {
            tracing::error!(%error, "the snapshot of share link {id} cannot be read");
        });
        let Ok(report) = report else { return Ok(None) };
        // that it cannot be counted is no reason to keep it from its reader
        if let Err(error) = live.store.count_opening(&id, by, now).await {
            failed(&error);
        }
        Ok(Some(report))
    }
}

fn hash(token: &[u8]) -> String {
    hex::encode(Sha256::digest(token))
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], ConsoleError> {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).map_err(|_| no_randomness())?;
    Ok(bytes)
}

fn no_randomness() -> ConsoleError {
    ConsoleError::Unreadable("Cannot make a token: the kernel gave no random bytes.".to_owned())
}
