//! The style sheets, the scripts and the icon of the pages: a part of the program, so that they always fit it.
//!
//! Their names hold a hash of their bytes. What a name stands for never changes, and browsers may keep it for
//! good.

use std::{
    borrow::Cow,
    fmt::Write as _,
    sync::{Arc, LazyLock},
};

use sha2::{Digest as _, Sha256};
use utoipa_swagger_ui::Config;

/// A file that pages need.
#[derive(Clone)]
pub(crate) struct Asset {
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Cow<'static, [u8]>,
    /// Whether the bytes are compressed, as every browser takes them.
    pub(crate) is_gzipped: bool,
}

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Our own files.
static OWN: [(&str, &str, &[u8]); 7] = [
    ("page.css", CSS, include_bytes!("../../../assets/page.css")),
    ("page.js", JAVASCRIPT, include_bytes!("../../../assets/page.js")),
    ("panel.css", CSS, include_bytes!("../../../assets/panel.css")),
    ("panel.js", JAVASCRIPT, include_bytes!("../../../assets/panel.js")),
    ("docs.css", CSS, include_bytes!("../../../assets/docs.css")),
    ("docs.js", JAVASCRIPT, include_bytes!("../../../assets/docs.js")),
    ("icon.svg", SVG, include_bytes!("../../../assets/icon.svg")),
];

/// The files of Swagger UI that its page needs.
static SWAGGER_UI: [(&str, &str); 2] = [("swagger-ui.css", CSS), ("swagger-ui-bundle.js", JAVASCRIPT)];

/// An asset, under the name without the hash, and where it is found.
struct Found {
    name: &'static str,
    url: String,
    asset: Asset,
}

/// Every asset, hashed once.
static ASSETS: LazyLock<Vec<Found>> = LazyLock::new(|| {
    let own = OWN.iter().map(|&(name, content_type, bytes)| {
        let asset = Asset {
            content_type,
            bytes: bytes.into(),
            is_gzipped: false,
        };
        (name, asset)
    });
    let swagger_ui = SWAGGER_UI.iter().filter_map(|&(name, content_type)| {
        // The settings are for a script that our page does not use.
        let file = utoipa_swagger_ui::serve(name, Arc::new(Config::from("")))
            .ok()
            .flatten()?;
        let asset = Asset {
            content_type,
            bytes: file.bytes,
            is_gzipped: file.gzpipped,
        };
        Some((name, asset))
    });
    let found = |(name, asset): (&'static str, Asset)| Found {
        name,
        url: url(name, &asset.bytes),
        asset,
    };
    own.chain(swagger_ui).map(found).collect()
});

/// Where assets are found.
const FOLDER: &str = "/static/";

/// The asset with a name such as `page.0123456789abcdef.css`, with or without the folder before it.
pub(crate) fn asset(name: &str) -> Option<Asset> {
    let name = name.strip_prefix(FOLDER).unwrap_or(name);
    ASSETS
        .iter()
        .find(|found| found.url.strip_prefix(FOLDER) == Some(name))
        .map(|found| found.asset.clone())
}

/// The path of an asset, by its name without the hash. A name that there is not has no path.
pub(crate) fn asset_url(name: &str) -> &'static str {
    ASSETS
        .iter()
        .find(|found| found.name == name)
        .map_or("", |found| &found.url)
}

fn url(name: &str, bytes: &[u8]) -> String {
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let mut hash = String::new();
    for byte in Sha256::digest(bytes).iter().take(8) {
        // Writing to a string does not fail.
        let _ = write!(hash, "{byte:02x}");
    }
    format!("{FOLDER}{stem}.{hash}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_asset_is_found_under_its_hashed_name_and_no_other() {
        let swagger_ui = SWAGGER_UI.map(|(name, _)| name);
        for name in OWN.map(|(name, ..)| name).into_iter().chain(swagger_ui) {
            let url = asset_url(name);
            let bytes = asset(url).unwrap().bytes;
            assert!(!bytes.is_empty());
            assert_eq!(asset(&url["/static/".len()..]).unwrap().bytes, bytes, "{url}");
            assert!(asset(&format!("/static/{name}")).is_none());
        }
        assert_ne!(asset_url("page.css"), asset_url("page.js"));
        assert!(asset("").is_none());
        assert!(asset("/static/../page.css").is_none());
    }

    #[test]
    fn assets_are_small() {
        let size = |name| asset(asset_url(name)).unwrap().bytes.len();
        assert!(size("page.css") < 12 * 1024);
        assert!(size("page.js") < 8 * 1024);
    }
}
