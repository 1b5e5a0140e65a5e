//! The pages: Leptos, rendered by the server, with islands for what moves.
//!
//! Only the islands are compiled for the browser; pages, charts and the console port exist with the feature `ssr` alone, which
//! keeps the WASM small. Every page can be read and used with JavaScript off: forms are plain GETs and POSTs, and what an
//! island offers besides (filtering while typing, copying, news by itself) has a link or a form behind it.

#[expect(unreachable_pub, reason = "the component macro makes its inner function public")]
pub mod islands;

#[cfg(feature = "ssr")]
pub mod address;
#[cfg(feature = "ssr")]
pub mod answer;
#[cfg(feature = "ssr")]
mod catalog;
#[cfg(feature = "ssr")]
pub mod console;
#[cfg(feature = "ssr")]
mod incident_deploys;
#[cfg(feature = "ssr")]
pub mod markdown;
#[cfg(all(test, feature = "ssr"))]
#[path = "../../crates/insight/src/detectors/tests/nothing.rs"]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod nothing;
#[cfg(feature = "ssr")]
#[expect(unreachable_pub, reason = "the component macro makes its inner function public")]
mod pages;
#[cfg(feature = "ssr")]
#[expect(unreachable_pub, reason = "the component macro makes its inner function public")]
mod parts;
#[cfg(feature = "ssr")]
#[expect(unreachable_pub, reason = "the component macro makes its inner function public")]
mod router;
#[cfg(feature = "ssr")]
#[expect(unreachable_pub, reason = "the component macro makes its inner function public")]
pub mod shared;
#[cfg(feature = "ssr")]
#[expect(unreachable_pub, reason = "the component macro makes its inner function public")]
mod site;

#[cfg(feature = "ssr")]
pub use answer::AnswerStatus;
#[cfg(feature = "ssr")]
pub use console::{
    Action, ConfigurationLine, Console, ConsoleError, MadeShare, Person, ProactiveNumbers, Reader,
    RulesChange, SettingChanges, ShareToken, StoreFailure, ToShare, WorkerOutput,
};
#[cfg(feature = "ssr")]
pub use incident_deploys::IncidentDeploys;
#[cfg(feature = "ssr")]
pub use pages::auto_heal::{
    Command as AutoHealCommand, Draft as AutoHealDraft, List as AutoHealList, Reply as AutoHealReply,
    SentForm as AutoHealForm, Submission as AutoHealSubmission,
};
#[cfg(feature = "ssr")]
pub use pages::first_owner::FirstOwnerReply;
#[cfg(feature = "ssr")]
pub use pages::share::{LinkBase, Reply as ShareReply, Ticks as ShareTicks};
#[cfg(feature = "ssr")]
pub use pages::sign_in::SignInReply;
#[cfg(feature = "ssr")]
pub use site::{App, shell};
