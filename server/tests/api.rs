//! The API's answers, their shapes and their refusals.

mod support;

use serde_json::{Value, json};
use support::{Medic, request};

#[test]
fn an_app_and_its_instances() {
    let medic = Medic::with_shop("", "instances = 2");
    medic.until_running();
    let mut app = medic.json("/api/v1/apps/shop");
    for instance in app["instances"].as_array_mut().unwrap() {
        for (name, stand_in) in
            [("pid", "[pid]"), ("since", "[time]"), ("started_at", "[time]"), ("port", "[port]")]
        {
            assert!(!instance[name].is_null());
            instance[name] = stand_in.into();
        }
    }
    app["listen"] = "[address]".into();
    app["verdict"]["since"] = "[time]".into();
    insta::assert_json_snapshot!(app);
    assert_eq!(medic.json("/api/v1/apps").as_array().unwrap().len(), 1);
}

#[test]
fn what_is_not_there_or_not_right_is_said() {
    let medic = Medic::with_shop("", "");
    let cases = [
        ("/api/v1/apps/nope", 404, "App \"nope\" not found."),
        ("/api/v1/apps/..%2f", 404, "invalid app name"),
        ("/api/v1/apps/nope/crashes", 404, "App \"nope\" not found."),
        ("/api/v1/apps/shop/crashes?from=noon", 400, "from: Invalid time `noon`"),
        (
            "/api/v1/apps/shop/crashes?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
            400,
            "from must be before to (got 2026-01-02T00:00:00",
        ),
        (
            "/api/v1/apps/shop/crashes?form=1",
            400,
            "Invalid query parameter \"form\". Accepted, each at most once: from, to.",
        ),
        ("/api/v1/incidents/0123456789abcdef", 404, "Incident not found."),
        ("/api/v1/incidents/x", 404, "Incident not found."),
        ("/api/v1/incidents?app=nope", 404, "App \"nope\" not found."),
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
    let changes = [
        ("PUT", "/api/v1/apps/shop/auto-heal"),
        ("POST", "/api/v1/apps/shop/auto-heal/dry-run"),
        ("POST", "/api/v1/apps/shop/auto-heal/resume"),
        ("PUT", "/api/v1/incidents/0123456789abcdef/state"),
        ("POST", "/api/v1/apps/shop/instances/0/restart"),
    ];
    for (method, path) in changes {
        for foreign in [("Origin", "http://evil.example"), ("Host", "evil.example")] {
            let headers = [("Content-Type", "application/json"), foreign];
            let status = request(medic.address, method, path, &headers, "{}").status;
            assert_eq!(status, 403, "{method} {path} {foreign:?}");
        }
    }
    assert_eq!(medic.json("/api/v1/apps/shop/auto-heal")["autoHealEnabled"], false);
    assert_eq!(request(medic.address, "GET", "/", &[("Host", "evil.example")], "").status, 403);
}

#[test]
fn an_incident_is_resolved_ignored_for_a_time_and_opened_again() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    medic.crash("exit");
    let id = medic.json("/api/v1/incidents")[0]["id"].as_str().unwrap().to_owned();
    let state = || medic.json(&format!("/api/v1/incidents/{id}"))["state"].clone();
    assert_eq!(state()["state"], "open");
    let path = format!("/api/v1/incidents/{id}/state");
    let put = |body: &Value| {
        let headers = [("Content-Type", "application/json")];
        request(medic.address, "PUT", &path, &headers, &body.to_string())
    };
    let answer = put(&json!({"state": "resolved", "fixed_in": " 4.2 "}));
    assert_eq!((answer.status, &answer.json()["state"]), (200, &state()), "{}", answer.body);
    assert_eq!((&state()["state"], &state()["fixed_in"]), (&json!("resolved"), &json!("4.2")));
    assert!(state()["resolved_by"].as_str().unwrap().contains("uid"), "{}", state());
    for wrong in [
        json!({"state": "regressed"}),
        json!({"state": "ignored"}),
        json!({"state": "ignored", "until": "2026-01-01T00:00:00Z"}),
        json!({"state": "resolved", "fixed_in": "x".repeat(201)}),
    ] {
        assert_eq!(put(&wrong).status, 400, "{wrong}");
    }
    assert_eq!(state()["state"], "resolved");
    // whoever was running then may go on crashing, and so may the same code that is started again
    medic.until_running();
    assert_eq!(put(&json!({"state": "resolved"})).status, 200);
    for _ in 0..2 {
        medic.crash("exit");
        assert_eq!(state()["state"], "resolved");
    }
    let page = format!("/incidents/{id}");
    let post = |form: &str| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        request(medic.address, "POST", &format!("{page}/state"), &headers, form).status
    };
    assert_eq!(post("decision=ignore&days=7&fixed_in="), 303);
    assert_eq!(state()["state"], "ignored");
    assert!(medic.get(&page).body.contains("Ignored until"));
    assert_eq!(post("decision=reopen"), 303);
    assert_eq!(state()["state"], "open");
    let changes = medic.json("/api/v1/apps/shop/changes");
    assert_eq!(changes.as_array().unwrap().len(), 4);
    assert_eq!(changes[0]["summary"], format!("Incident {id} reopened"));
    assert_eq!(post("decision=nothing"), 303);
    let missing = request(
        medic.address,
        "POST",
        "/incidents/0123456789abcdef/state",
        &[("Content-Type", "application/x-www-form-urlencoded")],
        "decision=reopen",
    );
    assert_eq!(missing.status, 404);
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
    assert!(refused.body.contains("Unknown setting WEBSITE_X"), "{}", refused.body);
    assert_eq!(medic.json(path)["WEBSITE_PROACTIVE_AUTOHEAL_ENABLED"], "False");
    assert_eq!(put("not json").status, 400);
    assert_eq!(put(&format!("{{\"x\": \"{}\"}}", "y".repeat(100_000))).status, 400);
}

