//! The server: workers, middleware, and the state that handlers share.

use std::{io, net::SocketAddr, pin::pin, rc::Rc, sync::Arc, time::Duration};

use actix_http::{HttpService, Protocol};
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{
    IntoServiceFactory as _, Service as _, ServiceFactory, ServiceFactoryExt as _, fn_factory, fn_service,
    map_config,
};
use actix_web::{
    App as Actix, Error,
    dev::AppConfig,
    middleware::from_fn,
    rt::net::{TcpStream, UnixStream},
    web::Data,
};
use futures_util::future::{Either, select};
use mycars_application::{App, ports::SharedRates};
#[cfg(unix)]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::time::timeout;

use crate::{
    edge::{
        address_rate,
        allowed_hosts::{self, AllowedHosts},
        client_addr::{Encrypted, Networks, TrustedProxies, peer_address},
        compression,
        connections::{Connection, ConnectionLimits, Connections},
        cors::{self, AllowedOrigins, RefusedOrigins},
        metrics::{JobMetrics, Metrics},
        payload,
        readiness::{MAX_AGE, Readiness},
        request_id::RequestIds,
        request_log::log,
        security_headers::{self, page_policy, strict_transport_security},
        sockets::{Listener, Stream},
        timeouts,
        tls::Tls,
    },
    request::{
        body::budget::BodyBudget,
        pools::{PoolSizes, WorkerPools},
        query::ListSettings,
        throttle::{Limits, Throttles},
    },
    routes,
    state::{State, TraceHooks},
};

/// The settings of the server.
#[derive(Clone)]
pub struct Settings {
    /// Number of threads that serve requests.
    pub workers: usize,
    /// The sizes of the worker pools.
    pub pools: PoolSizes,
    /// Allowed hosts: `example.org`, `.example.org` for it and its subdomains, `*` for all.
    pub allowed_hosts: Vec<String>,
    /// Page sizes of lists.
    pub lists: ListSettings,
    /// Origins with scripts that may read responses.
    pub allowed_origins: AllowedOrigins,
    /// Traces of requests; `None` if they are off.
    pub traces: Option<TraceHooks>,
    /// TLS of the server itself.
    pub tls: Option<Tls>,
    /// Proxies that may set forwarding headers.
    pub trusted_proxies: TrustedProxies,
    /// Time for which browsers remember to use HTTPS alone, in seconds; 0 for none.
    pub hsts_seconds: u64,
    /// Scheme, host and port of the store that clients get pictures from, unless this server sends them.
    pub image_origin: Option<String>,
    /// Networks that may read the metrics.
    pub metrics_for: Networks,
    /// Limits of requests; `None` for no limits.
    pub throttle: Option<Limits>,
    /// The counts that all servers share; `None` if each server counts for itself.
    pub shared_rates: Option<Arc<dyn SharedRates>>,
    /// Results of the recurring jobs, for the metrics.
    pub jobs: JobMetrics,
    /// Time for requests to end when the server is stopped, in seconds.
    pub shutdown_seconds: u64,
    /// Maximum number of open connections; further ones wait until another is closed.
    pub max_connections: usize,
    /// Maximum number of open connections of one address, except proxies and this machine; 0 if there is none.
    pub max_connections_per_address: usize,
    /// The time after which a connection is closed if the client neither completes a request nor reads a response.
    pub stall: Duration,
    /// Maximum number of bytes that the bodies of all requests take together, beyond the first 64 KiB of each.
    pub max_body_memory: usize,
}

/// Maximum size of a body, in bytes (wire contract, section 2).
const MAX_BODY: usize = 1024 * 1024;

/// Maximum size of a body that may hold a picture, in bytes.
const MAX_UPLOAD: usize = 8 * 1024 * 1024;

/// Number of threads of each worker that read pictures from the disk, in small pieces.
const FILE_THREADS: usize = 4;

/// Number of open files beside connections: of the database, pictures and the program itself.
#[cfg(unix)]
const OTHER_FILES: u64 = 256;

