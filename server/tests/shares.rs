//! Share links on a real server: made by whoever may, read by whoever has one, counted, revoked, and the same nothing for everybody else.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};
use support::{Answer, Medic, request};

const BROWSER: [(&str, &str); 2] = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36"),
    ("Sec-Fetch-Mode", "navigate"),
];

fn post(medic: &Medic, path: &str, body: &Value) -> Answer {
    request(medic.address, "POST", path, &[("Content-Type", "application/json")], &body.to_string())
}

/// The path of a link that is made so.
fn link(medic: &Medic, path: &str, body: &Value) -> (String, String) {
    let answer = post(medic, path, body);
    assert_eq!(answer.status, 201, "{path}: {}", answer.body);
    let made = answer.json();
    let own = format!("http://{}", medic.address);
    let path = made["url"].as_str().unwrap().strip_prefix(&own).unwrap().to_owned();
    assert_eq!(path.strip_prefix("/s/").unwrap().len(), 43, "{path}");
    (path, made["id"].as_str().unwrap().to_owned())
}

fn crashed() -> (Medic, String) {
    let medic = Medic::with_shop("", "");
    medic.crash("exit/3");
    let id = medic.json("/api/v1/incidents")[0]["id"].as_str().unwrap().to_owned();
    (medic, id)
}

fn shares(medic: &Medic) -> Vec<Value> {
    medic.json("/api/v1/shares").as_array().unwrap().clone()
}

/// Without what differs from answer to answer.
fn head(answer: &Answer) -> String {
    let lines = answer.head.lines().filter(|line| !line.to_lowercase().starts_with("date:"));
    lines.collect::<Vec<_>>().join("\n").to_lowercase()
}

#[test]
fn a_link_is_made_opened_counted_and_revoked() {
    let (medic, incident) = crashed();
    let (path, id) = link(&medic, &format!("/api/v1/incidents/{incident}/shares"), &json!({}));
    let page = request(medic.address, "GET", &path, &BROWSER, "");
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("1 crash with exit code 3"), "{}", page.body);
    let told = head(&page);
    for header in [
        "content-type: text/html; charset=utf-8",
        "referrer-policy: no-referrer",
        "x-robots-tag: noindex, nofollow, noarchive",
        "cache-control: private, no-store",
        "x-content-type-options: nosniff",
        "cross-origin-opener-policy: same-origin",
        "content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ] {
        assert_eq!(told.matches(header).count(), 1, "{header} in {told}");
    }
    assert!(!told.contains("set-cookie"), "{told}");
    // the program's name, which is not its app's
    let page_without = page.body.replace("lab-shop", "");
    assert!(!page_without.contains("shop") && !page.body.contains("<script"), "{}", page.body);
    // a reader who is signed in, or comes from elsewhere, sees what a stranger sees
    let with = [
        BROWSER[0],
        BROWSER[1],
        ("Cookie", "a=b"),
        ("Origin", "http://evil.example"),
        ("X-Forwarded-For", "203.0.113.7"),
    ];
    assert_eq!(request(medic.address, "GET", &path, &with, "").body, page.body);
    let (looked, text) =
        (request(medic.address, "HEAD", &path, &[], ""), medic.get(&format!("{path}/markdown")));
    assert_eq!((looked.status, &*looked.body), (200, ""));
    assert!(text.body.starts_with("# `1 crash with exit code 3`"), "{}", text.body);
    assert!(head(&text).contains("content-type: text/plain; charset=utf-8"), "{}", text.head);
    for agent in ["Slackbot-LinkExpanding 1.0", "Mozilla/5.0 (compatible; Discordbot/2.0)", "curl/8"] {
        let answer = request(medic.address, "GET", &path, &[("User-Agent", agent), BROWSER[1]], "");
        assert_eq!(answer.status, 200, "{agent}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        assert_eq!(request(medic.address, method, &path, &[], "").status, 405, "{method}");
    }
    let listed = shares(&medic);
    assert_eq!(listed.len(), 1);
    let expected = json!({"by_people": 2, "by_programs": 5});
    assert_eq!(listed[0]["opened"]["by_people"], expected["by_people"], "{listed:?}");
    assert_eq!(listed[0]["opened"]["by_programs"], expected["by_programs"], "{listed:?}");
    assert_eq!((&listed[0]["id"], &listed[0]["state"]), (&json!(id), &json!("active")));
    assert_eq!(listed[0]["incident"], json!(incident));
    assert!(listed[0]["made_by"].as_str().unwrap().contains("uid"), "{listed:?}");
    let token = path.strip_prefix("/s/").unwrap();
    let listing = format!("{}{}", medic.get("/shares").body, medic.get("/api/v1/shares").body);
    assert!(!listing.contains(token) && listing.contains("1 crash with exit code 3"), "{listing}");

    let ended = request(medic.address, "DELETE", &format!("/api/v1/shares/{id}"), &[], "");
    assert_eq!((ended.status, &*ended.body), (204, ""));
    let gone = medic.get(&path);
    assert_eq!(gone.status, 404);
    assert_eq!(shares(&medic)[0]["state"], "revoked");
    // nobody can tell a link that was from one that never was
    let never = format!("/s/{}", "A".repeat(43));
    for other in [&*never, "/s/x", "/s/..%2f..", "/s/a/b/c", "/s/x/markdown"] {
        let answer = medic.get(other);
        assert_eq!(
            (answer.status, head(&answer), answer.body),
            (404, head(&gone), gone.body.clone()),
            "{other}"
        );
    }
    assert!(!medic.log().contains(token), "{}", medic.log());
    let again = request(medic.address, "DELETE", &format!("/api/v1/shares/{id}"), &[], "");
    assert_eq!(again.status, 204, "it has ended");
    let unknown = request(medic.address, "DELETE", "/api/v1/shares/0123456789abcdef", &[], "");
    assert_eq!(unknown.status, 404, "{}", unknown.body);
}

