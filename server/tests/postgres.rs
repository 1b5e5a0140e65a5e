//! The whole way of a crash with PostgreSQL as the store, also while the server is away.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use support::{Medic, free_address, is_alive, wait_until};

fn url() -> String {
    std::env::var("MEDIC_TEST_POSTGRES").expect("MEDIC_TEST_POSTGRES names a server to test on")
}

/// Every test here counts the crashes of one app in one database: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one and sets MEDIC_TEST_POSTGRES"]
fn a_crash_is_recorded_in_postgresql_and_nowhere_else() {
    let _alone = alone();
    let medic = Medic::with_shop(&format!("[database]\nurl = \"{}\"\n", url()), "");
    medic.until_running();
    let before = medic.crashes();
    assert_eq!(medic.crash("abort"), before + 1);
    assert_eq!(medic.json("/api/v1/apps/shop/crashes")[0]["signal"], "SIGABRT");
    assert!(!medic.data_dir().join("medic.db").exists());
    assert_eq!(medic.get("/healthz").status, 200);
}

/// The way to the server, which can be blocked as a stopped server blocks it, or be cut as one that has gone cuts it.
struct Line {
    address: SocketAddr,
    server: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    blocked: bool,
    open: Vec<TcpStream>,
    accepting: bool,
}

impl Line {
    fn to(server: SocketAddr) -> Self {
        let line = Self { address: free_address(), server, shared: Arc::default() };
        line.mend();
        line
    }

    /// What is sent arrives nowhere, and nobody hangs up.
    fn block(&self) {
        self.lock().blocked = true;
    }

    fn cut(&self) {
        let mut state = self.lock();
        state.accepting = false;
        state.blocked = false;
        for stream in state.open.drain(..) {
            let _already_closed = stream.shutdown(Shutdown::Both);
        }
        drop(state);
        self.shared.changed.notify_all();
        // The one who accepts looks whether it still may.
        let _refused = TcpStream::connect(self.address);
        let address = self.address;
        wait_until("the port given back", move || TcpListener::bind(address).is_ok());
    }

    /// As it was in the beginning.
    fn mend(&self) {
        let mut state = self.lock();
        state.blocked = false;
        self.shared.changed.notify_all();
        if std::mem::replace(&mut state.accepting, true) {
            return;
        }
        let listener = TcpListener::bind(self.address).unwrap();
        let (server, shared) = (self.server, Arc::clone(&self.shared));
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let mut state = shared.lock();
                if !state.accepting {
                    return;
                }
                let server = TcpStream::connect(server).unwrap();
                for (from, to) in [(&client, &server), (&server, &client)] {
                    state.open.extend(from.try_clone());
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || shared.carry(from, to));
                }
            }
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn carry(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut bytes = [0; 8_192];
        while let Ok(count) = from.read(&mut bytes) {
            let state = self.changed.wait_while(self.lock(), |state| state.blocked);
            drop(state);
            if count == 0 || to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        let _already_closed = to.shutdown(Shutdown::Both);
    }
}

/// Every page that has something live shows it, and what needs the database says that there is none.
fn all_answers_without(medic: &Medic) {
    medic.until("it is known", || (medic.get("/healthz").status == 503).then_some(()));
    let health = medic.get("/healthz");
    assert!(health.body.starts_with("Database unavailable since "), "{}", health.body);
    let overview = "/apps/shop/categories/availability-and-performance/overview";
    for page in ["/", "/apps/shop", overview, "/apps/shop/settings"] {
        let answer = medic.get(page);
        assert_eq!(answer.status, 200, "{page}");
        assert!(answer.body.contains("Database unavailable"), "{page}: {}", answer.body);
    }
    assert_eq!(medic.json("/api/v1/apps")[0]["name"], "shop");
    for missing in ["/api/v1/apps/shop/crashes", "/api/v1/incidents", "/apps/shop/incidents"] {
        let answer = medic.get(missing);
        assert_eq!(answer.status, 503, "{missing}");
        assert!(answer.body.contains("Database unavailable"), "{missing}: {}", answer.body);
    }
    assert_eq!(medic.shop("/").status, 200);
}

/// Crashes the worker, which nobody can record, and waits for its replacement.
fn crash_unrecorded(medic: &Medic) {
    let before = medic.instances()[0]["pid"].as_u64().unwrap();
    let _cut_off = medic.shop("/crash/abort");
    medic.until("another worker", || {
        let instance = medic.instances()[0].clone();
        (instance["state"] == "running" && instance["pid"].as_u64() != Some(before)).then_some(())
    });
    wait_until("the end of the worker", move || !is_alive(before));
}

#[test]
#[ignore = "needs PostgreSQL: cargo xtask test starts one and sets MEDIC_TEST_POSTGRES"]
fn while_postgresql_is_away_all_is_served_and_every_crash_is_recorded_afterwards() {
    let _alone = alone();
    let url = url();
    let (start, rest) = url.rsplit_once('@').unwrap();
    let (server, database) = rest.split_once('/').unwrap();
    let line = Line::to(server.parse().unwrap());
    let head = format!("[database]\nurl = \"{start}@{}/{database}\"\n", line.address);
    let mut medic = Medic::with_shop(&head, "");
    medic.until_running();
    let before = medic.crashes();

    line.block();
    all_answers_without(&medic);
    crash_unrecorded(&medic);
    line.mend();
    medic.until("the crash recorded", || {
        (medic.get("/healthz").status == 200 && medic.crashes() == before + 1).then_some(())
    });

    line.cut();
    all_answers_without(&medic);
    crash_unrecorded(&medic);
    let pid = medic.instances()[0]["pid"].clone();
    medic.kill();
    medic.start();
    medic.until_running();
    assert_eq!(medic.instances()[0]["pid"], pid, "a Medic that starts without it takes over, too");
    all_answers_without(&medic);
    crash_unrecorded(&medic);
    line.mend();
    medic.until("all crashes recorded", || {
        (medic.get("/healthz").status == 200 && medic.crashes() == before + 3).then_some(())
    });
}
