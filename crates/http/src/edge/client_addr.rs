//! The address of the client. Clients can forge forwarding headers: only those of trusted proxies are used.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use actix_web::{
    HttpRequest,
    http::header::{HeaderMap, HeaderName, X_FORWARDED_FOR, X_FORWARDED_PROTO},
};
use ipnet::{IpNet, Ipv6Net};

use crate::request::headers;

/// The client of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) address: IpAddr,
    /// Whether the client uses HTTPS, possibly up to a proxy that forwards requests without it.
    pub(crate) is_https: bool,
    /// Whether a page of another site made the browser send the request.
    pub(crate) is_cross_site: bool,
}

/// Marks the data of connections that the server itself encrypts.
pub(crate) struct Encrypted;

/// Addresses and networks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks(Arc<[IpNet]>);

impl Networks {
    /// Parses addresses (`10.0.0.1`, `::1`) and networks (`10.0.0.0/8`); returns `None` if one of them is invalid.
    #[must_use]
    pub fn new(networks: &[String]) -> Option<Self> {
        let networks: Option<Vec<IpNet>> = networks.iter().map(|text| network(text)).collect();
        Some(Self(networks?.into()))
    }

    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether one of the networks has all addresses of IPv4 or IPv6.
    #[must_use]
    pub fn have_all_addresses(&self) -> bool {
        self.0.iter().any(|network| network.prefix_len() == 0)
    }

    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The item of a list of proxies that trusts all programs that connect to a Unix socket.
const UNIX: &str = "unix";

/// The proxies that may set forwarding headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// Their addresses.
    pub networks: Networks,
    /// Whether each program that connects to a Unix socket is a proxy.
    pub has_unix: bool,
}

impl TrustedProxies {
    /// Parses addresses, networks and `unix`; returns `None` if one of them is invalid.
    #[must_use]
    pub fn new(proxies: &[String]) -> Option<Self> {
        let (unix, networks): (Vec<String>, Vec<String>) =
            proxies.iter().cloned().partition(|proxy| proxy == UNIX);
        Some(Self {
            networks: Networks::new(&networks)?,
            has_unix: !unix.is_empty(),
        })
    }

    /// Returns the client of a request: the connected peer or, if that is a trusted proxy, the client in its headers.
    pub(crate) fn client(&self, http: &HttpRequest) -> Client {
        let peer = peer_address(http.peer_addr());
        let is_encrypted = http.conn_data::<Encrypted>().is_some();
        if !self.trust_peer_of(http) {
            return Client {
                address: peer,
                is_https: is_encrypted,
                is_cross_site: false,
            };
        }
        let headers = http.headers();
        let scheme = values(headers, &X_FORWARDED_PROTO).next();
        Client {
            address: self.forwarded_for(headers).unwrap_or(peer),
            is_https: scheme.map_or(is_encrypted, |scheme| scheme.eq_ignore_ascii_case("https")),
            is_cross_site: false,
        }
    }

    /// Returns whether the connected peer is a trusted proxy.
    pub(crate) fn trust_peer_of(&self, http: &HttpRequest) -> bool {
        match http.peer_addr() {
            Some(_) => self.trust(peer_address(http.peer_addr())),
            None => self.has_unix,
        }
    }

    pub(crate) fn trust(&self, address: IpAddr) -> bool {
        self.networks.contain(address)
    }

    /// Returns the last address that is not a trusted proxy, or the first if all are. Addresses before it may be
    /// forged. `None` if an address up to it is invalid.
    fn forwarded_for(&self, headers: &HeaderMap) -> Option<IpAddr> {
        let mut furthest = None;
        for text in values(headers, &X_FORWARDED_FOR) {
            let address = address(text)?;
            furthest = Some(address);
            if !self.trust(address) {
                break;
            }
        }
        furthest
    }
}

/// Returns the address of the other end of a connection. A program that connects to a Unix socket has none, and counts
/// as this machine.
pub(crate) fn peer_address(peer: Option<SocketAddr>) -> IpAddr {
    peer.map_or(Ipv4Addr::LOCALHOST.into(), |peer| peer.ip().to_canonical())
}

/// Returns an address of IPv4; of IPv6 its network of `prefix` bits, in which a client has as many addresses as it likes.
pub(crate) fn network_of(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(ip) => Ipv6Net::new(ip, prefix).map_or(address, |net| net.network().into()),
    }
}

/// Returns the elements of a list header, the last first: each proxy appends its own.
fn values<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let lines: Vec<_> = headers.get_all(name).collect();
    lines
        .into_iter()
        .rev()
        .flat_map(|line| headers::elements(line, b',').rev())
}

fn network(text: &str) -> Option<IpNet> {
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .ok()
}

