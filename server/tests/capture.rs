//! From real crashes of a real app to what the API says of them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use serde_json::Value;
use support::{Medic, request};

/// Every crash is caught, and none has to wait long.
const ALWAYS: &str = "[crash_monitoring]\ncrashes = 0\npause = \"0s\"\n";
const QUICK: &str = "back_off = \"0s\"";

fn functions(incident: &Value) -> Vec<String> {
    let frames = incident["crashing_thread"]["frames"].as_array().unwrap();
    frames.iter().filter_map(|frame| frame["function"].as_str()).map(str::to_owned).collect()
}

#[test]
fn the_fourth_crash_arms_the_fifth_is_captured_and_then_there_is_a_pause() {
    let medic = Medic::with_shop("", QUICK);
    for n in 1..=4 {
        assert_eq!(medic.crash("null"), n);
    }
    medic.until("the debugger attached", || {
        (medic.instances()[0]["monitoring"]["state"] == "armed").then_some(())
    });
    let crashes = medic.json("/api/v1/apps/shop/crashes");
    assert!(
        crashes.as_array().unwrap().iter().all(|crash| crash["audit"].is_null()),
        "no dump before the fifth"
    );
    assert_eq!(medic.crash("null"), 5);
    let latest = medic.json("/api/v1/apps/shop/crashes")[0].clone();
    assert_eq!((latest["signal"].as_str(), latest["exit_code"].is_null()), (Some("SIGSEGV"), true));
    let audit = &latest["audit"];
    assert_eq!(audit["result"], "analysed");
    assert!(audit["size_bytes"].as_u64().unwrap() > 1_000 && audit["sha256"].as_str().unwrap().len() == 64);
    assert!(audit["captured_at"].as_str().unwrap() <= audit["dropped_at"].as_str().unwrap());
    medic.until("the pause", || (medic.instances()[0]["monitoring"]["state"] == "paused").then_some(()));
    assert_eq!(medic.crash("null"), 6);
    assert!(medic.json("/api/v1/apps/shop/crashes")[0]["audit"].is_null(), "no dump within the pause");

    let incident = medic.json(&format!("/api/v1/incidents/{}", latest["incident"].as_str().unwrap()));
    assert!(functions(&incident).iter().any(|function| function.contains("price_of")), "{incident:#}");
    assert_eq!(incident["audit"], *audit, "the captured crash stands for the incident");
    those_of_which_only_the_signal_is_known_join_it(&medic, incident["id"].as_str().unwrap());
}

fn those_of_which_only_the_signal_is_known_join_it(medic: &Medic, id: &str) {
    let counts = || {
        let incidents = medic.json("/api/v1/incidents?app=shop");
        let count =
            |incident: &Value| (incident["count"].as_u64().unwrap(), incident["probable"].as_u64().unwrap());
        let mut counts: Vec<_> = incidents.as_array().unwrap().iter().map(count).collect();
        counts.sort_unstable();
        counts
    };
    assert_eq!(counts(), [(6, 5)]);
    let crashes = medic.json("/api/v1/apps/shop/crashes");
    assert!(crashes.as_array().unwrap().iter().all(|crash| crash["incident"] == id), "{crashes:#}");
    let build = crashes[0]["executable"]["build"].as_str().unwrap();
    assert!(
        crashes.as_array().unwrap().iter().all(|crash| crash["executable"]["build"] == build),
        "{crashes:#}"
    );
    let page = format!("/incidents/{id}");
    let said = "6: 1 captured, 5 probably the same (only the signal is known)";
    assert!(medic.get(&page).body.contains(said));
    assert!(medic.get(&format!("{page}/markdown")).body.contains(said));

    let path = format!("/api/v1/incidents/{id}/signal-only");
    let put =
        |body: &str| request(medic.address, "PUT", &path, &[("Content-Type", "application/json")], body);
    assert_eq!(put("{\"joined\": false}").json()["count"], 1);
    assert_eq!(medic.crash("null"), 7);
    assert_eq!(counts(), [(1, 0), (6, 0)], "those that come later are separated, too");
    let apart = medic.json("/api/v1/apps/shop/crashes")[0]["incident"].as_str().unwrap().to_owned();
    assert!(medic.get(&format!("/incidents/{apart}")).body.contains("Somebody separated these crashes"));
    let refused = request(
        medic.address,
        "PUT",
        &format!("/api/v1/incidents/{apart}/signal-only"),
        &[("Content-Type", "application/json")],
        "{\"joined\": true}",
    );
    assert!(refused.status == 400 && refused.body.contains("captured"), "{}", refused.body);
    assert_eq!(put("{}").status, 400);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    assert_eq!(request(medic.address, "POST", &format!("{page}/state"), &form, "decision=join").status, 303);
    assert_eq!(counts(), [(7, 6)]);
    let led = medic.get(&format!("/incidents/{apart}")).body;
    assert!(led.contains(&format!("All crashes of incident {apart} are counted here")));
    let changes = medic.json("/api/v1/apps/shop/changes");
    assert_eq!(changes[0]["summary"], format!("Crashes with only a signal known counted with incident {id}"));
    assert!(changes[0]["by"].as_str().unwrap().contains("uid"));
}

