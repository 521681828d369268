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
    safety,
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
            .wrap(safety::headers())
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

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{Ipv4Addr, TcpStream},
        sync::mpsc,
        thread,
    };

    use actix_web::{dev::ServerHandle, rt::System};
    use mycars_application::mocks::Mocks;

    use super::*;

    /// A server on a port of its own; stopped when it is dropped.
    struct Running {
        address: SocketAddr,
        handle: ServerHandle,
    }

    impl Drop for Running {
        fn drop(&mut self) {
            // The command is on its way with the call; nobody needs to wait for its end.
            drop(self.handle.stop(false));
        }
    }

    fn settings() -> Settings {
        Settings {
            workers: 1,
            blocking_threads: 1,
            allowed_hosts: vec!["localhost".into()],
            password_queue: 1,
            shutdown_seconds: 1,
        }
    }

    fn start(mut mocks: Mocks, settings: Settings) -> Running {
        mocks.random.expect_hex().return_const("0000");
        let listener = bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = listener.local_addr().unwrap();
        let (started, is_started) = mpsc::channel();
        thread::spawn(move || {
            System::new().block_on(async move {
                let server = serve(mocks.into_app().0, &settings, listener).unwrap();
                started.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        let handle = is_started.recv().unwrap();
        Running { address, handle }
    }

    impl Running {
        /// The whole answer to a request without a body: its method and path, and further headers.
        fn ask(&self, line: &str, headers: &[&str]) -> String {
            let line = format!("{line} HTTP/1.1");
            let mut lines = vec![line.as_str(), "Connection: close"];
            if !headers.iter().any(|header| header.starts_with("Host:")) {
                lines.push("Host: localhost");
            }
            lines.extend(headers);
            lines.extend(["", ""]);
            let mut stream = TcpStream::connect(self.address).unwrap();
            stream.write_all(lines.join("\r\n").as_bytes()).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        }
    }

    fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
        answer
            .lines()
            .take_while(|line| !line.is_empty())
            .filter_map(|line| line.split_once(": "))
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    #[test]
    fn every_answer_tells_browsers_to_be_careful() {
        let server = start(Mocks::new(), settings());
        for (request, host) in [
            ("GET /api/", "Host: localhost"),
            ("GET /api/cars/", "Host: localhost"),
            ("GET /health/live", "Host: localhost"),
            ("GET /nothing", "Host: localhost"),
            ("GET /api/", "Host: evil.example"),
        ] {
            let answer = server.ask(request, &[host]);
            for (name, value) in [
                ("X-Frame-Options", "DENY"),
                ("X-Content-Type-Options", "nosniff"),
                ("Referrer-Policy", "same-origin"),
                ("Cross-Origin-Opener-Policy", "same-origin"),
            ] {
                assert_eq!(header(&answer, name), Some(value), "{request}: {answer}");
            }
        }
    }

    #[test]
    fn no_answer_of_the_api_is_kept_by_browsers() {
        let server = start(Mocks::new(), settings());
        for request in ["GET /api/", "GET /api/me/", "POST /api/token/"] {
            let answer = server.ask(request, &[]);
            assert_eq!(header(&answer, "Cache-Control"), Some("no-store"), "{answer}");
        }
    }
}
