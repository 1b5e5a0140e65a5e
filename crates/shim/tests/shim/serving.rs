//! Workers that are more than one process: launchers, and servers that start their own children.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use model::crash::{Audit, Findings, ProcessRole};
use model::{CrashCause, Exit, ProcessId, Signal};
use shim::protocol::{FromShim, ToShim, Watched, WorkerSpec};

use crate::support::{Run, has_ended, sh, wait_until};

/// A server that says what it is asked for. `$0` of it is a word that a test finds it by.
const SERVER: &str = "
import os, signal, socket, sys
def end(number, frame):
    os.write(1, f'asked by {number}\\n'.encode())
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
server = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
open('server', 'w').write(str(os.getpid()))
print('listens', flush=True)
while True:
    server.accept()
";

/// A server of a master and two children, which it starts again. A child does what it is told.
const PREFORK: &str = "
import ctypes, os, signal, socket, subprocess, sys, time
server = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
master = os.getpid()
def ask_master(number):
    os.kill(master, number)
    time.sleep(1000)
def kill_children(number):
    def handle(*_):
        for child in children:
            try: os.kill(child, number)
            except ProcessLookupError: pass
    return handle
def end_beside_child(*_):
    stopped = lambda child: open(f'/proc/{child}/stat').read().rpartition(')')[2].split()[0] == 't'
    while not any(map(stopped, children)): pass
    os._exit(9)
def serve():
    while True:
        connection = server.accept()[0]
        told = connection.recv(100).decode()
        if told == 'run': subprocess.run([os.environ['PROGRAM']])
        if told == 'fault': ctypes.string_at(0)
        if told == 'exception': raise KeyError('order 42')
        if told == 'exit 0': os._exit(0)
        if told == 'abort': ask_master(signal.SIGUSR1)
        if told == 'term': ask_master(signal.SIGUSR2)
        if told == 'end': ask_master(signal.SIGHUP)
        if told == 'fault beside the end':
            os.kill(master, signal.SIGWINCH)
            ctypes.string_at(0)
def fork():
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, asked)
        try: serve()
        except KeyError: sys.excepthook(*sys.exc_info()); os._exit(9)
    return child
children = []
asked = [signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP]
signal.signal(signal.SIGUSR1, kill_children(signal.SIGABRT))
signal.signal(signal.SIGUSR2, kill_children(signal.SIGTERM))
signal.signal(signal.SIGHUP, lambda *_: os._exit(9))
signal.signal(signal.SIGWINCH, end_beside_child)
children += [fork(), fork()]
print('ready', flush=True)
while True:
    child, _ = os.wait()
    # a child is killed once it is known
    signal.pthread_sigmask(signal.SIG_BLOCK, asked)
    children.remove(child)
    children.append(fork())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, asked)
    print('replaced', flush=True)
";

/// Runs `line` in a folder where the servers are.
fn run(line: &str) -> Run {
    run_with(line, false, |_| {})
}

pub(crate) fn run_with(line: &str, arm: bool, change: impl FnOnce(&mut WorkerSpec)) -> Run {
    Run::start_with(sh(line), arm, |spec| {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        spec.port = port;
        spec.environment.insert("PORT".to_owned(), port.to_string());
        let folder = spec.directory.as_ref().unwrap();
        std::fs::write(folder.join("server.py"), SERVER).unwrap();
        std::fs::write(folder.join("prefork.py"), PREFORK).unwrap();
        change(spec);
    })
}

/// Waits until this many processes are known to serve beside the main one, `new` of them not among the former ones.
pub(crate) fn wait_for_serving(
    run: &mut Run,
    count: usize,
    new: usize,
    former: &[ProcessId],
) -> Vec<ProcessId> {
    let mut found = Vec::new();
    wait_until("found", || {
        run.send(&ToShim::Serving);
        let answer = run.wait_for(|message| matches!(message, FromShim::Serving { .. }));
        let FromShim::Serving { processes } = answer else { unreachable!() };
        found = processes;
        found.len() == count && found.iter().filter(|process| !former.contains(process)).count() == new
    });
    found
}