/// Serves `app` at an address that was bound with [`bind`](crate::bind). On SIGINT and SIGTERM, ends after the current requests.
/// Must be called inside an actix runtime.
///
/// # Errors
/// Those of the operating system.
pub fn serve(app: App, settings: &Settings, listener: Listener) -> io::Result<Server> {
    let ids = RequestIds::new(app.random.hex(4));
    let state = Data::new(state(app, settings)?);
    let (hosts, connections) = (state.hosts.clone(), state.connections.clone());
    let origins = settings.allowed_origins.clone();
    let refused = Arc::new(RefusedOrigins::default());
    let stall = settings.stall;
    let linger = timeouts::LINGER.min(stall);
    let app = move || {
        let (ids, hosts) = (Arc::clone(&ids), hosts.clone());
        let (watched, counted, restricted) = (state.clone(), state.clone(), state.clone());
        let (allowed, refused) = (origins.clone(), Arc::clone(&refused));
        Actix::new()
            .app_data(state.clone())
            .configure(routes::configure)
            .wrap(from_fn(compression::compress))
            .wrap(from_fn(move |request, next| {
                address_rate::check(counted.clone(), request, next)
            }))
            .wrap(origins.middleware())
            .wrap(from_fn(move |request, next| {
                cors::around(allowed.clone(), Arc::clone(&refused), request, next)
            }))
            .wrap(from_fn(move |request, next| {
                allowed_hosts::check(hosts.clone(), request, next)
            }))
            .wrap(from_fn(move |request, next| {
                security_headers::add(restricted.clone(), request, next)
            }))
            .wrap(from_fn(move |request, next| {
                log(Arc::clone(&ids), watched.clone(), request, next)
            }))
            .wrap(from_fn(move |request, next| {
                payload::bound(linger, request, next)
            }))
    };
    #[cfg(unix)]
    raise_file_limit(settings.max_connections);
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let stops = stopping.clone();
    let http = move || {
        let stopping = stops.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .client_request_timeout(timeouts::HEAD)
            .keep_alive(timeouts::NEXT_REQUEST)
            .client_disconnect_timeout(linger)
            // The end of a client's bytes is the end of the client: most that send it have closed the connection, and
            // their work would delay others'.
            .h1_allow_half_closed(false)
            .on_connect_ext(|connection: &Connection, data| {
                data.insert(Rc::clone(&connection.activity));
                if connection.is_encrypted {
                    data.insert(Encrypted);
                }
            });
        let app = app()
            .into_factory()
            .map_err(|error: Error| error.error_response());
        http.finish(map_config(app, |()| AppConfig::default()))
    };
    let builder = builder
        .workers(settings.workers)
        .worker_max_blocking_threads(FILE_THREADS)
        .max_concurrent_connections(settings.max_connections.div_ceil(settings.workers))
        .shutdown_timeout(settings.shutdown_seconds);
    let gate = Gate {
        connections,
        tls: settings.tls.clone(),
        stall,
        stopping,
    };
    let builder = match listener {
        Listener::Tcp(listener) => builder.listen("http", listener, move || {
            let peer = |stream: &TcpStream| {
                // Otherwise the last piece of a response waits until the client has acknowledged the others, 40 ms.
                stream.set_nodelay(true).ok();
                stream.peer_addr().map(Some)
            };
            accept(http(), gate.clone(), peer)
        }),
        Listener::Unix(listener) => builder.listen_uds("http", listener, move || {
            let peer = |_: &UnixStream| Ok(None);
            accept(http(), gate.clone(), peer)
        }),
    };
    Ok(builder?.run())
}

/// A connection for the HTTP library, its protocol, and the address of the client.
type Accepted = (Connection, Protocol, Option<SocketAddr>);

/// The limits of connections, and their TLS.
#[derive(Clone)]
struct Gate {
    connections: Connections,
    tls: Option<Tls>,
    stall: Duration,
    stopping: GracefulShutdownSignal,
}

impl Gate {
    /// Counts a connection, and completes its TLS handshake. Returns `None` if its address has too many connections, if
    /// the client is too slow or has no TLS, or if the server stops.
    async fn admit<S: Stream + 'static>(&self, stream: S, peer: Option<SocketAddr>) -> Option<Connection> {
        let connection = self.connections.admit(stream, peer_address(peer))?;
        let Some(tls) = &self.tls else {
            return Some(connection.boxed());
        };
        let handshake = timeout(timeouts::HANDSHAKE.min(self.stall), connection.encrypted(tls));
        match select(pin!(handshake), pin!(self.stopping.notified())).await {
            Either::Left((Ok(Ok(connection)), _)) => Some(connection),
            Either::Left((Ok(Err(error)), _)) => {
                tracing::debug!(address = %peer_address(peer), %error, "TLS handshake failed");
                None
            }
            Either::Left((Err(_), _)) | Either::Right(_) => None,
        }
    }
}

