//! `mycars runserver`: serve until SIGINT or SIGTERM.

use std::{io::ErrorKind, sync::Arc, time::Duration};

use mycars_application::{
    App, Caller,
    images::{self, Ownership},
};
use mycars_domain::values::ImagePath;
use mycars_http::{
    Address, JobMetrics, Limits, Listener, PoolSizes, SocketFile, bind, serve, serve_while_starting,
};
use tracing::Dispatch;

use crate::{
    console::Console,
    error::CommandError,
    jobs, mail, service_manager,
    settings::{Settings, SettingsError, Throttle},
    telemetry::Traces,
    tls, wiring,
};

/// Serves until a signal, with traces if they are on.
pub(super) fn run(
    settings: &Settings,
    has_traces: bool,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    // The file of a Unix socket is deleted at the end.
    let (listener, _file) = listen(settings)?;
    let runtime = actix_web::rt::System::new();
    // A certificate may be renewed while migrations are applied.
    let hangups = runtime.block_on(async { tls::hangups(settings) })?;
    let tls = tls::load(settings)?;
    let mut starting = None;
    let (app, applied) = wiring::server_app(settings, &mut |_| {
        let served = serve_while_starting(&listener, tls.as_ref());
        starting = served
            .inspect_err(
                |error| tracing::warn!(%error, "no health check is served while migrations are applied"),
            )
            .ok();
    })?;
    if let Some(starting) = starting {
        starting.stop();
    }
    let http = mycars_http::Settings {
        workers: settings.server.workers,
        pools: PoolSizes {
            connections: settings.database.pool_size as usize,
            shares_commits: wiring::database(settings)?.0.shares_commits(),
            password_threads: settings.passwords.threads,
            password_queue: settings.passwords.queue,
            image_threads: settings.media.threads,
        },
        allowed_hosts: settings.allowed_hosts.clone(),
        lists: mycars_http::ListSettings {
            page_size: Some(settings.lists.page_size).filter(|size| *size > 0),
            max_page_size: settings.lists.max_page_size,
        },
        allowed_origins: settings.allowed_origins.clone(),
        traces: has_traces.then(Traces::hooks),
        tls,
        trusted_proxies: settings.server.trusted_proxies.clone(),
        hsts_seconds: settings.server.hsts_seconds,
        image_origin: image_origin(&app),
        metrics_for: settings.metrics.allowed_networks.clone(),
        throttle: limits(&settings.throttle),
        shared_rates: wiring::shared_rates(settings, &app)?,
        jobs: JobMetrics::default(),
        shutdown_seconds: settings.server.shutdown_seconds,
        max_connections: settings.server.max_connections,
        max_connections_per_address: settings.server.max_connections_per_address,
        max_body_memory: settings.server.max_body_memory,
        stall: Duration::from_secs(settings.server.stall_seconds),
    };
    let address = listener.address()?;
    let banner = banner(settings, &address)?;
    claim_media(&app, settings)?;
    let images = Arc::clone(&app.images);
    let jobs = jobs::start(app.clone(), settings, http.jobs.clone())?;
    mail::start(app.clone())?;
    runtime.block_on(async {
        // The banner comes before the log: actix's lines about the start are dropped, our own follow it.
        if let (Some(tls), Some(hangups)) = (&http.tls, hangups) {
            tls::reload_on_hangup(tls.clone(), hangups);
        }
        let quiet = tracing::dispatcher::set_default(&Dispatch::none());
        let server = actix_web::rt::spawn(serve(app, &http, listener)?);
        // The server handles signals from its first poll on, so it can be stopped as soon as the banner is there.
        actix_web::rt::task::yield_now().await;
        console.print(&banner);
        drop(quiet);
        wiring::log_migrations(&applied);
        tracing::info!(workers = http.workers, "listening on {address}");
        service_manager::report_ready()?;
        server.await?
    })?;
    if let Some(jobs) = jobs {
        jobs.abandon();
    }
    let left = images.finish(Duration::from_secs(settings.server.shutdown_seconds));
    if left > 0 {
        tracing::warn!(
            left,
            "{left} pictures are not deleted yet: sweepmedia will find them"
        );
    }
    Ok(())
}

/// Returns the scheme, host and port of the store that clients get pictures from, if they do.
fn image_origin(app: &App) -> Option<String> {
    let picture = ImagePath::from_storage("cars/any.jpg".into());
    let link = app.images.link(&picture, app.clock.now())?;
    let (scheme, rest) = link.url.split_once("://")?;
    Some(format!("{scheme}://{}", rest.split('/').next()?))
}

