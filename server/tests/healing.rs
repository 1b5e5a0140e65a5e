//! Real workers that leak, hang and flap, and restarts under load.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use support::{Medic, request};

fn restarts(medic: &Medic) -> Vec<Value> {
    medic.json("/api/v1/apps/shop/restarts").as_array().unwrap().clone()
}

fn until_restarts(medic: &Medic, count: usize) -> Vec<Value> {
    medic.until(&format!("{count} restarts recorded"), || {
        let found = restarts(medic);
        (found.len() >= count).then_some(found)
    })
}

fn pids(medic: &Medic) -> Vec<u64> {
    medic.instances().iter().map(|instance| instance["pid"].as_u64().unwrap()).collect()
}

fn post(medic: &Medic, path: &str) -> support::Answer {
    request(medic.address, "POST", path, &[], "")
}

fn put_rules(medic: &Medic, rules: &str) {
    let headers = [("Content-Type", "application/json")];
    let answer = request(medic.address, "PUT", "/api/v1/apps/shop/auto-heal", &headers, rules);
    assert_eq!(answer.status, 200, "{}", answer.body);
}

fn fuse(medic: &Medic) -> Value {
    medic.json("/api/v1/apps/shop/auto-heal/status")["fuse"].clone()
}

/// A request to one instance: the cookie's value is the worker's own word for where it runs.
fn cookie_of(medic: &Medic, index: usize) -> String {
    let pid = pids(medic)[index];
    loop {
        let answer = medic.shop("/env");
        if answer.json()["pid"].as_u64() == Some(pid) {
            let line = answer.head.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie:"));
            return line.unwrap().split_once(": ").unwrap().1.split(';').next().unwrap().to_owned();
        }
    }
}

/// Clients that ask without a pause until they are told to stop, and count what is not answered by 200.
struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    fn start(medic: &Medic, clients: usize, method: &'static str, path: &'static str) -> Self {
        let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let address = medic.front_door;
        let client = |_| {
            let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
            std::thread::spawn(move || {
                let mut failed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let answer = request(address, method, path, &[], "");
                    asked.fetch_add(1, Ordering::Relaxed);
                    if answer.status != 200 {
                        failed.push(format!("{} {}", answer.status, answer.body));
                    }
                }
                failed
            })
        };
        Self { clients: (0..clients).map(client).collect(), stop, asked }
    }

    /// Ends it; every failure.
    fn end(self) -> Vec<String> {
        assert!(self.asked.load(Ordering::Relaxed) > 0);
        self.stop.store(true, Ordering::Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}

#[test]
fn a_worker_that_leaks_is_replaced_and_the_other_instance_is_not_touched() {
    let medic = Medic::with_shop("", "memory_limit = \"256MiB\"\ninstances = 2");
    medic.until_running();
    let before = pids(&medic);
    let cookie = cookie_of(&medic, 0);
    let leaked = request(medic.front_door, "GET", "/crash/leak/240", &[("Cookie", &cookie)], "");
    assert_eq!(leaked.status, 200, "{}", leaked.body);
    let restart = until_restarts(&medic, 1).remove(0);
    assert_eq!(restart["instance"], 0, "{restart:#}");
    assert_eq!(restart["reason"]["rule"]["name"], "percent_memory");
    assert_eq!((restart["outcome"].as_str(), restart["failed"].as_u64()), (Some("done"), Some(0)));
    let evidence = &restart["evidence"];
    assert!(evidence["samples"].as_array().unwrap().len() > 10, "{evidence:#}");
    assert!(evidence["not_fired"].as_array().unwrap().iter().any(|r| r["rule"]["name"] == "percent_request"));
    let after = pids(&medic);
    assert!(after[0] != before[0] && after[1] == before[1], "{before:?} {after:?}");
    assert!(fuse(&medic)["restarts"] == 1, "{:#}", fuse(&medic));
}

#[test]
fn a_worker_that_hangs_is_replaced_by_the_users_rule() {
    let medic = Medic::with_shop("", "stop_grace = \"1s\"");
    medic.until_running();
    let before = pids(&medic);
    put_rules(
        &medic,
        r#"{"autoHealEnabled": true, "autoHealRules": {
            "triggers": {"slowRequests": {"timeTaken": "00:00:01", "count": 3, "timeInterval": "00:01:00"}},
            "actions": {"actionType": 0, "minProcessExecutionTime": "00:00:00"}}}"#,
    );
    assert_eq!(pids(&medic), before, "saving restarts nothing");
    let address = medic.front_door;
    let hang = std::thread::spawn(move || request(address, "GET", "/crash/hang", &[], "").status);
    // Some may be answered before the worker hangs.
    let until_lost = move || {
        std::iter::repeat_with(|| request(address, "POST", "/post-count", &[], "").status).find(|s| *s != 200)
    };
    let waiting: Vec<_> = (0..2).map(|_| std::thread::spawn(until_lost)).collect();
    let restart = until_restarts(&medic, 1).remove(0);
    assert_eq!(restart["reason"]["rule"]["name"], "slow_requests", "{restart:#}");
    assert_eq!(restart["outcome"], "done");
    assert!(restart["failed"].as_u64().unwrap() >= 2, "those that hung are counted: {restart:#}");
    assert_ne!(pids(&medic), before);
    assert_eq!(medic.shop("/").status, 200);
    assert_eq!(waiting.into_iter().map(|client| client.join().unwrap()).collect::<Vec<_>>(), [Some(502); 2]);
    hang.join().unwrap();
}