#[test]
fn what_cannot_be_shared_is_refused_with_the_reason() {
    let (medic, incident) = crashed();
    let path = format!("/api/v1/incidents/{incident}/shares");
    for (body, says) in [
        (json!({"expires_in": "59m"}), "expires_in must be 1h to 90d (got 59 min)."),
        (json!({"expires_in": "91d"}), "expires_in must be 1h to 90d (got 91 d)."),
        (json!({"expires_in": "soon"}), "expires_in: invalid duration \"soon\". Use 1h to 90d."),
        (
            json!({"include": ["paths", "users"]}),
            "include: unknown value \"users\". Accepted: app, hosts, paths.",
        ),
        (json!({"expires": "7d"}), "expires"),
    ] {
        let answer = post(&medic, &path, &body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.body);
        assert!(answer.json()["error"].as_str().unwrap().contains(says), "{body}: {}", answer.body);
    }
    let detectors = "/api/v1/apps/shop/detectors";
    for (path, status) in [
        ("/api/v1/incidents/ffffffffffffffff/shares".to_owned(), 404),
        ("/api/v1/incidents/x/shares".to_owned(), 404),
        (format!("{detectors}/process-full-list/shares"), 400),
        (format!("{detectors}/nothing/shares"), 404),
        (
            format!("{detectors}/memory-analysis/shares?from=2026-01-01T00:00:00Z&to=2026-01-03T00:00:00Z"),
            400,
        ),
        ("/api/v1/apps/other/detectors/memory-analysis/shares".to_owned(), 404),
        ("/api/v1/apps/shop/restarts/1-0-nowhere/shares".to_owned(), 404),
        ("/api/v1/apps/shop/restarts/x/shares".to_owned(), 404),
    ] {
        let answer = post(&medic, &path, &json!({}));
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
    }
    // a page of another site makes none, and neither does who came through a proxy
    for header in [
        ("Origin", "http://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("X-Forwarded-For", "203.0.113.7"),
    ] {
        let headers = [("Content-Type", "application/json"), header];
        assert_eq!(request(medic.address, "POST", &path, &headers, "{}").status, 403, "{header:?}");
    }
    assert_eq!(shares(&medic), Vec::<Value>::new());
}

#[test]
fn reports_and_restarts_are_shared_for_as_long_as_is_asked() {
    let medic = Medic::with_shop("", "");
    medic.crash("exit/3");
    medic.until_running();
    assert_eq!(post(&medic, "/api/v1/apps/shop/instances/0/restart", &json!({})).status, 202);
    let restart = medic.until("the restart recorded", || {
        medic.json("/api/v1/apps/shop/restarts")[0]["id"].as_str().map(str::to_owned)
    });
    let restart = format!("/api/v1/apps/shop/restarts/{restart}/shares");
    let (page, _) = link(&medic, &restart, &json!({"expires_in": "1h", "include": ["app"]}));
    let body = medic.get(&page).body;
    assert!(body.contains("Restart of instance node-1/0: Manual restart") && body.contains("shop"), "{body}");
    assert!(!body.contains("uid"), "{body}");
    for (detector, says) in [
        ("application-crashes", "1 crash with exit code 3"),
        ("web-app-restarted", "1 manual restart"),
        ("memory-analysis", "Memory over time by instance"),
    ] {
        let (page, _) = link(&medic, &format!("/api/v1/apps/shop/detectors/{detector}/shares"), &json!({}));
        let body = medic.get(&page).body.replace("lab-shop", "");
        assert!(body.contains(says) && !body.contains("shop"), "{detector}: {body}");
        let address = medic.address.to_string();
        assert!(!body.contains(&address), "{detector}: {body}");
    }
    let listed = shares(&medic);
    let time = |value: &Value| value.as_str().unwrap().parse::<model::Timestamp>().unwrap();
    let lasts = |share: &Value| time(&share["expires_at"]).since(time(&share["made_at"])).as_secs() / 3_600;
    assert_eq!(listed.iter().map(lasts).collect::<Vec<_>>(), [168, 168, 168, 1]);
    assert_eq!(medic.json("/api/v1/shares?app=shop").as_array().unwrap().len(), 4);
    assert_eq!(medic.get("/api/v1/shares?app=other").status, 404);
}

#[test]
fn a_link_never_outlives_what_it_shows() {
    let medic = Medic::with_shop("[database]\nretention = \"2h\"\n", "");
    medic.crash("exit/3");
    let incident = medic.json("/api/v1/incidents")[0]["id"].as_str().unwrap().to_owned();
    let (_, _) = link(&medic, &format!("/api/v1/incidents/{incident}/shares"), &json!({"expires_in": "90d"}));
    let listed = shares(&medic).remove(0);
    let time = |value: &Value| value.as_str().unwrap().parse::<model::Timestamp>().unwrap();
    let lasts = time(&listed["expires_at"]).since(time(&listed["made_at"]));
    assert!(lasts <= std::time::Duration::from_hours(2), "{listed}");
}

#[test]
fn the_form_makes_a_link_only_of_what_was_previewed() {
    let (medic, incident) = crashed();
    let page = format!("/incidents/{incident}/share");
    let form = |body: &str| {
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        request(medic.address, "POST", &page, &[kind], body)
    };
    let preview = medic.get(&page).body;
    assert!(preview.contains("name=\"shown\" value=\"000\"") && preview.contains("1 crash with exit code 3"));
    let unseen = form("shown=000&hosts=yes&expires_in=1d");
    assert_eq!(unseen.status, 409, "{}", unseen.body);
    assert!(unseen.body.contains("No link was created yet") && unseen.body.contains("value=\"010\""));
    assert_eq!(shares(&medic), Vec::<Value>::new());
    let made = form("shown=010&hosts=yes&expires_in=1d");
    assert_eq!(made.status, 201, "{}", made.body);
    let link = made.body.split("data-copy-text=\"").nth(1).unwrap().split('"').next().unwrap();
    let path = link.strip_prefix(&format!("http://{}", medic.address)).unwrap();
    assert_eq!(medic.get(path).status, 200);
    assert!(made.body.contains("works on this machine only"), "{}", made.body);
    let listed = shares(&medic).remove(0);
    assert_eq!(listed["included"], json!({"app": false, "hosts": true, "paths": false}));
    let id = listed["id"].as_str().unwrap();
    let revoked = request(medic.address, "POST", &format!("/shares/{id}/revoke"), &[], "");
    assert_eq!(revoked.status, 303, "{}", revoked.body);
    assert!(revoked.head.contains("/shares?revoked=yes"), "{}", revoked.head);
    assert_eq!(medic.get(path).status, 404);
    for (nothing, status) in [("/incidents/ffffffffffffffff/share", 404), ("/incidents/x/share", 404)] {
        assert_eq!(medic.get(nothing).status, status, "{nothing}");
    }
}

#[test]
fn links_of_an_app_that_is_not_configured_open_no_more() {
    let (medic, incident) = crashed();
    let (path, _) = link(&medic, &format!("/api/v1/incidents/{incident}/shares"), &json!({}));
    assert_eq!(medic.get(&path).status, 200);
    medic.edit(|config| config.replacen("name = \"shop\"", "name = \"other\"", 1));
    medic.signal("HUP");
    medic.until_said("configuration reloaded");
    assert_eq!(medic.get(&path).status, 404);
}

#[test]
fn who_guesses_is_held_up_and_who_has_a_link_is_not() {
    let (medic, incident) = crashed();
    let (path, _) = link(&medic, &format!("/api/v1/incidents/{incident}/shares"), &json!({}));
    let guesses: Vec<u16> = (0..60).map(|number| medic.get(&format!("/s/{number:043}")).status).collect();
    assert_eq!(guesses[..30], [404; 30]);
    assert!(
        guesses.contains(&429) && guesses.iter().all(|status| [404, 429].contains(status)),
        "{guesses:?}"
    );
    assert_eq!(medic.get(&path).status, 200);
}

#[test]
fn by_the_unix_socket_a_link_has_the_dashboards_address() {
    let (medic, incident) = crashed();
    let mut socket = UnixStream::connect(medic.data_dir().join("medic.sock")).unwrap();
    write!(
        socket,
        "POST /api/v1/incidents/{incident}/shares HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: 2\r\nConnection: close\r\n\r\n{{}}"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(answer.contains(&format!("\"url\":\"http://{}/s/", medic.address)), "{answer}");
}
