//! One listening socket per thread, all at one address: the kernel deals connections out among them.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use model::AppName;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

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

/// Listens at `address` with `count` sockets.
pub(crate) fn listen(
    app: &AppName,
    address: SocketAddr,
    count: usize,
) -> Result<Vec<TcpListener>, BindError> {
    sockets(address, count).map_err(|source| match source.kind() {
        io::ErrorKind::AddrInUse => BindError::InUse { app: app.clone(), address },
        io::ErrorKind::PermissionDenied => BindError::Permission { app: app.clone(), address },
        io::ErrorKind::AddrNotAvailable => BindError::NoSuchAddress { app: app.clone(), address },
        _ => BindError::Other { app: app.clone(), address, source },
    })
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

    use socket2::SockRef;

    use super::*;

    #[test]
    fn a_client_that_has_gone_is_noticed() {
        let app = "shop".parse().unwrap();
        let listeners = listen(&app, "127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let _client = TcpStream::connect(listeners[0].local_addr().unwrap()).unwrap();
        listeners[0].set_nonblocking(false).unwrap();
        let (accepted, _) = listeners[0].accept().unwrap();
        let accepted = SockRef::from(&accepted);
        assert!(accepted.keepalive().unwrap());
        assert_eq!(accepted.tcp_keepalive_time().unwrap(), Duration::from_mins(1));
        assert_eq!(accepted.tcp_keepalive_interval().unwrap(), Duration::from_secs(15));
        assert_eq!(accepted.tcp_keepalive_retries().unwrap(), 4);
    }
}
