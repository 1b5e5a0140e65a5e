//! Workers that are more than one process: launchers, and servers that start their own children.

use std::net::TcpListener;

use shim::protocol::{FromShim, ToShim};

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

/// Runs `line` in a folder where `server.py` is.
fn run(line: &str) -> Run {
    Run::start_with(sh(line), false, |spec| {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        spec.port = port;
        spec.environment.insert("PORT".to_owned(), port.to_string());
        std::fs::write(spec.directory.as_ref().unwrap().join("server.py"), SERVER).unwrap();
    })
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
