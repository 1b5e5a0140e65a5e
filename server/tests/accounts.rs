//! Accounts, roles and sessions, over the real server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use serde_json::json;
use socket2::{Domain, Socket, Type};
use support::people::{Browser, PASSWORD, add, cookie_of, sign_in, user};
use support::{Medic, PATIENCE, free_address, request};

/// With a second app, `till`.
fn with_two_apps() -> Medic {
    let shop = serde_json::to_string(&lab::shop()).unwrap();
    let listen = free_address();
    let till = format!("[[app]]\nname = \"till\"\ncommand = [{shop}]\nlisten = \"{listen}\"\n");
    let medic = Medic::with_shop("", &till);
    medic.until_running();
    medic
}

fn by_unix_socket(medic: &Medic, path: &str) -> String {
    let mut stream = UnixStream::connect(medic.data_dir().join("medic.sock")).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn status(medic: &Medic, path: &str) -> u16 {
    request(medic.address, "GET", path, &[], "").status
}

#[test]
fn from_the_first_account_on_everybody_signs_in() {
    let mut medic = Medic::with_shop("", "");
    medic.until_running();
    assert_eq!((status(&medic, "/"), status(&medic, "/api/v1/apps")), (200, 200));
    let (is_added, said) = user(&medic, &["add", "bob", "--role", "viewer"], Some(PASSWORD));
    assert!(!is_added && said.contains("the first account must be an owner for all apps"), "{said}");
    let (is_added, said) = user(&medic, &["add", "alice", "--role", "owner"], Some("short"));
    assert!(!is_added && said.contains("at least 12 characters"), "{said}");
    assert_eq!(sign_in(&medic, "alice", PASSWORD).status, 409, "no account");
    assert_eq!(status(&medic, "/"), 200, "nothing has changed");

    let (is_added, said) = user(&medic, &["add", "Alice", "--role", "owner"], Some(PASSWORD));
    assert!(is_added && said.contains("Everybody must sign in"), "{said}");
    let led = request(medic.address, "GET", "/apps/shop?a=b", &[], "");
    assert_eq!(led.status, 303);
    assert!(led.head.contains("location: /sign-in?to=/apps/shop%3Fa%3Db"), "{}", led.head);
    let refused = request(medic.address, "GET", "/api/v1/apps", &[], "");
    assert_eq!((refused.status, refused.json()["code"].as_str()), (401, Some("sign_in_required")));
    let change = request(medic.address, "PUT", "/api/v1/apps/shop/settings", &[], "{}");
    assert_eq!((change.status, status(&medic, "/events")), (401, 401), "root over TCP, too");
    assert!(by_unix_socket(&medic, "/api/v1/apps").starts_with("HTTP/1.0 200"));
    assert!(by_unix_socket(&medic, "/").starts_with("HTTP/1.0 200"));
    let health = request(medic.address, "GET", "/healthz", &[], "");
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    let page = request(medic.address, "GET", "/sign-in", &[], "");
    let node = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert!(page.status == 200 && !page.body.contains("data-events") && !page.body.contains(">shop<"));
    assert!(!page.body.contains(&format!(">{}<", node.trim())), "this machine is not named");

    let right = sign_in(&medic, "ALICE", PASSWORD);
    assert_eq!((right.status, right.json()["name"].as_str()), (200, Some("alice")));
    assert!(right.head.contains("Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"), "{}", right.head);
    let cookie = cookie_of(&right).unwrap();
    let asked = |medic: &Medic, path: &str| request(medic.address, "GET", path, &[("Cookie", &cookie)], "");
    assert_eq!(asked(&medic, "/api/v1/me").json()["account"]["role"], "owner");
    assert!(asked(&medic, "/").body.contains("Sign out"));
    // the database has the session, and the mark outlives even that
    assert!(medic.stop());
    medic.start();
    assert_eq!((status(&medic, "/api/v1/apps"), asked(&medic, "/api/v1/apps").status), (401, 200));
    assert!(medic.stop());
    for file in ["medic.db", "medic.db-wal", "medic.db-shm"] {
        let _not_there = std::fs::remove_file(medic.data_dir().join(file));
    }
    medic.start();
    assert_eq!((status(&medic, "/api/v1/apps"), asked(&medic, "/api/v1/apps").status), (401, 401));
    add(&medic, "carol", &["--role", "owner"]);
    assert_eq!(Browser::of(&medic, "carol").status("GET", "/api/v1/apps"), 200);
    let log = medic.log();
    assert!(!log.contains(PASSWORD) && !log.contains(cookie.trim_start_matches("medic=")), "{log}");
}

#[test]
fn which_of_name_and_password_is_wrong_is_not_said() {
    let medic = Medic::with_shop("", "");
    add(&medic, "alice", &["--role", "owner"]);
    let (known, unknown) =
        (sign_in(&medic, "alice", "wrong password"), sign_in(&medic, "mallory", "wrong password"));
    assert_eq!((known.status, unknown.status), (401, 401));
    assert_eq!(known.body, unknown.body);
    for name in ["", "not a name", &"a".repeat(10_000)] {
        let answer = sign_in(&medic, name, "wrong password");
        assert_eq!((answer.status, &answer.body), (401, &known.body), "{name:.20}");
    }
    for name in ["alice", "mallory"] {
        let paused = loop {
            let answer = sign_in(&medic, name, "wrong password");
            if answer.status != 401 {
                break answer;
            }
        };
        assert_eq!(paused.status, 429);
        assert!(paused.head.contains("retry-after: "), "{}", paused.head);
        assert_eq!(paused.json()["code"], "too_many_attempts");
    }
}

/// From another address of this machine.
fn guess_from(address: [u8; 4], to: SocketAddr, name: &str) -> u16 {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = json!({"name": name, "password": "wrong password"}).to_string();
    let length = body.len();
    write!(
        stream,
        "POST /api/v1/session HTTP/1.0\r\nHost: {to}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    let _cut_off = stream.read_to_string(&mut answer);
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn many_guesses_hold_up_nobody_else() {
    let guesses: u32 = std::env::var("MEDIC_TEST_GUESSES").map_or(400, |count| count.parse().unwrap());
    let medic = Medic::with_shop("", "");
    add(&medic, "alice", &["--role", "owner"]);
    add(&medic, "bob", &["--role", "viewer"]);
    let address = medic.address;
    let threads: Vec<_> = (0..4_u8)
        .map(|source| {
            std::thread::spawn(move || {
                let names = ["alice".to_owned(), "mallory".to_owned()];
                let guess = |number: u32| {
                    let name =
                        names.get(number as usize % 3).cloned().unwrap_or_else(|| format!("n{number}"));
                    guess_from([127, 0, 1, source], address, &name)
                };
                (0..guesses / 4).map(guess).collect::<Vec<u16>>()
            })
        })
        .collect();
    for _ in 0..5 {
        let answer = sign_in(&medic, "bob", PASSWORD);
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    let answers: Vec<u16> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert!(answers.iter().all(|status| [401, 429].contains(status)), "{answers:?}");
    assert!(answers.iter().filter(|status| **status == 429).count() > answers.len() / 2, "{answers:?}");
}

#[test]
fn a_session_ends_everywhere_at_once_and_with_it_the_stream() {
    let medic = Medic::with_shop("", "");
    add(&medic, "alice", &["--role", "owner"]);
    let (one, other) = (Browser::of(&medic, "alice"), Browser::of(&medic, "alice"));
    let mut stream = TcpStream::connect(medic.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let (address, cookie) = (medic.address, &one.cookie);
    write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("data: ")), "it tells the number");

    let sessions = other.ask("GET", "/api/v1/sessions").json();
    assert_eq!(sessions.as_array().unwrap().len(), 2);
    let foreign = sessions.as_array().unwrap().iter().find(|session| session["is_current"] == false).unwrap();
    let id = foreign["id"].as_str().unwrap();
    assert_eq!(other.status("DELETE", &format!("/api/v1/sessions/{id}")), 204);
    assert_eq!(other.status("DELETE", &format!("/api/v1/sessions/{id}")), 404);
    assert_eq!((one.status("GET", "/"), other.status("GET", "/")), (303, 200));
    assert!(lines.any(|line| line == "data: signed-out"), "the stream says so, and ends");

    let third = Browser::of(&medic, "alice");
    assert_eq!(third.status("DELETE", "/api/v1/sessions"), 204);
    assert_eq!((third.status("GET", "/"), other.status("GET", "/")), (303, 303));
    let (mut fourth, fifth) = (Browser::of(&medic, "alice"), Browser::of(&medic, "alice"));
    let left = fourth.ask("DELETE", "/api/v1/session");
    assert!(left.status == 204 && left.head.contains("medic=; Path=/; Max-Age=0"), "{}", left.head);
    assert_eq!((fourth.status("GET", "/"), fifth.status("GET", "/")), (303, 200));
    fourth.cookie = "medic=0".to_owned();
    assert_eq!(fourth.status("GET", "/"), 303);
    let (is_changed, said) = user(&medic, &["password", "alice"], Some("another good password"));
    assert!(is_changed, "{said}");
    assert_eq!(fifth.status("GET", "/"), 303, "a new password ends them");
    assert_eq!(sign_in(&medic, "alice", "another good password").status, 200);
}

#[test]
fn an_account_is_changed_and_removed_at_once_and_one_owner_stays() {
    let medic = with_two_apps();
    add(&medic, "alice", &["--role", "owner", "--email", "alice@example.org"]);
    add(&medic, "bob", &["--role", "viewer", "--app", "shop", "--app", "till"]);
    let bob = Browser::of(&medic, "bob");
    assert_eq!(bob.ask("GET", "/api/v1/apps").json().as_array().unwrap().len(), 2);
    let (_, said) = user(&medic, &["list"], None);
    assert!(said.contains("alice  owner for all apps  alice@example.org"), "{said}");
    assert!(said.contains("bob    viewer for shop, till"), "{said}");
    let (is_changed, said) = user(&medic, &["role", "bob", "--role", "operator", "--app", "till"], None);
    assert!(is_changed, "{said}");
    let apps = bob.ask("GET", "/api/v1/apps").json();
    assert_eq!((apps.as_array().unwrap().len(), apps[0]["name"].as_str()), (1, Some("till")));
    for words in [&["remove", "alice"][..], &["role", "alice", "--role", "viewer"]] {
        let (is_changed, said) = user(&medic, words, None);
        assert!(!is_changed && said.contains("is the last owner for all apps"), "{said}");
    }
    let (is_added, said) = user(&medic, &["add", "bob", "--role", "owner"], Some(PASSWORD));
    assert!(!is_added && said.contains("account \"bob\" exists"), "{said}");
    let (is_removed, said) = user(&medic, &["remove", "bob"], None);
    assert!(is_removed, "{said}");
    assert_eq!((bob.status("GET", "/api/v1/apps"), sign_in(&medic, "bob", PASSWORD).status), (401, 401));
    let (is_removed, said) = user(&medic, &["remove", "bob"], None);
    assert!(!is_removed && said.contains("account \"bob\" not found"), "{said}");
}

#[test]
fn without_a_server_the_database_is_changed() {
    let mut medic = Medic::with_shop("", "");
    assert!(medic.stop());
    assert!(user(&medic, &["list"], None).1.contains("no accounts"));
    add(&medic, "alice", &["--role", "owner"]);
    medic.start();
    assert_eq!(status(&medic, "/api/v1/apps"), 401);
    assert_eq!(Browser::of(&medic, "alice").status("GET", "/api/v1/apps"), 200);
}

#[test]
fn what_is_of_another_app_is_not_there() {
    let medic = with_two_apps();
    medic.crash("abort");
    let incident = medic.json("/api/v1/incidents")[0]["id"].as_str().unwrap().to_owned();
    add(&medic, "alice", &["--role", "owner"]);
    add(&medic, "till", &["--role", "owner", "--app", "till"]);
    add(&medic, "shop", &["--role", "viewer", "--app", "shop"]);
    let (foreign, own) = (Browser::of(&medic, "till"), Browser::of(&medic, "shop"));
    let paths = [
        "/api/v1/apps/shop".to_owned(),
        "/api/v1/apps/shop/crashes".to_owned(),
        "/apps/shop".to_owned(),
        "/apps/shop/settings".to_owned(),
        format!("/incidents/{incident}"),
        format!("/incidents/{incident}/markdown"),
        format!("/api/v1/incidents/{incident}"),
    ];
    for path in &paths {
        assert_eq!((foreign.status("GET", path), own.status("GET", path)), (404, 200), "{path}");
    }
    let state = format!("/api/v1/incidents/{incident}/state");
    let resolve = |browser: &Browser<'_>| {
        let json = [("Content-Type", "application/json")];
        browser.send("PUT", &state, &json, r#"{"state": "open"}"#).status
    };
    assert_eq!((resolve(&foreign), resolve(&own)), (404, 403));
    assert!(foreign.ask("GET", "/api/v1/incidents").json().as_array().unwrap().is_empty());
    assert_eq!(own.ask("GET", "/api/v1/incidents").json().as_array().unwrap().len(), 1);
    let (of_foreign, of_own) = (foreign.ask("GET", "/").body, own.ask("GET", "/").body);
    assert!(!of_foreign.contains("/apps/shop") && of_own.contains("/apps/shop"));
    assert!(!of_own.contains("/apps/till"));
    // pages show what the reader may do, and which role is missing
    let settings = own.ask("GET", "/apps/shop/settings").body;
    assert!(
        settings.contains("Changing settings requires the role") && !settings.contains("role=\"switch\"")
    );
    assert!(
        settings.contains("Reading the configuration requires the role") && !settings.contains("data_dir")
    );
    let overview = own.ask("GET", "/apps/shop/categories/availability-and-performance/overview").body;
    assert!(
        overview.contains("Restarting an instance requires the role") && !overview.contains("/restart\"")
    );
    let refused = own.send("POST", "/api/v1/apps/shop/instances/0/restart", &[], "");
    assert_eq!(refused.status, 403);
    assert_eq!(refused.json()["error"], "Refused: requires the role operator (your role: viewer).");
    assert_eq!(own.status("POST", "/apps/shop/instances/0/restart"), 403, "the form as the API");
    assert_eq!(own.status("GET", "/api/v1/accounts"), 403);
    assert_eq!(foreign.status("GET", "/accounts"), 403, "an owner of one app");
    assert_eq!(Browser::of(&medic, "alice").status("GET", "/accounts"), 200);
}

#[test]
fn the_form_leads_back_to_this_site_alone_and_works_without_scripts() {
    let medic = Medic::with_shop("", "");
    add(&medic, "alice", &["--role", "owner"]);
    let form = |to: &str, password: &str| {
        let body = format!("name=alice&password={}&to={to}", password.replace(' ', "+"));
        let kind = [("Content-Type", "application/x-www-form-urlencoded")];
        request(medic.address, "POST", "/sign-in", &kind, &body)
    };
    let wrong = form("/apps/shop", "wrong password");
    assert_eq!(wrong.status, 401);
    assert!(wrong.body.contains("Name or password is wrong.") && wrong.body.contains("value=\"alice\""));
    assert!(wrong.body.contains("value=\"/apps/shop\"") && !wrong.body.contains("wrong password\""));
    for (to, leads) in
        [("/apps/shop%3Fa%3Db", "/apps/shop?a=b"), ("//evil.example", "/"), ("https://evil.example", "/")]
    {
        let right = form(to, PASSWORD);
        assert_eq!(right.status, 303);
        assert!(right.head.contains(&format!("location: {leads}\r\n")), "{}", right.head);
        assert!(cookie_of(&right).is_some());
    }
    let evil = [("Content-Type", "application/x-www-form-urlencoded"), ("Origin", "http://evil.example")];
    assert_eq!(request(medic.address, "POST", "/sign-in", &evil, "name=alice").status, 403);
    let alice = Browser::of(&medic, "alice");
    let page = alice.ask("GET", "/account").body;
    assert!(
        page.contains("Sign out everywhere") && page.contains("This browser") && page.contains("127.0.0.1")
    );
    let all = alice.send("POST", "/account/sessions/end", &[evil[0]], "id=all");
    assert!(all.status == 303 && all.head.contains("location: /sign-in"), "{}", all.head);
    assert_eq!(alice.status("GET", "/account"), 303);
}
