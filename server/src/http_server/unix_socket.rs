//! `medic.sock` in the data folder: the API for the command line and for tools on this machine. The kernel says who connects.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

const NAME: &str = "medic.sock";
/// What an address of a Unix socket holds, without the zero at its end.
const ADDRESS_LIMIT: usize = 107;
const BACKLOG: i32 = 128;

/// The open socket. Its file goes with it.
pub struct UnixSocket {
    pub(super) listener: UnixListener,
    path: PathBuf,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum UnixSocketError {
    /// Something else has its name.
    #[error("{} is not a socket; move it away", .0.display())]
    Occupied(PathBuf),
    /// The system refuses.
    #[error("cannot listen on {}: {source}; make the folder writable for Medic's user", path.display())]
    Listen { path: PathBuf, source: io::Error },
}

impl UnixSocket {
    /// Listens in `data_dir`, whose lock is held: a socket that lies there is a dead Medic's. Only Medic's own user and root
    /// may connect (mode 0600); who they are is told by the kernel all the same.
    pub fn open(data_dir: &Path) -> Result<Self, UnixSocketError> {
        let path = data_dir.join(NAME);
        match fs::symlink_metadata(&path) {
            Ok(file) if !file.file_type().is_socket() => return Err(UnixSocketError::Occupied(path)),
            _ => {}
        }
        match listen(data_dir, &path) {
            Ok(listener) => Ok(Self { listener, path }),
            Err(source) => Err(UnixSocketError::Listen { path, source }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        // one that is left is replaced by the next Medic
        fs::remove_file(&self.path).ok();
    }
}

fn listen(data_dir: &Path, path: &Path) -> io::Result<UnixListener> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    if path.as_os_str().len() <= ADDRESS_LIMIT {
        socket.bind(&SockAddr::unix(path)?)?;
    } else {
        // the same folder by a shorter name
        let folder = File::open(data_dir)?;
        let path = format!("/proc/self/fd/{}/{NAME}", folder.as_raw_fd());
        socket.bind(&SockAddr::unix(path)?)?;
    }
    // nobody can connect before it listens
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    UnixListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[tokio::test]
    async fn it_takes_the_place_of_a_dead_one_and_of_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        let socket = UnixSocket::open(folder.path()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        UnixStream::connect(&path).unwrap();
        drop(socket);
        assert!(!path.exists());
        fs::write(&path, "mine").unwrap();
        assert!(matches!(UnixSocket::open(folder.path()), Err(UnixSocketError::Occupied(_))));
        assert_eq!(fs::read(&path).unwrap(), b"mine");
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_for_an_address_is_listened_at() {
        let folder = tempfile::tempdir().unwrap();
        for length in [1, 60, 90, 200] {
            let data_dir = folder.path().join("d".repeat(length));
            fs::create_dir(&data_dir).unwrap();
            let socket = UnixSocket::open(&data_dir).unwrap();
            let descriptor = File::open(&data_dir).unwrap();
            UnixStream::connect(format!("/proc/self/fd/{}/{NAME}", descriptor.as_raw_fd())).unwrap();
            assert_eq!(socket.path(), data_dir.join(NAME));
        }
    }
}
