//! The pages, one module an address.

mod app_home;
mod apps;
pub(crate) mod auto_heal;
mod crashes;
mod error;
mod incident;
mod incidents;
mod memory_analysis;
mod overview;
mod settings;
mod web_app_restarted;

pub(crate) use app_home::AppHomePage;
pub(crate) use apps::AppsPage;
pub(crate) use auto_heal::AutoHealPage;
pub(crate) use crashes::CrashesPage;
pub(crate) use error::{ErrorPage, NotFoundPage};
pub(crate) use incident::IncidentPage;
pub(crate) use incidents::IncidentsPage;
pub(crate) use memory_analysis::MemoryAnalysisPage;
pub(crate) use overview::OverviewPage;
pub(crate) use settings::SettingsPage;
pub(crate) use web_app_restarted::WebAppRestartedPage;
