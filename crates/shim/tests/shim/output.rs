//! The worker's output: kept, rotated, bounded, never in the worker's way.

use std::os::unix::fs::PermissionsExt;

use shim::protocol::FromShim;

use crate::support::{Run, sh};

#[test]
fn output_goes_to_rotated_private_files() {
    let mut run =
        Run::start_with(sh("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done"), false, |spec| {
            spec.log_file_limit_bytes = 4_096;
            spec.log_files_kept = 3;
        });
    run.wait_for_end();
    let files: Vec<_> =
        std::fs::read_dir(&run.spec.application_log_dir).unwrap().map(|file| file.unwrap()).collect();
    assert_eq!(files.len(), 3);
    for file in &files {
        let metadata = file.metadata().unwrap();
        assert!(metadata.len() <= 4_096);
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert!(file.file_name().to_str().unwrap().starts_with("0-20260131T081500.000Z-"));
    }
    let text = run.output();
    assert!(text.ends_with("line 2998\nline 2999\n"));
    assert!(text.lines().all(|line| line.starts_with("line ")));
    assert_eq!(run.tail(2), ["line 2998", "line 2999"]);
    assert_eq!(run.tail(100_000).len(), 200);
    assert_eq!(run.tail(0), [""; 0]);
}

#[test]
fn hostile_output_is_kept_within_bounds() {
    let script = "head -c 3000000 /dev/zero; printf '\\033[31m\\377\\n\\000'; head -c 200000 /dev/urandom >&2; printf end";
    let mut run = Run::start_with(sh(script), false, |spec| spec.log_file_limit_bytes = 100_000);
    run.wait_for_end();
    assert!(run.output().len() <= 3 * 100_000 * 3);
    assert!(run.tail(200).iter().map(String::len).sum::<usize>() <= 200 * 2_048 * 3);
}

#[test]
fn a_full_disk_does_not_stop_the_worker() {
    // One stream a worker: of two, nobody says which one's last lines are read first.
    for stream in ["", " >&2"] {
        // every write to /dev/full fails as on a full disk; a folder that is a file fails earlier
        let command = format!("{{ seq 1 200000; echo done; }}{stream}; exit 0");
        let mut run = Run::start_with(sh(&command), false, |spec| {
            spec.application_log_dir = "/dev/full".into();
        });
        let end = run.wait_for_end();
        assert!(matches!(end, FromShim::Ended { crash: false, .. }), "{end:?}");
        assert_eq!(run.tail(2), ["200000", "done"]);
    }
}

#[test]
fn a_client_that_does_not_read_does_not_block_the_worker() {
    use std::io::Write;
    let mut run = Run::start(sh("while ! test -e go; do sleep 0.01; done; seq 1 100000; echo done"), false);
    let deaf = shim::connect(&run.run_dir()).unwrap();
    deaf.set_nonblocking(true).unwrap();
    // asks and asks and never takes an answer, until the shim has had enough
    let request = b"{\"type\":\"tail\",\"lines\":200}\n".repeat(1_000);
    crate::support::wait_until("dropped", || match (&deaf).write(&request) {
        Ok(_) => false,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    });
    run.reconnect();
    std::fs::write(run.folder().join("go"), "").unwrap();
    run.wait_for_end();
    assert_eq!(run.tail(1), ["done"]);
}
