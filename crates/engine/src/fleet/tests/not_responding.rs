//! Workers that answer nobody.

use super::*;

/// A second in which instance 0 answers none of three requests; how many questions are put to it.
fn hung_second(world: &mut World) -> usize {
    world.now = world.now + SECOND;
    let worker = world.routed[0].clone();
    let unanswered = Unanswered { waiting: 3, ..Unanswered::default() };
    let tallies = Tallies { generation: world.generation, unanswered, ..Tallies::default() };
    let seen = Observation { tallies, ..Observation::default() };
    let before = world.seen.len();
    world.tell(Input::Observed(vec![(worker.clone(), seen)]));
    let asks =
        |effect: &&Effect| matches!(effect, Effect::AskHealth { worker: asked, .. } if *asked == worker);
    world.seen[before..].iter().filter(asks).count()
}

#[test]
fn a_worker_that_answers_nobody_makes_its_app_degraded_and_is_replaced() {
    let mut world = World::plain();
    let before = world.routed.clone();
    let health = |world: &World| world.fleet.apps(world.now).remove(0).health;
    let mut asked = 0;
    while world.restarts().is_empty() {
        while hung_second(&mut world) == 0 {}
        asked += 1;
        assert_eq!(health(&world), if asked == 1 { Health::Healthy } else { Health::Degraded });
        assert_eq!(world.routed, before);
        // the other instance's answer, and an answer of a worker that is gone, are not its own
        world.tell(Input::Health { worker: before[1].clone(), answered: false });
        world.tell(Input::Health { worker: before[0].clone(), answered: false });
    }
    let [restart] = world.restarts()[..] else { panic!("{:?}", world.restarts()) };
    assert_eq!(restart.evidence.as_ref().unwrap().rule, Rule::NotResponding);
    assert!(world.routed[0] != before[0] && world.routed[1] == before[1]);
    assert_eq!(health(&world), Health::Healthy);
    world.tell(Input::Health { worker: before[0].clone(), answered: false });
    assert_eq!((world.restarts().len(), health(&world)), (1, Health::Healthy));
}

#[test]
fn a_worker_that_answers_the_probe_stays_and_is_healthy() {
    let mut world = World::plain();
    let before = world.routed.clone();
    for _ in 0..1_000 {
        if hung_second(&mut world) > 0 {
            world.tell(Input::Health { worker: before[0].clone(), answered: true });
        }
    }
    assert_eq!((world.routed.clone(), world.restarts().len()), (before, 0));
    let status = world.fleet.apps(world.now).remove(0);
    assert_eq!((status.health, status.instances[0].not_responding), (Health::Healthy, false));
}
