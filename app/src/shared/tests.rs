use insight::report::{Layout, Severity};
use insight::share::{
    SharedCell, SharedColumn, SharedDetail, SharedFinding, SharedFrame, SharedReport, SharedStack,
    SharedTable, SharedValue,
};
use model::Timestamp;
use model::crash::Trust;

use super::{markdown, not_found, page, unavailable};

const HOSTILE: &str = "</title><script>alert(1)</script>|`x`";

fn report(name: &str) -> SharedReport {
    let frame = SharedFrame {
        module: Some("shop".to_owned()),
        function: Some(name.to_owned()),
        file: Some("cart.rs".to_owned()),
        line: Some(33),
        offset: None,
        trust: Trust::Runtime,
        inline: false,
    };
    let finding = SharedFinding {
        heading: Some((Severity::Critical, format!("2 crashes in {name}"))),
        details: vec![SharedDetail {
            name: "Signature".to_owned(),
            value: SharedValue::Code(name.to_owned()),
        }],
        stack: Some(SharedStack { frames: vec![frame], telling: Some(0), truncated: false }),
        notes: vec!["Noted.".to_owned()],
        actions: vec![format!("Start at {name}.")],
    };
    let column = |title: &str| SharedColumn { title: title.to_owned(), layout: Layout::Short };
    let table = SharedTable {
        title: "Latest crashes".to_owned(),
        columns: vec![column("Time (UTC)"), column("Exception")],
        rows: vec![vec![
            SharedCell::Time(Timestamp::from_ms(1_769_847_300_000)),
            SharedCell::Code(name.to_owned()),
        ]],
        empty: "No crashes".to_owned(),
        notes: vec![],
    };
    SharedReport {
        kind: "Incident".to_owned(),
        title: format!("2 crashes in {name}"),
        app: None,
        made_at: Timestamp::from_ms(1_769_847_300_000),
        range: None,
        findings: vec![finding],
        charts: vec![],
        lines: vec![],
        tables: vec![table],
    }
}

#[test]
fn the_page_is_static_and_says_what_chats_show() {
    let html = page(report("price_of"), "/pkg/medic.css", "/s/t/markdown");
    for expected in [
        "<title>2 crashes in price_of · Medic</title>",
        "property=\"og:title\" content=\"2 crashes in price_of\"",
        "content=\"Snapshot of an incident, made 2026-01-31 08:15:00 UTC\"",
        "content=\"noindex, nofollow, noarchive\"",
        "href=\"/pkg/medic.css\"",
        "href=\"/s/t/markdown\"",
        "cart.rs:33",
        "Recommended actions",
    ] {
        assert!(html.contains(expected), "{expected} in {html}");
    }
    for never in
        ["<script", "leptos-island", "data-live", "data-events", "/incidents/", "og:image", "http://"]
    {
        assert!(!html.contains(never), "{never} in {html}");
    }
    assert_eq!(html.matches("<h1").count(), 1);
}

#[test]
fn an_app_is_named_where_it_is_shared() {
    let named = SharedReport { app: Some("shop-7".parse().unwrap()), ..report("f") };
    let html = page(named.clone(), "/x.css", "/m");
    assert!(html.contains("<title>shop-7: 2 crashes in f · Medic</title>"), "{html}");
    assert!(markdown(named).starts_with("# `shop-7: 2 crashes in f`\n"));
}

#[test]
fn names_from_a_process_are_only_ever_text() {
    let html = page(report(HOSTILE), "/x.css", "/m");
    assert!(!html.contains("<script") && html.matches("</title>").count() == 1, "{html}");
    let text = markdown(report(HOSTILE));
    assert!(text.contains("# `` 2 crashes in </title><script>alert(1)</script>|`x` ``\n"), "{text}");
    let row = text.lines().find(|line| line.starts_with("| 2026")).unwrap();
    assert_eq!(row.matches('|').count() - row.matches("\\|").count(), 3, "{row}");
}

#[test]
fn where_there_is_no_report_nothing_is_told_of_it() {
    let missing = not_found("/x.css");
    assert!(missing.contains("unknown, expired or revoked") && !missing.contains("<script"), "{missing}");
    assert!(unavailable("/x.css").contains("Try again later"));
}