/// Serves the connections of one kind of socket within their limits. `peer` returns the address of the client.
fn accept<S, H>(
    http: H,
    gate: Gate,
    peer: fn(&S) -> io::Result<Option<SocketAddr>>,
) -> impl ServiceFactory<S, Config = (), Response = (), Error = H::Error, InitError = H::InitError>
where
    S: Stream + 'static,
    H: ServiceFactory<Accepted, Config = ()>,
    H::Service: 'static,
{
    fn_factory(move || {
        let (starting, gate) = (http.new_service(()), gate.clone());
        async move {
            let http = Rc::new(starting.await?);
            Ok(fn_service(move |stream: S| {
                let (http, gate) = (Rc::clone(&http), gate.clone());
                async move {
                    // An error means that the client has closed the connection.
                    if let Ok(peer) = peer(&stream)
                        && let Some(connection) = gate.admit(stream, peer).await
                    {
                        let activity = Rc::clone(&connection.activity);
                        let served = http.call((connection, Protocol::Http1, peer));
                        select(pin!(served), pin!(activity.stalled(gate.stall))).await;
                    }
                    Ok(())
                }
            }))
        }
    })
}

/// Returns the state that all requests share, and starts the threads that it has.
fn state(app: App, settings: &Settings) -> io::Result<State> {
    let app = Arc::new(app);
    let pools = WorkerPools::start(settings.pools)?;
    Ok(State {
        readiness: Readiness::start(Arc::clone(&app), MAX_AGE)?,
        app,
        lists: settings.lists,
        proxies: settings.trusted_proxies.clone(),
        origins: settings.allowed_origins.clone(),
        metrics: Metrics::new(&settings.jobs, pools.waits()),
        pools,
        metrics_for: settings.metrics_for.clone(),
        hosts: AllowedHosts::new(&settings.allowed_hosts),
        strict_transport_security: strict_transport_security(settings.hsts_seconds),
        page_policy: settings.image_origin.as_deref().and_then(page_policy),
        throttles: settings
            .throttle
            .as_ref()
            .map(|limits| Throttles::new(limits).sharing(settings.shared_rates.clone())),
        max_body: MAX_BODY,
        max_upload: MAX_UPLOAD,
        bodies: BodyBudget::new(settings.max_body_memory),
        connections: connections(settings),
        traces: settings.traces,
    })
}

/// Counts the connections of each address, by the networks that the throttles count.
fn connections(settings: &Settings) -> Connections {
    let throttle = settings.throttle.as_ref();
    let ipv6_prefix = throttle.map_or(Limits::IPV6_PREFIX, |limits| limits.ipv6_prefix);
    let limits = ConnectionLimits {
        all: settings.max_connections,
        per_address: settings.max_connections_per_address,
    };
    Connections::new(limits, ipv6_prefix, settings.trusted_proxies.clone())
}

