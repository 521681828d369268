//! Compresses responses by gzip, if the client accepts it: JSON, YAML, CSV, and files of pages. HTML is never compressed:
//! its forms hold CSRF tokens beside text of the request, so that attackers could derive the tokens from the sizes of
//! responses (BREACH).
//!
//! Large pieces are compressed on the threads that read files, and a list that is sent in pieces is compressed in pieces.
//! Without the header `Accept-Encoding`, responses are the same as without this module.

use actix_http::encoding::Encoder;
use actix_web::{
    Error,
    body::{BodySize, MessageBody},
    dev::{ResponseHead, ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{
            self, ACCEPT_ENCODING, AcceptEncoding, CONTENT_ENCODING, CONTENT_TYPE, ContentEncoding, Encoding,
            Header as _, HeaderValue, VARY,
        },
    },
    middleware::Next,
};

use crate::request::headers;

/// Minimum length of a compressed body, in bytes: shorter ones fit into one packet.
const MIN_LENGTH: u64 = 1024;

/// The media types that are compressed.
const MEDIA_TYPES: [&str; 9] = [
    "application/json",
    "application/vnd.oai.openapi",
    "application/vnd.oai.openapi+json",
    "application/yaml",
    "image/svg+xml",
    "text/css",
    "text/csv",
    "text/javascript",
    "text/yaml",
];

/// Compresses the response to a request that accepts it.
pub(crate) async fn compress(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let accepted = request
        .headers()
        .contains_key(ACCEPT_ENCODING)
        .then(|| accepted(&request));
    let mut response = next.call(request).await?;
    let is_compressible = is_compressible(response.response().head());
    if accepted.is_some() && is_compressible {
        vary_by_encoding(response.headers_mut());
    }
    let encoding = accepted
        .filter(|_| is_compressible && is_long(response.response().body().size()))
        .unwrap_or(ContentEncoding::Identity);
    Ok(response.map_body(|head, body| {
        let vary = head.headers().get(VARY).cloned();
        let body = Encoder::response(encoding, head, body);
        // The encoder has added a header of its own.
        if let Some(vary) = vary {
            head.headers_mut().insert(VARY, vary);
        }
        body
    }))
}

/// Returns the encoding that the client prefers.
fn accepted(request: &ServiceRequest) -> ContentEncoding {
    let supported = [Encoding::gzip(), Encoding::identity()];
    let accepted = AcceptEncoding::parse(request).ok();
    match accepted.and_then(|accepted| accepted.negotiate(supported.iter())) {
        Some(encoding) if encoding == Encoding::gzip() => ContentEncoding::Gzip,
        _ => ContentEncoding::Identity,
    }
}

/// Returns whether a response may be compressed. A 304 that has no media type and depends on headers of the request stands
/// for a response that may be.
fn is_compressible(head: &ResponseHead) -> bool {
    let media_type = headers::first(head.headers(), &CONTENT_TYPE);
    let Some(media_type) = media_type else {
        return head.status == StatusCode::NOT_MODIFIED && head.headers().contains_key(VARY);
    };
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    MEDIA_TYPES.contains(&essence) && !head.headers().contains_key(CONTENT_ENCODING)
}

fn is_long(size: BodySize) -> bool {
    match size {
        BodySize::None => false,
        BodySize::Sized(length) => length > MIN_LENGTH,
        BodySize::Stream => true,
    }
}

/// Adds `Accept-Encoding` to the header `Vary`.
fn vary_by_encoding(headers: &mut header::HeaderMap) {
    let vary = match headers::first(headers, &VARY) {
        Some(others) => format!("{others}, Accept-Encoding"),
        None => "Accept-Encoding".to_owned(),
    };
    if let Ok(vary) = HeaderValue::from_str(&vary) {
        headers.insert(VARY, vary);
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App, HttpResponse,
        body::to_bytes,
        middleware::from_fn,
        test::{TestRequest, call_service, init_service},
        web,
    };

    use super::*;

    const LONG: usize = 2000;

    /// Returns the headers `Content-Encoding` and `Vary` of a response, and the length of its body.
    async fn responded(
        accept_encoding: Option<&str>,
        media_type: &'static str,
        length: usize,
    ) -> (Option<String>, Option<String>, usize) {
        let respond = move || async move {
            HttpResponse::Ok()
                .content_type(media_type)
                .insert_header((VARY, "Accept"))
                .body("x".repeat(length))
        };
        let service = App::new()
            .wrap(from_fn(compress))
            .route("/", web::get().to(respond));
        let service = init_service(service).await;
        let mut request = TestRequest::get().uri("/");
        if let Some(accept_encoding) = accept_encoding {
            request = request.insert_header((ACCEPT_ENCODING, accept_encoding));
        }
        let response = call_service(&service, request.to_request()).await;
        let header = |name| {
            let mut values = response.headers().get_all(name);
            let value = values.next().map(|value| value.to_str().unwrap().to_owned());
            assert!(values.next().is_none(), "one header {value:?}");
            value
        };
        let (encoding, vary) = (header(CONTENT_ENCODING), header(VARY));
        let Ok(body) = to_bytes(response.into_body()).await else {
            panic!("the body can be read")
        };
        (encoding, vary, body.len())
    }

    #[actix_web::test]
    async fn long_texts_are_compressed_if_the_client_accepts_gzip() {
        for media_type in ["application/json", "text/csv; charset=utf-8", "image/svg+xml"] {
            for accepted in ["gzip", "gzip, deflate, br", "br;q=1.0, gzip;q=0.8", "GZIP"] {
                let (encoding, vary, length) = responded(Some(accepted), media_type, LONG).await;
                assert_eq!(encoding.as_deref(), Some("gzip"), "{accepted}");
                assert_eq!(vary.as_deref(), Some("Accept, Accept-Encoding"));
                assert!(length < 100);
            }
        }
    }

    #[actix_web::test]
    async fn client_that_prefers_no_encoding_gets_none() {
        for accepted in ["identity", "gzip;q=0", "br", "", "*", "identity;q=1, gzip;q=0.5"] {
            let expected = (None, Some("Accept, Accept-Encoding".to_owned()), LONG);
            assert_eq!(
                responded(Some(accepted), "application/json", LONG).await,
                expected,
                "{accepted}"
            );
        }
    }

    #[actix_web::test]
    async fn response_without_accept_encoding_is_unchanged() {
        let expected = (None, Some("Accept".to_owned()), LONG);
        assert_eq!(responded(None, "application/json", LONG).await, expected);
    }

    #[actix_web::test]
    async fn short_texts_pages_and_pictures_are_not_compressed() {
        for (media_type, length) in [
            ("application/json", 1024),
            ("text/html; charset=utf-8", LONG),
            ("image/jpeg", LONG),
            ("application/octet-stream", LONG),
        ] {
            let (encoding, _, received) = responded(Some("gzip"), media_type, length).await;
            assert_eq!((encoding, received), (None, length), "{media_type}");
        }
    }
}
