use super::*;

const START: Now = Now::START;
const SECOND: Duration = Duration::from_secs(1);

/// A worker, a second at a time.
struct Bench {
    rule: NotResponding,
    now: Now,
    waiting: u64,
}

impl Bench {
    fn new(waiting: u64) -> Self {
        Self { rule: NotResponding::new(NotRespondingNumbers::default()), now: START, waiting }
    }

    fn see(&mut self, given_up: u64, heard: bool) -> bool {
        self.now = self.now + SECOND;
        let mut seen = Observation::default();
        seen.tallies.unanswered = Unanswered { given_up, waiting: self.waiting, heard };
        let within = self.rule.observe(self.now, &seen, true);
        within == Some(NotRespondingNumbers::default().answer_within)
    }

    /// When it is asked, within so many seconds, in seconds from the start.
    fn asked(&mut self, seconds: u64) -> Vec<u64> {
        let mut asked = Vec::new();
        for _ in 0..seconds {
            if self.see(0, false) {
                asked.push(self.seconds());
            }
        }
        asked
    }

    fn seconds(&self) -> u64 {
        self.now.monotonic.since(START.monotonic).as_secs()
    }

    fn probed(&mut self, answered: bool) -> Option<Firing> {
        self.rule.probed(self.now, answered)
    }
}

#[test]
fn sixty_seconds_without_a_byte_and_three_requests() {
    let cases =
        [(2, 0, 200, &[][..]), (3, 0, 60, &[]), (3, 0, 61, &[61]), (0, 3, 61, &[61]), (1, 2, 61, &[61])];
    for (waiting, given_up, seconds, asked) in cases {
        let mut bench = Bench::new(waiting);
        let first = bench.see(given_up, false);
        assert!(!first);
        assert_eq!(bench.asked(seconds - 1), asked, "{waiting} waiting, {given_up} given up, {seconds} s");
    }
}

#[test]
fn two_questions_without_an_answer_are_enough_and_one_is_not() {
    let mut bench = Bench::new(3);
    assert_eq!(bench.asked(61), [61]);
    assert_eq!(bench.asked(9), [0; 0], "one question at a time");
    assert_eq!((bench.probed(false), bench.rule.is_unanswered()), (None, true));
    assert_eq!(bench.asked(1), [71], "ten seconds after the first");
    assert_eq!(bench.asked(10), [0; 0]);
    let firing = bench.probed(false).expect("it fires");
    let measured = Measured::NotResponding {
        numbers: NotRespondingNumbers::default(),
        silent_ms: 80_000,
        waiting: 3,
        given_up: 0,
        probes: Probes::Unanswered { failed: 2 },
    };
    assert_eq!((firing.evidence.seen, firing.evidence.threshold), (measured.into(), 60));
    assert_eq!(firing.evidence.samples.last().map(|sample| sample.value), Some(80));
    assert!(bench.rule.is_unanswered(), "it is not well for having been decided on");
    assert_eq!(bench.probed(false), None);
    assert_eq!(bench.asked(61), [142], "and it begins anew");
}

#[test]
fn a_refused_connection_is_no_answer_but_gets_the_same_time() {
    let mut bench = Bench::new(3);
    assert_eq!(bench.asked(61), [61]);
    assert_eq!(bench.probed(false), None);
    assert_eq!(bench.asked(9), [0; 0]);
    assert_eq!(bench.asked(1), [71]);
}

#[test]
fn a_worker_that_answers_is_never_replaced_and_seldom_asked() {
    let mut bench = Bench::new(5);
    let mut asked = Vec::new();
    for _ in 0..400 {
        if bench.see(1, false) {
            asked.push(bench.seconds());
            assert_eq!(bench.probed(true), None);
            assert!(!bench.rule.is_unanswered());
        }
    }
    assert_eq!(asked, [61, 121, 181, 241, 301, 361]);
    // one answer takes back one failure
    bench.asked(60);
    assert_eq!(bench.probed(false), None);
    bench.asked(10);
    assert_eq!(bench.probed(true), None);
    bench.asked(60);
    assert_eq!(bench.probed(false), None, "two in a row are needed");
}

#[test]
fn a_byte_begins_anew_whatever_was_asked() {
    for failed in [false, true] {
        let mut bench = Bench::new(3);
        assert_eq!(bench.asked(61), [61]);
        if failed {
            assert_eq!(bench.probed(false), None);
        }
        assert!(!bench.see(9, true));
        assert!(!bench.rule.is_unanswered());
        assert_eq!(bench.probed(false), None, "what was asked before the byte says nothing");
        assert_eq!(bench.asked(59), [0; 0]);
        assert_eq!(bench.asked(1), [122]);
    }
}

#[test]
fn a_question_whose_result_is_not_told_is_asked_again() {
    assert_eq!(Bench::new(3).asked(150), [61, 101, 141]);
}

