//! S3 servers from the Python Package Index, for tests of the image store.

use std::{
    env,
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use tempfile::TempDir;

/// Error message if the servers are missing.
const MISSING: &str = "this test needs the S3 servers moto and nanio: run ./scripts/test, which installs them, or say in \
    S3_SERVERS in which virtual environment of Python they are";

/// Runs the function `main` of a module. It ends with the standard input, and so with the process of the test.
const PROGRAM: &str = "
import importlib, os, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
main = importlib.import_module(sys.argv.pop(1)).main
sys.exit(main(sys.argv[1:]))
";

/// Maximum time for the start of a server, in steps of [`STEP`].
const STEPS: u32 = 6000;
const STEP: Duration = Duration::from_millis(10);

/// The programs, which are lax in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum S3Program {
    /// Follows AWS closely, but checks no signatures.
    Moto,
    /// Checks signatures and their expiry.
    Nanio,
}

/// An S3 server with one bucket; ends on drop, and with this process.
pub struct S3Server {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl S3Server {
    /// The name of the bucket.
    pub const BUCKET: &'static str = "pictures";
    /// The id of the access key.
    pub const ACCESS_KEY: &'static str = "test-access-key";
    /// The secret of the access key.
    pub const SECRET_KEY: &'static str = "test+secret/key";

    /// Starts a server.
    #[must_use]
    pub fn start(program: S3Program) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.expect("there is a free port").port();
        let mut server = Self {
            process: spawn(program, port, &folder),
            port,
            folder,
        };
        server.wait_until_ready();
        server.create_bucket(program);
        server
    }

    /// Returns the URL without the bucket.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Ends the server at once.
    pub fn kill(&mut self) {
        self.process.kill().expect("the server can be killed");
        self.process.wait().expect("the server can be waited for");
    }

    fn wait_until_ready(&mut self) {
        for _ in 0..STEPS {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            let ended = self.process.try_wait().expect("the server can be waited for");
            assert!(ended.is_none(), "the S3 server ended: {ended:?}\n{}", self.log());
            thread::sleep(STEP);
        }
        panic!("the S3 server does not start:\n{}", self.log());
    }

    fn create_bucket(&self, program: S3Program) {
        match program {
            S3Program::Moto => {
                let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the server listens");
                let head = "HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                write!(stream, "PUT /{} {head}", Self::BUCKET).expect("the server reads");
                let mut response = String::new();
                stream.read_to_string(&mut response).expect("the server responds");
                assert!(response.starts_with("HTTP/1.1 200"), "{response}");
            }
            S3Program::Nanio => {
                let folder = self.folder.path().join("data").join(Self::BUCKET);
                fs::create_dir(folder).expect("a folder can be made");
            }
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn spawn(program: S3Program, port: u16, folder: &TempDir) -> Child {
    let data = folder.path().join("data");
    fs::create_dir(&data).expect("a folder can be made");
    let log = File::create(folder.path().join("log")).expect("a file can be made");
    let port = port.to_string();
    let mut command = Command::new(python().expect(MISSING));
    command.args(["-c", PROGRAM]);
    match program {
        S3Program::Moto => command.args(["moto.server", "-H", "127.0.0.1", "-p", &port]),
        S3Program::Nanio => command
            .args(["nanio.cli", "serve", "--host", "127.0.0.1", "--port", &port])
            .arg("--data-dir")
            .arg(&data)
            .env("NANIO_ACCESS_KEY", S3Server::ACCESS_KEY)
            .env("NANIO_SECRET_KEY", S3Server::SECRET_KEY),
    };
    command
        .stdin(Stdio::piped())
        .stdout(log.try_clone().expect("a file can be shared"))
        .stderr(log)
        .spawn()
        .expect("Python can be run")
}

/// Returns Python in the virtual environment of the servers.
fn python() -> Option<PathBuf> {
    let environment = env::var_os("S3_SERVERS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/s3-venv")),
        PathBuf::from,
    );
    let programs = environment.join("bin");
    let is_installed = ["moto_server", "nanio"]
        .iter()
        .all(|name| programs.join(name).exists());
    is_installed.then(|| programs.join("python"))
}
