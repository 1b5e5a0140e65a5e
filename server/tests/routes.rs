//! Who may do what: every route × method × principal, as a table that a reviewer reads. A new route changes the snapshot.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::net::TcpStream;

use app::address::{ACTIONS, PAGES};
use support::people::{Browser, add};
use support::{Medic, request};

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
/// Beside what the API describes and the pages' table lists.
const OTHERS: [&str; 3] = ["/api/v1/openapi.json", "/api/v1/nothing", "/nothing"];

/// Every route, with what stands for its parts.
fn routes(document: &serde_json::Value) -> BTreeSet<String> {
    let api = document["paths"].as_object().unwrap().keys().cloned();
    let site = PAGES.iter().chain(ACTIONS).map(app::address::Address::template);
    api.chain(site).chain(OTHERS.map(str::to_owned)).collect()
}

fn filled(route: &str) -> String {
    let parts = [
        ("{app}", "shop"),
        ("{id}", "0123456789abcdef"),
        ("{instance}", "0"),
        ("{category}", "availability-and-performance"),
        ("{detector}", "application-crashes"),
        ("{restart}", "1769847400000-0-node-a"),
        ("{token}", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
        ("{name}", "nobody"),
    ];
    parts.iter().fold(route.to_owned(), |path, (part, value)| path.replace(part, value))
}

/// The status alone matters here. `/events` goes on, so its head is all that is waited for.
fn status(medic: &Medic, method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
    request(medic.address, method, path, headers, "").status
}

#[test]
fn every_route_and_method_for_every_principal() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    let foreign = [("Origin", "http://evil.example")];
    let proxied = [("X-Forwarded-For", "203.0.113.7")];
    let rebound = [("Host", "evil.example")];
    let mut table =
        String::from("method route: operator, unknown sender, another site's page, foreign host\n");
    for route in routes(&medic.json("/api/v1/openapi.json")) {
        for method in METHODS {
            let path = filled(&route);
            // a stream has no end, and a restart begins something that the next row would meet
            if (method, route.as_str()) == ("GET", "/events") {
                continue;
            }
            let asked = [&[][..], &proxied, &foreign].map(|headers| status(&medic, method, &path, headers));
            let [operator, unknown, other_site] = asked;
            let bound = status(&medic, method, &path, &rebound);
            let operator = if route.ends_with("/restart") && method == "POST" { 0 } else { operator };
            writeln!(table, "{method:6} {route}: {operator}, {unknown}, {other_site}, {bound}").unwrap();
            assert_eq!(bound, 403, "{method} {route} answers a foreign host");
            if !matches!(method, "GET") {
                // at a share link there is nothing to change, whoever asks
                let refused = if route.starts_with("/s/") { 405 } else { 403 };
                assert_eq!((unknown, other_site), (refused, refused), "{method} {route} is open");
            }
        }
    }
    insta::assert_snapshot!(table);
}

/// What comes back of a request until `end` has come: a compressed body is no text, and a stream of events never ends.
fn until(medic: &Medic, path: &str, encoding: &str, end: &str) -> String {
    let mut stream = TcpStream::connect(medic.address).unwrap();
    stream.set_read_timeout(Some(support::PATIENCE)).unwrap();
    let address = medic.address;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nAccept-Encoding: {encoding}\r\n\r\n").unwrap();
    let (mut said, mut bytes) = (String::new(), [0; 512]);
    while !said.contains(end) {
        let length = stream.read(&mut bytes).unwrap();
        assert!(length > 0, "{said}");
        said.push_str(&String::from_utf8_lossy(&bytes[..length]).to_ascii_lowercase());
    }
    said
}

#[test]
fn pages_and_json_are_compressed_and_events_are_not() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    for path in ["/apps/shop", "/api/v1/openapi.json"] {
        let said = until(&medic, path, "gzip, br", "\r\n\r\n");
        assert!(said.contains("content-encoding: gzip"), "{path}");
        assert!(!until(&medic, path, "identity", "\r\n\r\n").contains("content-encoding"), "{path}");
    }
    let events = until(&medic, "/events", "gzip", "data:");
    assert!(!events.contains("content-encoding"), "{events}");
}

/// What would sign the asking browser out, or begin something that the next row would meet.
const LEFT_OUT: [(&str, &str); 6] = [
    ("GET", "/events"),
    ("POST", "/sign-out"),
    ("DELETE", "/api/v1/session"),
    ("DELETE", "/api/v1/sessions"),
    ("POST", "/api/v1/apps/{app}/instances/{instance}/restart"),
    ("POST", "/apps/{app}/instances/{instance}/restart"),
];

#[test]
fn every_route_and_method_for_every_role_and_a_foreign_app() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    add(&medic, "everybody", &["--role", "owner"]);
    let roles = ["viewer", "operator", "service-admin", "account-admin", "owner"];
    for role in roles {
        add(&medic, role, &["--role", role, "--app", "shop"]);
    }
    add(&medic, "elsewhere", &["--role", "owner", "--app", "other"]);
    let browsers: Vec<Browser<'_>> =
        roles.iter().chain(&["everybody", "elsewhere"]).map(|name| Browser::of(&medic, name)).collect();
    let mut table =
        format!("method route: {}, owner for all, owner of another app, nobody\n", roles.join(", "));
    for route in routes(&browsers[0].ask("GET", "/api/v1/openapi.json").json()) {
        for method in METHODS.into_iter().filter(|method| !LEFT_OUT.contains(&(*method, route.as_str()))) {
            let path = filled(&route);
            let answers: Vec<u16> = browsers.iter().map(|browser| browser.status(method, &path)).collect();
            let nobody = request(medic.address, method, &path, &[], "").status;
            let texts: Vec<String> = answers.iter().map(ToString::to_string).collect();
            writeln!(table, "{method:6} {route}: {}, {nobody}", texts.join(", ")).unwrap();
            if route.contains("{app}") {
                let foreign = answers.last().unwrap();
                assert!(
                    [400, 404, 405, 415].contains(foreign),
                    "{method} {route} is there for a foreigner: {foreign}"
                );
            }
            let is_public = ["/sign-in", "/healthz"].contains(&route.as_str())
                || route.starts_with("/s/")
                || (method, route.as_str()) == ("POST", "/api/v1/session");
            assert!(is_public || [303, 401].contains(&nobody), "{method} {route} is open: {nobody}");
        }
    }
    insta::assert_snapshot!(table);
}