/// Returns the socket that a service manager has passed on, or else one at the address of the settings.
fn listen(settings: &Settings) -> Result<(Listener, Option<SocketFile>), CommandError> {
    let passed_on = service_manager::socket()
        .map_err(|error| CommandError::Refused(format!("can't use the socket of LISTEN_FDS: {error}")))?;
    let Some(listener) = passed_on else {
        let address = &settings.server.bind;
        return bind(address).map_err(|error| listen_error(address, error.kind(), &error.to_string()));
    };
    let address = listener.address()?;
    if settings.debug && !address.is_local() {
        return Err(SettingsError::DebugInPublic(address).into());
    }
    if settings.server.tls.files().is_some() && matches!(address, Address::Unix(_)) {
        return Err(SettingsError::tls_on_unix_socket().into());
    }
    Ok((listener, None))
}

fn limits(throttle: &Throttle) -> Option<Limits> {
    throttle.enabled.then_some(Limits {
        login: throttle.login,
        account: throttle.account,
        account_total: throttle.account_total,
        register: throttle.register,
        refresh: throttle.refresh,
        password_reset: throttle.password_reset,
        password: throttle.password,
        taken: throttle.taken,
        export: throttle.export,
        anon: throttle.anon,
        user: throttle.user,
        address: throttle.address,
        user_jobs: throttle.user_jobs,
        ipv6_prefix: throttle.ipv6_prefix,
    })
}

/// Warns if the media folder seems to belong to another database. The server starts in any case, and no picture is
/// deleted.
fn claim_media(app: &App, settings: &Settings) -> Result<(), CommandError> {
    let (database, _) = wiring::database(settings)?;
    let folder = &settings.media.root;
    let problem = match images::claim(app, &Caller::system()) {
        Ok(Ownership::Same | Ownership::Unclaimed) => return Ok(()),
        Ok(Ownership::Other) => {
            format!("the media folder `{folder}` belongs to another database than {database}")
        }
        Ok(Ownership::Unproven) => {
            format!("{database} refers to none of the pictures in the media folder `{folder}`")
        }
        Err(error) => {
            let error = CommandError::from(error);
            tracing::warn!(
                "could not check whether the media folder `{folder}` belongs to {database}: {error}"
            );
            return Ok(());
        }
    };
    tracing::warn!(
        "{problem}: no picture is deleted; correct DATABASE_URL or MYCARS__MEDIA__ROOT, \
         or run `mycars adoptmedia` if they belong together"
    );
    Ok(())
}

fn listen_error(address: &Address, kind: ErrorKind, error: &str) -> CommandError {
    let advice = match (address, kind) {
        (Address::Tcp(_), ErrorKind::AddrInUse) => {
            "another program listens there: stop it, or use another port, for example `mycars runserver 8001`"
        }
        (Address::Tcp(_), ErrorKind::PermissionDenied) => {
            "only root may listen below port 1024: use another port"
        }
        (Address::Tcp(_), ErrorKind::AddrNotAvailable) => {
            "this machine does not have that address: use one that it has, or 0.0.0.0 for all"
        }
        (Address::Unix(_), ErrorKind::AddrInUse) => {
            "another server listens there: stop it, or use another path"
        }
        (Address::Unix(_), ErrorKind::AlreadyExists) => {
            "this file is not a socket: delete it, or use another path"
        }
        (Address::Unix(_), ErrorKind::NotFound) => "its folder does not exist: create it",
        (Address::Unix(_), ErrorKind::PermissionDenied) => {
            "the user of the server may not write there: use another folder, or change its owner"
        }
        _ => error,
    };
    CommandError::Refused(format!("can't listen on {address}: {advice}"))
}

/// Returns the first screen of the server: its URLs, its data and the next command.
fn banner(settings: &Settings, address: &Address) -> Result<String, CommandError> {
    let mode = if settings.debug {
        "development (DEBUG is on)"
    } else {
        "production"
    };
    let (database, _) = wiring::database(settings)?;
    let data_dir = std::path::absolute(&settings.data_dir)?;
    let next = if std::env::var_os("CARGO").is_some() {
        "cargo run -- createsuperuser"
    } else {
        "mycars createsuperuser"
    };
    let places = match address {
        Address::Tcp(address) => format!(
            "API       {scheme}://{address}/api/\
             \n  Docs      {scheme}://{address}/api/docs/\
             \n  Panel     {scheme}://{address}/admin/\
             \n  Health    {scheme}://{address}/health/ready",
            scheme = settings.server.tls.scheme(),
        ),
        Address::Unix(_) => format!("Socket    {address}"),
    };
    Ok(format!(
        "My Cars {version}, {mode}\n\
         \n  {places}\
         \n  Database  {database}\
         \n  Data      {data}\n\
         \nNext: create a superuser, in another terminal:\n\
         \n  {next}\n\
         \nStop with Ctrl-C.",
        version = env!("CARGO_PKG_VERSION"),
        data = data_dir.display(),
    ))
}
