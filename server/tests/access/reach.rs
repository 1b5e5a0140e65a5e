//! A dashboard that others can reach: its public name, the proxies that are believed, and what nobody gets by them.

use super::support::{Answer, Medic, free_address, request};
use super::{RULES, over_unix_socket, recycle, text};

const HOST: (&str, &str) = ("Host", "medic.example.com");
const HTTPS: (&str, &str) = ("X-Forwarded-Proto", "https");

fn medic(server: &str) -> Medic {
    let folder = tempfile::tempdir().unwrap();
    let config = format!(
        "[server]\nlisten = \"{}\"\n{server}\n[[app]]\nname = \"shop\"\ncommand = [\"sleep\", \"1000\"]\nlisten = \"{}\"\n",
        free_address(),
        free_address(),
    );
    std::fs::write(folder.path().join("medic.toml"), config).unwrap();
    Medic::at(folder)
}

fn get(medic: &Medic, headers: &[(&str, &str)]) -> Answer {
    request(medic.address, "GET", "/api/v1/apps", headers, "")
}

/// Nothing of what Medic knows is in it.
fn says_nothing(answer: &Answer) -> bool {
    !answer.body.contains("shop") && answer.status >= 400
}

#[test]
fn what_was_not_sent_to_medics_names_is_refused() {
    let medic = medic("public_url = \"https://medic.example.com\"\ntrusted_proxies = [\"127.0.0.1\"]");
    let hosts = [
        "evil.example",
        "evil.example:443",
        "medic.example.com.evil.example",
        "evil.example/medic.example.com",
        "medic.example.com.",
        "xmedic.example.com",
        "example.com",
        "shop.scm.medic.example.com",
        "medic.example.com:80",
        "medic.example.com:3000",
        "medic.example.com:",
        "medic.example.com:443:443",
        "medic.example.com:0443",
        "medic.example.com@evil.example",
        "evil.example@medic.example.com",
        "medic.example.com,evil.example",
        "medic.example.com evil.example",
        "medic.example.com#",
        "medic.example.com?",
        "medic.example.com\\",
        "https://medic.example.com",
        "*",
        "",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.1",
        "0.0.0.0",
        "[::]",
        "[::1",
        "10.0.0.1",
        "medic.example.com%00",
        "medic\u{2024}example.com",
    ];
    for host in hosts {
        for name in ["Host", "X-Forwarded-Host"] {
            let own = if name == "Host" { &[][..] } else { &[HOST][..] };
            let headers = [own, &[(name, host), HTTPS]].concat();
            let answer = get(&medic, &headers);
            assert!(
                [400, 403].contains(&answer.status) && says_nothing(&answer),
                "{name}: {host}: {}",
                answer.head
            );
            assert!(!answer.body.contains("No account exists"), "{name}: {host}: {}", answer.body);
        }
    }
    let forwarded = [
        ("X-Forwarded-For", ""),
        ("X-Forwarded-For", "evil"),
        ("X-Forwarded-For", "203.0.113.9,"),
        ("X-Forwarded-For", "203.0.113.9, , 10.0.0.1"),
        ("X-Forwarded-For", "203.0.113.999"),
        ("X-Forwarded-For", "2130706433"),
        ("X-Forwarded-For", "<script>"),
        ("X-Forwarded-Proto", "https,https,http"),
        ("X-Forwarded-Proto", "javascript"),
        ("X-Forwarded-Proto", ""),
        ("Forwarded", "for=203.0.113.9"),
        ("Forwarded", "proto=https"),
    ];
    for header in forwarded {
        let answer = get(&medic, &[HOST, HTTPS, header]);
        assert!(answer.status == 400 && says_nothing(&answer), "{header:?}: {}", answer.head);
        assert!(answer.json()["code"] == "invalid_forwarded", "{header:?}: {}", answer.body);
    }
    let alone = [
        "for",
        "for=",
        "for=evil.example",
        "for=\"203.0.113.9",
        "for=203.0.113.9;",
        "host=evil.example;proto=https",
        "proto=https;host=\"medic.example.com.evil.example\"",
        "for=203.0.113.9;proto=https;proto=http",
        "host=\"medic.example.com\\",
        ",",
    ];
    for value in alone {
        let answer = get(&medic, &[HOST, ("Forwarded", value)]);
        assert!([400, 403].contains(&answer.status) && says_nothing(&answer), "{value}: {}", answer.head);
        assert!(!answer.body.contains("No account exists"), "{value}: {}", answer.body);
    }
}