#[test]
fn opting_out_of_proactive_auto_heal_counts_at_once_and_restarts_nothing() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    let pids = pids(&medic);
    for (value, enabled) in [("False", false), ("True", true), ("fAlSe", false)] {
        let body = json!({ "WEBSITE_PROACTIVE_AUTOHEAL_ENABLED": value }).to_string();
        let headers = [("Content-Type", "application/json")];
        assert_eq!(request(medic.address, "PUT", "/api/v1/apps/shop/settings", &headers, &body).status, 200);
        assert_eq!(medic.json("/api/v1/apps/shop")["auto_heal_enabled"], enabled, "{value}");
    }
    assert_eq!(self::pids(&medic), pids);
}

fn pids(medic: &Medic) -> Vec<Value> {
    medic.instances().iter().map(|instance| instance["pid"].clone()).collect()
}

#[test]
fn an_instance_is_restarted_by_hand_and_leaves_a_record() {
    let medic = Medic::with_shop("", "instances = 2");
    medic.until_running();
    let before = pids(&medic);
    let restarts = "/api/v1/apps/shop/restarts";
    assert_eq!(medic.json(restarts), json!([]));
    assert_eq!(medic.json("/api/v1/apps/shop/heal-events"), json!([]));
    let post = |path: &str| request(medic.address, "POST", path, &[], "");
    for path in ["shop/instances/2/restart", "shop/instances/x/restart", "nope/instances/0/restart"] {
        let answer = post(&format!("/api/v1/apps/{path}"));
        assert_eq!(answer.status, 404, "{path}: {}", answer.body);
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains("has no such instance") || error.contains("\"nope\" not found"), "{error}");
    }
    let begun = post("/api/v1/apps/shop/instances/1/restart");
    assert_eq!((begun.status, &begun.json()["index"]), (202, &json!(1)), "{}", begun.body);
    let record =
        medic.until("the restart recorded", || medic.json(restarts).as_array().unwrap().first().cloned());
    let said = (&record["instance"], &record["reason"]["kind"], &record["outcome"], &record["failed"]);
    assert_eq!(said, (&json!(1), &json!("by_hand"), &json!("done"), &json!(0)), "{record}");
    assert!(record["reason"]["by"].as_str().unwrap().contains("(uid "), "{record}");
    medic.until_running();
    let after = pids(&medic);
    assert_eq!(after[0], before[0], "the other instance is left alone");
    assert_ne!(after[1], before[1]);
    let described = &medic.json("/api/v1/openapi.json")["components"]["schemas"]["Restart"];
    assert!(described.to_string().contains("\"drained\""), "{described}");
}

