//! What was put right in a time range that was asked for.

use model::range::{Correction, LONGEST, SHORTEST};
use model::time::humanise;

pub fn correction(correction: &Correction) -> String {
    let (longest, shortest) = (humanise(LONGEST), humanise(SHORTEST));
    match correction {
        Correction::Start(error) => format!("Start: {error}."),
        Correction::End(error) => format!("End: {error}."),
        Correction::Swapped => "Start was after end; swapped.".to_owned(),
        Correction::EndInFuture => "End was in the future; using now.".to_owned(),
        Correction::StartTooOld => "Start was more than 30 days ago; using 30 days.".to_owned(),
        Correction::TooLong => {
            format!("Range was longer than {longest}; using the {longest} before its end.")
        }
        Correction::TooShort => {
            format!("Range was shorter than {shortest}; using the {shortest} before its end.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Timestamp;

    #[test]
    fn a_correction_says_what_was_wrong_and_what_is_used() {
        let unread = "noon".parse::<Timestamp>().unwrap_err();
        for (corrected, text) in [
            (Correction::End(unread), "End: Invalid time `noon`. Use 2026-01-31T08:15:00Z."),
            (Correction::TooLong, "Range was longer than 24 h; using the 24 h before its end."),
            (Correction::TooShort, "Range was shorter than 15 min; using the 15 min before its end."),
        ] {
            assert_eq!(correction(&corrected), text);
        }
    }
}
