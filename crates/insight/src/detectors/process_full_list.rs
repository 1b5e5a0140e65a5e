//! Process Full List: which processes does the app have right now, who started whom, and what does each use?

use std::collections::{BTreeMap, BTreeSet};

use crate::words::{bytes, counted};
use model::Place;
use model::auto_heal::arithmetic::percent;
use model::process::Process;

use crate::detector::{Category, Detector, Sharing, Span};
use crate::evidence::{Ask, Evidence};
use crate::report::{Action, Cell, Column, Detail, Insight, Note, Report, Severity, Table, Total};

/// The detector.
pub static DETECTOR: Detector = Detector {
    id: "process-full-list",
    title: "Process Full List",
    category: Category::AvailabilityAndPerformance,
    description: "Every process of the app right now, with its CPU, memory, threads, open files and start time.",
    keywords: "process tree list pid children worker gunicorn threads CPU memory private bytes file descriptors handles \
               open files ps top htop",
    span: Span::Now,
    evidence: &[Ask::Processes],
    sharing: Sharing::Private,
    report,
};

/// A process that has more of its files open is near its limit.
const MANY_FILES_PERCENT: u64 = 80;

fn report(evidence: &Evidence) -> Report {
    let instances = &evidence.processes;
    let count = instances.iter().map(|(_, processes)| processes.len() as u64).sum();
    let mut insights: Vec<Insight> = instances
        .iter()
        .flat_map(|(place, processes)| processes.iter().filter_map(|process| near_file_limit(place, process)))
        .collect();
    insights.push(summary(count, instances));
    Report {
        range: evidence.range,
        total: Some(Total { count, one: "process", many: "processes" }),
        insights,
        charts: vec![],
        lines: vec![],
        tables: vec![table(instances)],
    }
}

fn near_file_limit(place: &Place, process: &Process) -> Option<Insight> {
    let (open, limit) = (process.open_files?, process.open_files_limit.filter(|limit| *limit > 0)?);
    (percent(open, limit) >= MANY_FILES_PERCENT).then(|| Insight {
        details: vec![
            Detail::text("Instance", place.within_app()),
            Detail::code("Process", process.name.clone()),
            Detail::text("Open files", format!("{open} of {limit}")),
        ],
        actions: vec![Action::new(
            "Look for files or connections that the app does not close. If it needs that many, raise the limit of open files (ulimit -n) of Medic's service.",
        )],
        ..Insight::new(
            Severity::Warning,
            format!("Process {} has {}% of its file descriptors open", process.pid, percent(open, limit)),
        )
    })
}

fn summary(count: u64, instances: &[(Place, Vec<Process>)]) -> Insight {
    let running = instances.iter().filter(|(_, processes)| !processes.is_empty()).count();
    if running == 0 {
        return Insight::new(Severity::Info, "No processes: no instance is running");
    }
    let of = |(place, processes): &(Place, Vec<Process>)| {
        let memory = processes.iter().filter_map(|process| process.private_bytes).sum();
        let count = counted(processes.len(), "process", "processes");
        Detail::text(&place.within_app(), format!("{count}, {}", bytes(memory)))
    };
    Insight {
        details: instances.iter().map(of).collect(),
        ..Insight::new(
            Severity::Info,
            format!(
                "{} on {}",
                counted(count, "process", "processes"),
                counted(running, "instance", "instances")
            ),
        )
    }
}

fn table(instances: &[(Place, Vec<Process>)]) -> Table {
    let columns = vec![
        Column::short("instance", "Instance"),
        Column::short("name", "Name"),
        Column::number("pid", "PID"),
        Column::number("parent", "Parent PID"),
        Column::number("cpu", "CPU (of one core)"),
        Column::number("memory", "Memory"),
        Column::number("threads", "Threads"),
        Column::number("open_files", "Open files"),
        Column::short("started_at", "Started (UTC)"),
    ];
    let mut table = Table::new("Processes", columns, "No processes. No instance is running.");
    for (place, processes) in instances {
        let row = |(depth, process): (u16, &Process)| {
            vec![
                Cell::Text(place.within_app()),
                Cell::Branch { depth, name: process.name.clone() },
                Cell::Count(process.pid.into()),
                Cell::Count(process.parent.into()),
                process.cpu_percent.map_or(Cell::None, Cell::Percent),
                Cell::bytes(process.private_bytes),
                Cell::count(process.threads),
                Cell::count(process.open_files),
                Cell::Time(process.started_at),
            ]
        };
        table.rows.extend(tree(processes).into_iter().map(row));
    }
    table.notes.push(Note::new(
        "CPU is measured over half a second. Memory is anonymous memory and swap: pages that processes share after a fork count in each of them. Medic lists up to 257 processes per instance.",
    ));
    table
}

