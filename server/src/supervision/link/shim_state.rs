//! What a link knows of its shim, whichever connection told it.

use std::collections::{BTreeSet, VecDeque};

use model::ProcessId;
use shim::protocol::{Request, ToShim};
use tokio::sync::oneshot;

use super::requests::TakingBack;
use crate::supervision::connected::Question;

/// What a link knows of its shim.
#[derive(Default)]
pub(super) struct ShimState {
    pub(super) heard: bool,
    pub(super) pid: u32,
    pub(super) protocol: u32,
    /// The shim's process, once it was heard.
    pub(super) process: Option<u32>,
    requests: u64,
    /// Asked, and not answered yet.
    pub(super) unanswered: VecDeque<Unanswered>,
    /// Processes that are about to die, and whose connections it has told.
    pub(super) read: BTreeSet<ProcessId>,
    pub(super) taking_back: TakingBack,
    pub(super) ended: bool,
    /// The shim may go, or may have gone.
    pub(super) acknowledged: bool,
}

/// A request on its way, and who waits for its answer.
pub(super) struct Unanswered {
    pub(super) request: Request,
    /// Dropped with it.
    _waiting: Option<oneshot::Sender<()>>,
}

impl ShimState {
    /// `None` for what the shim does not know.
    pub(super) fn request(&mut self, Question { what, waiting }: Question) -> Option<Request> {
        self.acknowledged |= what == ToShim::Acknowledge;
        let since = match what {
            ToShim::Warm { .. } => 1,
            ToShim::Watch { .. } | ToShim::AcknowledgeChild { .. } => 2,
            ToShim::TakeBack { .. } => 3,
            _ => 0,
        };
        if self.protocol < since {
            return None;
        }
        self.requests += 1;
        let request = Request { id: Some(self.requests), what };
        // The first release answers with no number.
        if self.protocol > 0 || self.acknowledged {
            self.unanswered.push_back(Unanswered { request: request.clone(), _waiting: waiting });
        }
        Some(request)
    }
}
