//! The pages over HTTP: which address answers with which page of [`app`], the site's files, and what a browser is told about
//! them. Nothing here knows the store: pages ask the console.
//!
//! Who may ask at all (host, origin, size of a body) is decided before a request comes here.

mod assets;
mod auto_heal_form;
mod incident_form;
mod incident_markdown;
mod sessions_form;
mod settings_form;
mod share_form;
mod sign_in_form;

use crate::console::Consoles;
use crate::http::asked::console_of;
use crate::http::link;
use app::{AnswerStatus, App, address, shell};
use axum::Router;
use axum::body::Body;
use axum::extract::{FromRef, Request};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use leptos::config::LeptosOptions;
use leptos::prelude::{expect_context, provide_context, use_context};
use leptos_axum::{LeptosRoutes, ResponseOptions, generate_route_list, render_app_async_with_context};

/// What the forms are answered with.
#[derive(Clone)]
struct Site {
    consoles: Consoles,
    options: LeptosOptions,
}

impl FromRef<Site> for Consoles {
    fn from_ref(site: &Site) -> Self {
        site.consoles.clone()
    }
}

impl Site {
    /// The page that the form was sent to, with what came of it in its context; `status` says whether it was taken.
    async fn show_again<Came>(&self, mut parts: Parts, came: Came, status: u16) -> Response
    where
        Came: Clone + Send + Sync + 'static,
    {
        // The body has been read, and a page is rendered as if it were asked for.
        parts.method = Method::GET;
        let consoles = self.consoles.clone();
        let context = move || {
            provide_page_context(&consoles);
            provide_context(came.clone());
        };
        let options = self.options.clone();
        let document = move || shell(options.clone());
        let request = Request::from_parts(parts, Body::empty());
        let mut answer = render_app_async_with_context(context, document)(request).await;
        if answer.status() == StatusCode::OK {
            *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        }
        answer
    }
}

/// All pages and the site's files; whatever else is asked for gets the page that says so, with 404.
pub(super) fn router(consoles: Consoles) -> Router {
    let options = LeptosOptions::builder()
        .output_name(assets::output_name())
        .site_pkg_dir(assets::PACKAGE_FOLDER)
        .build();
    let context = {
        let consoles = consoles.clone();
        move || provide_page_context(&consoles)
    };
    let document = {
        let options = options.clone();
        move || shell(options.clone())
    };
    let not_found = {
        let (context, document) = (context.clone(), document.clone());
        move |request: Request| not_found(request, context.clone(), document.clone())
    };
    let own = Router::new()
        .route(&address::SETTINGS.template(), post(settings_form::save))
        .route(&address::AUTO_HEAL.template(), post(auto_heal_form::submit))
        .route(&address::RESTART.template(), post(auto_heal_form::restart))
        .route(&address::RESUME_PROACTIVE_RULES.template(), post(auto_heal_form::resume))
        .route(&address::INCIDENT_STATE.template(), post(incident_form::submit))
        .route(&address::SHARE_INCIDENT.template(), post(share_form::incident))
        .route(&address::SHARE_DETECTOR.template(), post(share_form::report))
        .route(&address::SHARE_RESTART.template(), post(share_form::restart))
        .route(&address::REVOKE_SHARE.template(), post(share_form::revoke))
        .route(&address::INCIDENT_MARKDOWN.template(), get(incident_markdown::show))
        .route(&address::SIGN_IN.template(), post(sign_in_form::submit))
        .route(&address::FIRST_OWNER.template(), post(sign_in_form::add_first_owner))
        .route(&address::SIGN_OUT.template(), post(sign_in_form::sign_out))
        .route(&address::END_SESSIONS.template(), post(sessions_form::end))
        .with_state(Site { consoles, options: options.clone() });
    Router::new()
        .leptos_routes_with_context(&options, generate_route_list(App), context, document)
        .with_state(options)
        .merge(own)
        .fallback(not_found)
}

/// Whoever sent a form may not do that, and why.
fn forbidden(why: &str) -> Response {
    (StatusCode::FORBIDDEN, format!("{why}\n")).into_response()
}

/// What every page finds in its context: the console of whoever asks, among others.
fn provide_page_context(consoles: &Consoles) {
    if let Some(parts) = use_context::<Parts>() {
        provide_context(link::base(&parts));
        if let Some(console) = console_of(&parts, consoles) {
            provide_context(console);
        }
    }
    let response = expect_context::<ResponseOptions>();
    crate::http::headers::add_page_headers(&response);
    provide_context(AnswerStatus::new(move |status| {
        response.set_status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR));
    }));
}

/// Where the site's one style sheet is.
pub(super) fn style() -> String {
    format!("/{}/{}.css", assets::PACKAGE_FOLDER, assets::output_name())
}

/// A file of the site, or the page that says that there is nothing here.
async fn not_found<View>(
    request: Request,
    context: impl Fn() + Clone + Send + Sync + 'static,
    document: impl Fn() -> View + Clone + Send + Sync + 'static,
) -> Response
where
    View: leptos::IntoView + 'static,
{
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    if let Some(answer) = assets::answer(request.uri().path(), request.headers()) {
        return answer;
    }
    render_app_async_with_context(context, document)(request).await
}
