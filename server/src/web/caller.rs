//! Who sent a request, by the kernel's word.
//!
//! Every program on this machine may ask, since no account exists. A custom action is a program that Medic then runs as its own
//! user: who may set one must be that user, or root, already. The kernel lists each connection's end with its owner, and both
//! ends are here: only loopback addresses are listened on.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt;

use app::ConsoleError;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use engine::auto_heal::AutoHealConfig;
use engine::auto_heal::config::ActionType;

const ROOT: u32 = 0;

/// Whose process sent a request.
pub struct Caller {
    user: Option<u32>,
}

impl Caller {
    /// Refuses rules that would run a program of another user's choice as Medic's.
    pub fn may_set(&self, rules: &AutoHealConfig) -> Result<(), ConsoleError> {
        if rules.auto_heal_rules.actions.action_type != ActionType::CustomAction || self.is_trusted() {
            return Ok(());
        }
        Err(ConsoleError::Refused(
            "a custom action runs a program as Medic's user, so only that user and root may set one; send the request as \
             that user, or choose Recycle or LogEvent"
                .to_owned(),
        ))
    }

    fn is_trusted(&self) -> bool {
        let own = std::fs::metadata("/proc/self").map(|process| process.uid()).ok();
        self.user.is_some_and(|user| user == ROOT || Some(user) == own)
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| *peer);
        Ok(Self { user: peer.and_then(owner) })
    }
}

/// Who owns the socket that is bound to `peer`.
fn owner(peer: SocketAddr) -> Option<u32> {
    // a program may reach an IPv4 address by an IPv6 socket
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .find_map(|table| find(&std::fs::read_to_string(table).ok()?, peer))
}

/// `sl local_address rem_address st tx:rx tr:when retrnsmt uid …`
fn find(table: &str, peer: SocketAddr) -> Option<u32> {
    table.lines().skip(1).find_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let local = address(fields.nth(1)?)?;
        let is_peer = (local.ip().to_canonical(), local.port()) == (peer.ip().to_canonical(), peer.port());
        is_peer.then(|| fields.nth(5)?.parse().ok())?
    })
}

/// Hexadecimal, each four bytes in this machine's order.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(1)?, word(2)?, word(3)?];
            Ipv6Addr::from(<[u8; 16]>::try_from(words.as_flattened()).ok()?).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB8 0100007F:C350 01 00000000:00000000 00:00000000 00000000     7        0 11 1 0 20 4 30 10 -1
   1: 0100007F:C350 0100007F:0BB8 01 00000000:00000000 00:00000000 00000000  1000        0 12 1 0 20 4 30 10 -1
   2: 0000000000000000FFFF00000100007F:C351 0000000000000000FFFF00000100007F:0BB8 01 0:0 00:0 0  1001 0 13
   3: 00000000000000000000000001000000:C352 00000000000000000000000001000000:0BB8 01 0:0 00:0 0  1002 0 14";

    #[test]
    fn the_owner_of_the_other_end_is_found_in_either_table() {
        let peers = [("127.0.0.1:50000", 1_000), ("127.0.0.1:50001", 1_001), ("[::1]:50002", 1_002)];
        for (peer, user) in peers {
            assert_eq!(find(TABLE, peer.parse().unwrap()), Some(user), "{peer}");
        }
        assert_eq!(find(TABLE, "127.0.0.1:50003".parse().unwrap()), None);
        assert_eq!(find("", "127.0.0.1:1".parse().unwrap()), None);
    }

    #[test]
    fn a_connection_of_this_process_is_ours() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let caller = Caller { user: owner(client.local_addr().unwrap()) };
        assert!(caller.is_trusted());
        assert!(!Caller { user: None }.is_trusted() && !Caller { user: Some(u32::MAX - 7) }.is_trusted());
    }
}
