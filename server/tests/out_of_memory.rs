//! A worker that the kernel kills for want of memory, and its neighbour that ends by the same signal for another reason.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use serde_json::Value;
use shim::cgroup::{Group, Version};
use support::{Medic, request, wait_until};

fn group_of(medic: &Medic, instance: usize) -> Option<Group> {
    let pid = medic.instances()[instance]["pid"].as_u64()?;
    Group::of_memory(u32::try_from(pid).ok()?).filter(Group::is_a_workers_own)
}

fn latest_crash(medic: &Medic, count: u64) -> Value {
    medic.until("the crash recorded", || (medic.crashes() == count).then_some(()));
    medic.json("/api/v1/apps/shop/crashes")[0].clone()
}

#[test]
fn a_kill_for_want_of_memory_is_a_crash_with_the_memory_before_it() {
    let code = tempfile::tempdir().unwrap();
    std::fs::create_dir(code.path().join(".git")).unwrap();
    let check_out = |digit: &str| std::fs::write(code.path().join(".git/HEAD"), digit.repeat(40)).unwrap();
    check_out("a");
    let directory = format!("directory = \"{}\"", code.path().display());
    let medic = Medic::with_shop("", &format!("instances = 2\nback_off = \"0s\"\n{directory}"));
    medic.until_running();
    check_out("b");
    replace(&medic, 0);
    let Some(group) = group_of(&medic, 0) else {
        eprintln!("skipped: no control group for memory can be made here (root, or a delegated group)");
        return;
    };
    let own = group.folder().file_name().unwrap().to_str().unwrap().to_owned();
    assert!(own.starts_with("worker.shop.0."), "{own}");
    let limit = if group.version() == Version::One { "memory.limit_in_bytes" } else { "memory.max" };
    std::fs::write(group.folder().join(limit), "134217728").unwrap();
    // what is seen changes all the time and is no event
    let address = medic.address;
    wait_until("memory seen", move || {
        let status = request(address, "GET", "/api/v1/apps/shop/auto-heal/status", &[], "").json();
        let readings = status["instances"][0]["status"]["readings"].as_array().cloned().unwrap_or_default();
        readings
            .iter()
            .any(|reading| reading["rule"]["name"] == "percent_memory" && reading["value"].is_u64())
    });
    let mut pids = medic.instances().into_iter().map(|instance| instance["pid"].as_u64().unwrap());
    let (greedy, modest) = (pids.next().unwrap(), pids.next().unwrap());
    let cookies: Vec<String> = [greedy, modest].iter().map(|pid| cookie_of(&medic, *pid)).collect();
    let ask = |path: &str, cookie: &str| request(medic.front_door, "GET", path, &[("Cookie", cookie)], "");
    let _cut_off = ask("/crash/leak/400", &cookies[0]);
    let crash = latest_crash(&medic, 1);
    assert_eq!((crash["cause"].as_str(), crash["pid"].as_u64()), (Some("out_of_memory"), Some(greedy)));
    assert!(crash["memory"].as_array().unwrap().iter().any(|sample| sample["value"].as_u64() > Some(0)));
    let page = format!("/incidents/{}", crash["incident"].as_str().unwrap());
    let (shown, copied) = (medic.get(&page).body, medic.get(&format!("{page}/markdown")).body);
    let (_, chart) = shown.split_once("Private bytes before the kill").unwrap();
    assert!(chart.contains("<line class=\"deploy\"") && chart.contains("Deploy of bbbbbbb"), "{shown}");
    let (_, memory) = copied.split_once("## Memory before the crash").unwrap();
    assert!(memory.contains("deploy. Revision aaaaaaa → bbbbbbb (git)"), "{copied}");
    let _cut_off = ask("/crash/kill", &cookies[1]);
    let crash = latest_crash(&medic, 2);
    assert_eq!((crash["cause"].as_str(), crash["pid"].as_u64()), (Some("signal"), Some(modest)));
    wait_until("the group removed", move || !group.folder().exists());
}

/// Restarts an instance.
fn replace(medic: &Medic, instance: usize) {
    let pid = medic.instances()[instance]["pid"].clone();
    let path = format!("/api/v1/apps/shop/instances/{instance}/restart");
    let headers = [("Content-Type", "application/json")];
    assert_eq!(request(medic.address, "POST", &path, &headers, "").status, 202);
    medic.until("another worker", || {
        let instance = &medic.instances()[instance];
        (instance["pid"] != pid && instance["state"] == "running").then_some(())
    });
}

/// What keeps a client on the worker with this process id.
fn cookie_of(medic: &Medic, pid: u64) -> String {
    loop {
        let answer = medic.shop("/env");
        if answer.json()["pid"].as_u64() == Some(pid) {
            let line = answer.head.lines().find(|line| line.to_ascii_lowercase().starts_with("set-cookie:"));
            return line.unwrap().split_once(": ").unwrap().1.split(';').next().unwrap().to_owned();
        }
    }
}
