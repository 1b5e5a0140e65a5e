use std::time::Duration;

use super::*;
use crate::auto_heal::not_responding::CHECK_WITHIN;
use model::auto_heal::config::{CustomAction, Parameters};
use model::auto_heal::cpu::CpuMode;
use model::auto_heal::fuse::{FuseNumbers, FuseState};
use model::auto_heal::limit::LimitSource;
use model::auto_heal::watch::{Tallies, Tally, Unanswered};

mod any_run;

const START: Now = Now::START;
const SECOND: Duration = Duration::from_secs(1);
const LIMIT: u64 = 1_000_000_000;
const OWN_MEMORY: &str = r#""private_bytes_kib":204800"#;
const OWN_STATUS: &str = r#""status_codes":[{"status":500,"count":3,"time_interval":"00:01:00"}]"#;

fn user(triggers: &str, actions: &str) -> AutoHealConfig {
    let json = format!(r#"{{"enabled":true,"rules":{{"triggers":{{{triggers}}},"actions":{{{actions}}}}}}}"#);
    serde_json::from_str(&json).unwrap()
}

fn settings(user: AutoHealConfig) -> Configure {
    let limit = MemoryLimit { bytes: LIMIT, source: LimitSource::MemoryLimit };
    let not_responding = NotRespondingNumbers::default();
    let percent_request_excludes = Vec::new();
    Configure {
        generation: 1,
        proactive: true,
        user,
        limit,
        percent_request_excludes,
        not_responding,
        cpu: None,
    }
}

/// One instance with its app's fuse, a second at a time.
struct Bench {
    heal: AutoHeal,
    fuse: Fuse,
    now: Now,
}

impl Bench {
    fn new(settings: Configure) -> Self {
        let fuse = Fuse::new(FuseNumbers::default(), FuseState::default());
        Self { heal: AutoHeal::new(START, settings, &AutoHealState::default()), fuse, now: START }
    }

    fn tell(&mut self, input: HealInput) -> Vec<Decision> {
        let mut decisions = Vec::new();
        self.heal.step(self.now, input, &mut self.fuse, &mut decisions);
        decisions
    }

    fn see(&mut self, private_bytes: u64, slow: u64, watched: u64) -> Vec<Decision> {
        self.now = self.now + SECOND;
        let tally = |finished| Tally { finished, ..Tally::default() };
        let (asked, all) = (self.heal.watches().len(), slow.max(watched));
        let of_watch = [all, slow].into_iter().chain(std::iter::repeat(watched)).take(asked).map(tally);
        let of_watch = of_watch.collect();
        let tallies = Tallies { generation: 1, total: tally(all), of_watch, ..Tallies::default() };
        let private_bytes = Some(private_bytes);
        let uptime = Duration::from_hours(1);
        self.tell(HealInput::Observed(Observation {
            private_bytes,
            tallies,
            uptime,
            ..Observation::default()
        }))
    }

    /// Leaks for so many seconds; the decisions.
    fn leak(&mut self, seconds: u64) -> Vec<Decision> {
        (0..seconds).flat_map(|_| self.see(LIMIT, 0, 0)).collect()
    }

    /// Hangs for so many seconds with three requests waiting; every question is told to have had no answer.
    fn hang(&mut self, seconds: u64) -> Vec<Decision> {
        let second = |bench: &mut Self| {
            bench.now = bench.now + SECOND;
            let mut decisions = bench.tell(HealInput::Observed(silent(3)));
            if matches!(decisions.last(), Some(Decision::Probe { .. })) {
                decisions.extend(bench.tell(HealInput::Probed { answered: false }));
            }
            decisions
        };
        // The early check only looks.
        let acts =
            |decision: &Decision| !matches!(decision, Decision::Probe { within } if *within == CHECK_WITHIN);
        (0..seconds).flat_map(|_| second(self)).filter(acts).collect()
    }

    fn state_of(&self, rule: Rule) -> RuleState {
        let readings = self.heal.status(self.now, &self.fuse).readings;
        readings.into_iter().find(|reading| reading.rule == rule).unwrap().state
    }
}

fn silent(waiting: u64) -> Observation {
    let unanswered = Unanswered { waiting, ..Unanswered::default() };
    let tallies =
        Tallies { generation: 1, of_watch: vec![Tally::default(); 2], unanswered, ..Tallies::default() };
    Observation { private_bytes: Some(0), tallies, ..Observation::default() }
}

fn healed(decisions: &[Decision]) -> Vec<(Rule, Action)> {
    let heals = decisions.iter().filter_map(|decision| match decision {
        Decision::Heal(heal) => Some((heal.rule, heal.action.clone())),
        Decision::Refuse(_) | Decision::Probe { .. } => None,
    });
    heals.collect()
}

#[test]
fn a_leak_is_recycled_once_until_the_new_worker_serves() {
    let mut bench = Bench::new(settings(AutoHealConfig::default()));
    let decisions = bench.leak(100);
    assert_eq!(healed(&decisions), [(Rule::PercentMemory, Action::Recycle)]);
    let Decision::Heal(heal) = &decisions[0] else { panic!() };
    assert_eq!(heal.at, (START + 32 * SECOND).wall);
    let others: Vec<_> = heal.evidence.not_fired.iter().map(|reading| reading.rule).collect();
    assert_eq!(others, [Rule::PercentRequest, Rule::NotResponding]);
    assert!(bench.heal.status(bench.now, &bench.fuse).restarting);
    bench.tell(HealInput::Restarted);
    assert_eq!(bench.leak(31), [], "the new worker has its own 30 s");
    assert_eq!(healed(&bench.leak(1)).len(), 1);
    assert_eq!(bench.leak(100), [], "one at a time");
    bench.tell(HealInput::RestartFailed);
    assert_eq!(bench.leak(31), [], "what was seen during the attempt does not count");
    assert_eq!(healed(&bench.leak(1)).len(), 1, "after a failed one it tries again");
}

#[test]
fn the_third_restart_blows_the_fuse_and_the_fourth_is_refused_once() {
    let mut bench = Bench::new(settings(AutoHealConfig::default()));
    for blows in [false, false, true] {
        let decisions = bench.leak(32);
        let [Decision::Heal(heal)] = decisions.as_slice() else { panic!("{decisions:?}") };
        assert_eq!(heal.blew_fuse, blows);
        bench.tell(HealInput::Restarted);
    }
    let decisions = bench.leak(600);
    let [Decision::Refuse(refusal)] = decisions.as_slice() else { panic!("{decisions:?}") };
    let blown = START + 96 * SECOND;
    let until = (blown + Duration::from_hours(3)).wall;
    assert_eq!(refusal.refused, RefusalReason::FuseBlown { until });
    assert_eq!(bench.state_of(Rule::PercentRequest), RuleState::Paused { until });
    bench.now = blown + Duration::from_hours(3).saturating_sub(Duration::from_millis(1_001));
    assert_eq!(bench.leak(1), [], "a millisecond before");
    assert_eq!(healed(&bench.leak(40)).len(), 1, "armed again");
}

#[test]
fn a_users_rule_has_priority_on_its_own_matter() {
    let mut bench = Bench::new(settings(user(OWN_MEMORY, r#""action_type":"LogEvent""#)));
    assert_eq!(bench.state_of(Rule::PercentMemory), RuleState::Overridden { by: Rule::PrivateBytes });
    let healed = healed(&bench.leak(100));
    assert_eq!(healed, [(Rule::PrivateBytes, Action::LogEvent)]);
    assert!(matches!(bench.state_of(Rule::PercentRequest), RuleState::WarmingUp | RuleState::Watching));
}

#[test]
fn the_action_is_the_users() {
    let custom = CustomAction { exe: "/bin/x".to_owned(), parameters: Parameters::new("-v") };
    let cases = [
        (r#""action_type":"Recycle""#, Action::Recycle),
        (r#""action_type":"LogEvent""#, Action::LogEvent),
        (
            r#""action_type":"CustomAction","custom_action":{"exe":"/bin/x","parameters":"-v"}"#,
            Action::CustomAction(custom),
        ),
    ];
    for (actions, action) in cases {
        let mut bench = Bench::new(settings(user(OWN_STATUS, actions)));
        assert_eq!(bench.see(0, 0, 2), []);
        assert_eq!(healed(&bench.see(0, 0, 1)), [(Rule::StatusCode { index: 0 }, action.clone())]);
        assert_eq!(bench.heal.status(bench.now, &bench.fuse).restarting, action.restarts(), "{actions}");
    }
}

#[test]
fn a_users_rule_neither_blows_the_fuse_nor_heeds_it() {
    let mut bench = Bench::new(settings(user(OWN_STATUS, "")));
    for _ in 0..10 {
        assert_eq!(healed(&bench.see(0, 0, 3)).len(), 1);
        bench.tell(HealInput::Restarted);
    }
    assert!(matches!(bench.fuse.status(bench.now), FuseStatus::Armed { restarts: 0, .. }));
    (0..3).for_each(|_| assert!(bench.fuse.spend(bench.now).is_ok()));
    assert_eq!(healed(&bench.see(0, 0, 3)), [(Rule::StatusCode { index: 0 }, Action::Recycle)]);
}

#[test]
fn a_restart_for_another_reason_empties_every_window() {
    let mut bench = Bench::new(settings(user(OWN_STATUS, "")));
    assert_eq!(bench.leak(20), []);
    assert_eq!(bench.see(LIMIT, 4, 2), []);
    bench.tell(HealInput::Restarting);
    bench.tell(HealInput::Restarted);
    assert_eq!(bench.see(LIMIT, 1, 1), []);
    assert_eq!(bench.leak(30), []);
    assert_eq!(healed(&bench.leak(1)), [(Rule::PercentMemory, Action::Recycle)]);
}

#[test]
fn two_rules_broken_at_once_are_one_restart_and_both_are_told() {
    let mut bench = Bench::new(settings(user(OWN_STATUS, "")));
    assert_eq!(bench.leak(31), []);
    let decisions = bench.see(LIMIT, 5, 3);
    let [Decision::Heal(heal)] = decisions.as_slice() else { panic!("{decisions:?}") };
    assert_eq!(heal.rule, Rule::StatusCode { index: 0 });
    let broken: Vec<_> = heal.evidence.not_fired.iter().filter(|r| r.fired_too).map(|r| r.rule).collect();
    assert_eq!(broken, [Rule::PercentMemory, Rule::PercentRequest]);
}

#[test]
fn counts_of_another_list_of_watches_are_not_looked_at() {
    let mut bench = Bench::new(settings(user(OWN_STATUS, "")));
    bench.tell(HealInput::Configure(Box::new(Configure { generation: 2, ..settings(user(OWN_STATUS, "")) })));
    assert_eq!(bench.see(0, 9, 9), []);
}

#[test]
fn opting_out_is_live_and_a_change_of_nothing_keeps_the_windows() {
    let mut bench = Bench::new(settings(AutoHealConfig::default()));
    assert_eq!(bench.leak(20), []);
    bench.tell(HealInput::Configure(Box::new(settings(AutoHealConfig::default()))));
    assert_eq!(healed(&bench.leak(12)).len(), 1, "32 s in all");
    bench.tell(HealInput::RestartFailed);
    bench.tell(HealInput::Configure(Box::new(Configure {
        proactive: false,
        ..settings(AutoHealConfig::default())
    })));
    assert_eq!(bench.leak(100), []);
    assert_eq!(bench.state_of(Rule::PercentMemory), RuleState::OptedOut);
    bench.tell(HealInput::Configure(Box::new(settings(AutoHealConfig::default()))));
    assert_eq!(bench.leak(31), [], "what it did not look at does not count");
    assert_eq!(healed(&bench.leak(1)).len(), 1);
}

#[test]
fn a_worker_that_answers_nobody_and_no_probe_is_recycled_and_paid_by_the_fuse() {
    let mut bench = Bench::new(settings(AutoHealConfig::default()));
    for blows in [false, false, true] {
        let decisions = bench.hang(71);
        let [Decision::Probe { within }, Decision::Probe { .. }, Decision::Heal(heal)] = &decisions[..]
        else {
            panic!("{decisions:?}")
        };
        assert_eq!((*within, heal.rule, &heal.action), (10 * SECOND, Rule::NotResponding, &Action::Recycle));
        assert_eq!((heal.blew_fuse, bench.heal.is_unanswered()), (blows, true));
        assert_eq!(bench.hang(100), [], "one at a time");
        bench.tell(HealInput::Restarted);
        assert!(!bench.heal.is_unanswered());
    }
    let decisions = bench.hang(600);
    let refusals = decisions.iter().filter(|decision| matches!(decision, Decision::Refuse(_))).count();
    assert_eq!((refusals, healed(&decisions)), (1, vec![]), "refused once");
}

#[test]
fn not_responding_is_switched_off_with_the_other_two_or_alone() {
    let mut bench = Bench::new(settings(AutoHealConfig::default()));
    let with = |proactive, enabled| {
        let not_responding = NotRespondingNumbers { enabled, ..NotRespondingNumbers::default() };
        HealInput::Configure(Box::new(Configure {
            proactive,
            not_responding,
            ..settings(AutoHealConfig::default())
        }))
    };
    for (proactive, enabled) in [(false, true), (true, false)] {
        bench.tell(with(proactive, enabled));
        assert_eq!(bench.hang(200), []);
        let off = if proactive { RuleState::SwitchedOff } else { RuleState::OptedOut };
        assert_eq!(bench.state_of(Rule::NotResponding), off);
        assert_eq!(bench.leak(40).is_empty(), !proactive, "the others are not concerned");
        bench.tell(HealInput::Restarted);
    }
    bench.tell(with(true, true));
    assert_eq!(healed(&bench.hang(71)).len(), 1);
}

#[test]
fn a_restart_in_the_second_of_a_question_makes_its_result_meaningless() {
    let mut bench = Bench::new(settings(AutoHealConfig::default()));
    bench.hang(65);
    bench.tell(HealInput::Restarting);
    bench.now = bench.now + 10 * SECOND;
    assert_eq!(bench.tell(HealInput::Probed { answered: false }), []);
    bench.tell(HealInput::RestartFailed);
    assert_eq!(healed(&bench.hang(70)), [], "what was seen before the attempt does not count");
    assert_eq!(healed(&bench.hang(2)).len(), 1);
}

#[test]
fn cpu_acts_when_set_and_its_count_is_remembered() {
    let rule = CpuRule { mode: CpuMode::Kill, ..CpuRule::default() };
    let mut bench = Bench::new(Configure { cpu: Some(rule), ..settings(AutoHealConfig::default()) });
    let mut busy = || {
        bench.now = bench.now + SECOND;
        bench.tell(HealInput::Observed(Observation { cpu_percent: Some(100), ..Observation::default() }))
    };
    let decisions: Vec<_> = (0..100).flat_map(|_| busy()).collect();
    assert_eq!(healed(&decisions), [(Rule::ProactiveCpu, Action::Cpu(CpuMode::Kill))]);
    let state: AutoHealState =
        serde_json::from_str(&serde_json::to_string(&bench.heal.state()).unwrap()).unwrap();
    assert_eq!(state.cpu.unwrap().acted, 1);
    assert_eq!(state.last.unwrap().rule, Rule::ProactiveCpu);
}
