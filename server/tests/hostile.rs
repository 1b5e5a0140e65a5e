//! A worker that gives everything names that are tricks: no page, answer or line of the log has a character in it that a terminal
//! obeys or that reorders text, and no name is markup. What a browser makes of them is tried in `end2end`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use insight::detectors::DETECTORS;
use model::text::is_unseen;
use serde_json::{Value, json};
use support::programs::copy_program;
use support::{Answer, Medic, free_address, request};

const RUNTIMES: [&str; 11] =
    ["cpp", "libcxx", "dotnet", "go", "java", "node", "php", "python", "ruby", "rust", "sanitizer"];

/// The worker's program, and the name of a variable that it is given.
const NAME: &str = "\"><img data-pwned src=x onerror=window.pwned=1>\u{202e}\u{1b}[31m.exe";

fn medic() -> Medic {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join(NAME);
    copy_program(&lab::compile_c("hostile.c", &["-g", "-O1"]), &program);
    // a basic string of TOML is written as one of JSON
    let quoted = |text: &str| serde_json::to_string(text).unwrap().replace('\u{7f}', "\\u007f");
    let config = format!(
        "[server]\nlisten = \"{}\"\n[crash_monitoring]\ncrashes = 0\npause = \"0s\"\n[[app]]\nname = \"shop\"\n\
         command = [{}]\nenvironment = {{ {} = \"x\" }}\nback_off = \"0s\"\nlisten = \"{}\"\n",
        free_address(),
        quoted(program.to_str().unwrap()),
        quoted(&NAME.replace('=', ":")),
        free_address(),
    );
    std::fs::write(folder.path().join("medic.toml"), config).unwrap();
    Medic::at(folder)
}

/// Every page of the app and its incidents, and every answer of the API.
fn answers(medic: &Medic) -> Vec<(String, Answer)> {
    let category = "/apps/shop/categories/availability-and-performance";
    let tool = "/apps/shop/categories/diagnostic-tools/tools/auto-heal";
    let api = "/api/v1/apps/shop";
    let mut paths = vec![
        "/".to_owned(),
        "/apps/shop".to_owned(),
        "/apps/%E2%80%AE%1B%3Cb%3E".to_owned(),
        "/apps/shop?q=%E2%80%AE%1B%3Cb%20data-pwned%3E".to_owned(),
        format!("{category}/overview"),
        tool.to_owned(),
        format!("{tool}?tab=proactive"),
        format!("{tool}?tab=history"),
        "/apps/shop/incidents".to_owned(),
        "/apps/shop/settings".to_owned(),
        "/healthz".to_owned(),
        "/api/v1/apps".to_owned(),
        api.to_owned(),
        format!("{api}/crashes"),
        format!("{api}/detectors"),
        format!("{api}/settings"),
        format!("{api}/restarts"),
        format!("{api}/heal-events"),
        format!("{api}/changes"),
        format!("{api}/auto-heal"),
        format!("{api}/auto-heal/status"),
        "/api/v1/incidents".to_owned(),
        "/api/v1/apps/%E2%80%AE%1B".to_owned(),
    ];
    for detector in DETECTORS {
        let (id, category) = (detector.id, detector.category.id());
        paths.push(format!("/apps/shop/categories/{category}/detectors/{id}"));
        paths.push(format!("{api}/detectors/{id}"));
    }
    for incident in medic.json("/api/v1/incidents").as_array().unwrap() {
        let id = incident["id"].as_str().unwrap();
        paths.extend([
            format!("/incidents/{id}"),
            format!("/incidents/{id}/markdown"),
            format!("/api/v1/incidents/{id}"),
            format!("/incidents/{id}/share"),
        ]);
        let shares = format!("/api/v1/incidents/{id}/shares");
        let body = json!({"include": ["app", "hosts", "paths"]}).to_string();
        let made =
            request(medic.address, "POST", &shares, &[("Content-Type", "application/json")], &body).json();
        let link = made["url"].as_str().unwrap().split_once("/s/").unwrap().1;
        paths.extend([format!("/s/{link}"), format!("/s/{link}/markdown")]);
    }
    paths.extend(["/shares", "/api/v1/shares"].map(str::to_owned));
    paths.into_iter().map(|path| (path.clone(), medic.get(&path))).collect()
}

/// The texts of a JSON document, as a program reads them.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            found.push(name.clone());
            texts(value, found);
        }),
        _ => {}
    }
}

