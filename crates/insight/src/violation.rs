//! A value that was refused, in words: `Must be 1 to 64 (got 0)`.

use model::Violation;
use model::auto_heal::config::STATUSES;
use model::time::humanise;
use model::violation::{Accepted, Bound, Counted, Remedy};

/// What was wrong, and what to do where there is more to do.
pub fn message(violation: &Violation) -> String {
    let got = violation.received.as_ref().map(|received| format!(" (got {received})")).unwrap_or_default();
    let remedy = violation.remedy.map(|remedy| format!(". {}", self::remedy(remedy))).unwrap_or_default();
    format!("Must be {}{got}{remedy}", accepted(&violation.accepted))
}

/// Each with its field.
pub fn list(violations: &[Violation]) -> String {
    let line = |violation: &Violation| format!("{}: {}", violation.field, message(violation));
    violations.iter().map(line).collect::<Vec<_>>().join("; ")
}

/// What is taken, to be read after "must be".
pub fn accepted(accepted: &Accepted) -> String {
    let words = match accepted {
        Accepted::Between(least, most) => return format!("{} to {}", bound(*least), bound(*most)),
        Accepted::InSteps { least, most, step } => return format!("{least} to {most} in steps of {step}"),
        Accepted::AtLeast(least) => return format!("at least {}", bound(*least)),
        Accepted::AtLeastTimeTaken(time) => return format!("at least the time taken, {time}"),
        Accepted::AtMost(most, counted) => return format!("at most {most} {}", unit(*counted)),
        Accepted::ObjectWith(one, other) => return format!("an object with {one} and {other}"),
        Accepted::StatusRange => {
            let (first, last) = (STATUSES.start(), STATUSES.end());
            return format!("two statuses from {first} to {last}, the smaller first, such as 500-{last}");
        }
        Accepted::Listed(words) => words,
        Accepted::WholeNumber => "a whole number, 0 or more",
        Accepted::TimeSpan => "a length of time as hh:mm:ss, such as 00:05:00, or 1.00:00:00 for a day",
        Accepted::Text => "text",
        Accepted::VisibleText => "without control characters",
        Accepted::Boolean => "true or false",
        Accepted::List => "a list",
        Accepted::Object => "an object",
        Accepted::RulesOrNull => "an object with all rules, or null for none",
        Accepted::Condition => "at least one condition",
        Accepted::Path => "a path",
        Accepted::PathPattern => "letters, digits, `/`, `-`, `_`, `.` and the wildcard `*`",
        Accepted::ActionType => "Recycle, LogEvent or CustomAction",
        Accepted::ActionTypeOrNumber => "Recycle, LogEvent or CustomAction, or 0, 1 or 2 for them",
        Accepted::ExecutablePath => "an executable's absolute path, beginning with /",
        Accepted::Parameters => "the parameters, because none are saved that *** can keep",
        Accepted::KillMode => "Kill",
        Accepted::FormAction => "an action of the form",
        Accepted::FormField => "a field of the form",
        Accepted::Nothing => "left out",
        Accepted::NoSuchField => "left out: this trigger has no such field",
    };
    words.to_owned()
}

/// What else to do; a sentence without its period.
pub const fn remedy(remedy: Remedy) -> &'static str {
    match remedy {
        Remedy::SetConditionOrDisable => "Set a condition, or disable the rules",
        Remedy::LeaveConditionEmpty => "Or leave the whole condition empty",
        Remedy::UseSlowRequestsWithPath => "Use the rule Slow requests with path",
        Remedy::SetPathOrUseSlowRequests => "Set one, or use the rule Slow requests",
        Remedy::EnterParametersOrNone => "Enter them, or leave the field empty",
        Remedy::NoDiagnosticTools => "MemoryDump and Profiler are not supported yet",
        Remedy::NoDumpModes => "Modes that take a dump are not supported yet",
    }
}

fn bound(bound: Bound) -> String {
    match bound {
        Bound::Number(number) => number.to_string(),
        Bound::Span(span) => span.to_string(),
        Bound::Duration(duration) => humanise(duration),
    }
}

const fn unit(counted: Counted) -> &'static str {
    match counted {
        Counted::Rows => "rows",
        Counted::Bytes => "bytes",
        Counted::Characters => "characters",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::auto_heal::config::TimeSpan;
    use std::time::Duration;

    #[test]
    fn a_violation_says_what_was_received_what_is_accepted_and_what_to_do() {
        let cases = [
            (Violation::new("a", 0, Accepted::between(1, 64)), "Must be 1 to 64 (got 0)"),
            (
                Violation::new(
                    "a",
                    "2 h",
                    Accepted::between(Duration::from_secs(1), Duration::from_hours(1)),
                ),
                "Must be 1 s to 1 h (got 2 h)",
            ),
            (
                Violation::missing("a", Accepted::AtLeast(TimeSpan::from_secs(1).into())),
                "Must be at least 00:00:01",
            ),
            (
                Violation::missing("a", Accepted::Path).with_remedy(Remedy::SetPathOrUseSlowRequests),
                "Must be a path. Set one, or use the rule Slow requests",
            ),
            (Violation::missing("a", Accepted::AtMost(20, Counted::Rows)), "Must be at most 20 rows"),
            (
                Violation::new("a", "`x`", Accepted::StatusRange),
                "Must be two statuses from 100 to 530, the smaller first, such as 500-530 (got `x`)",
            ),
        ];
        for (violation, text) in &cases {
            assert_eq!(message(violation), *text);
        }
        let two = cases.map(|(violation, _)| violation);
        assert!(list(&two).starts_with("a: Must be 1 to 64 (got 0); a: Must be 1 s"), "{}", list(&two));
    }
}
