//! The link to one worker's shim, for as long as the shim lives: what it says becomes inputs of the loop, what the loop wants is
//! sent to it.
//!
//! ```text
//!            connected, all heard             connection over
//!  trying ───────────────────────▶ connected ──────────────────┐
//!   ▲ │ ▲                                                      │
//!   │ │ └──────────────────────────────────────────────────────┘
//!   └─┤ not reached: again, after growing pauses
//!     └ nobody listens, and the shim has ended for certain: its run folder is removed, and the loop is told
//! ```
//!
//! A connection that fails says nothing about the worker: descriptors may be used up, the shim may be stopped. So the link
//! stays, and what was asked and not answered is asked again.

mod requests;
mod said;
mod shim_state;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use engine::fleet::Input;
use engine::instance;
use front_door::Death;
use model::WorkerId;
use model::start::Readiness;
use shim::WorkerTree;
use shim::protocol::{FromShim, SPEC_NAME, Said, ToShim, Watched};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};

use self::shim_state::{ShimState, Unanswered};
use super::connected::{Connected, Known, Question};
use super::session::{Heard, OpenError, Session};
use super::warm_up;
use crate::config::warm_up::WarmUpCheck;
use crate::doors::Door;

/// How long a shim may take to say how things stand before that is said; it is one thread that does little else.
const SILENCE: Duration = Duration::from_secs(2);
/// Between the first two tries, doubled with each up to the second.
const PAUSES: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(5)];
/// How long a worker may take to answer, of which nobody knows any more whether it takes requests.
const QUICK_LOOK: Duration = Duration::from_secs(1);

/// Where a link begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// This Medic has just started the shim.
    Launched,
    /// The shim was there before this Medic.
    Found,
}

/// The link to one shim.
pub(super) struct Link {
    pub(super) worker: WorkerId,
    pub(super) run_dir: PathBuf,
    pub(super) origin: Origin,
    pub(super) front_door: Option<Arc<Door>>,
    pub(super) warm_up_check: Option<WarmUpCheck>,
    /// Whose crashes count, where the worker may have been started with another answer.
    pub(super) watched: Option<Watched>,
    pub(super) inbox: mpsc::Sender<Input>,
    pub(super) connected: Connected,
    pub(super) requests: mpsc::UnboundedReceiver<Question>,
    /// The worker's own control group, where it has one.
    pub(super) group: Option<PathBuf>,
}

/// The loop has ended, so nobody is to be told any more.
struct LoopEnded;

impl Link {
    /// Goes on until the shim is gone, or the loop is.
    pub(super) async fn run(mut self) {
        let mut shim = ShimState::default();
        while let Some((session, heard)) = self.open(&shim).await {
            let ended = match self.begin(heard, &mut shim).await {
                Ok(()) => self.exchange(session, &mut shim).await,
                Err(LoopEnded) => Err(LoopEnded),
            };
            if ended.is_err() {
                return;
            }
        }
        self.gone(&shim).await;
        self.connected.remove(&self.worker);
    }

    /// Connects, however long it takes; `None` once the shim has ended for certain.
    async fn open(&self, shim: &ShimState) -> Option<(Session, Heard)> {
        let [mut pause, longest] = PAUSES;
        let (mut tries, mut is_first) = (0_u32, true);
        let mut say = |why: &dyn std::fmt::Display| {
            tries += 1;
            // Often enough to be seen, and not for each try of hours.
            if tries.is_power_of_two() && !shim.acknowledged {
                tracing::warn!(worker = %self.worker, "cannot reach its shim, retrying: {why}");
            }
        };
        loop {
            let mut opening = std::pin::pin!(Session::open(&self.run_dir));
            let opened = loop {
                match timeout(SILENCE, &mut opening).await {
                    Ok(opened) => break opened,
                    Err(_) => say(&"no response"),
                }
            };
            match opened {
                Ok(session) => return Some(session),
                Err(error) => {
                    if error.is_nobody() && self.has_ended(shim).await {
                        return None;
                    }
                    // A Medic that is just ending lets go in a moment.
                    if !(is_first && matches!(error, OpenError::Busy { .. })) {
                        say(&error);
                    }
                    is_first = false;
                }
            }
            sleep(pause).await;
            pause = longest.min(pause * 2);
        }
    }

    /// Not being able to tell is no proof.
    async fn has_ended(&self, shim: &ShimState) -> bool {
        let (run_dir, process) = (self.run_dir.clone(), shim.process);
        let asked = tokio::task::spawn_blocking(move || shim::has_ended(&run_dir, process)).await;
        matches!(asked, Ok(Ok(true)))
    }

