//! Who takes requests: the routing table, shared by all threads and replaced as a whole.

use std::sync::Arc;
use std::time::Duration;

use hyper::header::HeaderValue;
use model::WorkerId;

use super::affinity::Affinity;
use crate::accounting::worker::Worker;
use crate::settings::Target;

/// A worker that takes requests, and how its instance's clients come back to it.
pub(crate) struct Route {
    pub(crate) worker: Arc<Worker>,
    /// What clients of this instance carry in their `ARRAffinity` cookie.
    pub(crate) affinity: Affinity,
    /// The `Set-Cookie` line that gives it to them.
    pub(crate) cookie: HeaderValue,
}

impl Route {
    fn to(worker: Arc<Worker>) -> Arc<Self> {
        let affinity = Affinity::of(&worker.id.place);
        Arc::new(Self { worker, affinity, cookie: affinity.set_cookie() })
    }
}

/// Who takes new requests from now on.
#[derive(Default)]
pub(crate) struct Table {
    routes: Vec<Arc<Route>>,
}

impl Table {
    /// The next table: workers that stay keep their counts.
    pub(crate) fn next(targets: Vec<Target>, known: &[Arc<Worker>]) -> Self {
        let keep = |target: Target| match known.iter().find(|worker| worker.is(&target) && worker.reinstate())
        {
            Some(worker) => Arc::clone(worker),
            None => Arc::new(Worker::new(target)),
        };
        Self { routes: targets.into_iter().map(keep).map(Route::to).collect() }
    }

    /// This table without `worker`.
    pub(crate) fn without(&self, worker: &WorkerId) -> Self {
        Self { routes: self.routes.iter().filter(|route| route.worker.id != *worker).cloned().collect() }
    }

    pub(crate) fn workers(&self) -> impl Iterator<Item = &Arc<Worker>> {
        self.routes.iter().map(|route| &route.worker)
    }

    pub(crate) fn has(&self, worker: &Arc<Worker>) -> bool {
        self.workers().any(|routed| Arc::ptr_eq(routed, worker))
    }

    /// Whether clients need a cookie to come back to the same instance.
    pub(crate) fn has_several(&self) -> bool {
        self.routes.len() > 1
    }

