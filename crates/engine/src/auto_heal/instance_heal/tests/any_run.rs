//! What holds whatever happens.

use proptest::prelude::*;

use super::*;

/// A second of anything: a leak, slow requests, errors, a busy processor, a pause, an answer to a restart, an opt-out, a hang.
fn seconds() -> impl Strategy<Value = Vec<(u8, u64)>> {
    prop::collection::vec((0_u8..10, 0_u64..6), 1..400)
}

fn inputs(steps: &[(u8, u64)], settings: &Configure) -> Vec<(Now, HealInput)> {
    let mut now = START;
    let mut inputs = Vec::new();
    for &(kind, amount) in steps {
        now = now + SECOND * if kind == 8 { 600 } else { 1 };
        let tally = |finished| Tally { finished, running: finished / 2, ..Tally::default() };
        let slow = if kind == 1 { amount } else { 0 };
        let of_watch = vec![tally(slow), tally(slow), tally(amount)];
        let tallies = Tallies { generation: 1, total: tally(slow), of_watch, ..Tallies::default() };
        let seen = Observation {
            private_bytes: Some(if kind < 5 { LIMIT } else { 0 }),
            cpu_percent: Some(100),
            tallies,
            warm_up: kind == 4,
            uptime: Duration::from_mins(amount * 5),
        };
        inputs.push(match kind {
            6 => (now, HealInput::Restarted),
            7 if amount < 3 => (now, HealInput::RestartFailed),
            7 => {
                (now, HealInput::Configure(Box::new(Configure { proactive: amount > 3, ..settings.clone() })))
            }
            _ => (now, HealInput::Observed(seen)),
        });
        for _ in 0..if kind == 9 { 75 } else { 0 } {
            now = now + SECOND;
            inputs.extend([
                (now, HealInput::Observed(silent(5))),
                (now, HealInput::Probed { answered: amount == 5 }),
            ]);
        }
        // Most seconds are a leak, so that rules are met at all.
        for _ in 0..if kind < 4 { 12 } else { 0 } {
            now = now + SECOND;
            let private_bytes = Some(LIMIT);
            inputs.push((now, HealInput::Observed(Observation { private_bytes, ..Observation::default() })));
        }
    }
    inputs
}

fn replay(inputs: &[(Now, HealInput)], settings: &Configure) -> Vec<Decision> {
    let mut heal = AutoHeal::new(START, settings.clone(), &AutoHealState::default());
    let mut fuse = Fuse::new(FuseNumbers::default(), FuseState::default());
    let mut decisions = Vec::new();
    for (now, input) in inputs {
        heal.step(*now, input.clone(), &mut fuse, &mut decisions);
    }
    decisions
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn never_more_proactive_restarts_than_the_fuse_allows(steps in seconds()) {
        let settings = settings(AutoHealConfig::default());
        let decisions = replay(&inputs(&steps, &settings), &settings);
        let heals: Vec<_> = decisions.iter().filter_map(|decision| match decision {
            Decision::Heal(heal) if heal.rule.is_proactive() => Some(heal),
            _ => None,
        }).collect();
        for (index, heal) in heals.iter().enumerate() {
            let within = heals[..=index].iter().filter(|other| heal.at.since(other.at) < Duration::from_mins(30)).count();
            prop_assert!(within <= 3);
            let blown = index > 0 && heals[index - 1].blew_fuse;
            prop_assert!(!blown || heal.at.since(heals[index - 1].at) >= Duration::from_hours(3));
        }
    }

    #[test]
    fn a_rule_that_is_off_never_acts(steps in seconds(), proactive in any::<bool>(), own in any::<bool>()) {
        let user = AutoHealConfig { enabled: own, ..user(OWN_STATUS, "") };
        let settings = Configure { proactive, ..settings(user) };
        let fixed: Vec<_> = inputs(&steps, &settings).into_iter()
            .filter(|(_, input)| !matches!(input, HealInput::Configure(_))).collect();
        for decision in replay(&fixed, &settings) {
            let rule = match decision {
                Decision::Heal(heal) => heal.rule,
                Decision::Refuse(refusal) => refusal.rule,
                Decision::Probe { within } if within == CHECK_WITHIN => continue,
                Decision::Probe { .. } => Rule::NotResponding,
            };
            prop_assert!(rule != Rule::ProactiveCpu);
            prop_assert!(if rule.is_proactive() { proactive } else { own }, "{rule:?}");
        }
    }

    #[test]
    fn a_recorded_run_gives_the_same_decisions(steps in seconds()) {
        let settings = Configure { cpu: Some(CpuRule { mode: CpuMode::Kill, ..CpuRule::default() }), ..settings(user(OWN_STATUS, "")) };
        let inputs = inputs(&steps, &settings);
        let recorded = serde_json::to_string(&inputs).unwrap();
        let read: Vec<(Now, HealInput)> = serde_json::from_str(&recorded).unwrap();
        let decisions = replay(&inputs, &settings);
        prop_assert_eq!(&replay(&read, &settings), &decisions);
        let written = serde_json::to_string(&decisions).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Vec<Decision>>(&written).unwrap(), &decisions);
    }
}
