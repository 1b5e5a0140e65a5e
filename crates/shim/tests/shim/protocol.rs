//! What is said between server and shim, and what a shim leaves where others could read it.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use shim::protocol::{FromShim, LINE_LIMIT, Said, ToShim, VERSION};

use crate::support::{Run, exe, kill, sh, spec, status_field, wait_until};

#[test]
fn the_first_client_stays_while_it_lives() {
    let mut run = Run::start(sh("exec sleep 1000"), false);
    for _ in 0..3 {
        let second = BufReader::new(shim::connect(&run.run_dir()).unwrap());
        let lines: Vec<FromShim> =
            second.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
        assert_eq!(lines, [FromShim::Busy { pid: std::process::id() }]);
    }
    assert!(run.tail(1).is_empty(), "the first is heard");
    assert!(matches!(run.reconnect(), FromShim::State { .. }), "one that hung up gives way");
}

#[test]
fn a_client_that_talks_without_end_does_not_keep_the_shim_from_its_worker() {
    let mut run = Run::start(sh("read line; exit 3"), false);
    let flood = run.writer();
    let flooding =
        std::thread::spawn(move || while std::io::Write::write_all(&mut &flood, &[b'x'; 4_096]).is_ok() {});
    wait_until("ended", || matches!(status_field(run.pid, "State").chars().next(), None | Some('Z')));
    run.hang_up();
    flooding.join().unwrap();
    assert!(matches!(run.reconnect(), FromShim::State { .. }));
    run.wait_for_crash();
}

#[test]
fn what_is_unknown_is_refused_and_ends_nothing() {
    let mut run = Run::start(sh("exec sleep 1000"), false);
    let long = vec![b'x'; 2 * LINE_LIMIT];
    for (line, id) in [
        (&b"hello"[..], None),
        (b"{\"type\":\"signal\"}", None),
        (b"\0\xff", None),
        (b"[[[[", None),
        (b"{\"id\":7,\"type\":\"dance\"}", Some(7)),
        (&long, None),
    ] {
        run.send_line(line);
        let answer = run.next_line();
        assert_eq!((&answer["type"], answer["re"].as_u64()), (&"refused".into(), id), "{answer}");
    }
    assert!(run.tail(1).is_empty(), "and the next request is heard");
}

#[test]
fn a_request_with_a_number_is_answered_with_it() {
    let mut run = Run::start(sh("trap '' TERM; echo ready; while :; do sleep 1; done"), false);
    run.wait_for_line("ready");
    for (line, kind) in [
        (&b"{\"id\":1,\"type\":\"warm\"}"[..], "done"),
        (b"{\"id\":2,\"type\":\"tail\",\"lines\":0}", "tail"),
        (b"{\"id\":3,\"type\":\"arm\"}", "armed"),
        (b"{\"id\":4,\"type\":\"disarm\"}", "disarmed"),
        (b"{\"id\":5,\"type\":\"acknowledge\"}", "done"),
        (b"{\"id\":6,\"type\":\"signal\",\"signal\":15}", "done"),
    ] {
        run.send_line(line);
        let answer = run.next_line();
        assert_eq!((answer["type"].as_str(), answer["re"].as_u64()), (Some(kind), number(line)), "{answer}");
    }
    // what version 0 says and hears is as it was: no numbers, and a signal has no answer
    run.send(&ToShim::Signal { signal: libc::SIGCONT });
    run.send(&ToShim::Tail { lines: 0 });
    assert_eq!(run.next_line(), serde_json::json!({"type": "tail", "lines": []}));
}

fn number(line: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(line).unwrap()["id"].as_u64()
}

#[test]
fn every_client_is_told_whether_the_worker_takes_requests_and_was_asked_to_end() {
    let mut run = Run::start(sh("trap '' TERM; echo ready; while :; do sleep 1; done"), false);
    run.wait_for_line("ready");
    let told = |state: FromShim| match state {
        FromShim::State { warm, address, asked, protocol: VERSION, shim_pid, .. } => {
            (warm, address, asked, shim_pid)
        }
        other => panic!("{other:?}"),
    };
    let shim = Some(run.shim_pid);
    assert_eq!(told(run.reconnect()), (false, None, false, shim));
    // as Medics said it that knew no other address than the loopback one
    run.send(&ToShim::Warm { address: None });
    assert_eq!(told(run.reconnect()), (true, None, false, shim));
    let address = "[::1]:20000".parse().ok();
    run.send(&ToShim::Warm { address });
    assert_eq!(told(run.reconnect()), (true, address, false, shim));
    run.send(&ToShim::Signal { signal: libc::SIGTERM });
    assert_eq!(told(run.reconnect()), (true, address, true, shim));
}

