//! The server: the router and the workers.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use actix_web::{
    App as Actix, HttpRequest, HttpResponse, HttpServer,
    dev::Server,
    http::header,
    middleware::from_fn,
    web::{self, Data, Payload, ServiceConfig},
};
use mycars_application::App;

use crate::{
    api::ENDPOINTS,
    blocking::Blocking,
    dispatch::{State, dispatch},
    endpoint::Endpoint,
    error::{ApiError, Missing},
    health,
    hosts::{self, AllowedHosts},
    log::{RequestIds, log},
};

/// What can be set about the server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How many threads serve requests.
    pub workers: usize,
    /// How many threads talk to the database: best as many as the pool has connections.
    pub blocking_threads: usize,
    /// The hosts that requests may name: `example.org`, `.example.org` for it and everything below it, `*`.
    pub allowed_hosts: Vec<String>,
    /// How many logins may wait for the thread that hashes passwords.
    pub password_queue: usize,
    /// How long requests may take to end once the server is told to stop, in seconds.
    pub shutdown_seconds: u64,
}

/// The largest body that is read, in bytes (wire contract, section 2).
const MAX_BODY: usize = 1024 * 1024;

/// Takes an address, before anything is served there.
///
/// # Errors
/// Those of the operating system: the address is in use, not this machine's, or not allowed.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address)
}

/// Serves `app` at an address that was taken with [`bind`]. Ends, after the requests in hand, on SIGINT and
/// SIGTERM. Must be called inside an actix runtime.
///
/// # Errors
/// Those of the operating system.
pub fn serve(app: App, settings: &Settings, listener: TcpListener) -> io::Result<Server> {
    let ids = RequestIds::new(app.random.hex(4));
    let state = Data::new(State {
        app: Arc::new(app),
        blocking: Blocking::start(settings.password_queue)?,
        max_body: MAX_BODY,
    });
    let hosts = AllowedHosts::new(&settings.allowed_hosts);
    let server = HttpServer::new(move || {
        let (ids, hosts) = (Arc::clone(&ids), hosts.clone());
        Actix::new()
            .app_data(state.clone())
            .configure(routes)
            .wrap(from_fn(move |request, next| {
                hosts::check(hosts.clone(), request, next)
            }))
            .wrap(from_fn(move |request, next| log(Arc::clone(&ids), request, next)))
    });
    Ok(server
        .workers(settings.workers)
        .worker_max_blocking_threads(settings.blocking_threads.div_ceil(settings.workers).max(1))
        .shutdown_timeout(settings.shutdown_seconds)
        .listen(listener)?
        .run())
}

/// Every route. Each endpoint is served with and without the slash at its end.
fn routes(config: &mut ServiceConfig) {
    for endpoint in ENDPOINTS {
        let with_slash = pattern(endpoint);
        let without_slash = with_slash.trim_end_matches('/').to_owned();
        let handler = move |state: Data<State>, http: HttpRequest, payload: Payload| {
            dispatch(endpoint, state, http, payload)
        };
        config.service(web::resource([with_slash, without_slash]).to(handler));
    }
    config
        .route("/health/live", web::get().to(health::live))
        .route("/health/ready", web::get().to(health::ready))
        .route("/", web::get().to(to_api))
        .default_service(web::to(no_such_route));
}

/// The path of an endpoint as the router wants it: ids are digits, anything else is no such route.
fn pattern(endpoint: &Endpoint) -> String {
    endpoint.path.replace('}', ":[0-9]+}")
}

async fn to_api() -> HttpResponse {
    HttpResponse::Found()
        .insert_header((header::LOCATION, "/api/"))
        .finish()
}

async fn no_such_route() -> HttpResponse {
    ApiError::NotFound(Missing::Route).response()
}
