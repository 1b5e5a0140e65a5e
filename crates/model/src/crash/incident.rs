//! Crashes with one signature, as they are shown together.

use serde::{Deserialize, Serialize};

use super::{Audit, Frame, InFlightRequest, Module, Note, ProcessRole, Runtime, Thread, build_id};
use crate::auto_heal::evidence::Sample;
use crate::incident_state::IncidentState;
use crate::{AppName, CrashCause, IncidentId, Timestamp};

/// Crashes of one app with one signature, from the first to the last. What is not a count or a time is the latest captured
/// crash's, or the latest crash's where none was captured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Incident {
    /// Its permanent name.
    pub id: IncidentId,
    /// Its app.
    pub app: AppName,
    /// The crashes' common name.
    pub signature: String,
    /// The exception's type.
    pub exception_type: String,
    /// Who said so.
    pub runtime: Runtime,
    /// What made it a crash.
    pub cause: CrashCause,
    /// The fatal signal, such as `SIGSEGV`.
    pub signal: Option<String>,
    /// The exit code where no signal ended it.
    pub exit_code: Option<i32>,
    /// The process of the crash shown.
    pub pid: u32,
    /// What it was to its worker.
    pub role: ProcessRole,
    /// How many crashes, the probable ones among them.
    pub count: u64,
    /// How many of them are only probably the same: of these nothing but the signal is known, and they are of the same executable
    /// and build, signal and instance as one that was captured.
    #[serde(default)]
    pub probable: u64,
    /// How many of them were captured with their stacks.
    #[serde(default)]
    pub captured: u64,
    /// Such crashes are counted here, unless another captured incident could have them too.
    #[serde(default = "yes")]
    pub joins: bool,
    /// Where only the signal is known: the incidents of the same executable and build, signal and instance that were captured.
    #[serde(default)]
    pub matches: Vec<IncidentId>,
    /// The first of them.
    pub first_seen: Timestamp,
    /// The last of them.
    pub last_seen: Timestamp,
    /// Where they happened, as `node/instance`, sorted.
    pub instances: Vec<String>,
    /// The thread that crashed.
    pub crashing_thread: Thread,
    /// What was loaded, of the frames' files first.
    pub modules: Vec<Module>,
    /// What was under way at the crash shown.
    pub in_flight: Vec<InFlightRequest>,
    /// How many requests were under way at the crash shown.
    pub in_flight_count: u32,
    /// Private bytes over the last minutes before the crash shown, oldest first; empty where memory did not end the worker.
    #[serde(default)]
    pub memory: Vec<Sample>,
    /// The proof of the dump's deletion, where one was taken.
    pub audit: Option<Audit>,
    /// What the reader should know about the analysis. The API tells it in the words of `insight`.
    #[serde(skip)]
    pub notes: Vec<Note>,
    /// Whether it is still somebody's task.
    pub state: IncidentState,
}

/// What of an incident stands in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentSummary {
    pub id: IncidentId,
    pub app: AppName,
    pub signature: String,
    pub exception_type: String,
    pub cause: CrashCause,
    pub signal: Option<String>,
    pub exit_code: Option<i32>,
    /// How many crashes, the probable ones among them.
    pub count: u64,
    /// See [`Incident::probable`].
    pub probable: u64,
    pub first_seen: Timestamp,
    pub last_seen: Timestamp,
    /// Where they happened, as `node/instance`, sorted.
    pub instances: Vec<String>,
    /// The crash that it shows was captured.
    pub has_dump: bool,
    pub state: IncidentState,
}

/// An incident that crashed in a time range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentInRange {
    /// Its count and times are of its whole life.
    pub incident: IncidentSummary,
    /// How often it crashed in the range.
    pub count: u64,
}

const fn yes() -> bool {
    true
}

impl Incident {
    /// See [`Thread::top_frame`].
    pub fn top_frame(&self) -> Option<&Frame> {
        self.crashing_thread.top_frame()
    }

    /// What of it stands in a line.
    pub fn summary(&self) -> IncidentSummary {
        let Self { id, app, signature, exception_type, signal, instances, state, .. } = self.clone();
        let Self { cause, exit_code, count, probable, first_seen, last_seen, .. } = *self;
        let has_dump = self.audit.is_some();
        IncidentSummary {
            id,
            app,
            signature,
            exception_type,
            cause,
            signal,
            exit_code,
            count,
            probable,
            first_seen,
            last_seen,
            instances,
            has_dump,
            state,
        }
    }

    /// The GNU build id of the code that crashed; see [`Crash::build_id`].
    pub fn build_id(&self) -> Option<&str> {
        build_id(&self.crashing_thread, &self.modules)
    }
}
