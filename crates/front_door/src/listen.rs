//! One listening socket per thread, all at one address: the kernel deals connections out among them.

use std::io;
use std::net::{SocketAddr, TcpListener};

use engine::AppName;
use socket2::{Domain, Protocol, Socket, Type};

use crate::settings::BindError;

/// Connections that wait to be accepted, per socket; the kernel may allow fewer (`net.core.somaxconn`).
const BACKLOG: i32 = 4_096;

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
    if shared || address.port() != 0 {
        socket.listen(BACKLOG)?;
    }
    Ok(socket)
}