/// Tells a child of the prefork server, or the one server, what to do.
fn tell(run: &Run, what: &str) {
    TcpStream::connect(("127.0.0.1", run.spec.port)).unwrap().write_all(what.as_bytes()).unwrap();
}

pub(crate) struct ChildCrash {
    pub(crate) process: ProcessId,
    role: ProcessRole,
    exit: Exit,
    cause: CrashCause,
    findings: Findings,
    audit: Option<Audit>,
}

pub(crate) fn wait_for_child(run: &mut Run) -> ChildCrash {
    wait_for_children(run, 1).remove(0)
}

/// Until so many are analysed: one may end before another is.
fn wait_for_children(run: &mut Run, count: usize) -> Vec<ChildCrash> {
    let (mut ended, mut crashes) = (Vec::new(), Vec::new());
    while crashes.len() < count {
        match run.next() {
            FromShim::ChildEnded { process, role, exit, cause, .. } => {
                ended.push((process, role, exit, cause));
            }
            FromShim::ChildAnalysed { process, findings, audit } => {
                let (_, role, exit, cause) = *ended.iter().find(|(one, ..)| *one == process).unwrap();
                crashes.push(ChildCrash { process, role, exit, cause, findings, audit });
            }
            // what a launcher passes on is told after it
            FromShim::Ended { .. } => assert!(ended.len() == count, "{ended:?}"),
            _ => {}
        }
    }
    crashes
}

pub(crate) fn end(mut run: Run) {
    run.send(&ToShim::Signal { signal: libc::SIGKILL });
    let ended = run.wait_for_end();
    assert!(matches!(ended, FromShim::Ended { asked: true, crash: false, .. }), "{ended:?}");
    run.acknowledge();
}

#[test]
fn a_crash_of_a_child_is_told_whether_or_not_the_debugger_was_there_and_its_master_lives() {
    for arm in [false, true] {
        let mut run = run_with("exec python3 prefork.py", arm, |_| {});
        run.wait_for_line("ready");
        for _ in 0..3 {
            wait_for_serving(&mut run, 2, 2, &[]);
            tell(&run, "fault");
            let crash = wait_for_child(&mut run);
            assert_eq!((crash.role, crash.cause), (ProcessRole::Child, CrashCause::Signal));
            assert_eq!(crash.exit, Exit::Signal(Signal(libc::SIGSEGV)));
            assert_eq!(crash.audit.is_some(), arm);
            assert!(crash.process.pid != run.pid && !has_ended(run.pid));
            if arm {
                let top = &crash.findings.crashing_thread.frames[0];
                assert!(top.function.is_some(), "{:#?}", crash.findings);
            }
            run.send(&ToShim::AcknowledgeChild { process: crash.process });
        }
        end(run);
    }
}

#[test]
fn of_a_child_that_stands_still_at_its_signal_the_connection_is_told_that_it_has() {
    let mut run = run_with("exec python3 prefork.py", true, |_| {});
    wait_for_serving(&mut run, 2, 2, &[]);
    let mut client = TcpStream::connect(("127.0.0.1", run.spec.port)).unwrap();
    client.write_all(b"fault").unwrap();
    let told = run.wait_for(|message| matches!(message, FromShim::ChildCrashing { .. }));
    let FromShim::ChildCrashing { connections: Some(connections), .. } = told else { panic!("{told:?}") };
    assert_eq!(connections.unread, [(client.local_addr().unwrap().port(), 0)]);
    let now = shim::SystemClock::since_boot();
    assert!(connections.stopped() <= now, "{connections:?} at {now:?}");
    let crash = wait_for_child(&mut run);
    run.send(&ToShim::AcknowledgeChild { process: crash.process });
    end(run);
}

