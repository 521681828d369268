//! The route table.

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder,
    http::header,
    web::{self, Data, Payload, ServiceConfig},
};

use crate::{
    api::{
        ENDPOINTS,
        openapi::{DOCS_PATH, SCHEMA_PATH},
    },
    edge::{metrics::Route, monitoring},
    error::ApiError,
    request::{
        context::RequestContext,
        negotiation::{RENDERERS, negotiate},
    },
    state::State,
    web::{docs, links, login, media, page, panel, path_pattern, ui::assets},
};

/// Every route.
pub(crate) fn configure(config: &mut ServiceConfig) {
    for_each_route(|path, resource| {
        config.service(resource.app_data(Route(path)));
    });
    config
        .configure(panel::routes)
        .default_service(web::to(no_such_route));
}

/// Adds every route but those of the admin panel, with its canonical path. Paths that end in a slash are also served
/// without it.
fn for_each_route(mut add: impl FnMut(&'static str, Resource)) {
    for endpoint in ENDPOINTS {
        let handler = move |state: Data<State>, http: HttpRequest, payload: Payload| {
            page::serve(endpoint, state, http, payload)
        };
        add(endpoint.path, resource(&path_pattern(endpoint.path)).to(handler));
    }
    add(SCHEMA_PATH, resource(SCHEMA_PATH).to(docs::schema));
    add(DOCS_PATH, resource(DOCS_PATH).to(docs::docs));
    add("/api-auth/login/", resource("/api-auth/login/").to(login::log_in));
    add(
        "/api-auth/logout/",
        resource("/api-auth/logout/").to(login::log_out),
    );
    for link_page in &links::PAGES {
        let handler = move |state: Data<State>, http: HttpRequest, payload: Payload| {
            links::serve(link_page, state, http, payload)
        };
        add(link_page.path, resource(link_page.path).to(handler));
    }
    add("/health/live", get("/health/live", monitoring::live));
    add("/health/ready", get("/health/ready", monitoring::ready));
    add("/metrics", get("/metrics", monitoring::metrics));
    add("/media/cars/{file}", get("/media/{path:.*}", media::serve));
    add("/static/{name}", get("/static/{name}", assets::serve));
    add("/favicon.ico", get("/favicon.ico", to_icon));
    add("/", get("/", to_api));
}

/// Returns the resource of a path, with and without the slash at its end.
fn resource(path: &str) -> Resource {
    web::resource([path, path.trim_end_matches('/')].map(str::to_owned))
}

/// Returns a resource that can only be read.
fn get<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
}

/// Returns the paths of all routes but those of the admin panel.
#[must_use]
pub fn paths() -> Vec<&'static str> {
    let mut paths = Vec::new();
    for_each_route(|path, _| paths.push(path));
    paths
}

async fn to_api() -> HttpResponse {
    redirect("/api/")
}

/// Browsers ask for the icon here, if they show something that names none, such as a picture.
async fn to_icon() -> HttpResponse {
    redirect(assets::url("icon.svg"))
}

fn redirect(path: &str) -> HttpResponse {
    HttpResponse::Found()
        .insert_header((header::LOCATION, path))
        .finish()
}

/// Responds to a path without a route: with a page to browsers below `/api/`, otherwise with JSON.
async fn no_such_route(state: Data<State>, http: HttpRequest) -> HttpResponse {
    if http.path().starts_with("/admin/") {
        return panel::no_such_page(&state, &http).await;
    }
    let error = ApiError::NotFound(crate::error::Resource::Route);
    let is_page = http.path().starts_with("/api/")
        && negotiate(&RENDERERS, &http).is_ok_and(|accepted| accepted.is_page());
    if is_page {
        page::present_error(&error, &RequestContext::new(&state, &http, true))
    } else {
        error.response()
    }
}
