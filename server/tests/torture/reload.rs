//! SIGHUP storms: what the file says last is what runs.

use std::collections::BTreeMap;

use crate::ground::Ground;
use crate::random::Random;
use crate::times;

#[test]
fn the_last_of_two_quick_reloads_is_never_lost() {
    let mut random = Random::new("SIGHUP storm");
    let ground = Ground::new(1, "", "");
    let mut at = 0;
    for round in 0..times(5, 40) {
        let write = |at: u32| {
            ground.medic.edit(|config| {
                let (before, rest) = config.split_once("environment = { ").unwrap_or((config.as_str(), ""));
                let rest = rest.split_once("TORTURED").map_or(rest, |(_, rest)| rest);
                format!("{before}environment = {{ ROUND = \"{at}\", TORTURED{rest}")
            });
            ground.medic.signal("HUP");
        };
        write(at + 1);
        std::thread::sleep(std::time::Duration::from_millis(2 + random.below(20)));
        write(at + 2);
        at += 2;
        let wanted = at.to_string();
        ground.medic.until("the last configuration in force", || {
            let instance = ground.medic.instances()[0].clone();
            let pid = instance["pid"].as_u64()?;
            let round = environment(pid).remove("ROUND");
            (instance["state"] == "running" && round.as_deref() == Some(&wanted)).then_some(())
        });
        println!("double SIGHUP {}: in force", round + 1);
    }
}

fn environment(pid: u64) -> BTreeMap<String, String> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.split('\0')
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}
