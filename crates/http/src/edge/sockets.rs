//! The socket that the server listens on: an address and port, or a Unix socket.

use std::{
    fmt,
    fs::{self, File, TryLockError},
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

use rustix::{
    io::{FdFlags, fcntl_setfd, retry_on_intr},
    net::{AddressFamily, SocketAddrUnix, SocketType},
};
use tokio::io::{AsyncRead, AsyncWrite};

/// The beginning of the address of a Unix socket, as nginx writes it.
const UNIX: &str = "unix:";

/// The mode of the file of a Unix socket: programs of the same user and group may connect.
const MODE: u32 = 0o660;

/// The ending of the file whose lock the server of a Unix socket holds.
const LOCK: &str = ".lock";

/// The mode of that file: no other user can lock it.
const LOCK_MODE: u32 = 0o600;

/// Time in which a server that is in use accepts a connection, or has no room for one.
const ANSWERS_WITHIN: Duration = Duration::from_millis(100);

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An IP address and a port.
    Tcp(SocketAddr),
    /// The path of a Unix socket.
    Unix(PathBuf),
}

impl Address {
    /// Returns whether only programs on this machine can connect.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for Address {
    type Err = NoAddress;

    fn from_str(text: &str) -> Result<Self, NoAddress> {
        match text.strip_prefix(UNIX) {
            Some("") => Err(NoAddress),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| NoAddress),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "{UNIX}{}", path.display()),
        }
    }
}

/// The error about a text that is no address.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an IP address and a port such as 127.0.0.1:8000, or the path of a socket such as unix:/run/mycars.sock"
)]
pub struct NoAddress;

/// A socket that is bound to an address, before anything is served there.
#[derive(Debug)]
pub enum Listener {
    /// That of an IP address and a port.
    Tcp(TcpListener),
    /// That of a path.
    Unix(UnixListener),
}

impl Listener {
    /// Returns the address: with the port that the system has chosen, if the port was 0.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn address(&self) -> io::Result<Address> {
        Ok(match self {
            Self::Tcp(listener) => Address::Tcp(listener.local_addr()?),
            Self::Unix(listener) => {
                let address = listener.local_addr()?;
                Address::Unix(address.as_pathname().unwrap_or(Path::new("")).to_owned())
            }
        })
    }
}

/// A stream of bytes in both directions, of any kind of socket.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// The file of a Unix socket, deleted on drop, unless another program has replaced it.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    id: FileId,
    /// Ends after the deletion, so that the next start finds no file or takes it over.
    _lock: File,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if id(&self.path).is_ok_and(|id| id == self.id) {
            // If it stays, the next start deletes it.
            fs::remove_file(&self.path).ok();
        }
    }
}

/// The device of a file, its number, and its time in seconds and nanoseconds: a number is used again.
type FileId = (u64, u64, i64, i64);

fn id(path: &Path) -> io::Result<FileId> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino(), file.mtime(), file.mtime_nsec()))
}

/// Binds an address. The file of a Unix socket that a killed server has left is replaced.
///
/// # Errors
/// Those of the operating system: the address is in use, not this machine's, or not allowed.
/// [`ErrorKind::AlreadyExists`] if the path is that of another kind of file.
pub fn bind(address: &Address) -> io::Result<(Listener, Option<SocketFile>)> {
    let path = match address {
        Address::Tcp(address) => return Ok((Listener::Tcp(TcpListener::bind(address)?), None)),
        Address::Unix(path) => path,
    };
    let lock = lock(path)?;
    remove_abandoned(path)?;
    let listener = UnixListener::bind(path)?;
    let file = SocketFile {
        path: path.clone(),
        id: id(path)?,
        _lock: lock,
    };
    fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
    Ok((Listener::Unix(listener), Some(file)))
}

/// Locks the path of a Unix socket until the file is dropped: of two starts at the same time, one replaces the socket. The
/// file of the lock is never deleted, because another start may wait to lock it.
fn lock(path: &Path) -> io::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(LOCK);
    let mut options = File::options();
    options.write(true).create(true).truncate(false).mode(LOCK_MODE);
    let file = options.open(name)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(ErrorKind::AddrInUse.into()),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Connects to a Unix socket.
