//! Who takes requests: the routing table, shared by all threads and replaced as a whole.

use std::sync::Arc;

use engine::WorkerId;

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

    /// The worker of the instance that the client was at, or else the one with the fewest requests in flight; among equals the
    /// next in turn. `refused` have just not taken this request.
    pub(crate) fn choose(
        &self,
        wanted: Option<Affinity>,
        turn: usize,
        refused: &[Arc<RoutedWorker>],
    ) -> Option<&Arc<RoutedWorker>> {
        let takes = |worker: &&Arc<RoutedWorker>| {
            worker.takes() && !refused.iter().any(|other| Arc::ptr_eq(other, worker))
        };
        if let Some(wanted) = wanted
            && let Some(worker) = self.workers.iter().filter(takes).find(|worker| worker.affinity == wanted)
        {
            return Some(worker);
        }
        let (before, after) = self.workers.split_at(turn.checked_rem(self.workers.len()).unwrap_or(0));
        after.iter().chain(before).filter(takes).min_by_key(|worker| worker.in_flight())
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

    fn index(worker: Option<&Arc<RoutedWorker>>) -> Option<u16> {
        worker.map(|worker| worker.id.instance.index)
    }

    #[test]
    fn an_empty_table_chooses_nobody() {
        assert_eq!(index(table(0).choose(None, 7, &[])), None);
    }

    #[test]
    fn the_fewest_in_flight_wins_and_equals_take_turns() {
        let table = table(3);
        let turns: Vec<_> = (0..4).map(|turn| index(table.choose(None, turn, &[])).unwrap()).collect();
        assert_eq!(turns, [0, 1, 2, 0]);
        table.workers[0].enter().unwrap();
        table.workers[1].enter().unwrap();
        assert!((0..3).all(|turn| index(table.choose(None, turn, &[])) == Some(2)));
    }

    #[test]
    fn affinity_outweighs_load_but_not_refusal_or_death() {
        let table = table(2);
        let wanted = Some(table.workers[1].affinity);
        table.workers[1].enter().unwrap();
        assert_eq!(index(table.choose(wanted, 0, &[])), Some(1));
        assert_eq!(index(table.choose(wanted, 0, &[Arc::clone(&table.workers[1])])), Some(0));
        table.workers[1].bury();
        assert_eq!(index(table.choose(wanted, 0, &[])), Some(0));
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
