//! The API's answers, their shapes and their refusals.

mod support;

use support::{Medic, request};

#[test]
fn an_app_and_its_instances() {
    let medic = Medic::with_shop("", "instances = 2");
    medic.until_running();
    let mut app = medic.json("/api/v1/apps/shop");
    for instance in app["instances"].as_array_mut().unwrap() {
        for (name, stand_in) in [("pid", "[pid]"), ("since", "[time]"), ("port", "[port]")] {
            assert!(!instance[name].is_null());
            instance[name] = stand_in.into();
        }
    }
    app["listen"] = "[address]".into();
    insta::assert_json_snapshot!(app);
    assert_eq!(medic.json("/api/v1/apps").as_array().unwrap().len(), 1);
}

#[test]
fn what_is_not_there_or_not_right_is_said() {
    let medic = Medic::with_shop("", "");
    let cases = [
        ("/api/v1/apps/nope", 404, "there is no app named `nope`"),
        ("/api/v1/apps/..%2f", 404, "is no app name"),
        ("/api/v1/apps/nope/crashes", 404, "there is no app"),
        ("/api/v1/apps/shop/crashes?from=noon", 400, "`from`: `noon` is no time"),
        (
            "/api/v1/apps/shop/crashes?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
            400,
            "must lie before",
        ),
        ("/api/v1/apps/shop/crashes?form=1", 400, "form"),
        ("/api/v1/incidents/0123456789abcdef", 404, "no such incident"),
        ("/api/v1/incidents/x", 404, "no such incident"),
        ("/api/v1/incidents?app=nope", 404, "there is no app"),
        ("/api/v1/nothing", 404, "openapi.json"),
    ];
    for (path, status, words) in cases {
        let answer = medic.get(path);
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains(words), "{path}: {error}");
    }
}

#[test]
fn another_site_can_neither_change_nor_read_anything() {
    let medic = Medic::with_shop("", "");
    let host = medic.address.to_string();
    let put = |headers: &[(&str, &str)]| {
        let headers: Vec<_> = [&[("Content-Type", "application/json")], headers].concat();
        request(medic.address, "PUT", "/api/v1/apps/shop/settings", &headers, "{}").status
    };
    assert_eq!(put(&[]), 200);
    assert_eq!(put(&[("Origin", &format!("http://{host}"))]), 200);
    assert_eq!(put(&[("Origin", "http://evil.example")]), 403);
    assert_eq!(put(&[("Sec-Fetch-Site", "cross-site")]), 403);
    assert_eq!(put(&[("Host", "evil.example")]), 403);
    assert_eq!(request(medic.address, "GET", "/", &[("Host", "evil.example")], "").status, 403);
}

#[test]
fn settings_are_read_as_they_are_obeyed_and_saved_whole_or_not_at_all() {
    let medic = Medic::with_shop("", "");
    let path = "/api/v1/apps/shop/settings";
    let put = |body: &str| request(medic.address, "PUT", path, &[("Content-Type", "application/json")], body);
    assert_eq!(medic.json(path)["WEBSITE_PROACTIVE_AUTOHEAL_ENABLED"], "True");
    assert_eq!(
        put("{\"WEBSITE_PROACTIVE_AUTOHEAL_ENABLED\": \"False\"}").json()["WEBSITE_PROACTIVE_AUTOHEAL_ENABLED"],
        "False"
    );
    let refused = put("{\"WEBSITE_PROACTIVE_AUTOHEAL_ENABLED\": true, \"WEBSITE_X\": \"1\"}");
    assert_eq!(refused.status, 400);
    assert!(refused.body.contains("`WEBSITE_X` is no setting"), "{}", refused.body);
    assert_eq!(medic.json(path)["WEBSITE_PROACTIVE_AUTOHEAL_ENABLED"], "False");
    assert_eq!(put("not json").status, 400);
    assert_eq!(put(&format!("{{\"x\": \"{}\"}}", "y".repeat(100_000))).status, 400);
}

#[test]
fn the_description_is_served_and_covers_what_is_sent() {
    let medic = Medic::with_shop("", "");
    let document = medic.json("/api/v1/openapi.json");
    let described = &document["components"]["schemas"]["AppStatus"]["properties"];
    for name in medic.json("/api/v1/apps")[0].as_object().unwrap().keys() {
        assert!(described.get(name).is_some(), "{name} is sent and not described");
    }
}
