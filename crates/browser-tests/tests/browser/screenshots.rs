//! Makes the pictures of `docs/screenshots/`.

use std::{fs, path::Path, process::Command};

use serde_json::json;

use crate::support::{CLIENT, Site, axe::SCHEMES, cars};

/// A screen and a phone: what they are called, and their size in pixels.
const SIZES: [(&str, u32, u32); 2] = [("desktop", 1280, 900), ("phone", 390, 844)];

#[test]
#[ignore = "writes to docs/screenshots: scripts/test-browser --screenshots"]
fn make_screenshots() {
    let site = Site::open();
    let api = site.api_of(CLIENT);
    for (plate, brand, model, year) in [
        ("B-MC 101", "Volkswagen", "Golf", 2019),
        ("B-MC 102", "Škoda", "Octavia", 2021),
        ("B-MC 103", "Toyota", "Corolla", 2022),
        ("B-MC 104", "Volvo", "V60", 2018),
        ("B-MC 105", "Volvo", "XC40", 2023),
    ] {
        let mut car = cars::car(plate);
        car["brand"] = json!(brand);
        car["model"] = json!(model);
        car["year"] = json!(year);
        api.create("/api/cars/", &car);
    }
    site.visit("/api-auth/login/");
    take(&site, "login");
    site.log_in(CLIENT);
    take(&site, "root");
    site.visit("/api/cars/?limit=2&ordering=-year&year_min=2018&search=vo");
    site.filters();
    take(&site, "list");
    site.visit("/api/cars/1/upload-image/");
    let form = site.form("POST");
    form.field("Image").type_in(&photo());
    form.press("POST");
    site.visit("/api/cars/1/");
    take(&site, "detail");
    site.visit("/api/cars/");
    let form = site.form("POST");
    form.fill("Brand", "Fiat")
        .fill("Year", "1700")
        .fill("License", "b-mc 101")
        .fill("VIN", "TOO-SHORT");
    form.press("POST");
    take(&site, "errors");
}

/// Takes a picture of the page that is shown, in each size and all colours.
fn take(site: &Site, name: &str) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/screenshots"));
    fs::create_dir_all(folder).unwrap();
    for (device, width, height) in SIZES {
        for scheme in SCHEMES {
            site.dress(width, height, scheme);
            site.browser.run("scrollTo(0, 0)", &[]);
            let path = folder.join(format!("{name}-{device}-{scheme}.png"));
            fs::write(&path, site.browser.screenshot()).unwrap();
            // Where it is not installed, the pictures are larger.
            let smaller = Command::new("pngquant")
                .args(["--force", "--ext", ".png", "--strip"])
                .arg(&path)
                .status();
            drop(smaller);
            let bytes = fs::metadata(&path).unwrap().len();
            assert!(
                bytes < 150_000,
                "{} has {bytes} bytes: is pngquant installed?",
                path.display()
            );
        }
    }
    site.dress(1280, 900, "light");
}

/// The path of a picture of a car: a drawing, as it needs nobody's leave.
fn photo() -> String {
    cars::picture("tiny.jpg")
}
