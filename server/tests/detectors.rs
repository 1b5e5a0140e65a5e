//! The API says what the pages say: every finding, value and cell of a detector's report stands on its page, whichever it is.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use serde_json::Value;
use support::{Medic, request};

/// As it stands in markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// What the page must hold of one value, such as `{"bytes": 7}`: names as text, times and numbers as the machine reads them.
fn marks(value: &Value) -> Vec<String> {
    if let Some(kind) = value.as_str() {
        assert_eq!(kind, "none");
        return vec![];
    }
    let (kind, value) = value.as_object().unwrap().iter().next().unwrap();
    let text = |field: &str| escaped(value[field].as_str().unwrap());
    match kind.as_str() {
        "text" | "code" | "hash" => vec![escaped(value.as_str().unwrap())],
        "time" => vec![format!("datetime=\"{}\"", value.as_str().unwrap())],
        "count" | "bytes" | "duration_ms" | "duration_us" | "percent" => vec![format!("value=\"{value}\"")],
        "link" => vec![text("text")],
        "branch" => vec![text("name")],
        "status" => {
            let mut marks = vec![text("word")];
            marks.extend(value["details"].as_str().map(escaped));
            marks
        }
        kind => panic!("a value of the new kind {kind}: say how it stands on a page"),
    }
}

/// All that the page must hold of a report.
fn told(report: &Value) -> Vec<String> {
    let text = |value: &Value| escaped(value.as_str().unwrap());
    let list = |value: &Value| value.as_array().unwrap().clone();
    let mut told = vec![text(&report["title"]), text(&report["description"])];
    for insight in list(&report["insights"]) {
        let word = insight["severity"].as_str().unwrap();
        told.extend([text(&insight["title"]), word[..1].to_uppercase() + &word[1..]]);
        for detail in list(&insight["details"]) {
            told.push(text(&detail["name"]));
            told.extend(marks(&detail["value"]));
        }
        told.extend(list(&insight["actions"]).iter().map(|action| text(&action["text"])));
    }
    told.extend(list(&report["charts"]).iter().map(|chart| text(&chart["title"])));
    told.extend(list(&report["lines"]).iter().map(|chart| text(&chart["title"])));
    for table in list(&report["tables"]) {
        told.push(text(&table["title"]));
        told.extend(list(&table["notes"]).iter().map(|note| text(&note["text"])));
        let rows = list(&table["rows"]);
        if rows.is_empty() {
            told.push(text(&table["empty"]));
            continue;
        }
        told.extend(list(&table["columns"]).iter().map(|column| text(&column["title"])));
        told.extend(rows.iter().flat_map(list).flat_map(|cell| marks(&cell)));
    }
    told
}

fn detectors(medic: &Medic) -> Vec<Value> {
    medic.json("/api/v1/apps/shop/detectors").as_array().unwrap().clone()
}

fn page(medic: &Medic, detector: &Value, query: &str) -> String {
    let (id, category) = (detector["id"].as_str().unwrap(), detector["category"].as_str().unwrap());
    let answer = medic.get(&format!("/apps/shop/categories/{category}/detectors/{id}{query}"));
    assert_eq!(answer.status, 200, "{id}: {}", answer.body);
    // without the marks between texts
    answer.body.replace("<!>", "")
}

#[test]
fn the_api_says_what_the_pages_say() {
    let medic = Medic::with_shop("", "instances = 2");
    medic.until_running();
    medic.crash("panic");
    medic.until_running();
    assert_eq!(request(medic.address, "POST", "/api/v1/apps/shop/instances/0/restart", &[], "").status, 202);
    medic.until("the restart recorded", || {
        medic.json("/api/v1/apps/shop/restarts").as_array().unwrap().first().cloned()
    });
    medic.until_running();
    let all = detectors(&medic);
    let ids: Vec<&str> = all.iter().map(|detector| detector["id"].as_str().unwrap()).collect();
    for expected in ["application-crashes", "web-app-restarted", "memory-analysis"] {
        assert!(ids.contains(&expected), "{ids:?}");
    }
    for detector in &all {
        let id = detector["id"].as_str().unwrap();
        // what is measured now may be another a moment later
        medic.until("the same said twice", || {
            let report = medic.json(&format!("/api/v1/apps/shop/detectors/{id}"));
            for field in ["id", "title", "category", "description"] {
                assert_eq!(report[field], detector[field]);
            }
            let page = page(&medic, detector, "");
            let missing: Vec<String> =
                told(&report).into_iter().filter(|mark| !page.contains(mark.as_str())).collect();
            if !missing.is_empty() {
                eprintln!("{id}: the page lacks {missing:#?}");
            }
            missing.is_empty().then_some(())
        });
    }
    let crashes = medic.json("/api/v1/apps/shop/detectors/application-crashes");
    assert_eq!(
        (&crashes["total"]["count"], &crashes["insights"][0]["severity"]),
        (&1.into(), &"critical".into())
    );
    assert_eq!(crashes["tables"][0]["rows"].as_array().unwrap().len(), 1);
}

#[test]
fn a_range_is_that_of_the_report_and_what_is_not_there_is_said() {
    let medic = Medic::with_shop("", "");
    let path = "/api/v1/apps/shop/detectors";
    let range = "?from=2026-01-31T08:15:00Z&to=2026-01-31T09:15:00Z";
    let report = medic.json(&format!("{path}/web-app-restarted{range}"));
    assert_eq!(report["range"]["start"], "2026-01-31T08:15:00.000Z");
    assert_eq!(report["insights"][0]["severity"], "healthy");
    let cases = [
        ("/api/v1/apps/nope/detectors".to_owned(), 404, "not_found"),
        ("/api/v1/apps/nope/detectors/memory-analysis".to_owned(), 404, "not_found"),
        (format!("{path}/nope"), 404, "not_found"),
        (format!("{path}/memory-analysis?from=noon"), 400, "bad_request"),
        (format!("{path}/memory-analysis?form=1"), 400, "bad_request"),
    ];
    for (path, status, code) in cases {
        let answer = medic.get(&path);
        assert_eq!((answer.status, answer.json()["code"].as_str().unwrap()), (status, code), "{path}");
    }
    for page in ["availability-and-performance/detectors/nope", "diagnostic-tools/detectors/memory-analysis"]
    {
        assert_eq!(medic.get(&format!("/apps/shop/categories/{page}")).status, 404, "{page}");
    }
    let described = &medic.json("/api/v1/openapi.json")["components"]["schemas"];
    for name in ["DetectorReport", "Insight", "Table", "Cell", "LineChart"] {
        assert!(described.get(name).is_some(), "{name} is sent and not described");
    }
}
