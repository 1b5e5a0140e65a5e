//! Who takes requests: the routing table, shared by all threads and replaced as a whole.

use std::sync::Arc;
use std::time::Duration;

use model::WorkerId;

use crate::affinity::Affinity;
use crate::settings::Target;
use crate::worker::RoutedWorker;

/// Who takes new requests from now on.
#[derive(Default)]
pub(crate) struct Table {
    workers: Vec<Arc<RoutedWorker>>,
}

impl Table {
    /// The next table: workers that stay keep their counts.
    pub(crate) fn next(targets: Vec<Target>, known: &[Arc<RoutedWorker>]) -> Self {
        let keep = |target: Target| match known.iter().find(|worker| worker.is(&target) && worker.revive()) {
            Some(worker) => Arc::clone(worker),
            None => Arc::new(RoutedWorker::new(target)),
        };
        Self { workers: targets.into_iter().map(keep).collect() }
    }

    /// This table without `worker`.
    pub(crate) fn without(&self, worker: &WorkerId) -> Self {
        Self { workers: self.workers.iter().filter(|routed| routed.id != *worker).cloned().collect() }
    }

    pub(crate) fn workers(&self) -> &[Arc<RoutedWorker>] {
        &self.workers
    }

    /// Whether clients need a cookie to come back to the same instance.
    pub(crate) fn has_several(&self) -> bool {
        self.workers.len() > 1
    }

    /// The worker of the instance that the client was at, or else the one with the least to do; among equals the next in turn.
    /// `refused` have just not taken this request. While a worker answers, one that answers nobody is only tried (see
    /// [`crate::silence`]).
    pub(crate) fn choose(
        &self,
        wanted: Option<Affinity>,
        turn: usize,
        refused: &[Arc<RoutedWorker>],
        now: impl Fn() -> Duration,
    ) -> Option<&Arc<RoutedWorker>> {
        let takes = |worker: &&Arc<RoutedWorker>| {
            worker.takes() && !refused.iter().any(|other| Arc::ptr_eq(other, worker))
        };
        let silent = |worker: &&Arc<RoutedWorker>| worker.silence.is_total();
        let one_answers = || self.workers.iter().filter(takes).any(|worker| !silent(&worker));
        let shuns = self.workers.iter().any(|worker| silent(&worker)) && one_answers();
        let tried = |worker: &&Arc<RoutedWorker>| worker.silence.takes_a_try(now());
        let one_is_sure = || self.workers.iter().filter(takes).any(|worker| worker.silence.unanswered() == 0);
        let doubts = self.workers.iter().any(|worker| worker.silence.unanswered() > 0) && one_is_sure();
        if let Some(wanted) = wanted
            && let Some(worker) = self.workers.iter().filter(takes).find(|worker| worker.affinity == wanted)
            && (!shuns || !silent(&worker) || tried(&worker))
        {
            return Some(worker);
        }
        if (shuns || doubts)
            && let Some(worker) = self.workers.iter().filter(takes).find(tried)
        {
            return Some(worker);
        }
        let (before, after) = self.workers.split_at(turn.checked_rem(self.workers.len()).unwrap_or(0));
        let able = after.iter().chain(before).filter(takes).filter(|worker| !shuns || !silent(worker));
        able.min_by_key(|worker| worker.load())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(instances: u16) -> Table {
        let target =
            |index| Target { worker: format!("shop/{index}/1").parse().unwrap(), port: 1_000 + index };
        Table::next((0..instances).map(target).collect(), &[])
    }

    const NOW: Duration = Duration::from_secs(100);

    fn index(worker: Option<&Arc<RoutedWorker>>) -> Option<u16> {
        worker.map(|worker| worker.id.instance.index)
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
        table.workers[0].enter().unwrap();
        table.workers[1].enter().unwrap();
        assert!((0..3).all(|turn| index(table.choose(None, turn, &[], || NOW)) == Some(2)));
    }

    #[test]
    fn affinity_outweighs_load_but_not_refusal_or_death() {
        let table = table(2);
        let wanted = Some(table.workers[1].affinity);
        table.workers[1].enter().unwrap();
        assert_eq!(index(table.choose(wanted, 0, &[], || NOW)), Some(1));
        assert_eq!(index(table.choose(wanted, 0, &[Arc::clone(&table.workers[1])], || NOW)), Some(0));
        table.workers[1].bury();
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
    fn a_worker_that_answers_nobody_gets_less_and_then_only_tries() {
        let table = table(2);
        let [silent, other] = [&table.workers[0], &table.workers[1]];
        silent.silence.lasts(NOW);
        assert_eq!(chosen(&table, None, NOW, 10), [1; 10], "what was given up on weighs as if it were there");
        let soon = NOW + Duration::from_secs(10);
        assert_eq!(chosen(&table, None, soon, 3), [0, 1, 1], "and is found out");
        assert_eq!(chosen(&table, Some(silent.affinity), NOW, 2), [0; 2], "its own clients stay");
        (0..2).for_each(|_| silent.silence.lasts(soon));
        (0..9).for_each(|_| _ = other.enter());
        assert_eq!(chosen(&table, None, soon, 12), [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1]);
        let later = soon + Duration::from_secs(30);
        assert_eq!(chosen(&table, Some(silent.affinity), later, 3), [0, 1, 1]);
        assert_eq!(chosen(&table, Some(other.affinity), later + Duration::from_secs(30), 2), [1; 2]);
        silent.silence.broken();
        assert_eq!(chosen(&table, None, later, 3), [0; 3], "a byte restores it");
    }

    #[test]
    fn where_no_worker_answers_they_share_as_before() {
        let table = table(2);
        for worker in &table.workers {
            (0..3).for_each(|_| worker.silence.lasts(NOW));
        }
        assert_eq!(chosen(&table, None, NOW, 4), [0, 1, 0, 1]);
        assert_eq!(chosen(&table, Some(table.workers[1].affinity), NOW, 2), [1; 2]);
        table.workers[0].bury();
        table.workers[1].silence.broken();
        assert_eq!(chosen(&table, None, NOW, 2), [1; 2]);
        table.workers[1].retire();
        assert_eq!(index(table.choose(None, 0, &[], || NOW)), None);
    }

    #[test]
    fn a_silent_worker_is_chosen_where_the_other_refuses() {
        let table = table(2);
        (0..3).for_each(|_| table.workers[0].silence.lasts(NOW));
        assert_eq!(index(table.choose(None, 0, &[Arc::clone(&table.workers[1])], || NOW)), Some(0));
    }

    #[test]
    fn a_worker_that_stays_keeps_its_count_and_a_dead_one_does_not_come_back() {
        let first = table(2);
        first.workers[0].enter().unwrap();
        first.workers[1].bury();
        let targets = || {
            first
                .workers
                .iter()
                .map(|worker| Target { worker: worker.id.clone(), port: worker.address.port() })
                .collect()
        };
        let second = Table::next(targets(), first.workers());
        assert!(Arc::ptr_eq(&first.workers[0], &second.workers[0]));
        assert!(!Arc::ptr_eq(&first.workers[1], &second.workers[1]));
        first.workers[0].retire();
        assert_eq!((first.workers[0].enter(), first.workers[0].in_flight()), (None, 1));
        assert_eq!(second.without(&first.workers[0].id).workers().len(), 1);
    }
}