    /// Tells the loop how things stand: first of all that the worker is there.
    async fn begin(&self, heard: Heard, shim: &mut ShimState) -> Result<(), LoopEnded> {
        let lives = heard.lives();
        let Heard { pid, port, address, armed, spec_hash, protocol, process, warm, asked, past } = heard;
        (shim.pid, shim.protocol, shim.process) = (pid, protocol, process);
        let tree = match process {
            Some(process) => WorkerTree::below_shim(process, self.group.clone()),
            None => WorkerTree::of_worker(pid, self.group.clone()),
        };
        let address = address.unwrap_or_else(|| warm_up::loopback(port));
        self.connected.know(&self.worker, Known { pid, address, tree: tree.clone(), spec_hash });
        let is_first = !std::mem::replace(&mut shim.heard, true);
        match self.origin {
            Origin::Launched if is_first => {
                self.tell(instance::WorkerEvent::Started { pid, port, armed }).await?;
            }
            Origin::Found if is_first => {
                self.forget_specification().await;
                if let Some(processes) = self.watched {
                    self.connected.send(&self.worker, ToShim::Watch { processes });
                }
                if lives {
                    tracing::info!(worker = %self.worker, "taking over");
                    let warm = warm || (!asked && self.is_warm(port, &tree).await);
                    self.tell(instance::WorkerEvent::Found { pid, port, armed, warm, asked }).await?;
                }
            }
            // Its answer may have been lost with the last connection.
            _ if armed => self.tell(instance::WorkerEvent::Armed).await?,
            _ => {}
        }
        for said in past {
            self.hear(said, shim).await?;
        }
        Ok(())
    }

    /// A shim of the first release has the worker's environment in a file.
    async fn forget_specification(&self) {
        let file = self.run_dir.join(SPEC_NAME);
        match tokio::fs::remove_file(&file).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(file = %file.display(), %error, "it holds the worker's environment and could not be deleted");
            }
            _ => {}
        }
    }

    async fn is_warm(&self, port: u16, tree: &WorkerTree) -> bool {
        let Some(check) = &self.warm_up_check else { return false };
        let found = watch::Sender::new(Readiness::NotListening);
        let warm = timeout(QUICK_LOOK, warm_up::until_warm(port, tree, check, &found)).await;
        warm.map(|address| self.connected.reached(&self.worker, address)).is_ok()
    }

    /// Carries messages both ways until the connection is over.
    async fn exchange(&mut self, mut session: Session, shim: &mut ShimState) -> Result<(), LoopEnded> {
        for Unanswered { request, .. } in &shim.unanswered {
            session.ask(request);
        }
        loop {
            tokio::select! {
                () = shim.taking_back.is_due() => {
                    let question = self.take_back(&mut shim.taking_back).await;
                    if let Some(request) = question.and_then(|question| shim.request(question)) {
                        session.ask(&request);
                    }
                }
                step = session.step() => match step {
                    Some(Some(Said { re, what })) => {
                        shim.unanswered.retain(|asked| re.is_none() || asked.request.id != re);
                        self.hear(what, shim).await?;
                    }
                    Some(None) => {}
                    None => return Ok(()),
                },
                // None: nothing more is asked of it, and it goes when it has heard so.
                Some(question) = self.requests.recv() => {
                    if let Some(request) = shim.request(question) {
                        session.ask(&request);
                    }
                }
            }
        }
    }

    async fn hear(&self, said: FromShim, shim: &mut ShimState) -> Result<(), LoopEnded> {
        shim.ended |= matches!(said, FromShim::Ended { .. });
        if let FromShim::State { pid, .. } = said {
            shim.pid = pid;
            self.connected.moved(&self.worker, pid);
            return self.tell(instance::WorkerEvent::Moved { pid }).await;
        }
        match self.translate(said, shim).await {
            Some(input) => self.tell(input).await,
            None => Ok(()),
        }
    }

    async fn tell(&self, input: instance::WorkerEvent) -> Result<(), LoopEnded> {
        let input = Input::Worker { worker: self.worker.clone(), input };
        self.inbox.send(input).await.map_err(|_| LoopEnded)
    }

    /// Ends what the worker left where its shim could not, nor the shim's reaper, which may have been killed with it.
    async fn end_group(&self) {
        let Some(group) = self.group.clone() else { return };
        let end = move || shim::cgroup::end_group(&group);
        match tokio::task::spawn_blocking(end).await {
            Ok(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(worker = %self.worker, %error, "what it left in its control group cannot be ended");
            }
            _ => {}
        }
    }

    /// The shim has ended: one that went before its worker's end was written down is lost.
    async fn gone(&self, shim: &ShimState) {
        // A shim that went as it should has done so itself.
        let run_dir = self.run_dir.clone();
        let _already_gone = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(run_dir)).await;
        if shim.ended && shim.acknowledged {
            return;
        }
        self.end_group().await;
        if shim.heard {
            tracing::warn!(worker = %self.worker, "the shim is gone");
        } else {
            tracing::warn!(worker = %self.worker, "its shim has ended; the run folder was left over and is removed");
        }
        let affected = self.affected(Death::Killed, None).await;
        let _ended = self.tell(instance::WorkerEvent::Lost { affected }).await;
    }
}
