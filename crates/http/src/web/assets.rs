//! `/static/`: the files that our pages are dressed with, part of the binary.

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE},
    web::Path,
};

use crate::{
    error::{ApiError, Resource},
    web::browsable,
};

/// `GET /static/{name}`. The name holds a hash of the content, so that it may be kept for ever.
pub(crate) async fn serve(name: Path<String>) -> HttpResponse {
    match browsable::asset(&name) {
        Some(asset) => {
            let mut response = HttpResponse::Ok();
            response
                .insert_header((CONTENT_TYPE, asset.content_type))
                .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"));
            if asset.is_gzipped {
                response.insert_header((CONTENT_ENCODING, "gzip"));
            }
            response.body(asset.bytes)
        }
        None => ApiError::NotFound(Resource::Route).response(),
    }
}