#[test]
fn who_changes_something_is_recorded_and_shown() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    let headers = [("Content-Type", "application/json")];
    let send = |method: &str, path: &str, body: Value| {
        let path = format!("/api/v1/apps/shop/{path}");
        let answer = request(medic.address, method, &path, &headers, &body.to_string());
        assert_eq!(answer.status, 200, "{}", answer.body);
    };
    let off = json!({"WEBSITE_PROACTIVE_AUTOHEAL_ENABLED": false});
    let rules = json!({"autoHealEnabled": true, "autoHealRules": {
        "triggers": {"privateBytesInKB": 200_000}, "actions": {"actionType": "LogEvent"}}});
    // what is so already changes nothing
    for _ in 0..2 {
        send("PUT", "settings", off.clone());
        send("PUT", "auto-heal", rules.clone());
    }
    send("POST", "auto-heal/resume", json!({}));
    let changes = medic.until("three changes", || {
        let changes = medic.json("/api/v1/apps/shop/changes");
        (changes.as_array().unwrap().len() == 3).then_some(changes)
    });
    let said: Vec<_> =
        (0..3).map(|number| (&changes[number]["change"], &changes[number]["summary"])).collect();
    let expected = [
        ("resumed", "Restart counter reset"),
        ("rules", "Custom rules saved (enabled)"),
        ("settings", "Proactive auto-heal turned off"),
    ];
    assert_eq!(
        said,
        expected.map(|(kind, summary)| (json!(kind), json!(summary))).each_ref().map(|(a, b)| (a, b))
    );
    assert_eq!(changes[2]["settings"], json!({"auto_heal": false}));
    let id = |what| {
        let said = std::process::Command::new("id").arg(what).output().unwrap().stdout;
        String::from_utf8(said).unwrap().trim().to_owned()
    };
    let by = format!("{} (uid {})", id("-un"), id("-u"));
    for change in changes.as_array().unwrap() {
        assert_eq!((&change["by"], &change["app"]), (&json!(by), &json!("shop")), "{change}");
    }
    let history = medic.get("/apps/shop/categories/diagnostic-tools/tools/auto-heal?tab=history").body;
    for (_, summary) in expected {
        assert!(history.contains(summary), "{summary}");
    }
    assert!(history.contains(&by));
    let settings = medic.get("/apps/shop/settings").body;
    assert!(settings.contains("Proactive auto-heal turned off") && settings.contains(&by), "{settings}");
    assert_eq!(medic.get("/api/v1/apps/nope/changes").status, 404);
    let described = &medic.json("/api/v1/openapi.json")["components"]["schemas"]["ChangeRecord"];
    assert!(described.to_string().contains("\"summary\""), "{described}");
}

#[test]
fn what_does_not_run_or_is_being_restarted_cannot_be_restarted() {
    let sleeper = ["sleep".into(), "1000".into()];
    let medic = Medic::with_command(&sleeper, "", "");
    let post =
        |medic: &Medic| request(medic.address, "POST", "/api/v1/apps/shop/instances/0/restart", &[], "");
    let refused = post(&medic);
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(refused.body.contains("it is not running (state: "), "{}", refused.body);
    // The second worker of this one is never warm, so that its restart is under way until it is given up.
    let once = format!("[ -e once ] && exec sleep 1000; touch once; exec {}", lab::shop().display());
    let medic = Medic::with_command(&["sh".into(), "-c".into(), once.into()], "", "");
    medic.until_running();
    assert_eq!(post(&medic).status, 202);
    let refused = post(&medic);
    assert_eq!(refused.status, 409, "{}", refused.body);
    assert!(refused.body.contains("a restart is in progress since"), "{}", refused.body);
}

#[test]
fn a_fuse_that_is_whole_is_armed_again_too() {
    let medic = Medic::with_shop("", "");
    medic.until_running();
    let fuse = &medic.json("/api/v1/apps/shop/auto-heal/status")["fuse"];
    assert_eq!((&fuse["state"], &fuse["limit"], &fuse["restarts"]), (&json!("armed"), &json!(3), &json!(0)));
    let resume =
        |app: &str| request(medic.address, "POST", &format!("/api/v1/apps/{app}/auto-heal/resume"), &[], "");
    let resumed = resume("shop");
    assert_eq!((resumed.status, resumed.json()), (200, json!({"was_paused": false})));
    assert_eq!(resume("nope").status, 404);
    assert_eq!(medic.get("/api/v1/apps/nope/auto-heal/status").status, 404);
}

#[test]
fn the_description_is_served_and_covers_what_is_sent() {
    let medic = Medic::with_shop("", "");
    let document = medic.json("/api/v1/openapi.json");
    let schemas = &document["components"]["schemas"];
    let sent = |value: &Value, name: &str| {
        for field in value.as_object().unwrap().keys() {
            assert!(
                is_described(schemas, &schemas[name], field),
                "{field} of {name} is sent and not described"
            );
        }
    };
    let app = &medic.json("/api/v1/apps")[0];
    sent(app, "AppBody");
    sent(&app["instances"][0], "InstanceBody");
    medic.until_running();
    let heal = medic.json("/api/v1/apps/shop/auto-heal/status");
    sent(&heal, "AppHeal");
    sent(&heal["instances"][0]["status"]["readings"][0], "Reading");
    assert!(schemas["Restart"]["allOf"].is_array() && schemas["HealEvent"]["allOf"].is_array());
}

/// A field of a schema, or of what it is put together from.
fn is_described(schemas: &Value, schema: &Value, field: &str) -> bool {
    let parts = ["allOf", "oneOf"].into_iter().filter_map(|list| schema[list].as_array()).flatten();
    let named = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()).map(|name| &schemas[name]);
    !schema["properties"][field].is_null()
        || parts.chain(named).any(|part| is_described(schemas, part, field))
}