/// Raises the limit of open files so that it allows this number of connections, as far as the system permits.
#[cfg(unix)]
fn raise_file_limit(connections: usize) {
    // Each connection may upload or receive a file.
    let wanted = OTHER_FILES + 2 * connections as u64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= wanted) {
        return;
    }
    let allowed = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let current = Some(allowed);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current, ..limit }) {
        tracing::warn!(%error, "could not raise the limit of open files to {allowed}");
    } else if allowed < wanted {
        tracing::warn!(
            "{connections} connections need {wanted} open files, but the system allows only {allowed}"
        );
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
        sync::mpsc,
        thread,
    };

    use actix_web::{dev::ServerHandle, rt::System};
    use mycars_application::{mocks::Mocks, ports::Undecodable};

    use super::*;
    use crate::{Rate, api::dispatch::tests::with_ann, request::throttle::tests::limits, web::ui::assets};

    /// A server on its own port, stopped on drop.
    struct Running {
        address: SocketAddr,
        handle: ServerHandle,
    }

    impl Drop for Running {
        fn drop(&mut self) {
            // The call sends the command; no test needs its result.
            drop(self.handle.stop(false));
        }
    }

    fn settings() -> Settings {
        Settings {
            lists: ListSettings::default(),
            workers: 1,
            pools: PoolSizes::SMALLEST,
            allowed_hosts: vec!["localhost".into()],
            allowed_origins: AllowedOrigins::Local,
            traces: None,
            tls: None,
            trusted_proxies: TrustedProxies::new(&["127.0.0.1".into()]).unwrap(),
            hsts_seconds: 3600,
            image_origin: None,
            metrics_for: Networks::default(),
            throttle: None,
            shared_rates: None,
            jobs: JobMetrics::default(),
            shutdown_seconds: 1,
            max_connections: 100,
            max_connections_per_address: 0,
            stall: Duration::from_secs(30),
            max_body_memory: 0,
        }
    }

    fn start(mut mocks: Mocks, settings: Settings) -> Running {
        mocks.random.expect_hex().return_const("0000");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (started, is_started) = mpsc::channel();
        thread::spawn(move || {
            System::new().block_on(async move {
                let server = serve(mocks.into_app().0, &settings, Listener::Tcp(listener)).unwrap();
                started.send(server.handle()).unwrap();
                server.await.unwrap();
            });
        });
        let handle = is_started.recv().unwrap();
        Running { address, handle }
    }

    impl Running {
        /// Sends a request without a body: its method and path, and further headers. Returns the whole response.
        fn ask(&self, line: &str, headers: &[&str]) -> String {
            self.ask_by("HTTP/1.1", line, headers)
        }

        /// The same, by this version of HTTP.
        fn ask_by(&self, version: &str, line: &str, headers: &[&str]) -> String {
            let line = format!("{line} {version}");
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
    fn every_response_has_security_headers() {
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

    const RESTRICTED: &str = "default-src 'none'; frame-ancestors 'none'; sandbox";

    #[test]
    fn response_that_is_no_page_may_run_nothing() {
        let server = start(Mocks::new(), settings());
        let icon = assets::url("icon.svg");
        for (path, accept, status_code) in [
            ("/api/", "*/*", "200"),
            ("/api/cars/", "*/*", "401"),
            ("/api/schema/", "*/*", "200"),
            ("/nothing", "text/html", "404"),
            ("/health/live", "text/html", "200"),
            ("/favicon.ico", "*/*", "302"),
            (icon, "*/*", "200"),
        ] {
            let answer = server.ask(&format!("GET {path}"), &[&format!("Accept: {accept}")]);
            assert_eq!(status(&answer), status_code, "{answer}");
            assert_eq!(
                header(&answer, "Content-Security-Policy"),
                Some(RESTRICTED),
                "{path}"
            );
            assert_eq!(
                header(&answer, "X-Content-Type-Options"),
                Some("nosniff"),
                "{path}"
            );
        }
        for path in ["/api/", "/api-auth/login/", "/api/docs/", "/api/cars/"] {
            let page = server.ask(&format!("GET {path}"), &["Accept: text/html"]);
            let policy = header(&page, "Content-Security-Policy").unwrap();
            assert!(
                policy.contains("script-src 'self'") && !policy.contains("sandbox"),
                "{path}"
            );
        }
    }

    #[test]
    fn strict_transport_security_is_for_clients_that_use_https() {
        let server = start(Mocks::new(), settings());
        let without = start(
            Mocks::new(),
            Settings {
                hsts_seconds: 0,
                ..settings()
            },
        );
        let untrusted = start(
            Mocks::new(),
            Settings {
                trusted_proxies: TrustedProxies::default(),
                ..settings()
            },
        );
        for path in [
            "/api/",
            "/api/cars/",
            "/api-auth/login/",
            "/nothing",
            "/health/live",
        ] {
            for (server, scheme, expected) in [
                (&server, "https", Some("max-age=3600")),
                (&server, "http", None),
                (&without, "https", None),
                (&untrusted, "https", None),
            ] {
                let answer = server.ask(&format!("GET {path}"), &[&format!("X-Forwarded-Proto: {scheme}")]);
                assert_eq!(
                    header(&answer, "Strict-Transport-Security"),
                    expected,
                    "{path} {scheme}"
                );
            }
            let plain = server.ask(&format!("GET {path}"), &[]);
            assert_eq!(header(&plain, "Strict-Transport-Security"), None, "{path}");
        }
    }

    #[test]
    fn favicon_ico_leads_to_the_icon_of_the_pages() {
        let server = start(Mocks::new(), settings());
        for method in ["GET", "HEAD"] {
            let answer = server.ask(&format!("{method} /favicon.ico"), &[]);
            assert_eq!(status(&answer), "302", "{answer}");
            let icon = server.ask(&format!("{method} {}", header(&answer, "Location").unwrap()), &[]);
            assert_eq!(status(&icon), "200", "{icon}");
            assert_eq!(header(&icon, "Content-Type"), Some("image/svg+xml"));
        }
    }

    #[test]
    fn absolute_urls_have_the_scheme_of_the_trusted_proxy() {
        let server = start(Mocks::new(), settings());
        let answer = server.ask("GET /api/", &["X-Forwarded-Proto: https"]);
        assert!(
            answer.contains(r#""register":"https://localhost/api/register/""#),
            "{answer}"
        );
    }

    fn status(answer: &str) -> &str {
        answer.split(' ').nth(1).unwrap()
    }

    #[test]
    fn requests_beyond_a_rate_are_told_to_wait() {
        let server = start_with(&Limits {
            login: once(),
            register: once(),
            refresh: once(),
            address: plenty(),
            ..limits()
        });
        for path in ["/api/token/", "/api/token/refresh/", "/api/register/"] {
            let line = format!("POST {path}");
            assert_eq!(status(&server.ask(&line, &[])), "400");
            let answer = server.ask(&line, &[]);
            assert_eq!(status(&answer), "429", "{answer}");
            assert_eq!(header(&answer, "Retry-After"), Some("3600"));
            assert!(
                answer
                    .ends_with(r#"{"detail":"Request was throttled. Expected available in 3600 seconds."}"#)
            );
            assert_eq!(status(&server.ask(&line, &["X-Forwarded-For: 192.0.2.7"])), "400");
        }
        for _ in 0..2 {
            assert_eq!(status(&server.ask("GET /api/me/", &[])), "401");
            assert_eq!(status(&server.ask("GET /health/ready", &[])), "200");
        }
    }

    fn once() -> Rate {
        "1/hour".parse().unwrap()
    }

    fn plenty() -> Rate {
        "1000/s".parse().unwrap()
    }

    /// A server without tokens and sessions.
    fn start_with(limits: &Limits) -> Running {
        let mut mocks = Mocks::new();
        mocks.tokens.expect_decode().returning(|_| Err(Undecodable));
        mocks.unit.sessions.expect_find().returning(|_| Ok(None));
        start(
            mocks,
            Settings {
                throttle: Some(*limits),
                ..settings()
            },
        )
    }

    #[test]
    fn made_up_credentials_do_not_skip_the_rate_of_an_address() {
        for made_up in [
            "Cookie: sessionid=x",
            "Authorization: Bearer x",
            "Authorization: Basic x",
        ] {
            let server = start_with(&Limits {
                register: once(),
                address: plenty(),
                ..limits()
            });
            server.ask("POST /api/register/", &[made_up]);
            let answer = server.ask("POST /api/register/", &[made_up]);
            assert_eq!(status(&answer), "429", "{made_up}: {answer}");
        }
    }

    #[test]
    fn every_path_but_monitoring_counts_to_the_rate_of_its_address() {
        for line in [
            "GET /",
            "GET /api/me/",
            "GET /api/schema/",
            "GET /api/docs/",
            "GET /api-auth/login/",
            "POST /api-auth/logout/",
            "GET /admin/",
            "GET /admin/login/",
            "GET /admin/nothing/",
            "GET /media/cars/nothing.jpg",
            "GET /static/nothing.css",
            "GET /nothing",
        ] {
            let server = start_with(&Limits {
                address: once(),
                ..limits()
            });
            assert_ne!(status(&server.ask(line, &[])), "429", "{line}");
            let answer = server.ask(line, &["Origin: http://localhost:3000"]);
            assert_eq!(status(&answer), "429", "{line}: {answer}");
            assert!(
                header(&answer, "Access-Control-Allow-Origin").is_some(),
                "{answer}"
            );
            let other = ["X-Forwarded-For: 192.0.2.7"];
            assert_ne!(status(&server.ask(line, &other)), "429", "{line}");
            assert_eq!(status(&server.ask("GET /health/live", &[])), "200");
        }
    }

    #[test]
    fn refusals_are_in_the_metrics_by_rate_and_by_pool() {
        let server = start(
            Mocks::new(),
            Settings {
                throttle: Some(Limits {
                    register: once(),
                    ..limits()
                }),
                trusted_proxies: TrustedProxies::default(),
                metrics_for: Networks::new(&["127.0.0.1".into()]).unwrap(),
                ..settings()
            },
        );
        for _ in 0..3 {
            server.ask("POST /api/register/", &[]);
        }
        let metrics = server.ask("GET /metrics", &[]);
        for line in [
            "mycars_throttled_total{scope=\"register\"} 2\n",
            "mycars_throttled_total{scope=\"account_total\"} 0\n",
            "mycars_pool_refused_total{pool=\"passwords\"} 0\n",
            "mycars_connections 1\n",
            "mycars_connections_refused_total{reason=\"address\"} 0\n",
        ] {
            assert!(metrics.contains(line), "{line}{metrics}");
        }
    }

    fn start_with_metrics(trusted_proxies: &[String]) -> Running {
        start(
            Mocks::new(),
            Settings {
                trusted_proxies: TrustedProxies::new(trusted_proxies).unwrap(),
                metrics_for: Networks::new(&["127.0.0.0/8", "::1", "10.0.0.0/8"].map(str::to_owned)).unwrap(),
                allowed_hosts: ["localhost", "cars.example.org", "192.0.2.7", "10.0.0.7"]
                    .map(str::to_owned)
                    .to_vec(),
                ..settings()
            },
        )
    }

    #[test]
    fn metrics_count_requests_by_method_route_and_status() {
        let server = start_with_metrics(&[]);
        for line in [
            "GET /api/",
            "GET /api",
            "GET /api/cars/1/",
            "GET /api/cars/2/",
            "BREW /x",
            "GET /y",
        ] {
            server.ask(line, &[]);
        }
        server.ask("GET /api/", &["Host: evil.example"]);
        let answer = server.ask("GET /metrics", &["Host: 192.0.2.1:8000"]);
        assert_eq!(status(&answer), "200");
        assert_eq!(
            header(&answer, "Content-Type"),
            Some(crate::edge::metrics::MEDIA_TYPE)
        );
        for (method, route, code, count) in [
            ("GET", "/api/", 200, 2),
            ("GET", "/api/cars/{car_id}/", 401, 2),
            ("_OTHER", "", 404, 1),
            ("GET", "", 404, 1),
            ("GET", "", 400, 1),
        ] {
            let line = format!(
                "http_server_request_duration_seconds_count{{http_request_method=\"{method}\",\
                 http_route=\"{route}\",http_response_status_code=\"{code}\"}} {count}\n"
            );
            assert!(answer.contains(&line), "{line}{answer}");
        }
        for line in [
            "# TYPE http_server_request_duration_seconds histogram\n",
            "mycars_pool_waiting{pool=\"database\"} 0\n",
            "mycars_build_info{version=",
            "# EOF\n",
        ] {
            assert!(answer.contains(line), "{line}{answer}");
        }
    }

    #[test]
    fn metrics_are_404_outside_of_the_allowed_networks() {
        let without_proxy = start_with_metrics(&[]);
        let with_proxy = start_with_metrics(&["127.0.0.1".into()]);
        let without_networks = start(Mocks::new(), settings());
        for (server, header, expected) in [
            (&without_proxy, "Accept: */*", "200"),
            (&without_proxy, "X-Forwarded-For: 127.0.0.1", "404"),
            (&without_proxy, "Forwarded: for=127.0.0.1", "404"),
            (&without_proxy, "Via: 1.1 proxy", "404"),
            (&without_proxy, "X-Real-IP: 127.0.0.1", "404"),
            (&without_proxy, "X-Forwarded-Proto: http", "404"),
            (&without_proxy, "X-Forwarded-Host: localhost", "404"),
            (&without_proxy, "X-Forwarded-Anything: x", "404"),
            (&without_proxy, "Host: localhost:8000", "200"),
            (&without_proxy, "Host: 127.0.0.1:8000", "200"),
            (&without_proxy, "Host: [::1]:8000", "200"),
            (&without_proxy, "Host: metrics.internal", "200"),
            (&without_proxy, "Host: cars.example.org", "404"),
            (&without_proxy, "Host: CARS.example.org:443", "404"),
            (&without_proxy, "Host: 192.0.2.7", "404"),
            (&without_proxy, "Host: 10.0.0.7:8000", "200"),
            (&with_proxy, "X-Forwarded-For: 192.0.2.7", "404"),
            (&with_proxy, "X-Forwarded-For: 127.0.0.1", "404"),
            (&with_proxy, "X-Forwarded-For: 127.0.0.2", "404"),
            (&with_proxy, "X-Forwarded-For: ::1", "404"),
            (&with_proxy, "X-Forwarded-For: 10.0.0.8", "200"),
            (&with_proxy, "X-Real-IP: 10.0.0.8", "404"),
            (&with_proxy, "Host: cars.example.org", "404"),
            (&with_proxy, "Accept: */*", "200"),
            (&without_networks, "Accept: */*", "404"),
        ] {
            assert_eq!(
                status(&server.ask("GET /metrics", &[header])),
                expected,
                "{header}"
            );
        }
    }

    #[test]
    fn metrics_by_http_1_0_are_refused() {
        // That is how nginx forwards if nothing is said about it, without any header of its own.
        let answer = start_with_metrics(&[]).ask_by("HTTP/1.0", "GET /metrics", &[]);
        assert_eq!(status(&answer), "404", "{answer}");
    }

    const PREFLIGHT: &str = "Access-Control-Request-Method: PUT";

    fn start_for(allowed_origins: AllowedOrigins) -> Running {
        start(
            Mocks::new(),
            Settings {
                allowed_origins,
                ..settings()
            },
        )
    }

    #[test]
    fn only_scripts_of_allowed_origins_may_read_responses() {
        let listed = start_for(AllowedOrigins::Listed(vec!["https://app.example".into()]));
        let local = start_for(AllowedOrigins::Local);
        let any = start_for(AllowedOrigins::Any);
        let closed = start_for(AllowedOrigins::Listed(Vec::new()));
        for (server, origin, allowed) in [
            (&listed, "https://app.example", Some("https://app.example")),
            (&listed, "http://app.example", None),
            (&listed, "https://app.example.evil.example", None),
            (&listed, "http://localhost:3000", None),
            (&listed, "null", None),
            (&local, "http://localhost:3000", Some("http://localhost:3000")),
            (&local, "http://[::1]:5173", Some("http://[::1]:5173")),
            (
                &local,
                "http://192.168.1.20:5173",
                Some("http://192.168.1.20:5173"),
            ),
            (&local, "http://192.0.2.7:5173", None),
            (&listed, "http://192.168.1.20:5173", None),
            (&closed, "http://192.168.1.20:5173", None),
            (&local, "https://app.example", None),
            (&local, "null", None),
            (&any, "https://app.example", Some("*")),
            (&closed, "http://localhost", None),
            (&closed, "null", None),
        ] {
            let origin = format!("Origin: {origin}");
            let answer = server.ask("GET /api/", &[&origin]);
            let preflight = server.ask("OPTIONS /api/cars/", &[&origin, PREFLIGHT]);
            assert_eq!(status(&answer), "200", "{answer}");
            assert_eq!(
                status(&preflight),
                if allowed.is_some() { "200" } else { "403" },
                "{preflight}"
            );
            for answer in [&answer, &preflight] {
                assert_eq!(header(answer, "Access-Control-Allow-Origin"), allowed, "{answer}");
            }
        }
    }

    #[test]
    fn preflights_allow_every_method_of_the_api() {
        let server = start_for(AllowedOrigins::Local);
        for (method, expected) in [
            ("GET", "200"),
            ("HEAD", "200"),
            ("OPTIONS", "200"),
            ("POST", "200"),
            ("PUT", "200"),
            ("PATCH", "200"),
            ("DELETE", "200"),
            ("TRACE", "403"),
            ("BREW", "403"),
        ] {
            let wanted = format!("Access-Control-Request-Method: {method}");
            let answer = server.ask("OPTIONS /api/cars/", &["Origin: http://localhost", &wanted]);
            assert_eq!(status(&answer), expected, "{method}: {answer}");
        }
    }

    #[test]
    fn own_headers_are_exposed_and_vary_names_origin_and_accept() {
        let server = start_for(AllowedOrigins::Local);
        let answer = server.ask("GET /api/me/", &["Origin: http://localhost"]);
        let exposed = header(&answer, "Access-Control-Expose-Headers").unwrap();
        let mut exposed: Vec<&str> = exposed.split(", ").collect();
        exposed.sort_unstable();
        assert_eq!(exposed, ["etag", "location", "retry-after", "x-request-id"]);
        let vary = header(&answer, "Vary").unwrap();
        assert!(vary.starts_with("Accept, Cookie, Origin"), "{vary}");
        assert_eq!(
            answer.to_ascii_lowercase().matches("vary:").count(),
            1,
            "{answer}"
        );
    }

    #[test]
    fn credentials_are_allowed_for_listed_origins_only() {
        for (origins, origin, credentials) in [
            (
                AllowedOrigins::Listed(vec!["https://app.example".into()]),
                "Origin: https://app.example",
                Some("true"),
            ),
            (
                AllowedOrigins::Listed(Vec::new()),
                "Origin: https://app.example",
                None,
            ),
            (AllowedOrigins::Local, "Origin: http://localhost", None),
            (AllowedOrigins::Any, "Origin: https://app.example", None),
        ] {
            let server = start_for(origins);
            for answer in [
                server.ask("GET /api/", &[origin]),
                server.ask("OPTIONS /api/cars/", &[origin, PREFLIGHT]),
            ] {
                assert_eq!(header(&answer, "Access-Control-Allow-Credentials"), credentials);
            }
        }
    }

    #[test]
    fn options_without_preflight_describes_the_endpoint() {
        let server = start_for(AllowedOrigins::Local);
        for headers in [&["Origin: http://localhost"][..], &[PREFLIGHT], &[]] {
            let answer = server.ask("OPTIONS /api/register/", headers);
            assert!(answer.contains(r#"{"name":"Register""#), "{answer}");
        }
    }

    #[test]
    fn unavailable_store_is_503_with_retry_after() {
        let mut mocks = with_ann();
        mocks.fail_store = true;
        let server = start(mocks, settings());
        for request in ["GET /health/ready", "GET /api/cars/"] {
            let answer = server.ask(request, &["Authorization: Bearer token"]);
            assert_eq!(status(&answer), "503", "{answer}");
            assert!(header(&answer, "Retry-After").is_some(), "{answer}");
            assert!(!answer.contains("mocked"), "{answer}");
        }
        assert_eq!(status(&server.ask("GET /health/live", &[])), "200");
    }

    #[test]
    fn login_of_closed_connection_is_not_hashed() {
        let (looking_up, looked_up) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let mut mocks = Mocks::new();
        mocks
            .unit
            .users
            .expect_find_by_username()
            .returning(move |username| {
                looking_up.send(username.to_string()).unwrap();
                released.recv().unwrap();
                Ok(None)
            });
        mocks.hasher.expect_verify_dummy().return_const(());
        let pools = PoolSizes {
            password_queue: 2,
            ..PoolSizes::SMALLEST
        };
        let server = start(mocks, Settings { pools, ..settings() });
        let log_in = |username: &str| {
            let body = format!("username={username}&password=x");
            let mut stream = TcpStream::connect(server.address).unwrap();
            let head = "POST /api/token/ HTTP/1.1\r\nHost: localhost\r\n\
                        Content-Type: application/x-www-form-urlencoded\r\nContent-Length";
            write!(stream, "{head}: {}\r\n\r\n{body}", body.len()).unwrap();
            stream
        };
        let _first = log_in("first");
        assert_eq!(looked_up.recv().unwrap(), "first");
        let mut closed = log_in("closed");
        closed.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        closed.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "");
        // The only worker thread answers after it has dropped the closed connection.
        server.ask("GET /health/live", &[]);
        let _last = log_in("last");
        release.send(()).unwrap();
        assert_eq!(looked_up.recv().unwrap(), "last");
        release.send(()).unwrap();
    }

    #[test]
    fn responses_of_the_api_are_not_stored_by_browsers() {
        let server = start(Mocks::new(), settings());
        for request in ["GET /api/", "GET /api/me/", "POST /api/token/"] {
            let answer = server.ask(request, &[]);
            assert_eq!(header(&answer, "Cache-Control"), Some("no-store"), "{answer}");
        }
    }
}
