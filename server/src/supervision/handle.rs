//! The loop, seen from outside. What a person asks for is answered when it has happened, so that the page that is read next
//! shows it.

use std::sync::Arc;

use engine::fleet::{Configuration, Input, Recalled};
use model::auto_heal::AutoHealConfig;
use model::auto_heal::restart::RestartReason;
use model::settings::AppSettings;
use model::status::Snapshot;
use model::{AppName, Place};
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::App;

/// What is asked of the loop, and where to say that it is done.
pub(super) type Request = (Command, oneshot::Sender<()>);

/// What is asked of it.
pub(super) enum Command {
    /// Take this in.
    Input(Box<Input>),
    /// Run the apps as they are configured now.
    Reload(Box<Reload>),
    /// End, and leave every worker to the next Medic.
    HandOver,
}

/// The configuration, read again.
pub struct Reload {
    /// How each app is run.
    pub apps: Vec<App>,
    /// What policies go by.
    pub configuration: Configuration,
    /// Whether that has what was remembered of what is new. Where it does not, it comes by [`Supervision::recall`].
    pub is_recalled: bool,
}

/// The loop, seen from outside.
#[derive(Clone)]
pub struct Supervision {
    requests: mpsc::Sender<Request>,
    snapshot: watch::Receiver<Arc<Snapshot>>,
}

impl Supervision {
    pub(super) fn new(requests: mpsc::Sender<Request>, snapshot: watch::Receiver<Arc<Snapshot>>) -> Self {
        Self { requests, snapshot }
    }

    /// What is true now; wait on it for changes.
    pub fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.clone()
    }

    /// An app's settings changed.
    pub async fn configure(&self, app: AppName, settings: AppSettings) {
        self.tell(Input::Settings { app, settings }).await;
    }

    /// The user's rules for an app changed.
    pub async fn auto_heal(&self, app: AppName, rules: AutoHealConfig) {
        self.tell(Input::Rules { app, rules: Box::new(rules) }).await;
    }

    /// Arms an app's fuse again.
    pub async fn rearm(&self, app: AppName, by: Option<String>) {
        self.tell(Input::Rearm { app, by }).await;
    }

    /// Begins an overlapped restart, if the instance runs and none is under way.
    pub async fn restart(&self, place: Place, reason: RestartReason) {
        self.tell(Input::Restart { place, reason }).await;
    }

    /// Runs the apps as they are configured now: those that are new start, those that are gone drain and end, numbers hold at
    /// once, and workers whose command, folder or environment changed are replaced one after another.
    pub async fn reload(&self, reload: Reload) {
        self.ask(Command::Reload(Box::new(reload))).await;
    }

    /// What the database holds could only be read now.
    pub async fn recall(&self, recalled: Recalled) {
        self.tell(Input::Recalled(Box::new(recalled))).await;
    }

    /// The database was begun anew: everything that is to be remembered is written again.
    pub async fn remember_all(&self) {
        self.tell(Input::RememberAll).await;
    }

    /// Stops every worker, each within its grace.
    pub async fn stop(&self) {
        self.tell(Input::Stop).await;
    }

    /// Ends the loop; every worker goes on running.
    pub async fn hand_over(&self) {
        self.ask(Command::HandOver).await;
    }

    /// Ends when the loop has had its turn.
    pub async fn answers(&self) {
        self.tell(Input::Tick).await;
    }

    /// Kills what was asked to stop and has not.
    pub async fn hasten(&self) {
        self.tell(Input::Stop).await;
    }

    async fn tell(&self, input: Input) {
        self.ask(Command::Input(Box::new(input))).await;
    }

    /// A loop that has ended has nothing to do any more.
    async fn ask(&self, command: Command) {
        let (done, is_done) = oneshot::channel();
        if self.requests.send((command, done)).await.is_ok() {
            let _ended = is_done.await;
        }
    }
}
