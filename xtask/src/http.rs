//! A client for the demo: one request a connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

/// An answer, its body as text.
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    /// The value of a cookie that the answer sets, as `name=value`.
    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        let start = format!("{name}=");
        self.head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(header, _)| header.eq_ignore_ascii_case("set-cookie"))
            .filter_map(|(_, value)| value.trim().split(';').next())
            .find(|cookie| cookie.starts_with(&start))
            .map(ToOwned::to_owned)
    }
}

/// Asks for `path` at `address` (`host:port`), with `cookie` where there is one.
pub(crate) fn get(address: &str, path: &str, cookie: Option<&str>) -> Result<Answer> {
    ask(address, "GET", path, &header(cookie))
}

/// Posts nothing to `path` at `address`.
pub(crate) fn post(address: &str, path: &str, cookie: Option<&str>) -> Result<Answer> {
    ask(address, "POST", path, &(header(cookie) + "Content-Length: 0\r\n"))
}

fn header(cookie: Option<&str>) -> String {
    cookie.map(|cookie| format!("Cookie: {cookie}\r\n")).unwrap_or_default()
}

/// Sends JSON to `path` at `address`.
pub(crate) fn put(address: &str, path: &str, json: &str) -> Result<Answer> {
    let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", json.len());
    ask(address, "PUT", path, &format!("{head}\r\n{json}"))
}

/// `rest` is what follows the head's own lines: header lines, or header lines, an empty one and a body.
fn ask(address: &str, method: &str, path: &str, rest: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("nothing answers at {address}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(40)))?;
    let end = if rest.contains("\r\n\r\n") { "" } else { "\r\n" };
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{rest}{end}")?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).with_context(|| format!("no answer to {method} {path} from {address}"))?;
    let text = String::from_utf8_lossy(&bytes);
    parse(&text).with_context(|| format!("no HTTP from {address}"))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head
        .lines()
        .any(|line| line.to_ascii_lowercase().replace(' ', "").starts_with("transfer-encoding:chunked"));
    let body = if chunked { join_chunks(body)? } else { body.to_owned() };
    Some(Answer { status, head: head.to_owned(), body })
}

fn join_chunks(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (size, after) = rest.split_once("\r\n")?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.push_str(after.get(..size)?);
        rest = after.get(size..)?.strip_prefix("\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_chunks_and_cookies() {
        let answer = parse(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: ARRAffinity=abc; Path=/\r\n\r\n3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n",
        )
        .unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (200, "abcde"));
        assert_eq!(answer.cookie("ARRAffinity").as_deref(), Some("ARRAffinity=abc"));
        assert_eq!(answer.cookie("Other"), None);
    }
}