/// Markdown without its code: what may be markup.
fn without_code(markdown: &str) -> String {
    let mut rest = markdown.to_owned();
    for length in (1..=10).rev() {
        let fence = "`".repeat(length);
        while let Some(start) = rest.find(&fence) {
            let Some(end) = rest[start + length..].find(&fence) else { break };
            rest.replace_range(start..start + length + end + length, "");
        }
    }
    rest
}

#[test]
fn no_name_of_a_process_leaves_its_place() {
    let medic = medic();
    let armed = || {
        medic.until("the debugger attached", || {
            (medic.instances()[0]["monitoring"]["state"] == "armed").then_some(())
        });
    };
    armed();
    medic.crash("native");
    for runtime in RUNTIMES {
        armed();
        medic.crash(&format!("{runtime}/unseen"));
    }
    for runtime in ["cpp", "java", "node"] {
        armed();
        medic.crash(&format!("{runtime}/markup"));
    }
    armed();

    let incidents = medic.json("/api/v1/incidents");
    let all = incidents.to_string();
    for name in ["</title></code>", "Keyexe.gnp", "@everyone", "<b data-pwned", "1>.c"] {
        assert!(all.contains(name), "the trick {name} was not played: {all}");
    }
    let native =
        incidents.as_array().unwrap().iter().find(|incident| incident["signal"] == "SIGSEGV").unwrap();
    let thread = &native["crashing_thread"];
    assert_eq!(thread["name"], "\"><b data-pwned", "{native:#}");
    let names =
        ["file", "function", "module"].map(|field| thread["frames"][0][field].as_str().unwrap_or_default());
    assert!(names.iter().all(|name| name.contains("<img data-pwned")), "{native:#}");

    for (path, answer) in answers(&medic) {
        let raw: String =
            answer.body.chars().filter(|c| is_unseen(*c) && !matches!(*c, '\n' | '\t')).collect();
        assert!(raw.is_empty(), "{path} has {raw:?}: {}", answer.body);
        assert!(!answer.head.trim_end().chars().any(|c| is_unseen(c) && !matches!(c, '\r' | '\n')), "{path}");
        if path.ends_with("/markdown") {
            let text = without_code(&answer.body);
            for alive in ["@everyone", "https://evil", "<img", "<b ", "](javascript", "#1"] {
                assert!(!text.contains(alive), "{path}: {alive} in {text}");
            }
        } else if answer.head.to_ascii_lowercase().contains("content-type: application/json") {
            let mut found = Vec::new();
            texts(&answer.json(), &mut found);
            assert!(!found.iter().any(|text| text.chars().any(is_unseen)), "{path}: {}", answer.body);
        } else {
            for alive in ["<img", "<b ", "<meta http-equiv", "<script data", "<svg data"] {
                assert!(!answer.body.contains(alive), "{path}: {alive} in {}", answer.body);
            }
        }
    }
    let log = medic.log();
    assert!(
        log.lines().count() > 10 && !log.chars().any(|c| is_unseen(c) && !matches!(c, '\n' | '\t')),
        "{log:?}"
    );
}

#[test]
fn a_start_that_fails_is_told_in_characters_that_can_be_seen() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[server]\nlisten = \"{}\"\n[[app]]\nname = \"shop\"\ncommand = [\"no-\\u001b[31m\\u202e<b data-pwned>\", \"hunter2\"]\nlisten = \"{}\"\n",
        free_address(),
        free_address(),
    );
    std::fs::write(folder.path().join("medic.toml"), config).unwrap();
    let medic = Medic::at(folder);
    let message =
        medic.until("the start that failed", || medic.instances()[0]["message"].as_str().map(str::to_owned));
    assert!(message.contains("no-\u{fffd}[31m\u{fffd}<b data-pwned>"), "{message}");
    let page = medic.get("/apps/shop/categories/availability-and-performance/overview").body;
    let log = medic.log();
    for text in [&message, &page, &log] {
        assert!(
            !text.chars().any(|c| is_unseen(c) && !matches!(c, '\n' | '\t')) && !text.contains("hunter2"),
            "{text:?}"
        );
    }
    assert!(page.contains("&lt;b data-pwned") && !page.contains("<b data"), "{page}");
    assert!(log.contains(r"no-\u{1b}[31m\u{202e}"), "{log}");
    let refused = request(
        medic.address,
        "PUT",
        "/api/v1/apps/shop/auto-heal",
        &[("Content-Type", "application/json")],
        &json!({}).to_string(),
    );
    assert_eq!(refused.status, 400);
}
