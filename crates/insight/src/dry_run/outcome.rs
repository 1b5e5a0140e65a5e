//! What a dry run answers.

use serde::{Deserialize, Serialize};

use model::auto_heal::evidence::Rule;
use model::{Place, Timestamp};

/// What the rules would have done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DryRun {
    /// From then (included).
    pub from: Timestamp,
    /// To then (not included).
    pub to: Timestamp,
    /// Each instance of which anything is recorded, by node and number.
    pub instances: Vec<InstanceRun>,
    /// What was taken for granted; a sentence each.
    pub assumptions: Vec<String>,
}

/// What they would have done on one instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct InstanceRun {
    #[serde(flatten)]
    pub place: Place,
    /// Each condition of the rules.
    pub conditions: Vec<ConditionRun>,
}

/// What came of one condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ConditionRun {
    /// Which.
    pub rule: Rule,
    /// When it acts, in words and numbers.
    pub condition: String,
    /// Whether it would have.
    #[serde(flatten)]
    pub prediction: Prediction,
    /// When it would have, oldest first.
    pub fires: Vec<WouldFire>,
}

/// Whether a condition would have acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Prediction {
    /// At the minutes that stand beside.
    WouldFire,
    /// It depends on what lay where within a minute.
    MayFire,
    /// Not once.
    WouldNotFire,
    /// It cannot be told from what is recorded.
    CannotTell {
        /// Why not; one sentence.
        why: String,
    },
}

/// One minute in which it would have acted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct WouldFire {
    /// The minute's start.
    pub minute: Timestamp,
    /// Whatever the minute hides; otherwise it may have.
    pub certain: bool,
    /// What was recorded; one sentence.
    pub text: String,
}
