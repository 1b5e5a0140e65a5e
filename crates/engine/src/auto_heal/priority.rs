//! Whose word counts: where a user's rule speaks of memory or of slow requests, the proactive rule on the same matter is silent.

use model::auto_heal::config::AutoHealConfig;

/// Why each proactive rule is silent, where it is; a sentence each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    /// Percent memory.
    pub percent_memory: Option<String>,
    /// Percent request.
    pub percent_request: Option<String>,
}

/// What the user's rules silence. Rules that are switched off silence nothing; the action does not matter.
pub fn silence(config: &AutoHealConfig) -> Silence {
    if !config.auto_heal_enabled {
        return Silence::default();
    }
    let triggers = &config.auto_heal_rules.triggers;
    let priority = |name: &str| format!("The app's own rule, {name}, has priority on this matter.");
    let slow = if triggers.slow_requests.is_some() {
        Some("slowRequests")
    } else {
        (!triggers.slow_requests_with_path.is_empty()).then_some("slowRequestsWithPath")
    };
    Silence {
        percent_memory: triggers.private_bytes_in_kb.map(|_| priority("privateBytesInKB")),
        percent_request: slow.map(priority),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_users_rule_silences_its_own_matter_and_no_other() {
        let slow = r#"{"timeTaken":"00:00:30","count":5,"timeInterval":"00:02:00","path":"/x"}"#;
        let cases = [
            (true, String::new(), (false, false)),
            (true, r#""privateBytesInKB":204800"#.to_owned(), (true, false)),
            (false, r#""privateBytesInKB":204800"#.to_owned(), (false, false)),
            (true, format!(r#""slowRequests":{slow}"#), (false, true)),
            (true, format!(r#""slowRequestsWithPath":[{slow}]"#), (false, true)),
            (true, r#""requests":{"count":5,"timeInterval":"00:02:00"}"#.to_owned(), (false, false)),
        ];
        for (enabled, trigger, expected) in cases {
            let json =
                format!(r#"{{"autoHealEnabled":{enabled},"autoHealRules":{{"triggers":{{{trigger}}}}}}}"#);
            let silence = silence(&serde_json::from_str(&json).unwrap());
            let silent = (silence.percent_memory.is_some(), silence.percent_request.is_some());
            assert_eq!(silent, expected, "{json}");
        }
    }
}
