//! One request to the server's Unix socket, and its answer.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// A password is hashed meanwhile, and others may wait for that, too.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

/// By HTTP/1.0, so that the answer ends with the connection.
pub(super) fn ask(socket: &Path, method: &str, path: &str, body: &str) -> io::Result<Answer> {
    let mut stream = connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(Answer { status, body: body.to_owned() })
}

fn connect(socket: &Path) -> io::Result<UnixStream> {
    match UnixStream::connect(socket) {
        // too long for an address: the same folder by a shorter name
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            use std::os::fd::AsRawFd as _;
            let folder = std::fs::File::open(socket.parent().unwrap_or(Path::new(".")))?;
            let name = socket.file_name().unwrap_or_default().to_string_lossy();
            UnixStream::connect(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
        }
        connected => connected,
    }
}
