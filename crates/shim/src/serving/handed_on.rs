//! Requests on their way from a process that accepts connections to one that it hands them to, and that has died.
//!
//! ```text
//!  front door ──▶ master ──▶ child
//!                   │          │ dies before it has said that it has the connection
//!                   ▼          ▼
//!                 waits for that word for ever, with the connection open: its client would wait as long
//! ```
//! Node's cluster is like that; of each child that dies one connection at most is affected, since the next one is handed over
//! when the last has arrived. That a request waits in a master says nothing about that, since it does so as well while all
//! children are busy. So it is not ended but taken back: all of it is read here, before anybody else has, and thrown away. Nobody
//! can read it any more, so it may be sent again whatever it is, and whoever gets the connection after all finds it closed.

use std::net::{Shutdown, TcpStream};

use rustix::net::{RecvFlags, recv};

use super::ServingProcesses;
use super::rule::Serves;
use super::sockets::connections_from;
use crate::sys::socket::bytes_received;

impl ServingProcesses {
    /// Takes back the request of the first of these connections that a process which accepts them has, and of which nobody has
    /// read a byte. Each is named by the port of its other end on this machine, as is the one that is returned.
    pub(crate) fn take_back(&self, from: &[u16]) -> Option<u16> {
        let accepts = self.known.iter().filter(|(_, known)| known.process.served == Some(Serves::Port));
        let mut found: Vec<(usize, TcpStream)> =
            accepts.flat_map(|(pid, _)| connections_from(*pid, self.port, from)).collect();
        found.sort_by_key(|(place, _)| *place);
        let (place, _) = found.into_iter().find(|(_, connection)| take_unread(connection))?;
        from.get(place).copied()
    }
}

/// `false` where somebody has read of it already, or nothing has come.
fn take_unread(connection: &TcpStream) -> bool {
    let Ok(unread) = rustix::io::ioctl_fionread(connection) else { return false };
    if unread == 0 || bytes_received(connection).ok() != Some(unread) {
        return false;
    }
    let Ok(length) = usize::try_from(unread) else { return false };
    // with TRUNC nothing is written there: what a request says is not for this process
    let mut nowhere = vec![0_u8; length];
    let taken = recv(connection, &mut nowhere[..], RecvFlags::TRUNC | RecvFlags::DONTWAIT);
    // where somebody was faster, it has the request
    taken.is_ok_and(|(_, taken)| taken == length) && connection.shutdown(Shutdown::Both).is_ok()
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn what_nobody_has_read_is_taken_and_the_connection_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        assert!(!take_unread(&accepted), "nothing has come");
        client.write_all(&vec![b'x'; 50_000]).unwrap();
        while rustix::io::ioctl_fionread(&accepted).unwrap() < 50_000 {
            std::thread::yield_now();
        }
        assert!(take_unread(&accepted));
        assert!(!take_unread(&accepted), "once");
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        // what comes later is refused, so that it is never taken for a request
        let _refused = client.write_all(b"GET /more HTTP/1.1\r\n\r\n");
        let mut rest = Vec::new();
        let _reset = accepted.read_to_end(&mut rest);
        assert_eq!(rest, b"");
    }

    #[test]
    fn what_somebody_has_begun_to_read_is_left_alone() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        client.write_all(b"request").unwrap();
        accepted.read_exact(&mut [0]).unwrap();
        assert!(!take_unread(&accepted));
        let mut rest = [0; 6];
        accepted.read_exact(&mut rest).unwrap();
        assert_eq!(&rest, b"equest");
        accepted.write_all(b"answer").unwrap();
        drop(accepted);
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
    }
}
