//! Masters that end a child which does not answer in time: each such end is a crash, told as what it is, however the child ends.
//!
//! A server that is not installed is skipped, and said, unless `MEDIC_TEST_ALL` says that all are there.

mod support;

use std::path::PathBuf;

use serde_json::Value;
use support::Medic;
use support::servers::{
    ALWAYS, NEVER, crashes, folder, installed, on_path, php_fpm, post, program_at, python_packages,
    until_serving,
};

const PYTHON: &str = "
import signal, time
def slow_report():
    time.sleep(1000)
def app(environ, start):
    if environ['PATH_INFO'] == '/deaf': signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGABRT])
    if environ['PATH_INFO'] in ('/deaf', '/slow'): slow_report()
    start('200 OK', [('Content-Length', '2')])
    return [b'ok']
";

const RACK: &str = "
run lambda { |env|
  if env['PATH_INFO'] == '/slow'
    Process.kill(:STOP, Process.pid)
    sleep
  end
  [200, { 'content-type' => 'text/plain' }, ['ok']]
}
";

/// The server's child is killed for the time that this request takes; the crash.
fn time_out(medic: &Medic, path: &str) -> Value {
    until_serving(medic);
    let before = crashes(medic).len();
    assert_ne!(post(medic, path), 200);
    medic.until("the crash recorded", || (crashes(medic).len() > before).then_some(()));
    let crash = crashes(medic).remove(0);
    assert_eq!(crashes(medic).len(), before + 1);
    assert_eq!(crash["cause"], "killed_by_master", "{crash:#}");
    assert_eq!(
        (&crash["exception_type"], &crash["role"]),
        (&"Worker timeout".into(), &"child".into()),
        "{crash:#}"
    );
    crash
}

fn gunicorn(monitoring: &str, options: &str) -> Option<(tempfile::TempDir, Medic)> {
    let packages = python_packages();
    if !installed("gunicorn", packages.join("gunicorn").is_dir()) {
        return None;
    }
    let folder = folder(&[("shop.py", PYTHON)]);
    let line = format!("exec python3 -m gunicorn -w 2 --timeout 1 --bind 127.0.0.1:$PORT {options} shop:app");
    let app = format!(
        "directory = \"{}\"\nenvironment = {{ PYTHONPATH = \"{}\" }}",
        folder.path().display(),
        packages.display()
    );
    let command = ["/bin/sh".into(), "-c".into(), PathBuf::from(line)];
    let medic = Medic::with_command(&command, monitoring, &app);
    Some((folder, medic))
}

/// The child deals with SIGABRT and ends in order; where it does not, it is killed a second later.
#[test]
fn gunicorns_time_out_is_known_by_what_its_master_says() {
    for monitoring in [NEVER, ALWAYS] {
        let Some((_folder, medic)) = gunicorn(monitoring, "") else { return };
        let crash = time_out(&medic, "/slow");
        assert_eq!(crash["exit_code"], 0, "{crash:#}");
        let frames = crash["crashing_thread"]["frames"].as_array().unwrap();
        assert_eq!(
            (&frames[0]["function"], &frames[0]["line"]),
            (&"slow_report".into(), &4.into()),
            "{crash:#}"
        );
        let crash = time_out(&medic, "/deaf");
        assert_eq!(crash["signal"], "SIGKILL", "{crash:#}");
    }
}

#[test]
fn under_the_debugger_gunicorns_time_out_is_known_by_who_sent_the_signal() {
    let Some((_folder, medic)) = gunicorn(ALWAYS, "--error-logfile gunicorn.log") else { return };
    assert_eq!(time_out(&medic, "/slow")["exit_code"], 0);
}

#[test]
fn pumas_time_out_is_known_by_what_its_master_says() {
    if !installed("puma", on_path("puma")) {
        return;
    }
    let settings = "workers 2\nthreads 1, 1\nworker_check_interval 1\nworker_timeout 2\nbind \"tcp://127.0.0.1:#{ENV['PORT']}\"\n";
    let folder = folder(&[("config.ru", RACK), ("puma.rb", settings)]);
    let app = format!("directory = \"{}\"", folder.path().display());
    let medic = Medic::with_command(&["puma", "-C", "puma.rb"].map(PathBuf::from), NEVER, &app);
    assert_eq!(time_out(&medic, "/slow")["signal"], "SIGKILL");
}

#[test]
fn php_fpms_time_out_is_known_by_what_its_master_says() {
    let (fpm, nginx) = (php_fpm(), program_at("nginx"));
    if !installed("php-fpm", fpm.is_some()) || !installed("nginx", nginx.is_some()) {
        return;
    }
    let script = "<?php if ($_SERVER['REQUEST_URI'] === '/slow') sleep(1000); echo 'ok';";
    let (folder, line) =
        support::servers::php_behind_nginx(script, "request_terminate_timeout = 1s\n", "FPM & NGINX & wait");
    let app = format!("directory = \"{}\"", folder.path().display());
    let command = ["/bin/sh".into(), "-c".into(), PathBuf::from(line)];
    let medic = Medic::with_command(&command, NEVER, &app);
    assert_eq!(time_out(&medic, "/slow")["signal"], "SIGTERM");
}