#[test]
fn the_same_fault_on_two_instances_is_one_incident_and_another_fault_is_another() {
    let medic = Medic::with_shop(ALWAYS, "back_off = \"0s\"\ninstances = 2");
    // The cookie keeps a client on its instance: without one, the front door spreads them.
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 2 {
        medic.crash("null");
        seen.insert(medic.json("/api/v1/apps/shop/crashes")[0]["instance"].as_u64().unwrap());
    }
    medic.crash("fpe");
    let incidents = medic.json("/api/v1/incidents?app=shop");
    let mut kinds: Vec<_> = incidents
        .as_array()
        .unwrap()
        .iter()
        .map(|i| (i["signal"].as_str().unwrap(), i["instances"].as_array().unwrap().len()))
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [("SIGFPE", 1), ("SIGSEGV", 2)]);
}

#[test]
fn a_panic_is_told_by_its_last_words_and_its_message_stays_in_the_log_file() {
    let medic = Medic::with_shop("", QUICK);
    let message = "order 42 of jane@example.org not found";
    medic.crash("panic");
    let crash = medic.json("/api/v1/apps/shop/crashes")[0].clone();
    assert_eq!(crash["runtime"], "rust");
    let folder = medic.data_dir().join("apps/shop/logfiles/crashdumps");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let text = std::fs::read_to_string(&files[0]).unwrap();
    assert!(text.contains(message), "{text}");
    let pages = [
        medic.get("/api/v1/apps/shop/crashes").body,
        medic.get("/api/v1/incidents").body,
        medic.get(&format!("/incidents/{}", crash["incident"].as_str().unwrap())).body,
        medic.get("/apps/shop/categories/availability-and-performance/detectors/application-crashes").body,
    ];
    assert!(pages.iter().all(|page| !page.contains(message)), "{message} is told outside its file");
    let database = std::fs::read(medic.data_dir().join("medic.db")).unwrap();
    let write_ahead = std::fs::read(medic.data_dir().join("medic.db-wal")).unwrap_or_default();
    let contains = |bytes: &[u8]| bytes.windows(message.len()).any(|window| window == message.as_bytes());
    assert!(!contains(&database) && !contains(&write_ahead), "the message is in the store");
}

/// A crash with this request in flight beside the one that kills: the paths that it tells, sorted.
fn crash_beside(medic: &Medic, path: &str) -> Vec<String> {
    let (front_door, path) = (medic.front_door, path.to_owned());
    let beside = std::thread::spawn(move || request(front_door, "POST", &path, &[], ""));
    // It is under way once the worker has counted it.
    while !medic.shop("/in-flight").body.trim().parse::<u64>().is_ok_and(|n| n >= 2) {
        std::thread::yield_now();
    }
    medic.crash("null");
    assert_eq!(beside.join().unwrap().status, 502);
    let crash = medic.json("/api/v1/apps/shop/crashes")[0].clone();
    let mut paths: Vec<_> = crash["in_flight"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["path"].as_str().unwrap().to_owned())
        .collect();
    paths.sort_unstable();
    paths
}

#[test]
fn requests_in_flight_are_answered_502_and_told_without_what_is_personal() {
    let medic = Medic::with_shop(ALWAYS, QUICK);
    medic.until_running();
    for _ in 0..100 {
        assert_eq!(medic.shop("/slow?ms=0").status, 200);
        assert_eq!(medic.shop("/crash/unknown").status, 200);
    }
    assert_eq!(crash_beside(&medic, "/slow?ms=60000&secret=hunter2"), ["/crash/*", "/slow"]);
    let crash = medic.json("/api/v1/apps/shop/crashes")[0].clone();
    assert_eq!((crash["in_flight_count"].as_u64(), medic.crashes()), (Some(2), 1), "it killed once");
    assert!(!crash.to_string().contains("hunter2"));
}

