//! Other code than before: deploys are seen as workers are started, marked on charts, and make an incident regress.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::Path;

use serde_json::{Value, json};
use support::{Medic, request};

/// The app's repository has this commit checked out.
fn check_out(folder: &Path, digit: &str) {
    let git = folder.join(".git");
    std::fs::create_dir_all(&git).unwrap();
    std::fs::write(git.join("HEAD"), digit.repeat(40)).unwrap();
}

fn restart(medic: &Medic) {
    let pid = medic.instances()[0]["pid"].clone();
    let path = "/api/v1/apps/shop/instances/0/restart";
    let headers = [("Content-Type", "application/json")];
    // refused while the worker before the last one drains
    let asks = || (request(medic.address, "POST", path, &headers, "").status < 300).then_some(());
    medic.until("the restart begun", asks);
    medic.until("another worker", || {
        let instance = &medic.instances()[0];
        (instance["pid"] != pid && instance["state"] == "running").then_some(())
    });
}

fn deploys(medic: &Medic) -> Vec<Value> {
    medic.json("/api/v1/apps/shop/deploys").as_array().unwrap().clone()
}

#[test]
fn a_deploy_is_told_marked_on_charts_and_named_where_a_crash_came_after_it() {
    let folder = tempfile::tempdir().unwrap();
    check_out(folder.path(), "a");
    let secret = "correct-horse-battery-staple";
    let app = format!(
        "back_off = \"0s\"\ndirectory = \"{}\"\nenvironment = {{ IMAGE = \"{secret}\" }}",
        folder.path().display()
    );
    let medic = Medic::with_shop("", &app);
    medic.until_running();
    restart(&medic);
    assert_eq!(
        deploys(&medic),
        [] as [Value; 0],
        "the first code that is seen is no deploy, nor is a restart"
    );
    check_out(folder.path(), "b");
    restart(&medic);
    let told = medic.until("the deploy", || deploys(&medic).pop());
    assert_eq!(
        (&told["label"], &told["summary"]),
        (&json!("bbbbbbb"), &json!("Revision aaaaaaa → bbbbbbb (git)"))
    );
    assert_eq!(told["to"]["revision"]["name"], "b".repeat(40));
    assert!(!told.to_string().contains(secret));

    medic.crash("exit");
    let of_app = "/apps/shop/categories/availability-and-performance";
    let report = medic.json("/api/v1/apps/shop/detectors/application-crashes");
    assert_eq!(report["charts"][0]["deploys"][0]["label"], "bbbbbbb", "{report:#}");
    for page in [
        format!("{of_app}/detectors/application-crashes"),
        format!("{of_app}/overview"),
        "/apps/shop/categories/diagnostic-tools/tools/auto-heal?tab=history".to_owned(),
    ] {
        let body = medic.get(&page).body;
        assert!(body.contains("<line class=\"deploy\"") && body.contains("Deploy of bbbbbbb"), "{page}");
    }
    let id = medic.json("/api/v1/incidents")[0]["id"].as_str().unwrap().to_owned();
    let page = medic.get(&format!("/incidents/{id}")).body;
    assert!(page.contains("after the deploy of bbbbbbb"), "{page}");
    let markdown = medic.get(&format!("/incidents/{id}/markdown")).body;
    assert!(markdown.contains("- Deploy: Revision aaaaaaa → bbbbbbb (git), "), "{markdown}");
}

#[test]
fn a_resolved_incident_without_a_build_regresses_by_other_code_and_not_by_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    check_out(folder.path(), "a");
    let app = format!("back_off = \"0s\"\ndirectory = \"{}\"", folder.path().display());
    let medic = Medic::with_shop("", &app);
    medic.until_running();
    medic.crash("exit");
    let id = medic.json("/api/v1/incidents")[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/incidents/{id}/state");
    let headers = [("Content-Type", "application/json")];
    let resolved = request(medic.address, "PUT", &path, &headers, "{\"state\": \"resolved\"}").json();
    assert_eq!(resolved["state"]["faulty_code"]["revision"]["name"], "a".repeat(40), "{resolved:#}");
    let state = || medic.json(&format!("/api/v1/incidents/{id}"))["state"]["state"].clone();
    for _ in 0..3 {
        medic.until_running();
        medic.crash("exit");
        assert_eq!(state(), "resolved", "the same code");
    }
    medic.until_running();
    check_out(folder.path(), "b");
    restart(&medic);
    medic.crash("exit");
    assert_eq!(state(), "regressed");
}
