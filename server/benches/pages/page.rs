//! What is asked for.

/// The app in whose name everything is recorded.
pub(crate) const APP: &str = "shop";

/// A page or an operation of the API.
pub(crate) struct Page {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    /// Rules to be tried, which are sent with the request.
    pub(crate) body: Option<&'static str>,
    /// What stands in the answer only where everything was found.
    pub(crate) expected: &'static str,
    /// How long it waits on purpose, which is not the server's time.
    pub(crate) waits_ms: u32,
    /// It shows a day, so the goals hold for it.
    pub(crate) has_goal: bool,
}

const fn page(name: &'static str, path: &'static str, expected: &'static str) -> Page {
    Page { name, path, body: None, expected, waits_ms: 0, has_goal: true }
}

/// Without a goal: each row of the answer is all that is recorded of a crash or a restart.
const fn list(name: &'static str, path: &'static str, expected: &'static str) -> Page {
    Page { has_goal: false, ..page(name, path, expected) }
}

const fn dry_run(name: &'static str, body: &'static str) -> Page {
    let path = "/api/v1/apps/shop/auto-heal/dry-run";
    Page { body: Some(body), ..page(name, path, "\"conditions\"") }
}

pub(crate) const PAGES: &[Page] = &[
    page(
        "Application Crashes",
        "/apps/shop/categories/availability-and-performance/detectors/application-crashes",
        "total_of_cart_",
    ),
    page(
        "Memory Analysis",
        "/apps/shop/categories/availability-and-performance/detectors/memory-analysis",
        "restarts because of memory",
    ),
    page(
        "Web App Restarted",
        "/apps/shop/categories/availability-and-performance/detectors/web-app-restarted",
        "restarts by rule Private bytes",
    ),
    Page {
        // it looks at the processes twice
        waits_ms: 500,
        ..page(
            "Process Full List",
            "/apps/shop/categories/availability-and-performance/detectors/process-full-list",
            "lab-shop",
        )
    },
    page(
        "Overview",
        "/apps/shop/categories/availability-and-performance/overview",
        "in the last 24 hours, of",
    ),
    page("Apps", "/", "Latest incident"),
    page("Diagnose and solve", "/apps/shop", "crashes"),
    page("Incidents", "/apps/shop/incidents", "total_of_cart_"),
    page("Incident", "/incidents/0000000000000010", "total_of_cart_"),
    list(
        "Auto-heal history",
        "/apps/shop/categories/diagnostic-tools/tools/auto-heal?tab=history",
        "Private bytes",
    ),
    page("Settings", "/apps/shop/settings", "Effective configuration"),
    page("API: Application Crashes", "/api/v1/apps/shop/detectors/application-crashes", "total_of_cart_"),
    page("API: Memory Analysis", "/api/v1/apps/shop/detectors/memory-analysis", "restarts because of memory"),
    page(
        "API: Web App Restarted",
        "/api/v1/apps/shop/detectors/web-app-restarted",
        "restarts by rule Private bytes",
    ),
    list("API: 1,000 incidents", "/api/v1/incidents?app=shop", "total_of_cart_"),
    list("API: 1,000 crashes", "/api/v1/apps/shop/crashes", "total_of_cart_"),
    list("API: 1,000 restarts", "/api/v1/apps/shop/restarts", "private_bytes"),
    dry_run(
        "API: dry run, statuses",
        r#"{"autoHealRules": {"triggers": {"statusCodesRange": [{"statusCodes": "400-499", "count": 90, "timeInterval": "00:05:00"}]},
        "actions": {"actionType": "LogEvent"}}}"#,
    ),
    dry_run(
        "API: dry run, slow requests",
        r#"{"autoHealRules": {"triggers": {"slowRequests": {"timeTaken": "00:00:10", "count": 90, "timeInterval": "00:05:00"}},
        "actions": {"actionType": "LogEvent"}}}"#,
    ),
];
