//! The style sheet, the script and the icon of the pages: a part of the program, so that they always fit it.
//!
//! Their names hold a hash of their bytes. What a name stands for never changes, and browsers may keep it for
//! good.

use std::{fmt::Write as _, sync::LazyLock};

use sha2::{Digest as _, Sha256};

/// A file that pages need.
pub(crate) struct Asset {
    pub(crate) content_type: &'static str,
    pub(crate) bytes: &'static [u8],
}

struct Source {
    /// Its name without the hash.
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

static SOURCES: [Source; 5] = [
    Source {
        name: "page.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../assets/page.css"),
    },
    Source {
        name: "page.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../assets/page.js"),
    },
    Source {
        name: "panel.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../../assets/panel.css"),
    },
    Source {
        name: "panel.js",
        content_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../../assets/panel.js"),
    },
    Source {
        name: "icon.svg",
        content_type: "image/svg+xml",
        bytes: include_bytes!("../../assets/icon.svg"),
    },
];

/// Where each source is found, hashed once.
static URLS: LazyLock<[String; 5]> = LazyLock::new(|| SOURCES.each_ref().map(url));

/// Where assets are found.
const FOLDER: &str = "/static/";

/// The asset with a name such as `page.0123456789abcdef.css`, with or without the folder before it.
pub(crate) fn asset(name: &str) -> Option<Asset> {
    let name = name.strip_prefix(FOLDER).unwrap_or(name);
    let index = URLS
        .iter()
        .position(|url| url.strip_prefix(FOLDER) == Some(name))?;
    SOURCES.get(index).map(|source| Asset {
        content_type: source.content_type,
        bytes: source.bytes,
    })
}

/// The path of an asset, by its name without the hash. A name that there is not has no path.
pub(crate) fn asset_url(name: &str) -> &'static str {
    SOURCES
        .iter()
        .zip(URLS.iter())
        .find(|(source, _)| source.name == name)
        .map_or("", |(_, url)| url)
}

fn url(source: &Source) -> String {
    let (stem, extension) = source.name.split_once('.').unwrap_or((source.name, ""));
    let mut hash = String::new();
    for byte in Sha256::digest(source.bytes).iter().take(8) {
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
        for source in &SOURCES {
            let url = asset_url(source.name);
            assert_eq!(asset(url).unwrap().bytes, source.bytes, "{url}");
            assert_eq!(
                asset(&url["/static/".len()..]).unwrap().bytes,
                source.bytes,
                "{url}"
            );
            assert!(asset(&format!("/static/{}", source.name)).is_none());
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
