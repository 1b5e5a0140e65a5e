//! The other end of a connection, and whose process it is.
//!
//! Over the Unix socket the kernel says it at once. Over TCP it is asked when a change is wanted, and its word counts only where
//! it knows **both** ends: the caller's, established, held by a process, at the caller's address and connected to ours; and,
//! looked up after it, our own, established, with the number of the very socket that was accepted. An end never becomes
//! established twice, so both were at the moment of the first look, and the kernel has no two such pairs. A caller that is closing,
//! or whose end lives in another network namespace, is nobody.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use shim::ConnectionEnd;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::{OnceCell, Semaphore};

/// How many connections are looked up at the same time. Each takes some microseconds of a thread beside the runtime.
static LOOK_UPS: Semaphore = Semaphore::const_new(4);
/// How long a look-up may take, waiting for its turn included.
const LOOK_UP_LIMIT: Duration = Duration::from_secs(5);

/// Why it is not known who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// A proxy passed the request on: by this header.
    Proxy(&'static str),
    /// The kernel has no such established connection on this machine.
    NotConnected,
    /// The kernel did not say: the reason.
    NoAnswer(String),
}

/// The other end of one connection.
pub struct Caller {
    end: End,
    /// Kept once it is proven: the connection stays what it is.
    user: OnceCell<u32>,
    /// Nobody on the way reads what is sent over the connection.
    is_encrypted: bool,
}

#[derive(Debug)]
enum End {
    Unix { user: u32 },
    Tcp { peer: SocketAddr, own: SocketAddr, own_inode: Option<u64> },
}

impl Caller {
    /// Who has connected to the Unix socket.
    pub fn by_unix(stream: &UnixStream) -> std::io::Result<Self> {
        let user = stream.peer_cred()?.uid();
        Ok(Self { end: End::Unix { user }, user: OnceCell::new(), is_encrypted: false })
    }

    /// Who has connected to the dashboard's address.
    pub fn by_tcp(stream: &TcpStream, peer: SocketAddr) -> std::io::Result<Self> {
        let own = stream.local_addr()?;
        // the link names the socket itself; no descriptor is spent for it
        let descriptor = format!("/proc/self/fd/{}", stream.as_raw_fd());
        let own_inode = std::fs::metadata(descriptor).ok().map(|socket| socket.ino());
        Ok(Self { end: End::Tcp { peer, own, own_inode }, user: OnceCell::new(), is_encrypted: false })
    }

    pub(super) const fn is_unix(&self) -> bool {
        matches!(self.end, End::Unix { .. })
    }

    /// One of whom nothing but the address is known.
    #[cfg(test)]
    pub(super) fn of_peer(peer: SocketAddr) -> Self {
        let end = End::Tcp { peer, own: peer, own_inode: None };
        Self { end, user: OnceCell::new(), is_encrypted: false }
    }

    /// Of the other end; none for the Unix socket.
    pub(super) const fn address(&self) -> Option<IpAddr> {
        match &self.end {
            End::Unix { .. } => None,
            End::Tcp { peer, .. } => Some(peer.ip()),
        }
    }

    pub(super) const fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    /// Whose process it is, proven.
    pub async fn user(&self) -> Result<u32, Unproven> {
        match self.end {
            End::Unix { user } => Ok(user),
            End::Tcp { peer, own, own_inode } => {
                let prove = || tokio::time::timeout(LOOK_UP_LIMIT, look_up(peer, own, own_inode));
                let proven = self.user.get_or_try_init(|| async {
                    prove().await.map_err(|_| Unproven::NoAnswer("it took too long".to_owned()))?
                });
                proven.await.copied()
            }
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            End::Unix { user } => write!(f, "uid {user} (Unix socket)"),
            End::Tcp { peer, .. } => write!(f, "{peer}"),
        }
    }
}

async fn look_up(peer: SocketAddr, own: SocketAddr, own_inode: Option<u64>) -> Result<u32, Unproven> {
    let _turn = LOOK_UPS.acquire().await.map_err(|error| Unproven::NoAnswer(error.to_string()))?;
    let look = move || {
        // in this order: see the module
        let theirs = shim::established_end(peer, own)?;
        let ours = shim::established_end(own, peer)?;
        Ok::<_, std::io::Error>((theirs, ours))
    };
    let (theirs, ours) = tokio::task::spawn_blocking(look)
        .await
        .map_err(|error| Unproven::NoAnswer(error.to_string()))?
        .map_err(|error| Unproven::NoAnswer(error.to_string()))?;
    judge(theirs, ours, own_inode).ok_or(Unproven::NotConnected)
}

fn judge(theirs: Option<ConnectionEnd>, ours: Option<ConnectionEnd>, own_inode: Option<u64>) -> Option<u32> {
    let (theirs, ours) = (theirs?, ours?);
    (Some(u64::from(ours.inode)) == own_inode && theirs.inode != ours.inode).then_some(theirs.user)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[test]
    fn only_both_ends_together_are_a_proof() {
        let (theirs, ours) = (ConnectionEnd { user: 1_000, inode: 7 }, ConnectionEnd { user: 0, inode: 8 });
        assert_eq!(judge(Some(theirs), Some(ours), Some(8)), Some(1_000));
        for (theirs, ours, own_inode) in [
            (None, Some(ours), Some(8)),
            (Some(theirs), None, Some(8)),
            (Some(theirs), Some(ours), Some(9)),
            (Some(theirs), Some(ours), None),
            (Some(ours), Some(ours), Some(8)),
            (None, None, None),
        ] {
            assert_eq!(judge(theirs, ours, own_inode), None, "{theirs:?} {ours:?} {own_inode:?}");
        }
    }

    #[tokio::test]
    async fn a_connection_of_this_process_is_this_users_until_it_is_closed() {
        let own = std::fs::metadata("/proc/self").unwrap().uid();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(address).await.unwrap();
        let (accepted, peer) = listener.accept().await.unwrap();
        let caller = Caller::by_tcp(&accepted, peer).unwrap();
        assert_eq!(caller.user().await, Ok(own));
        let late = Caller::by_tcp(&accepted, peer).unwrap();
        // a process that another test is starting may hold a copy of the descriptor
        client.shutdown().await.unwrap();
        assert_eq!(late.user().await, Err(Unproven::NotConnected));
        assert_eq!(caller.user().await, Ok(own), "the connection is still the same one");
    }

    #[tokio::test]
    async fn the_unix_socket_knows_who_connects() {
        let own = std::fs::metadata("/proc/self").unwrap().uid();
        let (_client, accepted) = UnixStream::pair().unwrap();
        assert_eq!(Caller::by_unix(&accepted).unwrap().user().await, Ok(own));
    }
}
