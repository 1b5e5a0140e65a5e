//! The pages, one module an address.

mod account;
mod accounts;
mod app_home;
mod apps;
pub(crate) mod auto_heal;
mod detector;
pub(crate) mod first_owner;
mod incident;
mod incidents;
mod not_found;
mod output;
mod overview;
mod settings;
pub(crate) mod share;
mod shares;
pub(crate) mod sign_in;

pub(crate) use account::AccountPage;
pub(crate) use accounts::AccountsPage;
pub(crate) use app_home::AppHomePage;
pub(crate) use apps::AppsPage;
pub(crate) use auto_heal::AutoHealPage;
pub(crate) use detector::DetectorPage;
pub(crate) use first_owner::FirstOwnerPage;
pub(crate) use incident::IncidentPage;
pub(crate) use incidents::IncidentsPage;
pub(crate) use not_found::NotFoundPage;
pub(crate) use output::OutputPage;
pub(crate) use overview::OverviewPage;
pub(crate) use settings::SettingsPage;
pub(crate) use share::{ShareDetectorPage, ShareIncidentPage, ShareRestartPage};
pub(crate) use shares::SharesPage;
pub(crate) use sign_in::SignInPage;
