//! Who may change what: users of this machine, proxies on it, other sites, and the Unix socket.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "access/reach.rs"]
mod reach;
mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use support::{Answer, Medic, request};

const RULES: &str = "/api/v1/apps/shop/auto-heal";
const FORM: &str = "/apps/shop/categories/diagnostic-tools/tools/auto-heal";
/// In no way Medic's.
const NOBODY: u32 = 65_534;

fn custom_action(enabled: bool) -> Value {
    json!({"autoHealEnabled": enabled, "autoHealRules": {
        "triggers": {"privateBytesInKB": 200_000},
        "actions": {"actionType": "CustomAction", "customAction": {"exe": "/bin/true", "parameters": ""}}
    }})
}

fn recycle() -> Value {
    json!({"autoHealEnabled": true, "autoHealRules": {
        "triggers": {"privateBytesInKB": 200_000}, "actions": {"actionType": "Recycle"}
    }})
}

fn text(address: SocketAddr, method: &str, path: &str, kind: &str, body: &str) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn put(medic: &Medic, body: &Value) -> String {
    text(medic.address, "PUT", RULES, "application/json", &body.to_string())
}

/// Only root can be somebody else; continuous integration runs as root.
fn is_root() -> bool {
    Command::new("id").arg("-u").output().unwrap().stdout.trim_ascii() == b"0"
}

