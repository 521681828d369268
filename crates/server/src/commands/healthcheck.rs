//! `mycars healthcheck`: ask a running server whether it is ready, for containers and service managers.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _},
    time::{Duration, Instant},
};

use crate::{error::CommandError, settings::Settings};

/// Maximum time of the whole check: less than the five seconds that containers allow.
const TIMEOUT: Duration = Duration::from_secs(4);

/// Number of bytes that are read of the response: the beginning of its first line, such as `HTTP/1.1 200`.
const STATUS_BYTES: usize = 12;

pub(super) fn run(url: Option<&str>) -> Result<(), CommandError> {
    let url = match url {
        Some(url) => url.to_owned(),
        None => format!("http://{}/health/ready", reachable(Settings::bind_of_process()?)),
    };
    let problem = match ask(&url) {
        Ok(status) if status == "200" => return Ok(()),
        Ok(status) => format!("it responded with status {status}"),
        Err(error) => error.to_string(),
    };
    Err(CommandError::Refused(format!("{url} is not healthy: {problem}")))
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

/// Sends a GET request, and returns the status of the response.
fn ask(url: &str) -> io::Result<String> {
    let deadline = Instant::now() + TIMEOUT;
    let rest = url
        .strip_prefix("http://")
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the URL must begin with http://"))?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let address = if has_port {
        host.to_owned()
    } else {
        format!("{host}:80")
    };
    let mut stream = connect(&address, deadline)?;
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut response = [0; STATUS_BYTES];
    let mut length = 0;
    while length < STATUS_BYTES {
        stream.set_read_timeout(Some(left(deadline)?))?;
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
}