///
/// # Errors
/// [`ErrorKind::WouldBlock`] if the server has no room for a further connection within this time, and those of the
/// operating system.
pub fn connect_unix(path: &Path, time: Duration) -> io::Result<UnixStream> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
    let stream = UnixStream::from(socket);
    // The limit of writes is that of `connect`.
    stream.set_write_timeout(Some(time))?;
    let address = SocketAddrUnix::new(path)?;
    retry_on_intr(|| rustix::net::connect(&stream, &address))?;
    Ok(stream)
}

/// Deletes the file of a Unix socket that no server listens on.
fn remove_abandoned(path: &Path) -> io::Result<()> {
    let is_socket = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type().is_socket(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !is_socket {
        return Err(ErrorKind::AlreadyExists.into());
    }
    match connect_unix(path, ANSWERS_WITHIN) {
        Ok(_) => Err(ErrorKind::AddrInUse.into()),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused => fs::remove_file(path),
            ErrorKind::WouldBlock => Err(ErrorKind::AddrInUse.into()),
            _ => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn address_is_parsed_and_written_alike() {
        for text in ["127.0.0.1:8000", "[::1]:80", "unix:/run/mycars.sock", "unix:a"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "localhost",
            "localhost:80",
            "8000",
            "unix:",
            "/run/mycars.sock",
        ] {
            assert_eq!(text.parse::<Address>(), Err(NoAddress), "{text}");
        }
    }

    #[test]
    fn addresses_of_this_machine_are_local() {
        for (text, is_local) in [
            ("127.0.0.1:80", true),
            ("[::ffff:127.0.0.1]:80", true),
            ("unix:a", true),
            ("0.0.0.0:80", false),
            ("192.0.2.7:80", false),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().is_local(), is_local, "{text}");
        }
    }

    fn kind_of_failure(path: &Path) -> ErrorKind {
        bind(&Address::Unix(path.to_owned())).unwrap_err().kind()
    }

    #[test]
    fn socket_in_use_and_other_files_are_not_replaced() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("socket");
        let (_listener, file) = bind(&Address::Unix(path.clone())).unwrap();
        assert_eq!(kind_of_failure(&path), ErrorKind::AddrInUse);
        drop(file);
        assert!(!path.exists());
        fs::write(&path, "text").unwrap();
        assert_eq!(kind_of_failure(&path), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "text");
    }

    /// Leaves the file of a socket, as a killed server does.
    fn abandon(path: &Path) {
        drop(UnixListener::bind(path).unwrap());
    }

    #[test]
    fn abandoned_socket_is_replaced() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("socket");
        abandon(&path);
        let (listener, _file) = bind(&Address::Unix(path.clone())).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        assert_eq!(listener.address().unwrap(), Address::Unix(path));
    }

    #[test]
    fn socket_that_another_program_has_replaced_stays() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("socket");
        let (_listener, file) = bind(&Address::Unix(path.clone())).unwrap();
        fs::remove_file(&path).unwrap();
        abandon(&path);
        drop(file);
        assert!(path.exists());
    }

    #[test]
    fn one_of_many_starts_replaces_abandoned_socket() {
        const STARTS: usize = 4;
        const ROUNDS: usize = 100;
        for _ in 0..ROUNDS {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("socket");
            abandon(&path);
            let together = Barrier::new(STARTS);
            let results: Vec<_> = thread::scope(|scope| {
                let start = || {
                    together.wait();
                    bind(&Address::Unix(path.clone())).map_err(|error| error.kind())
                };
                let starts: Vec<_> = (0..STARTS).map(|_| scope.spawn(start)).collect();
                starts.into_iter().map(|start| start.join().unwrap()).collect()
            });
            let refusals: Vec<_> = results
                .iter()
                .filter_map(|result| result.as_ref().err())
                .collect();
            assert_eq!(refusals, [&ErrorKind::AddrInUse; STARTS - 1]);
            UnixStream::connect(&path).unwrap();
        }
    }

    #[test]
    fn socket_without_room_for_connections_is_in_use() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 1).unwrap();
        let mut open = Vec::new();
        let refusal = loop {
            match connect_unix(&path, ANSWERS_WITHIN) {
                Ok(stream) => open.push(stream),
                Err(error) => break error.kind(),
            }
        };
        assert_eq!(refusal, ErrorKind::WouldBlock);
        assert_eq!(kind_of_failure(&path), ErrorKind::AddrInUse);
    }
}
