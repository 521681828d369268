//! Takes pictures of the main pages: those of `docs/screenshots/`, where `scripts/test-browser --screenshots`
//! asks for them, and else for nobody to keep.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{CLIENT, Site, axe::SCHEMES, cars};

/// A screen and a phone: what they are called, and their size in pixels.
const SIZES: [(&str, u32, u32); 2] = [("desktop", 1280, 900), ("phone", 390, 844)];

#[test]
fn the_main_pages_can_be_taken_pictures_of() {
    let thrown_away = TempDir::new().unwrap();
    let kept = env::var_os("BROWSER_TESTS_SCREENSHOTS").map(PathBuf::from);
    let pictures = kept.as_deref().unwrap_or(thrown_away.path());
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
    take(&site, pictures, "login");
    site.log_in(CLIENT);
    take(&site, pictures, "root");
    site.visit("/api/cars/?limit=2&ordering=-year&year_min=2018&search=vo");
    site.filters();
    take(&site, pictures, "list");
    site.visit("/api/cars/1/upload-image/");
    let form = site.form("POST");
    let folder = TempDir::new().unwrap();
    let photo = folder.path().join("golf.jpg");
    draw(&site, &photo);
    form.field("Image").type_in(photo.to_str().unwrap());
    form.press("POST");
    site.visit("/api/cars/1/");
    take(&site, pictures, "detail");
    site.visit("/api/cars/");
    let form = site.form("POST");
    form.fill("Brand", "Fiat")
        .fill("Year", "1700")
        .fill("License", "b-mc 101")
        .fill("VIN", "TOO-SHORT");
    form.press("POST");
    take(&site, pictures, "errors");
}

/// Takes a picture of the page that is shown, in each size and all colours.
fn take(site: &Site, folder: &Path, name: &str) {
    for (device, width, height) in SIZES {
        for scheme in SCHEMES {
            site.dress(width, height, scheme);
            let hidden = json!({"hidden": true});
            site.browser.devtools("Emulation.setScrollbarsHidden", &hidden);
            site.browser.run("scrollTo(0, 0)", &[]);
            let path = folder.join(format!("{name}-{device}-{scheme}.png"));
            fs::write(&path, site.browser.screenshot()).unwrap();
            // Where it is not installed, the pictures are larger.
            let smaller = Command::new("pngquant")
                .args(["--force", "--ext", ".png", "--strip"])
                .arg(&path)
                .status();
            drop(smaller);
            let picture = fs::read(&path).unwrap();
            let pixels = [width.to_be_bytes(), height.to_be_bytes()].concat();
            assert_eq!(picture[16..24], pixels, "the size of {}", path.display());
        }
    }
    site.dress(1280, 900, "light");
}

/// A picture of a car, drawn by the browser.
fn draw(site: &Site, path: &Path) {
    let script = "const canvas = Object.assign(document.createElement('canvas'), {width: 960, height: 640});
        const pen = canvas.getContext('2d');
        const fill = (colour, draw) => { pen.fillStyle = colour; pen.beginPath(); draw(); pen.fill(); };
        const box = (colour, ...at) => fill(colour, () => pen.roundRect(...at));
        const disc = (colour, x, y, size) => fill(colour, () => pen.arc(x, y, size, 0, 7));
        box('#bcdcf5', 0, 0, 960, 640, 0);
        disc('#fff4c2', 790, 120, 60);
        box('#7da87b', 0, 380, 960, 260, 0);
        box('#56606b', 0, 470, 960, 170, 0);
        box('#a3262a', 300, 270, 350, 150, [90, 110, 0, 0]);
        box('#dceaf5', 335, 295, 130, 85, [55, 8, 8, 8]);
        box('#dceaf5', 485, 295, 130, 85, [8, 70, 8, 8]);
        box('#c22f33', 170, 375, 620, 120, [60, 70, 30, 30]);
        box('#ffe9a8', 745, 400, 40, 26, 10);
        for (const x of [310, 650]) { disc('#20262c', x, 495, 62); disc('#b8c0c8', x, 495, 30); }
        return canvas.toDataURL('image/jpeg', 0.9).split(',')[1];";
    let encoded = site.browser.run(script, &[]);
    fs::write(path, STANDARD.decode(encoded.as_str().unwrap()).unwrap()).unwrap();
}
