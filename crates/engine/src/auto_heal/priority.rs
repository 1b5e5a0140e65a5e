//! Whose word counts: where a user's rule speaks of memory or of slow requests, the proactive rule on the same matter is silent.

use model::auto_heal::Rule;
use model::auto_heal::config::AutoHealConfig;

/// Which custom rule silences each proactive rule, where one does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silence {
    pub percent_memory: Option<Rule>,
    pub percent_request: Option<Rule>,
}

/// What the user's rules silence. Rules that are switched off silence nothing; the action does not matter.
pub fn silence(config: &AutoHealConfig) -> Silence {
    if !config.enabled {
        return Silence::default();
    }
    let triggers = &config.rules.triggers;
    let slow = if triggers.slow_requests.is_some() {
        Some(Rule::SlowRequests)
    } else {
        triggers.slow_requests_with_path.first().map(|_| Rule::SlowRequestsWithPath { index: 0 })
    };
    Silence { percent_memory: triggers.private_bytes_kib.map(|_| Rule::PrivateBytes), percent_request: slow }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_users_rule_silences_its_own_matter_and_no_other() {
        let slow = r#"{"time_taken":"00:00:30","count":5,"time_interval":"00:02:00","path":"/x"}"#;
        let cases = [
            (true, String::new(), (None, None)),
            (true, r#""private_bytes_kib":204800"#.to_owned(), (Some(Rule::PrivateBytes), None)),
            (false, r#""private_bytes_kib":204800"#.to_owned(), (None, None)),
            (true, format!(r#""slow_requests":{slow}"#), (None, Some(Rule::SlowRequests))),
            (
                true,
                format!(r#""slow_requests_with_path":[{slow}]"#),
                (None, Some(Rule::SlowRequestsWithPath { index: 0 })),
            ),
            (true, r#""requests":{"count":5,"time_interval":"00:02:00"}"#.to_owned(), (None, None)),
        ];
        for (enabled, trigger, expected) in cases {
            let json = format!(r#"{{"enabled":{enabled},"rules":{{"triggers":{{{trigger}}}}}}}"#);
            let silence = silence(&serde_json::from_str(&json).unwrap());
            assert_eq!((silence.percent_memory, silence.percent_request), expected, "{json}");
        }
    }
}
