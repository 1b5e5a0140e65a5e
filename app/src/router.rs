//! The pages by their addresses.

use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Route};
use leptos_router::{SsrMode, path};

use crate::address::pages;
use crate::pages::{
    AccountPage, AccountsPage, AppHomePage, AppsPage, AutoHealPage, DetectorPage, FirstOwnerPage,
    IncidentPage, IncidentsPage, NotFoundPage, OutputPage, OverviewPage, SettingsPage, ShareDetectorPage,
    ShareIncidentPage, ShareRestartPage, SharesPage, SignInPage,
};

macro_rules! routes {
    ($($name:ident: $path:tt, $title:literal, $view:ident;)*) => {
        /// Every page is rendered whole before a byte is sent: so it can be read without JavaScript, and its status is right.
        #[component]
        pub(crate) fn Pages() -> impl IntoView {
            view! {
                <FlatRoutes fallback=NotFoundPage>
                    $(<Route path=path!($path) view=$view ssr=SsrMode::Async />)*
                </FlatRoutes>
            }
        }
    };
}

pages!(routes);
