//! A small web shop that crashes on request: what the demo hosts, and what the tests crash.
//!
//! It listens on `127.0.0.1:$PORT` and knows these addresses; `GET /` lists them too:
//!
//! | address | answer |
//! |---|---|
//! | `/` | a page |
//! | `/orders/{id}` | an order as JSON |
//! | `/slow?ms=` | the same after a pause, at most 60 s |
//! | `/stream?chunks=&ms=` | lines, one chunk each, with pauses between them |
//! | `/events?ms=` | server-sent events without end, with pauses between them, the first at once |
//! | `/post-count` | how many bytes the request's body had |
//! | `/headers` | the request's head as it arrived |
//! | `/in-flight` | how many requests are being answered, this one included |
//! | `/env` | `PORT`, `WEBSITE_INSTANCE_ID` and the process id as JSON |
//! | `/echo` | with `Upgrade`: 101, then every byte back |
//! | `/status/{code}` | an empty answer with that status |
//! | `/crash/{how}` | see [`misbehave`] |
//!
//! `LAB_THREADS` sets how many threads wait for connections (default 32). `LAB_CRASH` names a way to crash right after the start.

use std::io;
use std::net::TcpListener;
use std::process::ExitCode;

mod cart;
mod checkout;
mod http;
mod in_flight;
mod misbehave;
mod pool;
mod routes;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab-shop: {error}");
            ExitCode::from(2)
        }
    }
}

fn run() -> io::Result<()> {
    let port = number("PORT", 8000).map_err(io::Error::other)?;
    let threads = number("LAB_THREADS", 32).map_err(io::Error::other)?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    println!("lab-shop listens on {}", listener.local_addr()?);
    if let Ok(how) = std::env::var("LAB_CRASH") {
        let _ = std::thread::Builder::new()
            .name("crash-at-start".to_owned())
            .spawn(move || misbehave::crash(&how))?
            .join();
    }
    pool::serve(&listener, usize::from(threads))
}

fn number(variable: &str, default: u16) -> Result<u16, String> {
    match std::env::var(variable) {
        Ok(text) => text.parse().map_err(|_| format!("{variable} is a number up to 65535, not `{text}`")),
        Err(_) => Ok(default),
    }
}