#[test]
fn a_path_is_named_once_it_was_asked_for_often() {
    let medic = Medic::with_shop(ALWAYS, QUICK);
    medic.until_running();
    let checkout = "/cart/checkout?ms=60000&card=4111111111111111";
    assert_eq!(crash_beside(&medic, checkout), ["/*/*", "/*/*"]);
    for _ in 0..100 {
        assert_eq!(medic.shop("/cart/checkout").status, 200);
    }
    assert_eq!(crash_beside(&medic, checkout), ["/*/*", "/cart/checkout"]);
    assert!(!medic.get("/api/v1/apps/shop/crashes").body.contains("4111111111111111"));
}

#[test]
fn a_get_beside_the_one_that_kills_is_answered_by_the_replacement() {
    let medic = Medic::with_shop(ALWAYS, QUICK);
    medic.until_running();
    let front_door = medic.front_door;
    let beside = std::thread::spawn(move || request(front_door, "GET", "/slow?ms=1000", &[], ""));
    while !medic.shop("/in-flight").body.trim().parse::<u64>().is_ok_and(|n| n >= 2) {
        std::thread::yield_now();
    }
    assert_eq!(medic.crash("null"), 1);
    assert_eq!(beside.join().unwrap().status, 200);
    assert_eq!(medic.crashes(), 1, "what kills is not tried again");
}

#[test]
fn opting_out_is_obeyed_without_a_restart() {
    let medic = Medic::with_shop(ALWAYS, QUICK);
    medic.until("the debugger attached", || {
        (medic.instances()[0]["monitoring"]["state"] == "armed").then_some(())
    });
    let pid = medic.instances()[0]["pid"].clone();
    let put = |value: &str| {
        let body = format!("{{\"WEBSITE_PROACTIVE_CRASHMONITORING_ENABLED\": {value}}}");
        request(
            medic.address,
            "PUT",
            "/api/v1/apps/shop/settings",
            &[("Content-Type", "application/json")],
            &body,
        )
        .status
    };
    assert_eq!(put("\"fAlSe\""), 200);
    medic.until("opted out", || (medic.instances()[0]["monitoring"]["state"] == "opted_out").then_some(()));
    assert_eq!(medic.instances()[0]["pid"], pid);
    assert_eq!(medic.crash("null"), 1);
    assert!(medic.json("/api/v1/apps/shop/crashes")[0]["audit"].is_null(), "recorded, but not captured");
    assert_eq!(put("true"), 200);
    medic.until("the debugger attached again", || {
        (medic.instances()[0]["monitoring"]["state"] == "armed").then_some(())
    });
    assert_eq!(put("\"maybe\""), 400);
}

#[test]
fn the_first_crash_is_captured_where_the_setting_says_so_by_the_worker_that_runs() {
    let medic = Medic::with_shop("", QUICK);
    medic.until_running();
    let pid = medic.instances()[0]["pid"].clone();
    let settings = "/api/v1/apps/shop/settings";
    assert_eq!(medic.json(settings)["MEDIC_CAPTURE_FIRST_CRASH"], "False");
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let save = |value: &str| {
        let body = format!("MEDIC_CAPTURE_FIRST_CRASH=False{value}");
        request(medic.address, "POST", "/apps/shop/settings", &form, &body).status
    };
    assert_eq!(save("&MEDIC_CAPTURE_FIRST_CRASH=True"), 303);
    let until = |state: &str| {
        medic.until(state, || (medic.instances()[0]["monitoring"]["state"] == state).then_some(()));
    };
    until("armed");
    assert_eq!(medic.json(settings)["MEDIC_CAPTURE_FIRST_CRASH"], "True");
    let page = medic.get("/apps/shop/settings").body;
    let (_, line) = page.split_once("crash_monitoring.crashes").unwrap();
    assert!(line.find(">0<").unwrap() < line.find("crash_monitoring.window").unwrap(), "the number in force");
    assert_eq!(save(""), 303);
    until("counting");
    assert_eq!(save("&MEDIC_CAPTURE_FIRST_CRASH=True"), 303);
    until("armed");
    assert_eq!(medic.instances()[0]["pid"], pid, "no worker was restarted for it");
    assert_eq!(medic.crash("null"), 1);
    assert_eq!(medic.json("/api/v1/apps/shop/crashes")[0]["audit"]["result"], "analysed");
    let changes = medic.json("/api/v1/apps/shop/changes");
    let said: Vec<&str> =
        changes.as_array().unwrap().iter().map(|change| change["summary"].as_str().unwrap()).collect();
    let on = "Capture from the first crash turned on";
    assert_eq!(said, [on, "Capture from the first crash turned off", on]);
    assert!(changes[0]["by"].as_str().unwrap().contains("uid"));
}
