//! `mycars healthcheck`: ask a running server whether it is ready, for containers and service managers.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _},
    path::Path,
    time::{Duration, Instant},
};

use mycars_http::{Address, Bounded, connect_unix, connect_unverified};

use crate::{error::CommandError, settings::Settings};

/// Maximum time of the whole check: less than the five seconds that containers allow.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Number of bytes that are read of the response: the beginning of its first line, such as `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;

/// The path that says whether a server is ready.
const READY: &str = "/health/ready";

pub(super) fn run(url: Option<&str>) -> Result<(), CommandError> {
    let deadline = Instant::now() + TIMEOUT;
    let (place, answer) = match url {
        Some(url) => (url.to_owned(), ask_url(url, deadline)),
        None => match Settings::bind_of_process()? {
            (Address::Tcp(bind), scheme) => {
                let url = format!("{scheme}://{}{READY}", reachable(bind));
                let answer = ask_url(&url, deadline);
                (url, answer)
            }
            (Address::Unix(path), _) => {
                let answer = ask_socket(&path, deadline);
                (Address::Unix(path).to_string(), answer)
            }
        },
    };
    let problem = match answer {
        Ok(status) if status == "200" => return Ok(()),
        Ok(status) => format!("it responded with status {status}"),
        Err(error) => error.to_string(),
    };
    Err(CommandError::Refused(format!(
        "{place} is not healthy: {problem}"
    )))
}

/// Returns an address of this machine at which a server is that listens on `bind`.
fn reachable(bind: SocketAddr) -> SocketAddr {
    let ip = match bind.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, bind.port())
}

/// Sends a GET request to a server on this machine, and returns the status of the response.
fn ask_socket(path: &Path, deadline: Instant) -> io::Result<String> {
    let stream = connect_unix(path, left(deadline)?)?;
    ask(Bounded::new(stream, deadline), "localhost", READY)
}

/// Sends a GET request, and returns the status of the response.
fn ask_url(url: &str, deadline: Instant) -> io::Result<String> {
    let (rest, is_https, port) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (rest, false, 80),
        (_, Some(rest)) => (rest, true, 443),
        _ => {
            let error = "the URL must begin with http:// or https://";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, error));
        }
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port {
        host.to_owned()
    } else {
        format!("{host}:{port}")
    };
    let stream = Bounded::new(connect(&address, deadline)?, deadline);
    let path = format!("/{path}");
    if is_https {
        let name = if has_port {
            host.rsplit_once(':').map_or(host, |(name, _)| name)
        } else {
            host
        };
        ask(connect_unverified(stream, name)?, host, &path)
    } else {
        ask(stream, host, &path)
    }
}

/// Sends a GET request, and returns the status of the response.
fn ask(mut stream: impl Read + Write, host: &str, path: &str) -> io::Result<String> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut response = [0; STATUS_BYTES];
    let mut length = 0;
    while length < STATUS_BYTES {
        match stream.read(&mut response[length..])? {
            0 => break,
            more => length += more,
        }
    }
    let response = String::from_utf8_lossy(&response[..length]);
    match response.split_once(' ') {
        Some((version, status)) if version.starts_with("HTTP/") => Ok(status.to_owned()),
        _ => Err(io::Error::other("its response is not HTTP")),
    }
}

/// Connects to the first address of a host that accepts connections.
fn connect(address: &str, deadline: Instant) -> io::Result<TcpStream> {
    let mut failure = io::Error::other("the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, left(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

/// Returns the time until the deadline.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_is_asked_on_this_machine() {
        for (bind, asked) in [
            ("0.0.0.0:8000", "127.0.0.1:8000"),
            ("[::]:80", "[::1]:80"),
            ("192.0.2.7:8000", "192.0.2.7:8000"),
        ] {
            assert_eq!(reachable(bind.parse().unwrap()).to_string(), asked);
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn handshake_that_drips_ends_with_the_check() {
        use std::{net::TcpListener, thread};

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/", listener.local_addr().unwrap());
        thread::scope(|scope| {
            scope.spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                // The beginning of a record of 16 KiB.
                stream.write_all(b"\x16\x03\x03\x40\x00").unwrap();
                while stream.write_all(&[1]).is_ok() {
                    thread::sleep(Duration::from_millis(20));
                }
            });
            let error = ask_url(&url, Instant::now() + Duration::from_millis(200)).unwrap_err();
            let kinds = [io::ErrorKind::TimedOut, io::ErrorKind::WouldBlock];
            assert!(kinds.contains(&error.kind()), "{error}");
        });
    }
}