/// Sends `request` as [`NOBODY`]; the statuses of the answers, 0 where none came.
fn as_nobody(medic: &Medic, source: u16, mode: &str, tries: usize, request: &str) -> Vec<i32> {
    let program = lab::compile_c("imposter.c", &[]);
    let words = [NOBODY.to_string(), medic.address.port().to_string(), source.to_string()];
    let mut imposter = Command::new(program)
        .args(words)
        .args([mode, &tries.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    imposter.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = imposter.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect()
}

/// A connection of root's from a port that others may take as well, to somewhere else.
fn connection(elsewhere: &TcpListener) -> (TcpStream, TcpStream, u16) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.connect(&elsewhere.local_addr().unwrap().into()).unwrap();
    let stream = TcpStream::from(socket);
    let port = stream.local_addr().unwrap().port();
    (stream, elsewhere.accept().unwrap().0, port)
}

#[test]
fn nobody_else_saves_a_custom_action_whatever_becomes_of_the_connection() {
    if !is_root() {
        return;
    }
    let medic = Medic::with_shop("", "");
    let request = put(&medic, &custom_action(true));
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    for mode in ["keep", "half", "close", "reset"] {
        let mut answers = as_nobody(&medic, 0, mode, 60, &request);
        for _ in 0..10 {
            // root's rows in the kernel's table with the caller's address: established, being closed, closed
            let (_open, _other_end, port) = connection(&elsewhere);
            answers.extend(as_nobody(&medic, port, mode, 2, &request));
            let (closing, _other_end, port) = connection(&elsewhere);
            closing.shutdown(std::net::Shutdown::Write).unwrap();
            answers.extend(as_nobody(&medic, port, mode, 2, &request));
            let (closed, other_end, port) = connection(&elsewhere);
            drop(closed);
            drop(other_end);
            answers.extend(as_nobody(&medic, port, mode, 2, &request));
        }
        assert!(answers.iter().all(|status| [403, 0, -1].contains(status)), "{mode}: {answers:?}");
        if mode == "keep" {
            let refused = answers.iter().filter(|status| **status == 403).count();
            assert!(refused >= 100, "{answers:?}");
        }
    }
    assert_eq!(medic.json(RULES)["autoHealEnabled"], false, "nothing was saved");
    assert_eq!(as_nobody(&medic, 0, "keep", 1, &put(&medic, &recycle())), [200], "another user, and known");
}

#[test]
fn a_custom_action_is_switched_on_by_who_may_save_it() {
    if !is_root() {
        return;
    }
    let medic = Medic::with_shop("", "");
    let send = |body: &Value| {
        request(medic.address, "PUT", RULES, &[("Content-Type", "application/json")], &body.to_string())
    };
    let form = |fields: &str| text(medic.address, "POST", FORM, "application/x-www-form-urlencoded", fields);
    let nobody = |request: &str| as_nobody(&medic, 0, "keep", 1, request)[0];
    assert_eq!(send(&custom_action(false)).status, 200);
    let saved = medic.json(RULES);
    let (on, off) = (form("do=on"), form("do=off"));
    assert_eq!(nobody(&on), 403);
    assert_eq!(nobody(&put(&medic, &custom_action(true))), 403);
    assert_eq!(medic.json(RULES), saved);
    assert_eq!(send(&custom_action(true)).status, 200);
    assert_eq!(nobody(&off), 303, "off is everybody's");
    assert_eq!(medic.json(RULES), saved);
    // laid ready for somebody to choose
    let mut dormant = recycle();
    dormant["autoHealRules"]["actions"]["customAction"] = json!({"exe": "/tmp/other", "parameters": ""});
    assert_eq!(nobody(&put(&medic, &dormant)), 403);
    let web_config = r#"<configuration><system.webServer><monitoring><triggers><memory privateBytesInKB="200000"/></triggers>
        <actions value="CustomAction"><customAction exe="/bin/true"/></actions></monitoring></system.webServer></configuration>"#;
    assert_eq!(nobody(&text(medic.address, "PUT", RULES, "application/xml", web_config)), 403);
    assert_eq!(medic.json(RULES), saved);
    assert_eq!(send(&custom_action(true)).status, 200);
    assert_eq!(medic.json(RULES)["autoHealEnabled"], true);
}

#[test]
fn what_a_proxy_passes_on_may_read_and_change_nothing() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    let changes = [
        ("PUT", RULES, recycle().to_string()),
        ("PUT", "/api/v1/apps/shop/settings", "{}".to_owned()),
        ("POST", "/api/v1/apps/shop/auto-heal/resume", String::new()),
        ("POST", "/api/v1/apps/shop/instances/0/restart", String::new()),
        ("POST", "/apps/shop/settings", String::new()),
        ("POST", "/apps/shop/auto-heal/resume", String::new()),
        ("POST", "/apps/shop/instances/0/restart", String::new()),
        ("POST", FORM, "do=save".to_owned()),
        ("DELETE", "/api/v1/apps", String::new()),
    ];
    let proxies = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=203.0.113.9"),
        ("Via", "1.1 proxy"),
        ("X-Real-IP", "203.0.113.9"),
    ];
    for header in proxies {
        for (method, path, body) in &changes {
            let headers = [("Content-Type", "application/json"), header];
            let answer = request(medic.address, method, path, &headers, body);
            assert_eq!(answer.status, 403, "{method} {path} {header:?}");
            assert!(answer.body.contains("came through a proxy"), "{}", answer.body);
            if path.starts_with("/api/") {
                assert!(answer.json()["error"].is_string());
            }
        }
        for path in ["/", "/api/v1/apps", "/healthz"] {
            assert_eq!(request(medic.address, "GET", path, &[header], "").status, 200, "{path}");
        }
    }
    assert_eq!(medic.json("/api/v1/apps/shop/restarts"), json!([]));
    assert_eq!(medic.json(RULES)["autoHealEnabled"], false);
}

fn over_unix_socket(medic: &Medic, request: &str) -> Answer {
    let mut stream = UnixStream::connect(medic.data_dir().join("medic.sock")).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() }
}

#[test]
fn the_unix_socket_serves_the_same_to_medics_user() {
    let mut medic = Medic::with_shop("", "");
    let path = medic.data_dir().join("medic.sock");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let localhost = "127.0.0.1:3000".parse().unwrap();
    let json = "application/json";
    let apps = over_unix_socket(&medic, &text(localhost, "GET", "/api/v1/apps", json, ""));
    assert_eq!((apps.status, &apps.json()[0]["name"]), (200, &json!("shop")));
    let rules = custom_action(true).to_string();
    let saved = over_unix_socket(&medic, &text(localhost, "PUT", RULES, json, &rules));
    assert_eq!(saved.status, 200, "{}", saved.body);
    let proxied = text(localhost, "PUT", RULES, json, &rules).replacen("\r\n", "\r\nVia: 1.1 x\r\n", 1);
    assert_eq!(over_unix_socket(&medic, &proxied).status, 403);
    medic.kill();
    assert!(path.exists());
    medic.start();
    assert_eq!(over_unix_socket(&medic, &text(localhost, "GET", RULES, json, "")).status, 200);
    assert!(medic.stop());
    assert!(!path.exists(), "it goes with Medic");
    medic.start();
}

