use super::*;
use insight::report::{DeployMark, Line};
use model::auto_heal::evidence::Unit;
use model::{TimeRange, Timestamp};

const MB: u64 = 1 << 20;

fn chart(values: Vec<Option<u64>>, limit: Option<u64>) -> LineChart {
    let start: Timestamp = "2026-01-31T08:00".parse().unwrap();
    let limits = values.iter().map(|value| value.and(limit)).collect();
    LineChart {
        title: "Private bytes by instance".to_owned(),
        unit: Unit::Bytes,
        range: TimeRange { start, end: start + Duration::from_hours(1) },
        bucket_ms: 900_000,
        lines: vec![Line { name: "<script>/0".to_owned(), values, limits }],
        marks: vec![
            Mark {
                at: start + Duration::from_mins(20),
                place: "<b>/0".to_owned(),
                kind: MarkKind::Restart,
                count: 1,
                text: "Percent memory".to_owned(),
            },
            Mark {
                at: start + Duration::from_mins(40),
                place: "node/0".to_owned(),
                kind: MarkKind::OutOfMemory,
                count: 3,
                text: String::new(),
            },
        ],
        deploys: vec![],
        note: None,
    }
}

fn html(chart: LineChart) -> String {
    view! { <LineFigure chart=chart /> }.to_html()
}

#[test]
fn deploys_are_marked_on_lines_too() {
    let mut chart = chart(vec![Some(100 * MB), None, None, None], None);
    let at = chart.range.start + Duration::from_mins(50);
    chart.deploys =
        vec![DeployMark { at, label: "4.2".to_owned(), text: "Revision 4.1 → 4.2 (git)".to_owned() }];
    let html = html(chart);
    assert_eq!(html.matches("<line class=\"deploy\"").count(), 2);
    for expected in ["08:50:00 Deploy of 4.2: Revision 4.1 → 4.2 (git)", "var(--deploy)", ">4.2</text>"] {
        assert!(html.contains(expected), "{expected} in {html}");
    }
}

#[test]
fn lines_stand_beside_their_limit_with_marks_a_legend_and_a_table() {
    let html = html(chart(vec![Some(100 * MB), Some(300 * MB), None, Some(90 * MB)], Some(400 * MB)));
    for expected in [
        "role=\"img\"",
        "var(--series-1)",
        "var(--critical)",
        "400 MiB",
        "Limit: 400 MiB",
        "last 90 MiB",
        "08:20:00 Restart of &lt;b&gt;/0: Percent memory",
        "Out of memory: node/0 (×3)",
        "&lt;script&gt;/0 at most 300 MiB, the limit 400 MiB, restart 1",
        "\n08:30\n",
        "<table>",
    ] {
        assert!(html.contains(expected), "{expected} in {html}");
    }
    assert!(
        !html.contains("<script")
            && !html.contains("<b>")
            && !html.contains("#0200")
            && !html.contains("#0100")
    );
    assert_eq!(html.matches("<svg class=\"plot").count(), 2);
    assert_eq!(html.matches("<tr>").count(), 1 + 4, "the bucket of the kill has a row without a value");
}

#[test]
fn marks_that_would_cover_one_another_are_one_shape_and_all_in_the_table() {
    let mut chart = chart(vec![Some(300 * MB); 4], Some(400 * MB));
    let second = |second: u64| chart.range.start + Duration::from_secs(second);
    let restart = |place: u64| Mark {
        at: second(1_200 + 5 * place),
        place: format!("node/{place}"),
        kind: MarkKind::Restart,
        count: place + 1,
        text: "Percent memory".to_owned(),
    };
    let crash = Mark { kind: MarkKind::Crash, text: String::new(), ..restart(3) };
    chart.marks = (0..9).map(restart).chain([crash]).collect();
    let html = html(chart);
    let shapes = |colour: &str| html.matches(&format!("<polygon fill=\"{colour}\"")).count();
    assert_eq!((shapes("var(--quiet)"), shapes("var(--critical)")), (2, 2), "one for each size: {html}");
    assert!(html.contains("08:20:05 UTC\nRestart of node/1 (×2): Percent memory\n08:20:10 UTC\n"), "{html}");
    assert!(html.contains("Restart of node/5 (×6): Percent memory\nand 3 more, see the table<"), "{html}");
    assert_eq!(html.matches("Restart of node/8 (×9): Percent memory").count(), 1, "{html}");
}

#[test]
fn what_lies_far_below_the_limit_is_drawn_again_closer() {
    let far = html(chart(vec![Some(99 * MB), Some(90 * MB)], Some(400 * MB)));
    assert_eq!(far.matches("<svg class=\"plot").count(), 4);
    assert!(far.contains("Zoomed in"));
    let mut ids: Vec<_> = far.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "no id comes twice");
    let near = html(chart(vec![Some(100 * MB)], Some(400 * MB)));
    assert_eq!(near.matches("<svg class=\"plot").count(), 2);
}

#[test]
fn whatever_was_measured_can_be_drawn() {
    for values in [vec![Some(0)], vec![Some(u64::MAX), Some(0)], vec![None, Some(1), None], vec![Some(5); 4]]
    {
        for limit in [None, Some(0), Some(u64::MAX)] {
            assert!(html(chart(values.clone(), limit)).contains("<svg class=\"plot"), "{values:?} {limit:?}");
        }
    }
    let nothing = html(chart(vec![None; 4], None));
    assert!(
        nothing.contains("nothing was measured between 2026-01-31 08:00 – 09:00")
            && !nothing.contains("<svg")
    );
}
