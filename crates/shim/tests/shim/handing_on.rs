//! Servers whose master accepts connections and hands them to its children, as node's cluster does.

use std::io::{Read, Write};
use std::net::TcpStream;

use shim::protocol::{FromShim, ToShim};

use crate::serving::{end, run_with, wait_for_child, wait_for_serving};
use crate::support::Run;

/// A master that waits for its child's word on each connection, and keeps one open for which none comes. The child dies when
/// another connection is on its way.
const HANDS_ON: &str = "
import ctypes, os, select, socket
server = socket.create_server(('127.0.0.1', int(os.environ['PORT'])))
to_child, to_master = socket.socketpair()
def serve():
    held = []
    while True:
        _, handed, _, _ = socket.recv_fds(to_master, 100, 1)
        held.append(socket.socket(fileno=handed[0]))
        to_master.send(b'taken')
        if held[-1].recv(100) == b'fault':
            select.select([to_master], [], [])
            ctypes.string_at(0)
if os.fork() == 0:
    server.close()
    to_child.close()
    serve()
to_master.close()
print('listens', flush=True)
kept = []
while True:
    kept.append(server.accept()[0])
    try:
        socket.send_fds(to_child, [b'one'], [kept[-1].fileno()])
        if to_child.recv(100): kept.pop().close()
    except OSError: pass
";

fn ask(run: &Run, request: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(("127.0.0.1", run.spec.port)).unwrap();
    client.write_all(request).unwrap();
    client
}

fn port(client: &TcpStream) -> u16 {
    client.local_addr().unwrap().port()
}

fn take_back(run: &mut Run, from: Vec<u16>) -> Option<u16> {
    run.send(&ToShim::TakeBack { from });
    let answer = run.wait_for(|message| matches!(message, FromShim::TakenBack { .. }));
    let FromShim::TakenBack { from } = answer else { unreachable!() };
    from
}

#[test]
fn a_request_on_its_way_to_a_child_that_dies_is_taken_back_and_read_by_nobody() {
    for arm in [false, true] {
        let mut run = run_with("exec python3 hands_on.py", arm, |spec| {
            std::fs::write(spec.directory.as_ref().unwrap().join("hands_on.py"), HANDS_ON).unwrap();
        });
        run.wait_for_line("listens");
        let held = ask(&run, b"stay");
        wait_for_serving(&mut run, 1, 1, &[]);
        let killing = ask(&run, b"fault");
        let mut waiting = ask(&run, b"POST /pay HTTP/1.1\r\ncontent-length: 1\r\n\r\n1");
        run.wait_for(|message| matches!(message, FromShim::ReceiverEnded { .. }));
        let (others, wanted) = ([port(&held), port(&killing)], port(&waiting));
        assert_eq!(take_back(&mut run, others.to_vec()), None, "the child had read them");
        assert_eq!(take_back(&mut run, [&others[..], &[wanted]].concat()), Some(wanted));
        assert_eq!(waiting.read(&mut [0]).unwrap(), 0, "closed");
        assert_eq!(take_back(&mut run, vec![wanted]), None, "once");
        run.reconnect();
        let crash = wait_for_child(&mut run);
        run.send(&ToShim::AcknowledgeChild { process: crash.process });
        end(run);
    }
}