#[test]
fn an_exception_that_ends_a_child_is_read_from_the_common_output() {
    let mut run = run("exec python3 prefork.py");
    wait_for_serving(&mut run, 2, 2, &[]);
    tell(&run, "exception");
    let crash = wait_for_child(&mut run);
    assert_eq!((crash.exit, crash.cause), (Exit::Code(9), CrashCause::Exit));
    assert_eq!(crash.findings.exception_type, "KeyError");
    assert!(!format!("{:?}", crash.findings).contains("order 42"));
    run.send(&ToShim::AcknowledgeChild { process: crash.process });
    end(run);
}

#[test]
fn what_a_child_is_told_by_its_master_is_no_crash_and_a_kill_is_told_as_that() {
    let mut run = run_with("exec python3 prefork.py", true, |_| {});
    let former = wait_for_serving(&mut run, 2, 2, &[]);
    tell(&run, "exit 0");
    let former = wait_for_serving(&mut run, 2, 1, &former);
    // to both
    tell(&run, "term");
    wait_for_serving(&mut run, 2, 2, &former);
    tell(&run, "abort");
    // both of them
    for crash in wait_for_children(&mut run, 2) {
        assert_eq!(crash.exit, Exit::Signal(Signal(libc::SIGABRT)));
        assert_eq!(crash.cause, CrashCause::KilledByMaster);
        run.send(&ToShim::AcknowledgeChild { process: crash.process });
    }
    end(run);
}

#[test]
fn a_launcher_that_passes_on_a_crash_has_not_crashed_again() {
    for line in ["python3 prefork.py; exit $?", "sh -c 'python3 prefork.py; exit $?'; exit 1"] {
        let mut run = run(line);
        // the master and its children
        wait_for_serving(&mut run, 3, 3, &[]);
        tell(&run, "end");
        let crash = wait_for_child(&mut run);
        assert_eq!((crash.role, crash.exit), (ProcessRole::BehindLauncher, Exit::Code(9)));
        // it may have been told before the analysis
        run.reconnect();
        let ended = run.wait_for_end();
        assert!(
            matches!(ended, FromShim::Ended { passed_on: true, crash: false, asked: false, .. }),
            "{line}: {ended:?}"
        );
        run.send(&ToShim::AcknowledgeChild { process: crash.process });
        run.acknowledge();
    }
}

#[test]
fn where_only_the_main_process_is_watched_nothing_else_is_told() {
    let mut run = run_with("python3 prefork.py; exit $?", true, |spec| spec.watch = Watched::Main);
    wait_for_serving(&mut run, 3, 3, &[]);
    tell(&run, "fault");
    run.wait_for_line("replaced");
    wait_for_serving(&mut run, 3, 3, &[]);
    tell(&run, "end");
    let told = run.next();
    assert!(
        matches!(told, FromShim::Ended { exit: Exit::Code(9), crash: true, passed_on: false, .. }),
        "{told:?}"
    );
    run.wait_for(|message| matches!(message, FromShim::Analysed { .. }));
    run.acknowledge();
}

#[test]
fn a_childs_crash_is_kept_until_it_is_recorded_also_past_the_workers_end() {
    let mut run = run("exec python3 prefork.py");
    wait_for_serving(&mut run, 2, 2, &[]);
    tell(&run, "fault");
    let crash = wait_for_child(&mut run);
    run.reconnect();
    assert_eq!(wait_for_child(&mut run).process, crash.process, "told again");
    run.send(&ToShim::Signal { signal: libc::SIGKILL });
    run.wait_for_end();
    run.send(&ToShim::Acknowledge);
    run.reconnect();
    assert_eq!(wait_for_child(&mut run).process, crash.process, "it is not recorded yet");
    run.wait_for_end();
    run.send(&ToShim::AcknowledgeChild { process: crash.process });
    assert!(run.is_closed());
}

#[test]
fn a_child_that_is_stopped_at_its_signal_as_the_main_process_ends_has_crashed() {
    let mut run = run_with("exec python3 prefork.py", true, |_| {});
    wait_for_serving(&mut run, 2, 2, &[]);
    tell(&run, "fault beside the end");
    let crash = wait_for_child(&mut run);
    assert_eq!((crash.role, crash.cause), (ProcessRole::Child, CrashCause::Signal));
    assert_eq!(crash.exit, Exit::Signal(Signal(libc::SIGSEGV)));
    run.reconnect();
    let ended = run.wait_for_end();
    assert!(matches!(ended, FromShim::Ended { exit: Exit::Code(9), crash: true, .. }), "{ended:?}");
    run.wait_for(|message| matches!(message, FromShim::Analysed { .. }));
    run.send(&ToShim::AcknowledgeChild { process: crash.process });
    run.acknowledge();
}