#[test]
fn a_message_of_the_first_release_is_understood() {
    let line = r#"{"type":"state","worker":"shop/0/1769847300000","pid":7,"started_at":"2026-01-31T08:15:00Z","port":20000,"spec_hash":"ab","armed":false,"version":"0.1.0"}"#;
    let Ok(Said { re: None, what: FromShim::State { pid: 7, protocol: 0, warm: false, shim_pid: None, .. } }) =
        serde_json::from_str(line)
    else {
        panic!("{:?}", serde_json::from_str::<Said>(line))
    };
}

#[test]
fn a_request_of_an_earlier_release_is_understood_and_one_of_this_by_it() {
    #[derive(serde::Deserialize)]
    #[serde(tag = "type", rename_all = "snake_case")]
    enum Earlier {
        Warm,
    }
    let warm = ToShim::Warm { address: "[::1]:20000".parse().ok() };
    let json = serde_json::to_string(&warm).unwrap();
    assert!(matches!(serde_json::from_str(&json), Ok(Earlier::Warm)), "{json}");
    let early = serde_json::from_str::<ToShim>(r#"{"type":"warm"}"#);
    assert_eq!(early.ok(), Some(ToShim::Warm { address: None }));
}

#[test]
fn the_specification_is_on_no_disk_and_no_command_line() {
    let secret = "4711-hunter2-4711";
    let run = Run::start_with(sh("exec sleep 1000"), false, |spec| {
        spec.environment.insert("TOKEN".to_owned(), secret.to_owned());
    });
    let mut names: Vec<_> = std::fs::read_dir(run.run_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["shim.log", "shim.sock"]);
    assert_eq!(std::fs::read(run.run_dir().join("shim.log")).unwrap(), b"");
    for file in ["cmdline", "environ"] {
        let said = std::fs::read(format!("/proc/{}/{file}", run.shim_pid)).unwrap();
        assert!(!String::from_utf8_lossy(&said).contains(secret), "{file}");
    }
    let worker = std::fs::read(format!("/proc/{}/environ", run.pid)).unwrap();
    assert!(String::from_utf8_lossy(&worker).contains(secret), "its own it has");
}

/// A server of the first release, whose binary was replaced while it ran, starts the new shim in its own way.
#[test]
fn a_server_of_the_first_release_can_start_this_shim() {
    let folder = tempfile::tempdir().unwrap();
    let run_dir = folder.path().join("run");
    std::fs::create_dir(&run_dir).unwrap();
    let spec = spec(folder.path(), sh("exit 0"), false);
    std::fs::write(run_dir.join("spec.json"), serde_json::to_vec(&spec).unwrap()).unwrap();
    let mut command = Command::new(exe());
    command.arg("shim").arg(&run_dir).stdin(Stdio::null()).stderr(Stdio::null());
    let said = command.output().unwrap().stdout;
    assert!(String::from_utf8_lossy(&said).ends_with("started\n"), "{}", String::from_utf8_lossy(&said));
    assert!(!run_dir.join("spec.json").exists(), "it holds secrets");
    let mut lines = BufReader::new(shim::connect(&run_dir).unwrap());
    let mut line = String::new();
    while !line.contains("\"ended\"") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0);
    }
    std::io::Write::write_all(lines.get_mut(), b"{\"type\":\"acknowledge\"}\n").unwrap();
    assert_eq!(lines.read_line(&mut line).unwrap(), 0);
}

#[test]
fn only_its_end_proves_that_a_shim_has_ended() {
    let run = Run::start(sh("exec sleep 1000"), false);
    let (run_dir, shim) = (run.run_dir(), run.shim_pid);
    // whether it was heard, or is looked for
    let has_ended = || [Some(shim), None].map(|shim| shim::has_ended(&run_dir, shim).unwrap());
    assert_eq!(has_ended(), [false; 2]);
    kill("STOP", shim);
    assert_eq!(has_ended(), [false; 2], "stopped");
    std::fs::remove_file(run_dir.join("shim.sock")).unwrap();
    assert_eq!(has_ended(), [false; 2], "without its socket");
    std::fs::remove_dir_all(&run_dir).unwrap();
    assert_eq!(has_ended(), [false; 2], "without its directory");
    run.kill_shim();
    wait_until("proven", || has_ended() == [true; 2]);
}
