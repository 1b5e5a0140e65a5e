//! Records as the API tells them: what was recorded, with its sentences.

mod crash;

pub use crash::{CrashRecord, IncidentRecord};
use model::auto_heal::event::{EventKind, HealEvent};
use model::auto_heal::evidence::{Reading, Rule, Sample, Unit};
use model::auto_heal::fuse::FuseStatus;
use model::auto_heal::limit::MemoryLimit;
use model::auto_heal::restart::{Restart, RestartOutcome, RestartReason};
use model::auto_heal::{Evidence, HealStatus, LastHeal, Refusal, RefusalReason};
use model::start::Starting;
use model::status::{AppHeal, InstanceHeal, RestartStage, Restarting};
use model::streams::OpenStreams;
use model::{NodeName, Place, Timestamp, WorkerId};
use serde::Serialize;

use crate::healing;
use crate::rules::{self, Watching};
use crate::start;

/// Why a rule acted.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Evidence))]
pub struct EvidenceRecord {
    /// Which rule.
    pub rule: Rule,
    /// When it acts, in words and numbers: begins with `when`.
    pub condition: String,
    /// What it saw, in words and numbers.
    pub observed: String,
    /// What the samples are compared with.
    pub threshold: u64,
    /// What threshold and samples count.
    pub unit: Unit,
    /// How long the rule looks back.
    pub window_ms: u64,
    /// What it saw over that time, oldest first: the highest of each stretch.
    pub samples: Vec<Sample>,
    /// The rules that did not act, and how far each was from it.
    pub not_fired: Vec<ReadingRecord>,
}

impl From<&Evidence> for EvidenceRecord {
    fn from(evidence: &Evidence) -> Self {
        let text = rules::evidence(evidence);
        Self {
            rule: evidence.rule,
            condition: text.condition,
            observed: text.observed,
            threshold: evidence.threshold,
            unit: evidence.unit,
            window_ms: evidence.window_ms,
            samples: evidence.samples.clone(),
            not_fired: evidence.not_fired.iter().map(ReadingRecord::from).collect(),
        }
    }
}

/// A rule's present value beside its threshold.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Reading))]
pub struct ReadingRecord {
    /// Whose.
    pub rule: Rule,
    /// Does it look?
    #[serde(flatten)]
    pub standing: Watching,
    /// What it sees and when it acts, in words and numbers.
    pub text: String,
    /// What it sees now; absent when it sees nothing.
    pub value: Option<u64>,
    /// What it compares with; absent when it is not known.
    pub threshold: Option<u64>,
    /// What both count.
    pub unit: Unit,
}

impl From<&Reading> for ReadingRecord {
    fn from(reading: &Reading) -> Self {
        Self {
            rule: reading.rule,
            standing: Watching::of(&reading.state),
            text: rules::reading(reading),
            value: reading.value,
            threshold: reading.threshold,
            unit: reading.unit,
        }
    }
}

/// One replacement of a worker, or the attempt.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Restart))]
pub struct RestartRecord {
    /// Its name among the app's, in addresses.
    pub id: String,
    /// The worker that was to go.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub old: WorkerId,
    /// The worker that came; after a failed attempt the one that did not come up, where one was started.
    #[cfg_attr(feature = "schema", schema(value_type = Option<String>))]
    pub new: Option<WorkerId>,
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// When it was decided.
    pub at: Timestamp,
    /// Why.
    pub reason: RestartReason,
    /// What the rule saw, where a rule acted.
    pub evidence: Option<EvidenceRecord>,
    /// From the decision to the old worker's end, or to the attempt's.
    pub duration_ms: u64,
    /// Requests that the old worker finished after the new one had taken over.
    pub drained: u64,
    /// Requests that were answered by an error for it, as the front door counted.
    pub failed: u64,
    /// Streams that it ended: event streams, long downloads and the like.
    pub streams_ended: u64,
    /// Tunnels, such as WebSockets, that it ended.
    pub tunnels_ended: u64,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: OutcomeRecord,
}

/// What became of a restart.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RestartOutcome))]
pub enum OutcomeRecord {
    /// A new worker took over.
    Done,
    /// It did not.
    Failed {
        /// Why.
        why: String,
    },
}

impl From<&RestartOutcome> for OutcomeRecord {
    fn from(outcome: &RestartOutcome) -> Self {
        match outcome {
            RestartOutcome::Done => Self::Done,
            RestartOutcome::Failed { why } => Self::Failed { why: healing::failure(why) },
        }
    }
}

impl From<Restart> for RestartRecord {
    fn from(restart: Restart) -> Self {
        let evidence = restart.evidence.as_ref().map(EvidenceRecord::from);
        let (id, outcome) = (restart.key().to_string(), OutcomeRecord::from(&restart.outcome));
        let Restart {
            old,
            new,
            place,
            at,
            reason,
            duration_ms,
            drained,
            failed,
            streams_ended,
            tunnels_ended,
            ..
        } = restart;
        Self {
            id,
            old,
            new,
            place,
            at,
            reason,
            evidence,
            duration_ms,
            drained,
            failed,
            streams_ended,
            tunnels_ended,
            outcome,
        }
    }
}

