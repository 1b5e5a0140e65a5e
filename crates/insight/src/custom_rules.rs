//! What is said of the user's own rules before they are saved, beside what is wrong with them.

use model::auto_heal::AutoHealConfig;
use model::auto_heal::config::{PROCESS_TIME_ADVISED_S, TimeSpan};

/// What was given and is not looked at; a sentence each. `named` says what a field is called, from its path in the rules.
pub fn notes(config: &AutoHealConfig, named: impl Fn(&str) -> String) -> Vec<String> {
    let ignored = |index: usize, field: &str, value: Option<u64>| {
        value.filter(|value| *value != 0).map(|value| {
            let field = named(&format!("rules.triggers.status_codes[{index}].{field}"));
            format!("{field} has no effect on Linux: every response with that status counts. The value {value} is kept.")
        })
    };
    let codes = config.rules.triggers.status_codes.iter().enumerate();
    let of_code = codes.flat_map(|(index, code)| {
        [ignored(index, "sub_status", code.sub_status), ignored(index, "win32_status", code.win32_status)]
    });
    of_code.flatten().collect()
}

/// What can be saved and is not advised; a sentence each.
pub fn warnings(config: &AutoHealConfig, named: impl Fn(&str) -> String) -> Vec<String> {
    let time = config.rules.actions.min_process_execution_time;
    let unwise = config.enabled && time.as_secs() < PROCESS_TIME_ADVISED_S;
    let advice = || {
        let field = named("rules.actions.min_process_execution_time");
        let least = TimeSpan::from_secs(PROCESS_TIME_ADVISED_S);
        format!(
            "{field} is {time}. Less than {least} is not recommended: a slow start may trigger the rule again."
        )
    };
    unwise.then(advice).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(json: &str) -> AutoHealConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn what_is_kept_and_not_looked_at_is_told_by_its_field() {
        let code = r#"{"status":500,"sub_status":19,"win32_status":64,"count":1,"time_interval":"00:01:00"}"#;
        let config = config(&format!(r#"{{"rules":{{"triggers":{{"status_codes":[{code}]}}}}}}"#));
        let notes = notes(&config, |path| path.replace("rules.triggers.", ""));
        assert_eq!(
            notes,
            [
                "status_codes[0].sub_status has no effect on Linux: every response with that status counts. The value 19 is kept.",
                "status_codes[0].win32_status has no effect on Linux: every response with that status counts. The value 64 is kept.",
            ]
        );
    }

    #[test]
    fn a_short_minimum_time_is_warned_of_where_rules_act() {
        for (enabled, time, warned) in [(true, "00:09:59", 1), (true, "00:10:00", 0), (false, "00:00:00", 0)]
        {
            let rules = format!(r#"{{"actions":{{"min_process_execution_time":"{time}"}}}}"#);
            let config = config(&format!(r#"{{"enabled":{enabled},"rules":{rules}}}"#));
            assert_eq!(warnings(&config, str::to_owned).len(), warned, "{enabled} {time}");
        }
    }
}
