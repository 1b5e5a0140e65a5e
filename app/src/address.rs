//! Every address of the dashboard, one row each. A page is a row of [`pages!`]: its path, its title and its view; the links and
//! the forms are made from it here, the router in `crate::router`. What is answered by something else than a page (a form's
//! button, an incident as Markdown) is a row below.

use std::fmt::Display;

use insight::detector::Detector;
use model::auto_heal::restart::RestartKey;
use model::share::ShareId;
use model::{AppName, IncidentId};

/// A path with names for its parts (`/apps/:app`), and the title of what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    path: &'static str,
    /// As it stands in headings and links; empty for what is no page.
    pub title: &'static str,
}

impl Address {
    /// The path with its parts in braces (`/apps/{app}`), as HTTP servers and OpenAPI write it.
    pub fn template(&self) -> String {
        let part =
            |part: &str| part.strip_prefix(':').map_or_else(|| part.to_owned(), |name| format!("{{{name}}}"));
        self.path.split('/').map(part).collect::<Vec<_>>().join("/")
    }

    /// Does this path lead here?
    pub fn matches(&self, path: &str) -> bool {
        let (mut parts, mut given) = (self.path.split('/'), path.split('/'));
        let fits = |part: &str| given.next().is_some_and(|given| part.starts_with(':') || part == given);
        parts.all(fits) && given.next().is_none()
    }

    /// Of this app.
    pub fn of_app(&self, app: &AppName) -> String {
        self.with(&[app])
    }

    /// Of this incident.
    pub fn of_incident(&self, id: &IncidentId) -> String {
        self.with(&[id])
    }

    /// Of this instance of an app.
    pub fn of_instance(&self, app: &AppName, instance: u16) -> String {
        self.with(&[app, &instance])
    }

    /// Of this detector of an app.
    pub fn of_detector(&self, app: &AppName, detector: &Detector) -> String {
        self.with(&[app, &detector.category.id(), &detector.id])
    }

    /// Of this restart of an app.
    pub fn of_restart(&self, app: &AppName, restart: &RestartKey) -> String {
        self.with(&[app, restart])
    }

    /// Of this share link.
    pub fn of_share(&self, id: &ShareId) -> String {
        self.with(&[id])
    }

    /// Of whoever has this share link's token.
    pub fn of_token(&self, token: &str) -> String {
        self.with(&[&token])
    }

    /// The path with these values for its parts, in their order.
    fn with(&self, values: &[&dyn Display]) -> String {
        let mut values = values.iter();
        let mut fill = |part: &str| match part.strip_prefix(':').and_then(|_| values.next()) {
            Some(value) => value.to_string(),
            None => part.to_owned(),
        };
        let parts: Vec<String> = self.path.split('/').map(&mut fill).collect();
        parts.join("/")
    }
}

/// The pages, for the macro that takes every row: `NAME: path, title, view;`. The view is only named here: whoever makes the
/// routes knows the views, and this table knows nobody.
macro_rules! pages {
    ($rows:ident) => {
        $rows! {
            APPS: "/", "Apps", AppsPage;
            APP_HOME: "/apps/:app", "Diagnose and solve problems", AppHomePage;
            OVERVIEW: "/apps/:app/categories/availability-and-performance/overview", "Overview", OverviewPage;
            DETECTOR: "/apps/:app/categories/:category/detectors/:detector", "Detector", DetectorPage;
            AUTO_HEAL: "/apps/:app/categories/diagnostic-tools/tools/auto-heal", "Auto-heal", AutoHealPage;
            INCIDENTS: "/apps/:app/incidents", "Incidents", IncidentsPage;
            OUTPUT: "/apps/:app/instances/:instance/output", "Output", OutputPage;
            SETTINGS: "/apps/:app/settings", "Settings", SettingsPage;
            INCIDENT: "/incidents/:id", "Incident", IncidentPage;
            SHARE_INCIDENT: "/incidents/:id/share", "Share incident", ShareIncidentPage;
            SHARE_DETECTOR: "/apps/:app/categories/:category/detectors/:detector/share", "Share report", ShareDetectorPage;
            SHARE_RESTART: "/apps/:app/restarts/:restart/share", "Share restart", ShareRestartPage;
            SHARES: "/shares", "Share links", SharesPage;
            SIGN_IN: "/sign-in", "Sign in", SignInPage;
            FIRST_OWNER: "/first-owner", "First owner", FirstOwnerPage;
            ACCOUNT: "/account", "Your account", AccountPage;
            ACCOUNTS: "/accounts", "Accounts", AccountsPage;
        }
    };
}
pub(crate) use pages;

macro_rules! addresses {
    ($($name:ident: $path:literal, $title:literal, $view:ident;)*) => {
        $(pub const $name: Address = Address { path: $path, title: $title };)*

        /// Every page.
        pub const PAGES: &[Address] = &[$($name),*];
    };
}

pages!(addresses);

