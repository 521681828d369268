//! `/static/`: style sheets, scripts and the icon of the pages, part of the binary.
//!
//! The name of each asset holds a hash of its content, so that browsers may cache it without a time limit.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock},
};

use actix_web::{
    HttpResponse,
    http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE},
    web::Path,
};
use utoipa_swagger_ui::Config;

use super::text::sha256_hex;
use crate::error::{ApiError, Resource};

/// A file that pages load.
struct Asset {
    /// The name without the hash.
    name: &'static str,
    url: String,
    content_type: &'static str,
    bytes: Cow<'static, [u8]>,
    /// Whether the bytes are compressed with gzip.
    is_gzipped: bool,
}

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Files of this project.
static OWN: [(&str, &str, &[u8]); 7] = [
    ("page.css", CSS, include_bytes!("../../../assets/page.css")),
    ("page.js", JAVASCRIPT, include_bytes!("../../../assets/page.js")),
    ("panel.css", CSS, include_bytes!("../../../assets/panel.css")),
    ("panel.js", JAVASCRIPT, include_bytes!("../../../assets/panel.js")),
    ("docs.css", CSS, include_bytes!("../../../assets/docs.css")),
    ("docs.js", JAVASCRIPT, include_bytes!("../../../assets/docs.js")),
    ("icon.svg", SVG, include_bytes!("../../../assets/icon.svg")),
];

/// Files of Swagger UI that the documentation page loads.
static SWAGGER_UI: [(&str, &str); 2] = [("swagger-ui.css", CSS), ("swagger-ui-bundle.js", JAVASCRIPT)];

/// Every asset, hashed once.
static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let own = OWN
        .iter()
        .map(|&(name, content_type, bytes)| Asset::new(name, content_type, bytes.into(), false));
    let swagger_ui = SWAGGER_UI.iter().filter_map(|&(name, content_type)| {
        // This configuration is for a script that the documentation page does not load.
        let file = utoipa_swagger_ui::serve(name, Arc::new(Config::from("")))
            .ok()
            .flatten()?;
        Some(Asset::new(name, content_type, file.bytes, file.gzpipped))
    });
    own.chain(swagger_ui).collect()
});

impl Asset {
    fn new(
        name: &'static str,
        content_type: &'static str,
        bytes: Cow<'static, [u8]>,
        is_gzipped: bool,
    ) -> Self {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        Self {
            name,
            url: format!("{FOLDER}{stem}.{}.{extension}", sha256_hex(&bytes, 8)),
            content_type,
            bytes,
            is_gzipped,
        }
    }
}

const FOLDER: &str = "/static/";

/// Finds an asset by its hashed name, such as `page.0123456789abcdef.css`.
fn find(name: &str) -> Option<&'static Asset> {
    ASSETS
        .iter()
        .find(|asset| asset.url.strip_prefix(FOLDER) == Some(name))
}

/// Returns the URL of an asset, by its name without the hash; empty if there is no such asset.
pub(crate) fn url(name: &str) -> &'static str {
    ASSETS
        .iter()
        .find(|asset| asset.name == name)
        .map_or("", |asset| &asset.url)
}

/// `GET /static/{name}`
pub(crate) async fn serve(name: Path<String>) -> HttpResponse {
    let Some(asset) = find(&name) else {
        return ApiError::NotFound(Resource::Route).response();
    };
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, asset.content_type))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"));
    if asset.is_gzipped {
        response.insert_header((CONTENT_ENCODING, "gzip"));
    }
    response.body(&*asset.bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_found_by_their_hashed_name_only() {
        let swagger_ui = SWAGGER_UI.map(|(name, _)| name);
        for name in OWN.map(|(name, ..)| name).into_iter().chain(swagger_ui) {
            let url = url(name);
            assert!(!find(&url[FOLDER.len()..]).unwrap().bytes.is_empty(), "{url}");
            assert!(find(name).is_none());
        }
        assert_ne!(url("page.css"), url("page.js"));
        assert!(find("").is_none());
        assert!(find("../page.css").is_none());
    }

    #[test]
    fn assets_are_small() {
        let size = |name| find(&url(name)[FOLDER.len()..]).unwrap().bytes.len();
        assert!(size("page.css") < 12 * 1024);
        assert!(size("page.js") < 8 * 1024);
    }
}
