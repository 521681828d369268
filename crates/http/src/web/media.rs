//! `/media/`: the pictures of cars. All clients that know the unguessable path may read them; there is no list.

use actix_files::NamedFile;
use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{CACHE_CONTROL, HeaderValue},
    web::{Data, Path},
};
use mycars_application::images;
use mycars_domain::values::ImagePath;

use crate::{
    error::{ApiError, Resource},
    request::pools::Pool,
    state::State,
};

/// Cache control of pictures, which never change under their path. Only private caches may store them: a shared cache
/// could serve a deleted picture.
const CACHE: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

/// `GET /media/{path}`, with ranges and conditions.
pub(crate) async fn serve(state: Data<State>, http: HttpRequest, path: Path<String>) -> HttpResponse {
    let app = state.app.clone();
    let path = ImagePath::from_storage(path.into_inner());
    let name = path.to_string();
    let share = state.share(state.proxies.client(http.head()), None);
    let opened = state
        .pools
        .run(Pool::Database, share, move || {
            images::open(&app, &path).map_err(ApiError::from)
        })
        .await;
    let file = match opened.map_err(ApiError::from).flatten() {
        Ok(Some(file)) => file,
        Ok(None) => return ApiError::NotFound(Resource::Route).response(),
        Err(error) => return error.response(),
    };
    match NamedFile::from_file(file, name) {
        Ok(file) => {
            let mut response = file.use_last_modified(true).into_response(&http);
            response.headers_mut().insert(CACHE_CONTROL, CACHE);
            response
        }
        Err(error) => ApiError::Internal(error.into()).response(),
    }
}
