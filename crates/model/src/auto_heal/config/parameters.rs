//! What a custom action is given, which is nobody's to read.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use crate::auto_heal::config::{AutoHealConfig, Violation};
use crate::violation::{Accepted, Remedy};

/// The parameters of a custom action, as one text. They may hold secrets, so they go in and do not come out: whatever prints or
/// serializes them writes [`Parameters::KEPT`]. Only [`Parameters::reveal`] gives them, to what runs the action and to the store.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Parameters(String);

impl Parameters {
    /// What stands for parameters that are set. Sent back, it leaves them as they are saved.
    pub const KEPT: &str = "***";

    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Are there any?
    pub fn is_set(&self) -> bool {
        !self.0.is_empty()
    }

    /// Do they stand for the saved ones?
    pub fn is_kept(&self) -> bool {
        self.0 == Self::KEPT
    }

    /// What may be shown of them: [`Parameters::KEPT`], or nothing where there are none.
    pub fn shown(&self) -> &'static str {
        if self.is_set() { Self::KEPT } else { "" }
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.shown())
    }
}

impl Serialize for Parameters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.shown())
    }
}

impl AutoHealConfig {
    /// Puts the parameters that are saved where these rules say to keep them.
    pub fn keep_from(mut self, saved: &Self) -> Result<Self, Violation> {
        let parameters = |rules: &Self| {
            let action = rules.rules.actions.custom_action.as_ref();
            action.map(|action| action.parameters.clone()).filter(Parameters::is_set)
        };
        let Some(action) = &mut self.rules.actions.custom_action else { return Ok(self) };
        if action.parameters.is_kept() {
            action.parameters = parameters(saved).ok_or_else(|| {
                let field = "rules.actions.custom_action.parameters";
                let refused = Violation::new(field, Parameters::KEPT, Accepted::Parameters);
                refused.with_remedy(Remedy::EnterParametersOrNone)
            })?;
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(parameters: &str) -> AutoHealConfig {
        let json = format!(
            r#"{{"rules":{{"actions":{{"action_type":"CustomAction","custom_action":{{"exe":"/bin/x","parameters":"{parameters}"}}}}}}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn what_prints_or_sends_rules_has_no_parameters() {
        let rules = rules("--token hunter2");
        let shown = [format!("{rules:?}"), format!("{rules:#?}"), serde_json::to_string(&rules).unwrap()];
        for text in shown {
            assert!(text.contains("***") && !text.contains("hunter2"), "{text}");
        }
        let action = rules.rules.actions.custom_action.unwrap();
        assert_eq!(action.parameters.reveal(), "--token hunter2");
    }

    #[test]
    fn rules_that_come_back_as_they_were_shown_keep_their_parameters() {
        let saved = rules("--token hunter2");
        let shown: AutoHealConfig = serde_json::from_str(&serde_json::to_string(&saved).unwrap()).unwrap();
        assert_eq!(shown.clone().keep_from(&saved), Ok(saved.clone()));
        assert_eq!(rules("new").keep_from(&saved), Ok(rules("new")));
        assert_eq!(rules("").keep_from(&saved), Ok(rules("")), "taken out");
        for without in [AutoHealConfig::default(), rules("")] {
            let violation = shown.clone().keep_from(&without).unwrap_err();
            assert!(violation.field.ends_with("parameters"));
            assert_eq!(violation.accepted, Accepted::Parameters);
        }
    }
}