/// What auto-heal did short of a restart.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = HealEvent))]
pub struct HealEventRecord {
    /// The worker that it is about.
    #[cfg_attr(feature = "schema", schema(value_type = String))]
    pub worker: WorkerId,
    /// The machine.
    pub node: NodeName,
    /// When it was decided.
    pub at: Timestamp,
    /// What the rule saw; also says which rule.
    pub evidence: EvidenceRecord,
    /// What came of it.
    #[serde(flatten)]
    pub what: EventKindRecord,
}

/// What came of a rule that was met.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = EventKind))]
pub enum EventKindRecord {
    /// It was logged.
    Logged,
    /// A custom action was run. Its parameters are not kept: they may hold secrets.
    Ran {
        /// The program.
        exe: String,
        /// How it ended; one sentence.
        result: String,
    },
    /// Nothing was done.
    Refused {
        /// Why.
        refused: RefusalReason,
    },
}

impl From<EventKind> for EventKindRecord {
    fn from(what: EventKind) -> Self {
        match what {
            EventKind::Logged => Self::Logged,
            EventKind::Ran { exe, result } => Self::Ran { exe, result: healing::action_result(&result) },
            EventKind::Refused { refused } => Self::Refused { refused },
        }
    }
}

impl From<HealEvent> for HealEventRecord {
    fn from(event: HealEvent) -> Self {
        let evidence = EvidenceRecord::from(&event.evidence);
        let HealEvent { worker, at, what, .. } = event;
        let node = worker.place.node.clone();
        Self { worker, node, at, evidence, what: what.into() }
    }
}

/// Auto-heal of one app now.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AppHeal))]
pub struct AppHealRecord {
    /// The proactive rules' fuse.
    pub fuse: FuseStatus,
    /// Sorted by index.
    pub instances: Vec<InstanceHealRecord>,
}

impl From<&AppHeal> for AppHealRecord {
    fn from(heal: &AppHeal) -> Self {
        Self { fuse: heal.fuse, instances: heal.instances.iter().map(InstanceHealRecord::from).collect() }
    }
}

/// Auto-heal of one instance now.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = InstanceHeal))]
pub struct InstanceHealRecord {
    /// Its number.
    pub index: u16,
    /// What each rule sees, and when it acts.
    pub status: HealStatusRecord,
    /// The last time that a rule was met and did nothing.
    pub refused: Option<RefusalRecord>,
    /// Requests that wait for a first byte of their answer.
    pub waiting: u64,
    /// Requests that their clients gave up on since the last byte came from the worker.
    pub given_up: u64,
    /// Streams and tunnels that are open.
    pub open_streams: OpenStreams,
}

impl From<&InstanceHeal> for InstanceHealRecord {
    fn from(heal: &InstanceHeal) -> Self {
        let InstanceHeal { index, status, refused, waiting, given_up, open } = heal;
        let (status, refused) = (status.into(), refused.as_ref().map(Into::into));
        Self { index: *index, status, refused, waiting: *waiting, given_up: *given_up, open_streams: *open }
    }
}

/// How auto-heal of an instance stands.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = HealStatus))]
pub struct HealStatusRecord {
    /// A restart is under way.
    pub restarting: bool,
    /// The limit of private bytes.
    pub limit: MemoryLimit,
    /// What each rule sees, and when it acts.
    pub readings: Vec<ReadingRecord>,
    /// What was last done.
    pub last: Option<LastHeal>,
}

impl From<&HealStatus> for HealStatusRecord {
    fn from(status: &HealStatus) -> Self {
        let HealStatus { restarting, limit, readings, last } = status;
        let readings = readings.iter().map(ReadingRecord::from).collect();
        Self { restarting: *restarting, limit: *limit, readings, last: *last }
    }
}

/// Something that is not done.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Refusal))]
pub struct RefusalRecord {
    /// When.
    pub at: Timestamp,
    /// Which rule was met.
    pub rule: Rule,
    /// Why nothing is done.
    pub refused: RefusalReason,
    /// What the rule saw.
    pub evidence: EvidenceRecord,
}

impl From<&Refusal> for RefusalRecord {
    fn from(refusal: &Refusal) -> Self {
        let Refusal { at, rule, refused, evidence } = refusal;
        Self { at: *at, rule: *rule, refused: refused.clone(), evidence: evidence.into() }
    }
}

/// An overlapped restart that is under way.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Restarting))]
pub struct RestartingRecord {
    /// Since when.
    pub since: Timestamp,
    /// Why; a few words.
    pub reason: String,
    /// How far it is.
    pub stage: RestartStage,
}

impl From<&Restarting> for RestartingRecord {
    fn from(restarting: &Restarting) -> Self {
        let Restarting { since, reason, stage } = restarting;
        Self { since: *since, reason: healing::reason(reason), stage: *stage }
    }
}

/// A start that is under way.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = Starting))]
pub struct StartingRecord {
    /// How long it may take.
    pub limit_ms: u64,
    /// What the worker does; a sentence.
    pub activity: String,
}

impl From<&Starting> for StartingRecord {
    fn from(start: &Starting) -> Self {
        Self { limit_ms: start.limit_ms, activity: start::activity(start) }
    }
}

#[cfg(test)]
mod tests;
