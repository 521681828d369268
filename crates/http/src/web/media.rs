//! `/media/`: the pictures of cars. All clients that know the unguessable path may read them, or the signed URL if pictures
//! are private; there is no list.

use std::os::unix::fs::MetadataExt as _;

use actix_files::NamedFile;
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentDisposition, DispositionType, ETAG, HeaderValue,
        LOCATION,
    },
    mime,
    web::{Data, Path},
};
use chrono::{DateTime, TimeDelta, Utc};
use mycars_application::{
    images::{self, Opened, Permit},
    ports::ImageLink,
};
use mycars_domain::values::ImagePath;

use crate::{
    error::{ApiError, Resource},
    request::{
        pools::Pool,
        preconditions::{EntityTag, Preconditions},
    },
    state::State,
};

/// Cache control of pictures, which never change under their path. Only private caches may store them: a shared cache
/// could serve a deleted picture.
const CACHE: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

/// A picture that a browser shows by itself runs and loads nothing. The browser lays it out by inline styles.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox",
);

/// Time before the end of a URL from which browsers ask for a new one: their clocks may be behind.
const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::minutes(1);

/// `GET /media/{path}`, with ranges and conditions.
pub(crate) async fn serve(state: Data<State>, http: HttpRequest, path: Path<String>) -> HttpResponse {
    let app = state.app.clone();
    let path = ImagePath::from_storage(path.into_inner());
    let name = path.to_string();
    let permit = permit(http.query_string());
    let share = state.share(state.proxies.client(&http), None);
    let opened = state
        .pools
        .run(Pool::Media, share, move || {
            images::open(&app, &path, permit.as_ref()).map_err(ApiError::from)
        })
        .await;
    let file = match opened.map_err(ApiError::from).flatten() {
        Ok(Some(Opened::File(file))) => file,
        Ok(Some(Opened::Link(link))) => return redirect(&link, state.app.clock.now()),
        Ok(None) => return ApiError::NotFound(Resource::Route).response(),
        Err(error) => return error.response(),
    };
    match NamedFile::from_file(file, &name) {
        Ok(file) => {
            let tag = tag_of_copy(&file, &name);
            let file = file.use_etag(tag.is_none()).use_last_modified(true);
            let mut response = match &tag {
                Some(tag) if Preconditions::of(http.headers()).has(tag) => {
                    HttpResponse::NotModified().finish()
                }
                _ => restrict(file).into_response(&http),
            };
            if let Some(tag) = tag.and_then(|tag| HeaderValue::try_from(tag.to_string()).ok()) {
                response.headers_mut().insert(ETAG, tag);
            }
            response.headers_mut().insert(CACHE_CONTROL, CACHE);
            response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY);
            response
        }
        Err(error) => ApiError::Internal(error.into()).response(),
    }
}

/// Returns the tag of a picture that was copied from another machine into a file without a name. The tag of a file holds
/// its number, which differs for each copy.
fn tag_of_copy(file: &NamedFile, name: &str) -> Option<EntityTag> {
    let modified = file.modified().filter(|_| file.metadata().nlink() == 0)?;
    Some(EntityTag::new(modified.into(), name.as_bytes()))
}

/// Reads the permit in a query.
fn permit(query: &str) -> Option<Permit> {
    let (mut expires, mut signature) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "expires" => expires = value.parse().ok(),
            "signature" => signature = Some(value.into_owned()),
            _ => {}
        }
    }
    Some(Permit {
        expires: expires?,
        signature: signature?,
    })
}

/// Sends the client to a URL of the image store. Browsers may keep the redirect until shortly before the URL expires.
fn redirect(link: &ImageLink, now: DateTime<Utc>) -> HttpResponse {
    let seconds = (link.expires_at - now - CLOCK_DIFFERENCE).num_seconds().max(0);
    HttpResponse::Found()
        .insert_header((LOCATION, link.url.as_str()))
        .insert_header((CACHE_CONTROL, format!("private, max-age={seconds}")))
        .finish()
}

/// Serves a file that is no picture by its name as a download without a type, so that no browser shows it as a page of
/// this site. The server writes no such file, but an import may have put it into the folder.
fn restrict(file: NamedFile) -> NamedFile {
    let media_type = file.content_type();
    // SVG, the picture that may hold scripts, is XML.
    if media_type.type_() == mime::IMAGE && media_type.suffix().is_none() {
        return file;
    }
    file.set_content_type(mime::APPLICATION_OCTET_STREAM)
        .set_content_disposition(ContentDisposition {
            disposition: DispositionType::Attachment,
            parameters: Vec::new(),
        })
}
