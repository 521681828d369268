//! Two servers behind nginx, with one PostgreSQL database: one of them is killed under load.

use std::{
    collections::BTreeSet,
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use mycars_testkit::TestDatabase;
use tempfile::TempDir;

use crate::support::{
    Client, Installation, Request, Server,
    accounts::{join, new_car, plates},
    wait_for,
};

const CLIENTS: usize = 4;

/// The configuration of docs/scaling.md, for one machine. If root runs the tests, `user` lets nginx use their folders;
/// otherwise it has no effect.
const CONFIGURATION: &str = "
    user root;
    pid nginx.pid;
    error_log stderr;
    daemon off;
    worker_processes 1;
    events {}
    http {
        access_log off;
        client_body_temp_path body;
        proxy_temp_path proxy;
        fastcgi_temp_path fastcgi;
        uwsgi_temp_path uwsgi;
        scgi_temp_path scgi;
        upstream mycars {
            UPSTREAMS
            keepalive 32;
        }
        server {
            listen LISTEN;
            location / {
                proxy_pass http://mycars;
                proxy_http_version 1.1;
                proxy_set_header Connection '';
                proxy_set_header Host $host;
                proxy_set_header X-Forwarded-For $remote_addr;
                proxy_set_header X-Forwarded-Proto $scheme;
                proxy_connect_timeout 1s;
            }
        }
    }";

/// nginx in front of servers; ends on drop.
pub(crate) struct Nginx {
    process: Child,
    address: String,
    _folder: TempDir,
}

impl Nginx {
    pub(crate) fn in_front_of(servers: &[Server]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let upstreams = servers
            .iter()
            .map(|server| format!("server {} max_fails=1 fail_timeout=2s;", server.address()));
        let configuration = CONFIGURATION
            .replace("UPSTREAMS", &upstreams.collect::<String>())
            .replace("LISTEN", &free.to_string());
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration).unwrap();
        let process = Command::new(binary().expect(
            "this test needs nginx: run ./scripts/test, which installs it, install it (`apt-get install nginx-light`), \
             or say in NGINX where its binary is",
        ))
        .arg("-p")
        .arg(folder.path())
        .arg("-c")
        .arg(&file)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
        let nginx = Self {
            process,
            address: free.to_string(),
            _folder: folder,
        };
        wait_for("nginx", || std::net::TcpStream::connect(free).ok());
        nginx
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(&self.address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker ends with it.
        Command::new("kill")
            .arg(self.process.id().to_string())
            .status()
            .ok();
        self.process.wait().ok();
    }
}

/// Returns the path in `NGINX`, or the first binary in `PATH` and in Debian's folder.
fn binary() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("NGINX") {
        return Some(PathBuf::from(named));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from))
        .map(|folder| folder.join("nginx"))
        .find(|file| Path::is_file(file))
}

#[test]
fn killed_server_loses_only_requests_in_flight() {
    let installation =
        Installation::on(TestDatabase::postgres()).with("MYCARS__SERVER__TRUSTED_PROXIES", "127.0.0.1");
    let mut servers = vec![installation.start(), installation.start()];
    let nginx = Nginx::in_front_of(&servers);
    let client = nginx.client();
    let ann = join(&client, "ann");
    let created = Mutex::new(BTreeSet::new());
    let failed = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let count = || created.lock().unwrap_or_else(PoisonError::into_inner).len();
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (client, access, created, failed, is_over) =
                (nginx.client(), &ann.access, &created, &failed, &is_over);
            scope.spawn(move || {
                for car in 0.. {
                    if is_over.load(Ordering::SeqCst) {
                        return;
                    }
                    let plate = format!("C{number}-{car}");
                    match client.send(&new_car(access, &plate)).status {
                        201 => drop(
                            created
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .insert(plate),
                        ),
                        502 | 504 => drop(failed.fetch_add(1, Ordering::SeqCst)),
                        other => panic!("{plate}: {other}"),
                    }
                }
            });
        }
        wait_for("cars of two servers", || (count() >= 200).then_some(()));
        servers.remove(0).kill();
        let before = count();
        wait_for("cars of one server", || (count() >= before + 200).then_some(()));
        is_over.store(true, Ordering::SeqCst);
    });
    let failed = failed.into_inner();
    assert!(
        failed <= CLIENTS,
        "{failed} requests failed, and {CLIENTS} were in flight"
    );
    let kept: BTreeSet<_> = plates(&client, &ann.access).into_iter().collect();
    let created = created.into_inner().unwrap();
    let lost: Vec<_> = created.difference(&kept).collect();
    assert!(lost.is_empty(), "{lost:?}");
    client.send(&Request::get("/health/ready")).json(200);
}