#[test]
fn a_page_of_another_origin_changes_nothing() {
    let medic = medic("public_url = \"https://medic.example.com\"\ntrusted_proxies = [\"127.0.0.1\"]");
    let body = recycle().to_string();
    let put = |headers: &[(&str, &str)]| {
        let headers = [&[HOST, HTTPS, ("Content-Type", "application/json")], headers].concat();
        request(medic.address, "PUT", RULES, &headers, &body).json()["code"].clone()
    };
    for origin in [
        "null",
        "",
        "https://evil.example",
        "http://medic.example.com",
        "https://medic.example.com:8443",
        "https://medic.example.com.evil.example",
        "https://medic.example.com/",
        "https://shop.scm.medic.example.com",
        "http://127.0.0.1:3000",
        "http://localhost",
        "HTTPS://medic.example.com",
        "medic.example.com",
    ] {
        assert_eq!(put(&[("Origin", origin)]), "foreign_origin", "{origin}");
    }
    for site in ["cross-site", "same-site"] {
        let headers = [("Origin", "https://medic.example.com"), ("Sec-Fetch-Site", site)];
        assert_eq!(put(&headers), "foreign_origin", "{site}");
    }
    assert_eq!(
        put(&[("Origin", "https://medic.example.com")]),
        "no_account",
        "it passes to where accounts are asked"
    );
}

#[test]
fn without_an_account_nobody_who_may_be_elsewhere_gets_anything() {
    let medic = medic("public_url = \"https://medic.example.com\"\ntrusted_proxies = [\"127.0.0.1\"]");
    let local = ("Host", "127.0.0.1:3000");
    let ways: [&[(&str, &str)]; 5] = [
        &[HOST, HTTPS],
        &[HOST, HTTPS, ("X-Forwarded-For", "203.0.113.9")],
        &[HOST, ("Forwarded", "for=203.0.113.9;proto=https")],
        &[local, HTTPS, ("X-Forwarded-For", "203.0.113.9")],
        // as a proxy sends it that says nothing of itself
        &[local],
    ];
    for headers in ways {
        for path in
            ["/", "/api/v1/apps", "/healthz", "/events", "/apps/shop", "/pkg/medic.css", "/no/such", "/s/x"]
        {
            let answer = request(medic.address, "GET", path, headers, "");
            assert!(answer.status == 403 && says_nothing(&answer), "{path} {headers:?}: {}", answer.head);
            assert!(answer.body.contains("medic user add"), "{path}: {}", answer.body);
        }
        let answer = request(medic.address, "POST", "/apps/shop/instances/0/restart", headers, "");
        assert_eq!(answer.status, 403);
    }
    let plain = get(&medic, &[HOST]);
    assert!(plain.status == 403 && plain.json()["code"] == "https_required", "{}", plain.body);
    let secure = get(&medic, &[HOST, HTTPS]).head.to_ascii_lowercase();
    assert!(secure.contains("strict-transport-security: max-age=31536000"), "{secure}");
    let local = get(&medic, &[local, HTTPS]).head.to_ascii_lowercase();
    assert!(
        !local.contains("strict-transport-security"),
        "other servers on localhost may have no https: {local}"
    );
}

#[test]
fn who_is_no_trusted_proxy_is_not_believed() {
    let medic = medic("public_url = \"https://medic.example.com\"\ntrusted_proxies = [\"127.0.0.9\"]");
    for headers in [&[HOST, HTTPS][..], &[HOST, HTTPS, ("X-Forwarded-For", "127.0.0.1")]] {
        let answer = get(&medic, headers);
        assert!(answer.status == 403 && answer.json()["code"] == "https_required", "{}", answer.body);
    }
    let proxied = get(&medic, &[("X-Forwarded-For", "127.0.0.1")]);
    assert_eq!(
        (proxied.status, proxied.json()["code"].clone()),
        (403, "no_account".into()),
        "a proxy that nobody named"
    );
    assert_eq!(get(&medic, &[]).json()["code"], "no_account", "a proxy that says nothing of itself");
    let socket = text(medic.address, "GET", "/api/v1/apps", "application/json", "");
    assert_eq!(over_unix_socket(&medic, &socket).status, 200, "this machine");
    let proxied = socket.replacen("\r\n", "\r\nX-Forwarded-For: 203.0.113.9\r\n", 1);
    assert_eq!(over_unix_socket(&medic, &proxied).status, 403);
}