/// What browsers must be told whatever they asked for.
fn is_safe(answer: &Answer) -> bool {
    let head = answer.head.to_ascii_lowercase();
    let has = |line: &str| head.lines().any(|found| found.starts_with(line));
    has("x-content-type-options: nosniff")
        && has("content-security-policy: default-src 'none'")
        && has("cross-origin-resource-policy: same-origin")
}

#[test]
fn every_answer_says_what_a_browser_may_do_with_it() {
    let medic = Medic::with_shop("", "");
    let cases = [
        ("GET", "/", 200),
        ("GET", "/apps/shop/settings", 200),
        ("GET", "/no/such/page", 404),
        ("GET", "/healthz", 200),
        ("GET", "/api/v1/apps", 200),
        ("GET", "/api/v1/openapi.json", 200),
        ("GET", "/api/v1/apps/nope", 404),
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/apps/shop/crashes?x=1", 400),
        ("GET", "/incidents/0123456789abcdef/markdown", 404),
        ("PUT", "/api/v1/apps/shop/settings", 400),
        ("DELETE", "/api/v1/apps", 405),
        ("DELETE", "/", 405),
        ("TRACE", "/", 405),
        ("POST", "/healthz", 405),
        ("POST", "/apps/shop/settings", 415),
        ("POST", "/apps/%ff/settings", 400),
    ];
    for (method, path, status) in cases {
        let answer = request(medic.address, method, path, &[], "");
        assert_eq!(answer.status, status, "{method} {path}");
        assert!(is_safe(&answer), "{method} {path}: {}", answer.head);
        assert!(!answer.body.contains("unsafe-inline"));
    }
    let long = "x".repeat(100_000);
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let answer = request(medic.address, "POST", "/apps/shop/settings", &form, &long);
    assert_eq!(answer.status, 413);
    assert!(is_safe(&answer), "{}", answer.head);
    for headers in [("Host", "evil.example"), ("Host", "[::1]evil"), ("Host", "localhost:x")] {
        let answer = request(medic.address, "GET", "/", &[headers], "");
        assert!([400, 403].contains(&answer.status) && is_safe(&answer), "{headers:?}: {}", answer.head);
    }
    let twice = request(medic.address, "GET", "/", &[("Host", "localhost"), ("Host", "localhost")], "");
    assert!(twice.status == 400 && is_safe(&twice), "{}", twice.head);
    // what is no request at all
    let many = "x: y\r\n".repeat(200);
    let raw = [
        ("hello\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nHost localhost\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".to_owned(), 400),
        (format!("GET / HTTP/1.1\r\n{many}\r\n"), 431),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(65_535)), 431),
    ];
    for (text, status) in raw {
        // once as the first, once after an answer
        let asked = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", medic.address);
        for before in ["", &asked] {
            let mut stream = TcpStream::connect(medic.address).unwrap();
            stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
            stream.write_all(before.as_bytes()).unwrap();
            let mut answer = Vec::new();
            while !before.is_empty() && !answer.ends_with(b"ok\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                answer.push(byte[0]);
            }
            stream.write_all(text.as_bytes()).unwrap();
            let mut refusal = String::new();
            stream.read_to_string(&mut refusal).unwrap();
            let (head, body) = refusal.split_once("\r\n\r\n").unwrap();
            let answer =
                Answer { status: head[9..12].parse().unwrap(), head: head.to_owned(), body: body.to_owned() };
            let shown = text.chars().take(60).collect::<String>();
            assert!(answer.status == status && is_safe(&answer), "{shown}: {}", answer.head);
            assert!(answer.body.contains("send"), "{shown}: {}", answer.body);
        }
    }
    // a stream has its head at once
    let mut events = TcpStream::connect(medic.address).unwrap();
    events.set_read_timeout(Some(support::PATIENCE)).unwrap();
    write!(events, "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", medic.address).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        events.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    assert!(is_safe(&Answer { status: 200, head: head.clone(), body: String::new() }), "{head}");
}
