//! The documentation of the API: `/api/schema/`, the OpenAPI document, and `/api/docs/`, the interactive documentation.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderValue, VARY},
    },
    web::Data,
};

use crate::{
    api::openapi,
    error::ApiError,
    request::{
        context::{RequestContext, base_url},
        negotiation::{Renderer, negotiate_among},
    },
    state::State,
    web::{browsable, page},
};

/// The renderers of the document: its registered media types as well as the plain ones.
pub(crate) static RENDERERS: [Renderer; 4] = [
    Renderer {
        format: "json",
        media_type: "application/json",
    },
    Renderer {
        format: "json",
        media_type: "application/vnd.oai.openapi+json",
    },
    Renderer {
        format: "yaml",
        media_type: "application/yaml",
    },
    Renderer {
        format: "yaml",
        media_type: "application/vnd.oai.openapi",
    },
];

const ALLOWED: &str = "GET, HEAD";

/// `GET /api/schema/`.
pub(crate) async fn schema(state: Data<State>, http: HttpRequest) -> HttpResponse {
    match written(&state, &http) {
        Ok((media_type, document)) => HttpResponse::Ok()
            .content_type(media_type)
            // A later request must get the document of the server's version at that time.
            .insert_header((CACHE_CONTROL, "no-cache"))
            .insert_header((VARY, "Accept"))
            .body(document),
        Err(error) => refuse(&error),
    }
}

/// Returns the media type and the document, with the base URL that the client used: Postman and generated clients do
/// not resolve relative URLs.
fn written(state: &State, http: &HttpRequest) -> Result<(&'static str, String), ApiError> {
    must_read(http)?;
    let renderer = negotiate_among(&RENDERERS, http)?;
    let server = base_url(state.proxies.client(http), http.headers());
    let document = match renderer.format {
        "yaml" => openapi::yaml(&server),
        _ => openapi::json(&server),
    };
    let document = document.map_err(|error| ApiError::Internal(error.into()))?;
    Ok((renderer.media_type, document))
}

/// `GET /api/docs/`.
pub(crate) async fn docs(state: Data<State>, http: HttpRequest) -> HttpResponse {
    match must_read(&http) {
        Ok(()) => {
            let html = browsable::render_docs(openapi::SCHEMA_PATH);
            let mut response = page::as_page(StatusCode::OK, html, &RequestContext::new(&state, &http, true));
            // The style sheet of Swagger UI embeds some icons; otherwise this is the policy of all pages.
            let policy = page::POLICY.replace("img-src 'self'", "img-src 'self' data:");
            if let Ok(policy) = HeaderValue::try_from(policy) {
                response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
            }
            response
        }
        Err(error) => refuse(&error),
    }
}

fn must_read(http: &HttpRequest) -> Result<(), ApiError> {
    match *http.method() {
        Method::GET | Method::HEAD => Ok(()),
        ref other => Err(ApiError::MethodNotAllowed(other.to_string())),
    }
}

fn refuse(error: &ApiError) -> HttpResponse {
    let mut response = error.response();
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(ALLOWED));
    response
}