/// Parents before their children, with how deep each stands. Whose parent is not listed is a root.
fn tree(processes: &[Process]) -> Vec<(u16, &Process)> {
    let listed: BTreeSet<u32> = processes.iter().map(|process| process.pid).collect();
    let mut children: BTreeMap<u32, Vec<&Process>> = BTreeMap::new();
    let mut waiting: Vec<(u16, &Process)> = Vec::new();
    for process in processes {
        if listed.contains(&process.parent) && process.parent != process.pid {
            children.entry(process.parent).or_default().push(process);
        } else {
            waiting.push((0, process));
        }
    }
    waiting.reverse();
    let mut ordered = Vec::with_capacity(processes.len());
    while let Some((depth, process)) = waiting.pop() {
        ordered.push((depth, process));
        // taken out, so that nothing goes round in circles
        let below = children.remove(&process.pid).unwrap_or_default();
        waiting.extend(below.into_iter().rev().map(|child| (depth.saturating_add(1), child)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::tests::{DAY, NOW, evidence};

    fn process(pid: u32, parent: u32) -> Process {
        Process {
            pid,
            parent,
            name: format!("p{pid}"),
            cpu_percent: Some(3),
            private_bytes: Some(1 << 20),
            threads: Some(2),
            open_files: Some(10),
            open_files_limit: Some(1_024),
            started_at: NOW,
        }
    }

    fn report_of(processes: Vec<(Place, Vec<Process>)>) -> Report {
        report(&Evidence { processes, ..evidence(DAY) })
    }

    #[test]
    fn children_stand_below_their_parents_and_orphans_are_roots() {
        let processes = [
            process(10, 1),
            process(40, 20),
            process(20, 10),
            process(30, 10),
            process(50, 1),
            process(60, 40),
        ];
        let order: Vec<(u16, u32)> =
            tree(&processes).into_iter().map(|(depth, process)| (depth, process.pid)).collect();
        assert_eq!(order, [(0, 10), (1, 20), (2, 40), (3, 60), (1, 30), (0, 50)]);
        let circle = [process(1, 2), process(2, 1), process(3, 3)];
        assert_eq!(tree(&circle).len(), 1, "ids that were given anew do not hang it");
    }

    #[test]
    fn every_process_has_its_row_and_the_instances_are_summed_up() {
        let report = report_of(vec![
            ("a/shop/0".parse().unwrap(), vec![process(10, 1), process(11, 10)]),
            ("a/shop/1".parse().unwrap(), vec![]),
        ]);
        let [summary] = &*report.insights else { panic!("{:?}", report.insights) };
        assert_eq!((summary.severity, &*summary.title), (Severity::Info, "2 processes on 1 instance"));
        assert_eq!(summary.details[0], Detail::text("a/0", "2 processes, 2 MiB"));
        let table = &report.tables[0];
        assert_eq!(table.rows.len(), 2);
        assert_eq!(table.rows[1][1], Cell::Branch { depth: 1, name: "p11".to_owned() });
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
        assert_eq!(report_of(vec![]).insights[0].title, "No processes: no instance is running");
    }

    #[test]
    fn a_process_near_its_limit_of_open_files_is_a_warning() {
        for (open, limit, found) in [
            (Some(819), Some(1_024), false),
            (Some(820), Some(1_024), true),
            (None, Some(1), false),
            (Some(9), None, false),
        ] {
            let near = Process { open_files: open, open_files_limit: limit, ..process(10, 1) };
            let report = report_of(vec![("a/shop/0".parse().unwrap(), vec![near])]);
            assert_eq!(report.insights[0].severity == Severity::Warning, found, "{open:?} of {limit:?}");
        }
    }
}
