//! Checks the `Host` header. Otherwise a forged header would put links to another host into responses.

use std::sync::Arc;

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header::HOST,
    middleware::Next,
};

use crate::{edge::monitoring, error::ApiError, request::headers};

/// The allowed hosts in Django's notation, in lower case: `example.org`, `.example.org` for it and its subdomains, `*`
/// for all.
#[derive(Debug, Clone)]
pub(crate) struct AllowedHosts(Arc<[String]>);

impl AllowedHosts {
    pub(crate) fn new(patterns: &[String]) -> Self {
        Self(patterns.into())
    }

    /// Returns whether a `Host` header names an allowed host, with any port.
    fn allow(&self, header: &str) -> bool {
        let host = without_port(header).to_ascii_lowercase();
        let host = host.strip_suffix('.').unwrap_or(&host);
        is_host(host)
            && self.0.iter().any(|pattern| match pattern.strip_prefix('.') {
                Some(domain) => {
                    host == domain
                        || host
                            .strip_suffix(domain)
                            .is_some_and(|below| below.ends_with('.'))
                }
                None => pattern == "*" || pattern == host,
            })
    }
}

/// Returns whether a text is a host name or an IPv6 address in brackets, and nothing else: links are made from it.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        }
    }
}

fn without_port(header: &str) -> &str {
    match header.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => header,
    }
}

/// Refuses requests for other hosts, except for health checks and metrics, which are requested by address.
pub(crate) async fn check(
    hosts: AllowedHosts,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let header = headers::first(request.headers(), &HOST).unwrap_or_default();
    if hosts.allow(&header) || monitoring::is_path(request.path()) {
        Ok(next.call(request).await?.map_into_boxed_body())
    } else {
        Ok(request.into_response(ApiError::HostNotAllowed.response()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(patterns: &[&str], header: &str) -> bool {
        let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        AllowedHosts::new(&patterns).allow(header)
    }

    #[test]
    fn host_is_allowed_with_any_port_and_case() {
        for header in ["example.org", "EXAMPLE.org:8000", "example.org."] {
            assert!(allows(&["example.org"], header), "{header}");
        }
        for header in [
            "",
            "evil.example",
            "example.org.evil.example",
            "sub.example.org",
            "example.org:80:80",
        ] {
            assert!(!allows(&["example.org"], header), "{header}");
        }
        assert!(allows(&["[::1]"], "[::1]:8000"));
        assert!(allows(&["[::1]"], "[::1]"));
    }

    #[test]
    fn leading_dot_allows_subdomains() {
        for header in ["example.org", "a.example.org", "a.b.example.org:1"] {
            assert!(allows(&[".example.org"], header), "{header}");
        }
        assert!(!allows(&[".example.org"], "badexample.org"));
        for trick in [
            "evil.com/x.example.org",
            "evil.com?.example.org",
            "evil.com#.example.org",
            "a@b.example.org",
        ] {
            assert!(!allows(&[".example.org"], trick), "{trick}");
            assert!(!allows(&["*"], trick), "{trick}");
        }
    }

    #[test]
    fn star_allows_all_hosts_and_empty_list_none() {
        assert!(allows(&["*"], "evil.example"));
        assert!(allows(&["*"], "127.0.0.1:8000"));
        assert!(!allows(&[], "localhost"));
    }
}