/// An incident as Markdown.
pub const INCIDENT_MARKDOWN: Address = Address { path: "/incidents/:id/markdown", title: "" };
/// `POST`: an incident is resolved, ignored for a time, or opened again.
pub const INCIDENT_STATE: Address = Address { path: "/incidents/:id/state", title: "" };
/// What a share link shows: a snapshot, for whoever has the link.
pub const SHARED: Address = Address { path: "/s/:token", title: "" };
/// The same as Markdown.
pub const SHARED_MARKDOWN: Address = Address { path: "/s/:token/markdown", title: "" };
/// `POST`: a share link is revoked.
pub const REVOKE_SHARE: Address = Address { path: "/shares/:id/revoke", title: "" };
/// `POST`: a graceful restart of one instance.
pub const RESTART: Address = Address { path: "/apps/:app/instances/:instance/restart", title: "" };
/// `POST`: the proactive rules go on after too many restarts.
pub const RESUME_PROACTIVE_RULES: Address = Address { path: "/apps/:app/auto-heal/resume", title: "" };
/// The user's rules, by the API.
pub const AUTO_HEAL_API: Address = Address { path: "/api/v1/apps/:app/auto-heal", title: "" };

/// The last lines of an instance's output, by the API.
pub const OUTPUT_API: Address = Address { path: "/api/v1/apps/:app/instances/:instance/output", title: "" };

/// `POST`: ends the session of the browser that asks.
pub const SIGN_OUT: Address = Address { path: "/sign-out", title: "" };
/// `POST`: ends one session of the account, or all.
pub const END_SESSIONS: Address = Address { path: "/account/sessions/end", title: "" };
/// Signing in and out, by the API.
pub const SESSION_API: Address = Address { path: "/api/v1/session", title: "" };

/// Tells open pages that something changed.
pub const EVENTS: Address = Address { path: "/events", title: "" };
/// Whether Medic itself is well, for whatever watches it.
pub const HEALTH: Address = Address { path: "/healthz", title: "" };

/// What is answered by something else than a page.
pub const ACTIONS: &[Address] = &[
    INCIDENT_MARKDOWN,
    INCIDENT_STATE,
    SHARED,
    SHARED_MARKDOWN,
    REVOKE_SHARE,
    RESTART,
    RESUME_PROACTIVE_RULES,
    SIGN_OUT,
    END_SESSIONS,
    EVENTS,
    HEALTH,
];

/// The page to sign in on, which leads back to a page.
pub fn sign_in_and_back_to(page: &str) -> String {
    if page == APPS.path {
        return SIGN_IN.path.to_owned();
    }
    let hex = |digit: u8| char::from(b"0123456789ABCDEF"[usize::from(digit)]);
    let mut address = format!("{}?to=", SIGN_IN.path);
    for byte in page.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            address.push(char::from(byte));
        } else {
            address.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    address
}

/// A text as a path and query of this site that a sign-in may lead to; anything else leads to the start.
pub fn own_page(text: &str) -> &str {
    const LONGEST: usize = 2_000;
    let is_own = text.len() <= LONGEST
        && text.starts_with('/')
        && !text.starts_with("//")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && ![SIGN_IN.path, FIRST_OWNER.path, SIGN_OUT.path].iter().any(|path| text.starts_with(path));
    if is_own { text } else { APPS.path }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn an_address_holds_what_it_was_given() {
        let app: AppName = "shop".parse().unwrap();
        assert_eq!(RESTART.of_instance(&app, 3), "/apps/shop/instances/3/restart");
        assert_eq!(APP_HOME.of_app(&app), "/apps/shop");
        assert_eq!(RESTART.template(), "/apps/{app}/instances/{instance}/restart");
        assert_eq!(APPS.template(), "/");
        assert!(OUTPUT.matches(&OUTPUT.of_instance(&app, 3)));
        for other in [
            "/apps/shop/instances/3/output/",
            "/apps/shop/instances/3",
            "/apps/shop/instances/3/restart",
            "/",
        ] {
            assert!(!OUTPUT.matches(other), "{other}");
        }
    }

    #[test]
    fn a_sign_in_leads_back_to_pages_of_this_site_alone() {
        for own in ["/", "/apps/shop?a=b&c=%20#x", "/incidents/0123456789abcdef"] {
            assert_eq!(own_page(own), own);
        }
        let foreign = [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "/a\r\nSet-Cookie: a=b",
            "/ä",
            "/sign-in?to=/",
            "/first-owner",
            " /",
        ];
        for text in foreign {
            assert_eq!(own_page(text), "/", "{text:?}");
        }
        assert_eq!(own_page(&format!("/{}", "a".repeat(2_000))), "/");
        assert_eq!(sign_in_and_back_to("/"), "/sign-in");
        assert_eq!(sign_in_and_back_to("/apps/shop?a=b&c"), "/sign-in?to=/apps/shop%3Fa%3Db%26c");
    }

    #[test]
    fn no_two_pages_share_a_path_or_a_title() {
        let paths: BTreeSet<_> = PAGES.iter().map(|page| page.path).collect();
        let titles: BTreeSet<_> = PAGES.iter().map(|page| page.title).collect();
        assert_eq!((paths.len(), titles.len()), (PAGES.len(), PAGES.len()));
    }
}