/// Runs itself once more as a user without rights: a debugger that has all takes none from whom it follows.
#[test]
fn a_set_user_id_program_that_a_child_runs_under_the_debugger_has_its_rights() {
    const PROGRAM: &str = "MEDIC_TEST_SET_USER_ID";
    const NAME: &str = "serving::a_set_user_id_program_that_a_child_runs_under_the_debugger_has_its_rights";
    if let Some(program) = std::env::var_os(PROGRAM) {
        let mut run = run_with("exec python3 prefork.py", true, |spec| {
            spec.environment.insert("PROGRAM".to_owned(), program.into_string().unwrap());
        });
        assert!(run.armed);
        wait_for_serving(&mut run, 2, 2, &[]);
        tell(&run, "run");
        run.wait_for_line("as 0");
        end(run);
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("who");
    let (exe, source) = (std::env::current_exe().unwrap(), folder.path().join("who.c"));
    std::fs::write(
        &source,
        "#include <stdio.h>\n#include <unistd.h>\nint main(void) { printf(\"as %d\\n\", geteuid()); }\n",
    )
    .unwrap();
    assert!(Command::new("cc").arg("-o").arg(&program).arg(&source).status().unwrap().success());
    for path in [folder.path(), &program] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o4755)).unwrap();
    }
    let as_nobody = |what: &Path| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(what);
        command.env("PATH", "/usr/bin:/bin").env(PROGRAM, &program);
        command
    };
    let alone = as_nobody(&program).output().unwrap();
    let can_run = as_nobody(&exe).arg("--list").output().unwrap().status.success();
    let has_python = as_nobody(Path::new("python3")).arg("--version").output().unwrap().status.success();
    if alone.stdout != b"as 0\n" || !can_run || !has_python {
        eprintln!(
            "skipped: the tests run without root's rights, or where others have no access or no set-user-id programs"
        );
        return;
    }
    let output = as_nobody(&exe).args(["--exact", NAME, "--nocapture"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{output:?}");
}

fn server(run: &Run) -> u32 {
    std::fs::read_to_string(run.folder().join("server")).unwrap().parse().unwrap()
}

#[test]
fn the_server_behind_a_launcher_is_asked_to_end_and_nothing_is_left() {
    for line in [
        "python3 server.py; exit $?",
        // another launcher in between, as npm has, and one that starts something else afterwards
        "sh -c 'python3 server.py; exit $?'; sleep 1000",
        // one that would start it again
        "while true; do python3 server.py; done",
        // started beside it, in a session of its own
        "setsid python3 server.py & wait",
    ] {
        let mut run = run(line);
        run.wait_for_line("listens");
        run.send(&ToShim::Signal { signal: libc::SIGTERM });
        assert!(matches!(run.wait_for_end(), FromShim::Ended { asked: true, crash: false, .. }), "{line}");
        assert!(run.output().contains("asked by 15\n"), "{line}: {}", run.output());
        let server = server(&run);
        wait_until("gone", || has_ended(server));
        run.acknowledge();
    }
}

#[test]
fn a_server_that_does_not_end_is_killed_with_its_launcher() {
    let mut run = run("sed -i s/sys.exit/print/ server.py; python3 server.py; exit $?");
    run.wait_for_line("listens");
    run.send(&ToShim::Signal { signal: libc::SIGTERM });
    run.wait_for_line("asked by 15");
    run.send(&ToShim::Signal { signal: libc::SIGKILL });
    assert!(matches!(run.wait_for_end(), FromShim::Ended { asked: true, crash: false, .. }));
    let server = server(&run);
    wait_until("gone", || has_ended(server));
    run.acknowledge();
}