/// Parses an address in a forwarding header: some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().map(|address: SocketAddr| address.ip());
    let address: IpAddr = text.parse().or_else(|_| with_port()).ok()?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use actix_web::{http::header::HeaderValue, test::TestRequest};

    use super::*;

    fn trusted(proxies: &[&str]) -> TrustedProxies {
        let proxies: Vec<String> = proxies.iter().map(|proxy| (*proxy).to_owned()).collect();
        TrustedProxies::new(&proxies).unwrap()
    }

    /// Returns the client of a request from `peer`; the networks 10.0.0.0/8 and `fd00::/8` are trusted.
    fn client(peer: &str, headers: &[(&'static str, &str)]) -> (String, bool) {
        let request = TestRequest::default().peer_addr(peer.parse().unwrap());
        client_of(request, &["10.0.0.0/8", "fd00::/8"], headers)
    }

    fn client_of(
        mut request: TestRequest,
        proxies: &[&str],
        headers: &[(&'static str, &str)],
    ) -> (String, bool) {
        for header in headers {
            request = request.append_header(*header);
        }
        let client = trusted(proxies).client(&request.to_http_request());
        (client.address.to_string(), client.is_https)
    }

    #[test]
    fn peer_of_unix_socket_is_trusted_by_name_alone() {
        let headers = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-Proto", "https")];
        let client = |proxies: &[&str], headers| client_of(TestRequest::default(), proxies, headers);
        assert_eq!(client(&["unix"], &headers), ("1.1.1.1".into(), true));
        assert_eq!(client(&["unix"], &[]), ("127.0.0.1".into(), false));
        for proxies in [&[][..], &["127.0.0.1"], &["0.0.0.0/0"]] {
            assert_eq!(
                client(proxies, &headers),
                ("127.0.0.1".into(), false),
                "{proxies:?}"
            );
        }
        let passed_on = [("X-Forwarded-For", "1.1.1.1, 10.0.0.2")];
        assert_eq!(client(&["unix", "10.0.0.0/8"], &passed_on).0, "1.1.1.1");
        let by_address = TestRequest::default().peer_addr("127.0.0.1:1".parse().unwrap());
        assert_eq!(
            client_of(by_address, &["unix"], &headers),
            ("127.0.0.1".into(), false)
        );
    }

    fn address_for(peer: &str, forwarded_for: &[&str]) -> String {
        let headers: Vec<_> = forwarded_for
            .iter()
            .map(|value| ("X-Forwarded-For", *value))
            .collect();
        client(peer, &headers).0
    }

    #[test]
    fn untrusted_peer_is_the_client() {
        let headers = [("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-Proto", "https")];
        assert_eq!(client("9.9.9.9:1", &headers), ("9.9.9.9".into(), false));
        assert_eq!(client("[::ffff:9.9.9.9]:1", &headers).0, "9.9.9.9");
    }

    #[test]
    fn last_untrusted_address_is_the_client() {
        for (headers, expected) in [
            (&["1.1.1.1"][..], "1.1.1.1"),
            (&["6.6.6.6, 1.1.1.1"], "1.1.1.1"),
            (&["6.6.6.6,1.1.1.1 , 10.0.0.2"], "1.1.1.1"),
            (&["6.6.6.6", "1.1.1.1", "10.0.0.2"], "1.1.1.1"),
            (&["1.1.1.1:55555"], "1.1.1.1"),
            (&["2001:db8::1"], "2001:db8::1"),
            (&["[2001:db8::1]:55555"], "2001:db8::1"),
            (&["::ffff:1.1.1.1"], "1.1.1.1"),
            (&["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        ] {
            assert_eq!(address_for("10.0.0.1:1", headers), expected, "{headers:?}");
            assert_eq!(address_for("[::ffff:10.0.0.1]:1", headers), expected);
            assert_eq!(address_for("[fd00::1]:1", headers), expected);
        }
    }

    #[test]
    fn proxy_without_valid_header_is_the_client() {
        for headers in [
            &[][..],
            &[""],
            &["unknown"],
            &["1.1.1.1, _hidden"],
            &["1.1.1.1, garbage, 10.0.0.2"],
            &["1.1.1.1, é"],
        ] {
            assert_eq!(address_for("10.0.0.1:1", headers), "10.0.0.1", "{headers:?}");
        }
    }

    #[test]
    fn scheme_is_that_of_the_nearest_trusted_proxy() {
        let is_https = |scheme| client("10.0.0.1:1", &[("X-Forwarded-Proto", scheme)]).1;
        assert!(is_https("https"));
        assert!(is_https("HTTPS"));
        assert!(is_https("http, https"));
        assert!(!is_https("https, http"));
        assert!(!is_https("http"));
        assert!(!is_https(""));
    }

    #[test]
    fn networks_are_parsed_from_addresses_and_prefixes() {
        let new = |text: &str| Networks::new(&[text.to_owned()]).is_some();
        for text in ["10.0.0.1", "10.0.0.0/8", "::1", "fd00::/8", "0.0.0.0/0"] {
            assert!(new(text), "{text}");
        }
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0", "10.0.0.1:80"] {
            assert!(!new(text), "{text}");
        }
    }

    #[test]
    fn forwarded_address_counts_beside_elements_that_cannot_be_read() {
        let trusted = trusted(&["10.0.0.0/8"]);
        for (header, expected) in [
            (&b"gr\xfcn, 1.1.1.1"[..], "1.1.1.1"),
            (b"\xff\xfe,1.1.1.1, 10.0.0.2", "1.1.1.1"),
            ("gr\u{fc}n,1.1.1.1".as_bytes(), "1.1.1.1"),
            (b"1.1.1.1, gr\xfcn", "10.0.0.1"),
        ] {
            let request = TestRequest::default()
                .peer_addr("10.0.0.1:1".parse().unwrap())
                .insert_header((X_FORWARDED_FOR, HeaderValue::from_bytes(header).unwrap()))
                .to_http_request();
            let address = trusted.client(&request).address;
            assert_eq!(address.to_string(), expected, "{header:?}");
        }
    }
}
