//! Read timeouts, because each slow client holds a connection (slowloris).

use std::time::Duration;

use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use tokio::time::timeout;

use crate::{error::ApiError, request::headers};

/// Timeout for the head of a request.
pub(crate) const HEAD: Duration = Duration::from_secs(10);

/// Timeout for a TLS handshake.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(10);

/// Timeout for the next request on the same connection. Proxies keep connections for a minute. If the server closed one
/// first, a request of the proxy could get lost.
pub(crate) const NEXT_REQUEST: Duration = Duration::from_secs(75);

/// Time for the client to read the response to a request that was refused before it was read, and to close the
/// connection.
pub(crate) const LINGER: Duration = Duration::from_secs(5);

/// Minimum timeout for a body.
const BODY: Duration = Duration::from_secs(30);

/// Number of bytes of a body that extend its timeout by a second.
const BODY_BYTES_PER_SECOND: usize = 32 * 1024;

/// Waits for the body of a request, with a timeout for at most `limit` bytes.
///
/// # Errors
/// [`ApiError::TooSlow`] if the body does not arrive in time.
pub(crate) async fn wait_for_body<T>(
    headers: &HeaderMap,
    limit: usize,
    body: impl Future<Output = T>,
) -> Result<T, ApiError> {
    timeout(time_for_body(headers, limit), body)
        .await
        .map_err(|_| ApiError::TooSlow)
}

/// Returns the timeout for the announced number of bytes, at most `limit`; for `limit` bytes if none is announced.
pub(crate) fn time_for_body(headers: &HeaderMap, limit: usize) -> Duration {
    let announced = headers::first(headers, &CONTENT_LENGTH).and_then(|length| length.trim().parse().ok());
    let bytes = announced.unwrap_or(limit).min(limit);
    let seconds = bytes / BODY_BYTES_PER_SECOND;
    BODY + Duration::from_secs(seconds.try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, pause, sleep};

    use super::*;

    const MIB: usize = 1024 * 1024;

    fn announcing(bytes: &str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_LENGTH, bytes.parse().unwrap())])
    }

    #[actix_web::test]
    async fn slow_body_times_out() {
        pause();
        let headers = announcing("100");
        let slow = |seconds| async move {
            sleep(Duration::from_secs(seconds)).await;
            "body"
        };
        assert!(matches!(wait_for_body(&headers, MIB, slow(29)).await, Ok("body")));
        let start = Instant::now();
        let refused = wait_for_body(&headers, MIB, slow(3600)).await;
        assert!(matches!(refused, Err(ApiError::TooSlow)));
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[test]
    fn timeout_grows_with_the_body_up_to_the_limit() {
        let seconds = |headers: &HeaderMap| time_for_body(headers, 8 * MIB).as_secs();
        assert_eq!(seconds(&announcing("0")), 30);
        assert_eq!(seconds(&announcing("1048576")), 62);
        assert_eq!(seconds(&announcing("8388608")), 286);
        assert_eq!(seconds(&announcing("99999999999")), 286);
        assert_eq!(seconds(&HeaderMap::new()), 286);
    }
}
