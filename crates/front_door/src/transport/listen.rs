//! One listening socket per thread, all at one address: the kernel deals connections out among them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use model::AppName;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::settings::BindError;

/// Connections that wait to be accepted, per socket; the kernel may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 4_096;

/// A client that says nothing is asked whether it is still there, so that one whose machine or network has gone away does not
/// hold a tunnel or a request for ever: it is given up after two minutes.
fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new()
        .with_time(Duration::from_mins(1))
        .with_interval(Duration::from_secs(15))
        .with_retries(4)
}

/// The sockets that an app's clients come to, all at one address. Another process may keep them open, too: who connects while
/// nobody accepts then waits in the kernel, and is not refused.
#[derive(Debug)]
pub struct Listeners {
    address: SocketAddr,
    sockets: Vec<TcpListener>,
}

impl Listeners {
    /// Listens at `address` with `count` sockets.
    pub fn bind(app: &AppName, address: SocketAddr, count: usize) -> Result<Self, BindError> {
        let sockets =
            sockets(address, count).map_err(|source| BindError::from_system(app, address, source))?;
        Ok(Self { address: local_address(&sockets, address), sockets })
    }

    /// The same where this program itself listens on the port, at an address that it is about to leave: nobody is asked whether
    /// another program has it.
    pub fn bind_beside(app: &AppName, address: SocketAddr, count: usize) -> Result<Self, BindError> {
        let sockets: io::Result<Vec<_>> =
            (0..count).map(|_| socket(address, true).map(TcpListener::from)).collect();
        let sockets = sockets.map_err(|source| BindError::from_system(app, address, source))?;
        Ok(Self { address: local_address(&sockets, address), sockets })
    }

    /// Goes on with sockets that listen at `address`, each of which may have clients in its queue: none is left out, and as many
    /// are opened beside them as `count` asks for.
    pub fn adopt(
        app: &AppName,
        address: SocketAddr,
        mut sockets: Vec<TcpListener>,
        count: usize,
    ) -> Result<Self, BindError> {
        let prepared = sockets.iter().try_for_each(|adopted| {
            adopted.set_nonblocking(true)?;
            SockRef::from(adopted).set_tcp_keepalive(&keepalive())
        });
        let more = prepared.and_then(|()| {
            (sockets.len()..count).map(|_| socket(address, true).map(TcpListener::from)).collect()
        });
        let more: Vec<_> = more.map_err(|source| BindError::from_system(app, address, source))?;
        sockets.extend(more);
        Ok(Self { address, sockets })
    }

    /// Where they listen: with the port that was taken for 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The sockets, to be shared with another process.
    pub fn sockets(&self) -> &[TcpListener] {
        &self.sockets
    }

    pub(crate) const fn released(address: SocketAddr, sockets: Vec<TcpListener>) -> Self {
        Self { address, sockets }
    }

    pub(crate) fn into_sockets(self) -> Vec<TcpListener> {
        self.sockets
    }
}

fn local_address(sockets: &[TcpListener], asked: SocketAddr) -> SocketAddr {
    sockets.first().and_then(|first| first.local_addr().ok()).unwrap_or(asked)
}

/// The first socket is tried without sharing: two of this user's programs that both share a port would otherwise take each
/// other's connections in silence.
fn sockets(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    let alone = socket(address, false)?;
    let address = alone.local_addr()?.as_socket().unwrap_or(address);
    drop(alone);
    (0..count).map(|_| socket(address, true).map(TcpListener::from)).collect()
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // connections of the last run that are still being closed do not keep the port
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    // the sockets that it accepts inherit it
    socket.set_tcp_keepalive(&keepalive())?;
    if shared || address.port() != 0 {
        socket.listen(BACKLOG)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_client_that_has_gone_is_noticed() {
        let app = "shop".parse().unwrap();
        let listeners = Listeners::bind(&app, "127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let _client = TcpStream::connect(listeners.address()).unwrap();
        let socket = &listeners.sockets()[0];
        socket.set_nonblocking(false).unwrap();
        let (accepted, _) = socket.accept().unwrap();
        let accepted = SockRef::from(&accepted);
        assert!(accepted.keepalive().unwrap());
        assert_eq!(accepted.tcp_keepalive_time().unwrap(), Duration::from_mins(1));
        assert_eq!(accepted.tcp_keepalive_interval().unwrap(), Duration::from_secs(15));
        assert_eq!(accepted.tcp_keepalive_retries().unwrap(), 4);
    }

    #[test]
    fn whoever_waits_in_a_queue_that_is_adopted_is_served() {
        let app = "shop".parse().unwrap();
        let left = Listeners::bind(&app, "127.0.0.1:0".parse().unwrap(), 2).unwrap();
        let address = left.address();
        let kept: Vec<_> = left.sockets().iter().map(|socket| socket.try_clone().unwrap()).collect();
        drop(left);
        let _waiting = TcpStream::connect(address).unwrap();
        let adopted = Listeners::adopt(&app, address, kept, 3).unwrap();
        assert_eq!((adopted.address(), adopted.sockets().len()), (address, 3));
        let accepted = adopted.sockets().iter().filter(|socket| socket.accept().is_ok()).count();
        assert_eq!(accepted, 1);
        let surplus = Listeners::adopt(&app, address, adopted.into_sockets(), 1).unwrap();
        assert_eq!(surplus.sockets().len(), 3, "each may have clients");
    }
}
