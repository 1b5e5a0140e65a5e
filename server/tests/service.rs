//! Medic as a service: where the service manager keeps the listening sockets no visitor is refused while Medic is restarted, and
//! `medic stop` ends the apps or leaves them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use support::programs::write_script;
use support::{Medic, PATIENCE, is_alive, wait_until};

/// What systemd does for a service, of what this needs: hears its notifications and keeps its sockets.
struct Systemd {
    heard: Arc<Mutex<Vec<String>>>,
    kept: Arc<Mutex<Vec<OwnedFd>>>,
}

impl Systemd {
    fn at(path: &Path) -> Self {
        let socket = UnixDatagram::bind(path).unwrap();
        let heard: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept: Arc<Mutex<Vec<OwnedFd>>> = Arc::default();
        let systemd = Self { heard: Arc::clone(&heard), kept: Arc::clone(&kept) };
        std::thread::spawn(move || {
            loop {
                let mut text = [0; 1_024];
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(64))];
                let mut ancillary = RecvAncillaryBuffer::new(&mut space);
                let mut into = [IoSliceMut::new(&mut text)];
                let bytes =
                    recvmsg(&socket, &mut into, &mut ancillary, RecvFlags::CMSG_CLOEXEC).unwrap().bytes;
                let sockets = ancillary.drain().filter_map(|message| match message {
                    RecvAncillaryMessage::ScmRights(sockets) => Some(sockets),
                    _ => None,
                });
                kept.lock().unwrap().extend(sockets.flatten());
                heard.lock().unwrap().push(String::from_utf8_lossy(&text[..bytes]).into_owned());
            }
        });
        systemd
    }

    fn until_heard(&self, what: &'static str) {
        let heard = Arc::clone(&self.heard);
        wait_until(what, move || heard.lock().unwrap().iter().any(|said| said.starts_with(what)));
    }

    /// A program that starts Medic with the sockets that are kept.
    fn starter(&self, folder: &Path) -> std::path::PathBuf {
        let kept = self.kept.lock().unwrap();
        let moved = kept.iter().enumerate().map(|(number, socket)| {
            rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::empty()).unwrap();
            format!("exec {}<&{}\n", number + 50, socket.as_raw_fd())
        });
        let placed = (0..kept.len()).map(|number| format!("exec {}<&{}\n", number + 3, number + 50));
        let closed = (0..kept.len()).map(|number| format!("exec {}<&-\n", number + 50));
        let program = folder.join("start");
        let text = format!(
            "#!/bin/bash\n{}{}{}export LISTEN_PID=$$ LISTEN_FDS={}\nexec {} \"$@\"\n",
            moved.collect::<String>(),
            placed.collect::<String>(),
            closed.collect::<String>(),
            kept.len(),
            env!("CARGO_BIN_EXE_medic"),
        );
        write_script(&program, &text);
        program
    }
}

/// Visitors who each come with a new connection, one after another.
struct Visitors {
    over: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    coming: Vec<JoinHandle<Vec<String>>>,
}

impl Visitors {
    fn come(to: SocketAddr) -> Self {
        let (over, served) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let visit = |_| {
            let (over, served) = (Arc::clone(&over), Arc::clone(&served));
            std::thread::spawn(move || {
                let mut failed = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    match request(to) {
                        Ok(answer) if answer.starts_with("HTTP/1.1 200") => {
                            served.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(answer) => failed.push(answer.chars().take(40).collect()),
                        Err(error) => failed.push(error.to_string()),
                    }
                }
                failed
            })
        };
        let coming = (0..8).map(visit).collect();
        Self { over, served, coming }
    }

    /// Waits until some more were served.
    fn until_served_again(&self) {
        let (served, before) = (Arc::clone(&self.served), self.served.load(Ordering::Relaxed));
        wait_until("more visitors", move || served.load(Ordering::Relaxed) > before + 100);
    }

    /// How many were served, and what became of the others.
    fn leave(self) -> (usize, Vec<String>) {
        self.over.store(true, Ordering::Relaxed);
        let failed = self.coming.into_iter().flat_map(|visitor| visitor.join().unwrap()).collect();
        (self.served.load(Ordering::Relaxed), failed)
    }
}

fn request(to: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn pids(medic: &Medic) -> Vec<u64> {
    medic.instances().iter().map(|instance| instance["pid"].as_u64().unwrap()).collect()
}

#[test]
fn the_stop_command_ends_the_server_with_its_apps_or_without_them() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    let pid = pids(&medic)[0];
    let stop = |medic: &Medic, options: &[&str]| {
        let config = medic.data_dir().with_file_name("medic.toml");
        let mut stop = Command::new(env!("CARGO_BIN_EXE_medic"));
        stop.arg("stop").args(options).arg("--config").arg(config);
        let output = stop.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(stop(&medic, &["--keep-apps"]), "stopped; the apps keep running\n");
    assert!(medic.has_ended_well() && is_alive(pid));
    assert_eq!(stop(&medic, &["--keep-apps"]), "no server is running\n");
    stop(&medic, &[]);
    wait_until("the end of a worker that no server had", move || !is_alive(pid));
    assert_eq!(stop(&medic, &[]), "no server is running\n");
    medic.start();
    medic.until_running();
    let pid = pids(&medic)[0];
    assert_eq!(stop(&medic, &[]), "stopped\n");
    assert!(medic.has_ended_well() && !is_alive(pid));
}

#[test]
fn no_visitor_is_refused_where_the_sockets_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let systemd = Systemd::at(&path);
    let mut medic =
        Medic::with_shop_in(&[("NOTIFY_SOCKET", path.to_str().unwrap().to_owned())], "", "instances = 2");
    systemd.until_heard("READY=1");
    medic.until_running();
    let before = pids(&medic);
    let environment = std::fs::read(format!("/proc/{}/environ", before[0])).unwrap();
    assert!(!String::from_utf8_lossy(&environment).contains("NOTIFY_SOCKET"), "that is Medic's own");
    let visitors = Visitors::come(medic.front_door);
    visitors.until_served_again();
    assert!(medic.hand_over());
    systemd.until_heard("STOPPING=1");
    medic.start_by(&systemd.starter(folder.path()));
    medic.until_running();
    visitors.until_served_again();
    let (served, failed) = visitors.leave();
    eprintln!("{served} served, failed: {failed:?}");
    assert_eq!(failed, Vec::<String>::new());
    assert_eq!(pids(&medic), before);
    assert!(medic.stop());
    systemd.until_heard("FDSTOREREMOVE=1");
}
