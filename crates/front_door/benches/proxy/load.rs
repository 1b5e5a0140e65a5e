//! The clients.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, anyhow, ensure};

use crate::backend::MEGABYTE;

/// What the clients ask for, and how often.
pub(crate) struct Download {
    path: &'static str,
    bytes: usize,
    pub(crate) connections: usize,
    pub(crate) requests_each: usize,
}

impl Download {
    /// A few bytes.
    pub(crate) const SMALL: Self =
        Self { path: "/catalogue/shoes?page=2", bytes: 14, connections: 32, requests_each: 600 };
    /// A megabyte.
    pub(crate) const MEGABYTE: Self =
        Self { path: "/large", bytes: MEGABYTE, connections: 8, requests_each: 40 };

    /// The same, a quarter as often.
    pub(crate) fn quarter(&self) -> Self {
        Self { requests_each: self.requests_each / 4, ..*self }
    }

    fn request(&self) -> String {
        format!(
            "GET {} HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench/1.0\r\n\
             Accept: text/html,application/xhtml+xml\r\nAccept-Language: en\r\nAccept-Encoding: gzip\r\n\
             Cookie: session=0123456789abcdef0123456789abcdef\r\n\r\n",
            self.path
        )
    }
}

/// Sends the requests over all connections at once, over each one after another.
pub(crate) fn load(address: SocketAddr, download: &Download) -> Result<()> {
    std::thread::scope(|scope| {
        let clients: Vec<_> =
            (0..download.connections).map(|_| scope.spawn(|| ask(address, download))).collect();
        clients.into_iter().try_for_each(|client| client.join().map_err(|_| anyhow!("a client panicked"))?)
    })
}

fn ask(address: SocketAddr, download: &Download) -> Result<()> {
    let mut connection = TcpStream::connect(address)?;
    connection.set_nodelay(true)?;
    let request = download.request();
    let mut buffer = vec![0; 256 * 1024];
    for _ in 0..download.requests_each {
        connection.write_all(request.as_bytes())?;
        receive(&mut connection, &mut buffer, download.bytes)?;
    }
    Ok(())
}

/// A connection over which one small request has been answered, and nothing else is to come.
pub(crate) fn idle(address: SocketAddr) -> Result<TcpStream> {
    let mut connection = TcpStream::connect(address)?;
    connection.write_all(Download::SMALL.request().as_bytes())?;
    receive(&mut connection, &mut [0; 4 * 1024], Download::SMALL.bytes)?;
    Ok(connection)
}

fn receive(connection: &mut TcpStream, buffer: &mut [u8], bytes: usize) -> Result<()> {
    let mut length = 0;
    let body = loop {
        let more = connection.read(&mut buffer[length..])?;
        ensure!(more > 0, "the proxy closed the connection");
        length += more;
        if let Some(end) = buffer[..length].windows(4).position(|window| window == b"\r\n\r\n") {
            break length - end - 4;
        }
    };
    ensure!(buffer.starts_with(b"HTTP/1.1 200 "), "not answered 200");
    let mut left = bytes.checked_sub(body).context("more than was asked for")?;
    while left > 0 {
        let more = connection.read(buffer)?;
        ensure!(more > 0, "the proxy closed the connection");
        left = left.checked_sub(more).context("more than was asked for")?;
    }
    Ok(())
}
