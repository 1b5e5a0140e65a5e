//! What systemd is told of this process (`sd_notify(3)`): that it serves, that it stops, and, as long as the loop answers, that it
//! lives. Without systemd nothing is told.

use std::collections::BTreeMap;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The variables by which systemd tells a service how to speak to it. They are no worker's.
pub const VARIABLES: [&str; 4] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "JOURNAL_STREAM"];

/// systemd's ear.
#[derive(Default)]
pub struct ServiceManager {
    socket: Option<UnixDatagram>,
    /// How long it waits for a sign of life.
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// As the environment names it.
    pub fn of(environment: &BTreeMap<String, String>) -> Self {
        let connected = environment.get("NOTIFY_SOCKET").map(|address| connect(address));
        let socket = match connected.transpose() {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!(%error, "systemd cannot be told that Medic runs");
                None
            }
        };
        let is_meant =
            environment.get("WATCHDOG_PID").is_none_or(|pid| *pid == std::process::id().to_string());
        let limit = environment.get("WATCHDOG_USEC").and_then(|limit| limit.parse().ok());
        let watchdog = limit.filter(|limit| is_meant && *limit > 0).map(Duration::from_micros);
        Self { socket, watchdog }
    }

    /// The apps are served.
    pub fn ready(&self) {
        self.say("READY=1\nSTATUS=Serving");
    }

    /// Medic ends.
    pub fn stopping(&self, what: &str) {
        self.say(&format!("STOPPING=1\nSTATUS={what}"));
    }

    /// Says that Medic lives, each time that the loop has answered, for as long as this is awaited. A loop that hangs is silent, and
    /// systemd restarts Medic beside the running apps.
    pub async fn keep_alive<A: Future<Output = ()>>(&self, answers: impl Fn() -> A) {
        let Some(limit) = self.watchdog else { return };
        loop {
            answers().await;
            self.say("WATCHDOG=1");
            tokio::time::sleep(limit / 3).await;
        }
    }

    fn say(&self, what: &str) {
        if let Some(Err(error)) = self.socket.as_ref().map(|socket| socket.send(what.as_bytes())) {
            tracing::debug!(%error, "systemd was not told: {what}");
        }
    }
}

/// A path, or a name that begins with `@` and stands in no file system.
fn connect(address: &str) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match address.strip_prefix('@') {
        Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        None => socket.connect(address)?,
    }
    // whoever does not listen keeps nobody waiting
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut text = [0; 256];
        let length = socket.recv(&mut text).unwrap();
        String::from_utf8_lossy(&text[..length]).into_owned()
    }

    fn of(variables: &[(&str, &str)]) -> ServiceManager {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        ServiceManager::of(&variables.collect())
    }

    #[test]
    fn systemd_is_told_by_a_path_or_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let at_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("medic-test-{}", std::process::id());
        let named = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        for (socket, address) in [(at_path, path.to_str().unwrap().to_owned()), (named, format!("@{name}"))] {
            of(&[("NOTIFY_SOCKET", &address)]).ready();
            assert_eq!(heard(&socket), "READY=1\nSTATUS=Serving");
        }
        of(&[]).ready();
        of(&[("NOTIFY_SOCKET", "/no/such/socket")]).ready();
    }

    #[test]
    fn the_watchdog_is_for_the_process_that_it_names() {
        let own = std::process::id().to_string();
        let limit = |variables: &[(&str, &str)]| of(variables).watchdog;
        assert_eq!(limit(&[("WATCHDOG_USEC", "30000000")]), Some(Duration::from_secs(30)));
        assert_eq!(
            limit(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", &own)]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(limit(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "1")]), None);
        assert_eq!(limit(&[("WATCHDOG_USEC", "0")]), None);
        assert_eq!(limit(&[]), None);
    }
}