#[test]
fn requests_that_end_otherwise_end_the_suspicion() {
    let mut bench = Bench::new(3);
    assert_eq!(bench.asked(61), [61]);
    assert_eq!(bench.probed(false), None);
    bench.waiting = 0;
    assert_eq!(bench.asked(20), [0; 0]);
    bench.waiting = 3;
    assert_eq!(bench.asked(1), [82]);
    assert_eq!(bench.probed(false), None, "the first of two again");
}

#[test]
fn a_standstill_a_warm_up_and_a_new_worker_begin_anew() {
    let mut bench = Bench::new(3);
    bench.asked(60);
    bench.now = bench.now + 6 * SECOND;
    assert_eq!(bench.asked(60), [0; 0]);
    bench.rule.clear();
    assert_eq!(bench.asked(60), [0; 0]);
    let seen = Observation { warm_up: true, ..Observation::default() };
    assert_eq!(bench.rule.observe(bench.now + SECOND, &seen, true), None);
    assert_eq!(bench.asked(60), [0; 0]);
    assert_eq!(bench.asked(1).len(), 1);
}

#[test]
fn an_idle_worker_has_nothing_to_answer() {
    let mut bench = Bench::new(0);
    assert_eq!(bench.asked(4_000), [0; 0]);
    let reading = bench.rule.reading();
    assert_eq!((reading.value, reading.threshold, reading.unit), (Some(0), Some(60), Unit::Seconds));
}

#[test]
fn the_wall_clock_does_not_matter() {
    for set in [|wall| wall - Duration::from_hours(48), |wall| wall + Duration::from_hours(48)] {
        let mut bench = Bench::new(3);
        bench.asked(30);
        bench.now.wall = set(bench.now.wall);
        assert_eq!(bench.asked(40), [61]);
    }
}

#[test]
fn numbers_that_do_not_fit() {
    let good = NotRespondingNumbers::default();
    let cases = [
        (good, None),
        (NotRespondingNumbers { enabled: false, ..good }, None),
        (NotRespondingNumbers { after: Duration::from_millis(999), ..good }, Some("not_responding.after")),
        (NotRespondingNumbers { after: Duration::from_secs(3_601), ..good }, Some("not_responding.after")),
        (NotRespondingNumbers { answer_within: Duration::ZERO, ..good }, Some("not_responding.probe")),
        (
            NotRespondingNumbers { answer_within: Duration::from_secs(61), ..good },
            Some("not_responding.probe"),
        ),
    ];
    for (numbers, field) in cases {
        let found: Vec<_> = numbers.check().into_iter().map(|violation| violation.field).collect();
        assert_eq!(found.first().map(String::as_str), field, "{numbers:?}");
    }
}

/// A worker that one request waits for, a second at a time: when the early check asks, in seconds from the start.
fn checked(rule: &mut NotResponding, now: &mut Now, seconds: u64, is_on: bool) -> Vec<u64> {
    let mut asked = Vec::new();
    for _ in 0..seconds {
        *now = *now + SECOND;
        let mut seen = Observation::default();
        seen.tallies.unanswered = Unanswered { waiting: 1, ..Unanswered::default() };
        if rule.observe(*now, &seen, is_on) == Some(CHECK_WITHIN) {
            asked.push(now.monotonic.since(START.monotonic).as_secs());
        }
    }
    asked
}

#[test]
fn a_worker_that_answers_nobody_does_not_respond_within_twenty_seconds_whether_the_rule_is_on_or_off() {
    for is_on in [true, false] {
        let (mut rule, mut now) = (NotResponding::new(NotRespondingNumbers::default()), START);
        assert_eq!(checked(&mut rule, &mut now, 8, is_on), [7], "the first second begins the silence");
        assert_eq!(rule.unanswered_since(), None, "nothing is said before the probe came back");
        now = now + CHECK_WITHIN;
        assert_eq!(rule.probed(now, false), None, "the early check restarts nothing");
        assert_eq!(rule.unanswered_since(), Some(START.wall + SECOND), "since the last byte");
        assert!(now.monotonic.since(START.monotonic) < Duration::from_secs(20));
    }
}

#[test]
fn a_worker_that_answers_again_responds_and_is_left_alone_for_a_while() {
    let (mut rule, mut now) = (NotResponding::new(NotRespondingNumbers::default()), START);
    checked(&mut rule, &mut now, 7, false);
    rule.probed(now, false);
    assert_eq!(checked(&mut rule, &mut now, 20, false), [22], "asked again while it does not respond");
    assert!(rule.is_unanswered());
    rule.probed(now, true);
    assert!(!rule.is_unanswered(), "it answered, though nobody else was");
    assert_eq!(checked(&mut rule, &mut now, 50, false), [] as [u64; 0]);
}

#[test]
fn a_byte_to_anybody_is_an_answer() {
    let (mut rule, mut now) = (NotResponding::new(NotRespondingNumbers::default()), START);
    checked(&mut rule, &mut now, 7, false);
    rule.probed(now, false);
    let mut seen = Observation::default();
    seen.tallies.unanswered = Unanswered { waiting: 1, heard: true, ..Unanswered::default() };
    assert_eq!(rule.observe(now + SECOND, &seen, false), None);
    assert!(!rule.is_unanswered());
}