#[test]
fn a_flapping_app_blows_the_fuse_which_outlives_medic_and_is_armed_by_hand() {
    let app = "memory_limit = \"64MiB\"\nauto_heal = { fuse_restarts = 1 }";
    let mut medic = Medic::with_shop("", app);
    medic.until_running();
    assert_eq!(medic.shop("/crash/leak/60").status, 200);
    let restart = until_restarts(&medic, 1).remove(0);
    assert_eq!(restart["reason"]["blew_fuse"], true, "{restart:#}");
    assert_eq!(fuse(&medic)["state"], "blown");
    medic.kill();
    medic.start();
    assert_eq!(fuse(&medic)["state"], "blown");
    let answer = post(&medic, "/api/v1/apps/shop/auto-heal/resume");
    assert_eq!((answer.status, answer.json()["was_paused"].as_bool()), (200, Some(true)));
    assert_eq!(fuse(&medic)["state"], "armed");
    let resumed = medic.until("who resumed", || {
        let changes = medic.json("/api/v1/apps/shop/changes");
        changes.get(0).cloned()
    });
    assert_eq!((&resumed["change"], &resumed["was_paused"]), (&json!("resumed"), &json!(true)), "{resumed}");
    assert!(resumed["by"].as_str().unwrap().contains("(uid "), "{resumed}");
}

#[test]
fn a_restart_by_hand_fails_no_request() {
    for instances in [1, 2] {
        let medic = Medic::with_shop("", &format!("instances = {instances}"));
        medic.until_running();
        let load = Load::start(&medic, 8, "GET", "/slow?ms=20");
        for round in 0..3 {
            let before = pids(&medic);
            assert_eq!(post(&medic, "/api/v1/apps/shop/instances/0/restart").status, 202);
            let restart = until_restarts(&medic, round + 1).remove(0);
            assert_eq!(restart["reason"]["kind"], "by_hand");
            assert_eq!((restart["outcome"].as_str(), restart["failed"].as_u64()), (Some("done"), Some(0)));
            assert_ne!(pids(&medic)[0], before[0]);
        }
        assert_eq!(load.end(), Vec::<String>::new());
    }
}

#[test]
fn a_killed_workers_gets_are_answered_by_another() {
    let medic = Medic::with_shop("", "instances = 2\nback_off = \"0s\"");
    medic.until_running();
    // The only request of a worker that dies is the suspect, and not tried again. Clients that keep step all begin at once, so
    // with requests of one length a worker has just one for a moment, time and again.
    let loads =
        ["/slow?ms=50", "/slow?ms=370", "/slow?ms=530"].map(|path| Load::start(&medic, 6, "GET", path));
    for _ in 0..5 {
        medic.until_running();
        let before = pids(&medic);
        let cookie = cookie_of(&medic, 0);
        let in_flight = || request(medic.front_door, "GET", "/in-flight", &[("Cookie", &cookie)], "").body;
        while !in_flight().trim().parse::<u64>().is_ok_and(|count| count >= 3) {
            std::thread::yield_now();
        }
        let kill = std::process::Command::new("kill").args(["-9", &before[0].to_string()]).status().unwrap();
        assert!(kill.success());
        medic.until("a new worker", || {
            let now = medic.instances()[0].clone();
            (now["state"] == "running" && now["pid"].as_u64() != Some(before[0])).then_some(())
        });
    }
    for load in loads {
        let asked = Arc::clone(&load.asked);
        support::wait_until("an answer", move || asked.load(Ordering::Relaxed) > 0);
        assert_eq!(load.end(), Vec::<String>::new());
    }
}

#[test]
fn a_new_environment_replaces_the_workers_and_a_broken_command_leaves_them() {
    let medic = Medic::with_shop("", "instances = 2\nwarm_up = \"5s\"");
    medic.until_running();
    let before = pids(&medic);
    medic.edit(|config| config + "environment = { LOG_LEVEL = \"debug\" }\n");
    medic.signal("HUP");
    let found = until_restarts(&medic, 2);
    assert!(found.iter().all(|restart| restart["reason"]["kind"] == "configuration_changed"), "{found:#?}");
    let replaced = pids(&medic);
    assert!(before.iter().all(|pid| !replaced.contains(pid)));
    let shop = lab::shop().display().to_string();
    medic.edit(|config| config.replace(&shop, "/bin/false"));
    medic.signal("HUP");
    let failed = until_restarts(&medic, 4);
    assert_eq!(failed[0]["outcome"], "failed", "{:#}", failed[0]);
    assert!(
        failed[0]["why"].as_str().unwrap().contains("The new worker did not take over. Exit code 1."),
        "{:#}",
        failed[0]
    );
    assert_eq!(pids(&medic), replaced);
    assert_eq!(medic.shop("/").status, 200);
}