    /// The worker of the instance that the client was at, or else the one with the least to do; among equals the next in turn.
    /// `refused` have just not taken this request. While a worker answers, one that answers nobody is only probed (see
    /// [`crate::accounting::passive_health`]).
    pub(crate) fn choose(
        &self,
        wanted: Option<Affinity>,
        turn: usize,
        refused: &[Arc<Worker>],
        now: impl Fn() -> Duration,
    ) -> Option<&Arc<Route>> {
        let takes = |route: &&Arc<Route>| {
            route.worker.takes_requests() && !refused.iter().any(|other| Arc::ptr_eq(other, &route.worker))
        };
        let unresponsive = |route: &&Arc<Route>| route.worker.health.is_unresponsive();
        let one_answers = || self.routes.iter().filter(takes).any(|route| !unresponsive(&route));
        let shuns = self.routes.iter().any(|route| unresponsive(&route)) && one_answers();
        let probed = |route: &&Arc<Route>| route.worker.health.claim_probe(now());
        let one_is_sure =
            || self.routes.iter().filter(takes).any(|route| route.worker.health.unanswered() == 0);
        let doubts = self.routes.iter().any(|route| route.worker.health.unanswered() > 0) && one_is_sure();
        if let Some(wanted) = wanted
            && let Some(route) = self.routes.iter().filter(takes).find(|route| route.affinity == wanted)
            && (!shuns || !unresponsive(&route) || probed(&route))
        {
            return Some(route);
        }
        if (shuns || doubts)
            && let Some(route) = self.routes.iter().filter(takes).find(probed)
        {
            return Some(route);
        }
        let (before, after) = self.routes.split_at(turn.checked_rem(self.routes.len()).unwrap_or(0));
        let able = after.iter().chain(before).filter(takes).filter(|route| !shuns || !unresponsive(route));
        able.min_by_key(|route| route.worker.load())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(instances: u16) -> Table {
        let target = |index| Target {
            worker: format!("node-a/shop/{index}/1").parse().unwrap(),
            address: ([127, 0, 0, 1], 1_000 + index).into(),
        };
        Table::next((0..instances).map(target).collect(), &[])
    }

    const NOW: Duration = Duration::from_secs(100);

    fn index(route: Option<&Arc<Route>>) -> Option<u16> {
        route.map(|route| route.worker.id.place.instance)
    }

    #[test]
    fn an_empty_table_chooses_nobody() {
        assert_eq!(index(table(0).choose(None, 7, &[], || NOW)), None);
    }

    #[test]
    fn the_fewest_in_flight_wins_and_equals_take_turns() {
        let table = table(3);
        let turns: Vec<_> =
            (0..4).map(|turn| index(table.choose(None, turn, &[], || NOW)).unwrap()).collect();
        assert_eq!(turns, [0, 1, 2, 0]);
        table.routes[0].worker.begin_request().unwrap();
        table.routes[1].worker.begin_request().unwrap();
        assert!((0..3).all(|turn| index(table.choose(None, turn, &[], || NOW)) == Some(2)));
    }

    #[test]
    fn affinity_outweighs_load_but_not_refusal_or_death() {
        let table = table(2);
        let wanted = Some(table.routes[1].affinity);
        table.routes[1].worker.begin_request().unwrap();
        assert_eq!(index(table.choose(wanted, 0, &[], || NOW)), Some(1));
        assert_eq!(index(table.choose(wanted, 0, &[Arc::clone(&table.routes[1].worker)], || NOW)), Some(0));
        table.routes[1].worker.mark_dead();
        assert_eq!(index(table.choose(wanted, 0, &[], || NOW)), Some(0));
    }

    /// Whom each of `count` requests from `now` on goes to, a second apart, and stays for good.
    fn chosen(table: &Table, wanted: Option<Affinity>, now: Duration, count: u32) -> Vec<u16> {
        let one = |second: u32| {
            let now = now + Duration::from_secs(second.into());
            index(table.choose(wanted, second as usize, &[], || now)).unwrap()
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn a_worker_that_answers_nobody_gets_less_and_then_only_probes() {
        let table = table(2);
        let [unresponsive, other] = [&table.routes[0], &table.routes[1]];
        unresponsive.worker.health.note_unanswered(NOW);
        assert_eq!(chosen(&table, None, NOW, 10), [1; 10], "what was given up on weighs as if it were there");
        let soon = NOW + Duration::from_secs(10);
        assert_eq!(chosen(&table, None, soon, 3), [0, 1, 1], "and is found out");
        assert_eq!(chosen(&table, Some(unresponsive.affinity), NOW, 2), [0; 2], "its own clients stay");
        (0..2).for_each(|_| unresponsive.worker.health.note_unanswered(soon));
        (0..9).for_each(|_| _ = other.worker.begin_request());
        assert_eq!(chosen(&table, None, soon, 12), [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1]);
        let later = soon + Duration::from_secs(30);
        assert_eq!(chosen(&table, Some(unresponsive.affinity), later, 3), [0, 1, 1]);
        assert_eq!(chosen(&table, Some(other.affinity), later + Duration::from_secs(30), 2), [1; 2]);
        unresponsive.worker.health.note_byte();
        assert_eq!(chosen(&table, None, later, 3), [0; 3], "a byte restores it");
    }

    #[test]
    fn where_no_worker_answers_they_share_as_before() {
        let table = table(2);
        for worker in table.workers() {
            (0..3).for_each(|_| worker.health.note_unanswered(NOW));
        }
        assert_eq!(chosen(&table, None, NOW, 4), [0, 1, 0, 1]);
        assert_eq!(chosen(&table, Some(table.routes[1].affinity), NOW, 2), [1; 2]);
        table.routes[0].worker.mark_dead();
        table.routes[1].worker.health.note_byte();
        assert_eq!(chosen(&table, None, NOW, 2), [1; 2]);
        table.routes[1].worker.retire();
        assert_eq!(index(table.choose(None, 0, &[], || NOW)), None);
    }

    #[test]
    fn an_unresponsive_worker_is_chosen_where_the_other_refuses() {
        let table = table(2);
        (0..3).for_each(|_| table.routes[0].worker.health.note_unanswered(NOW));
        assert_eq!(index(table.choose(None, 0, &[Arc::clone(&table.routes[1].worker)], || NOW)), Some(0));
    }

    #[test]
    fn a_worker_that_stays_keeps_its_count_and_a_dead_one_does_not_come_back() {
        let first = table(2);
        first.routes[0].worker.begin_request().unwrap();
        first.routes[1].worker.mark_dead();
        let targets = || {
            first
                .workers()
                .map(|worker| Target { worker: worker.id.clone(), address: worker.address })
                .collect()
        };
        let second = Table::next(targets(), &first.workers().cloned().collect::<Vec<_>>());
        assert!(Arc::ptr_eq(&first.routes[0].worker, &second.routes[0].worker));
        assert!(!Arc::ptr_eq(&first.routes[1].worker, &second.routes[1].worker));
        first.routes[0].worker.retire();
        assert_eq!((first.routes[0].worker.begin_request(), first.routes[0].worker.in_flight()), (None, 1));
        assert_eq!(second.without(&first.routes[0].worker.id).routes.len(), 1);
    }
}
