//! The backend: answers every request with the same few bytes, or with a megabyte, on one thread.

use std::io::{self, Read};

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SMALL: &[u8] =
    b"HTTP/1.1 200 OK\r\nDate: Sat, 31 Jan 2026 08:15:00 GMT\r\nContent-Type: text/plain\r\n\
    Cache-Control: no-cache\r\nContent-Length: 14\r\n\r\nHello, world!\n";

const LARGE_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
static LARGE_BODY: [u8; MEGABYTE] = [b'x'; MEGABYTE];

/// A body's length.
pub(crate) const MEGABYTE: usize = 1_000_000;

/// Serves until the input ends.
pub(crate) fn serve() -> Result<()> {
    std::thread::spawn(answer_connections);
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn answer_connections() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        tokio::spawn(answer_all(listener.accept().await?.0));
    }
}

async fn answer_all(mut connection: TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    let mut buffer = [0; 4 * 1024];
    let mut length = 0;
    loop {
        match connection.read(&mut buffer[length..]).await? {
            0 => return Ok(()),
            more => length += more,
        }
        if buffer[..length].ends_with(b"\r\n\r\n") {
            length = 0;
            if buffer.starts_with(b"GET /large") {
                connection.write_all(LARGE_HEAD).await?;
                connection.write_all(&LARGE_BODY).await?;
            } else {
                connection.write_all(SMALL).await?;
            }
        }
    }
}
