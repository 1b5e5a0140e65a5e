//! As much of HTTP/1.1 as the shop needs: keep-alive, bodies by length or in chunks, chunked answers.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::in_flight::InFlight;

const HEAD_LIMIT_BYTES: u64 = 64 * 1024;
const BODY_LIMIT_BYTES: u64 = 1 << 30;

/// A request's head.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Without query.
    pub(crate) path: String,
    pub(crate) query: String,
    /// As they arrived, in order.
    pub(crate) headers: Vec<(String, String)>,
}

impl Request {
    /// A header's value; `name` in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A number of the query, or `default`; never above `limit`.
    pub(crate) fn number(&self, name: &str, default: u64, limit: u64) -> u64 {
        let value = self.query.split('&').filter_map(|pair| pair.split_once('=')).find(|(n, _)| *n == name);
        value.and_then(|(_, value)| value.parse().ok()).unwrap_or(default).min(limit)
    }

    fn says(&self, header: &str, word: &str) -> bool {
        self.header(header)
            .is_some_and(|value| value.split(',').any(|part| part.trim().eq_ignore_ascii_case(word)))
    }
}

/// One connection and what is left of its current request's body.
pub(crate) struct Connection {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    body: Body,
    keep_alive: bool,
    /// The request that is being answered.
    counted: Option<InFlight>,
}

#[derive(Clone, Copy)]
enum Body {
    Read,
    Length(u64),
    Chunked,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        let writer = stream.try_clone()?;
        Ok(Self { reader: BufReader::new(stream), writer, body: Body::Read, keep_alive: true, counted: None })
    }

    pub(crate) fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// The next request; none when the client closed the connection.
    pub(crate) fn read_request(&mut self) -> io::Result<Option<Request>> {
        self.counted = None;
        self.drain_body()?;
        let Some(request) = read_head(&mut self.reader)? else { return Ok(None) };
        self.body = match request.header("content-length") {
            _ if request.says("transfer-encoding", "chunked") => Body::Chunked,
            Some(length) => Body::Length(length.trim().parse().map_err(|_| bad("Content-Length"))?),
            None => Body::Read,
        };
        self.counted = Some(InFlight::enter());
        self.keep_alive = !request.says("connection", "close");
        if request.says("expect", "100-continue") {
            self.writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        Ok(Some(request))
    }

    /// Reads the body to its end and returns its length.
    pub(crate) fn drain_body(&mut self) -> io::Result<u64> {
        match std::mem::replace(&mut self.body, Body::Read) {
            Body::Read => Ok(0),
            Body::Length(length) => skip(&mut self.reader, length),
            Body::Chunked => {
                let mut total = 0;
                loop {
                    let size = line(&mut self.reader)?;
                    let size = u64::from_str_radix(size.split(';').next().unwrap_or("").trim(), 16)
                        .map_err(|_| bad("chunk"))?;
                    total += skip(&mut self.reader, size)?;
                    if size == 0 {
                        while !line(&mut self.reader)?.is_empty() {}
                        return Ok(total);
                    }
                    line(&mut self.reader)?;
                }
            }
        }
    }

    /// A whole answer.
    pub(crate) fn respond(&mut self, status: u16, content_type: &str, body: &str) -> io::Result<()> {
        let mut answer = format!("HTTP/1.1 {status} {}\r\n", reason(status));
        if status != 204 && status != 304 {
            let _ = write!(answer, "Content-Type: {content_type}\r\nContent-Length: {}\r\n", body.len());
        }
        if !self.keep_alive {
            answer.push_str("Connection: close\r\n");
        }
        answer.push_str("\r\n");
        if status != 204 && status != 304 {
            answer.push_str(body);
        }
        self.counted = None;
        self.writer.write_all(answer.as_bytes())
    }

    /// An answer whose parts are sent as they come.
    pub(crate) fn respond_in_chunks(
        &mut self,
        content_type: &str,
        mut next: impl FnMut() -> Option<String>,
    ) -> io::Result<()> {
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n");
        self.writer.write_all(head.as_bytes())?;
        while let Some(part) = next() {
            self.writer.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes())?;
        }
        self.writer.write_all(b"0\r\n\r\n")
    }

    /// Leaves HTTP: answers 101 and sends every byte back until the client closes.
    pub(crate) fn echo(&mut self, protocol: &str) -> io::Result<()> {
        let head =
            format!("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: {protocol}\r\n\r\n");
        self.writer.write_all(head.as_bytes())?;
        self.keep_alive = false;
        let mut buffer = [0; 4096];
        loop {
            match self.reader.read(&mut buffer)? {
                0 => return Ok(()),
                n => self.writer.write_all(&buffer[..n])?,
            }
        }
    }
}

fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut reader = reader.take(HEAD_LIMIT_BYTES);
    let first = line(&mut reader)?;
    if first.is_empty() {
        return Ok(None);
    }
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some(_)) = (words.next(), words.next(), words.next()) else {
        return Err(bad("request line"));
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = Vec::new();
    loop {
        let header = line(&mut reader)?;
        if header.is_empty() {
            break;
        }
        let (name, value) = header.split_once(':').ok_or_else(|| bad("header"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    Ok(Some(Request { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), headers }))
}

fn line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut bytes = Vec::new();
    reader.take(HEAD_LIMIT_BYTES).read_until(b'\n', &mut bytes)?;
    while bytes.last().is_some_and(|byte| matches!(byte, b'\r' | b'\n')) {
        bytes.pop();
    }
    String::from_utf8(bytes).map_err(|_| bad("text"))
}

fn skip(reader: &mut impl Read, length: u64) -> io::Result<u64> {
    if length > BODY_LIMIT_BYTES {
        return Err(bad("body, which is too large"));
    }
    let read = io::copy(&mut reader.take(length), &mut io::sink())?;
    if read == length { Ok(read) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("wrong {what}"))
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
