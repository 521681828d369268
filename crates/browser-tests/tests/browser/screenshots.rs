//! Takes screenshots of the main pages. With `scripts/test-browser --screenshots` they are stored in
//! `docs/screenshots/`, otherwise in a temporary folder.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tempfile::TempDir;

use crate::support::{CLIENT, PASSWORD, ROOT, Site, axe::SCHEMES, cars};

/// A window size: its name, and its width and height in pixels.
type Size = (&'static str, u32, u32);

const DESKTOP: Size = ("desktop", 1280, 900);
const PHONE: Size = ("phone", 390, 844);

#[test]
fn main_pages_have_screenshots() {
    let thrown_away = TempDir::new().unwrap();
    let pictures = &folder(&thrown_away);
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
    draw(&site, &photo, "#c22f33");
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

#[test]
fn panel_has_screenshots() {
    let thrown_away = TempDir::new().unwrap();
    let pictures = &folder(&thrown_away);
    let site = Site::open();
    fill_panel(&site);

    site.visit("/admin/");
    take_of_panel(&site, pictures, "index");
    site.visit("/admin/users/");
    take_of_panel(&site, pictures, "users");
    site.visit("/admin/cars/?search=b&year_min=2015&ordering=-year,brand&limit=8");
    site.tick("B-MC 105").click();
    site.tick("B-MC 103").click();
    take_of_panel(&site, pictures, "cars");
    site.visit("/admin/cars/1/");
    take_of_panel(&site, pictures, "form");
    site.visit("/admin/cars/1/history/");
    take_of_panel(&site, pictures, "history");

    site.visit("/admin/cars/1/");
    site.api_of(CLIENT)
        .change("/api/cars/1/", &json!({"mileage": 61_480, "color": "Blue"}));
    site.change_form().fill("Mileage", "61200");
    assert_eq!(site.change_form().press("Save"), 409);
    take_of_panel(&site, pictures, "conflict");
    site.visit("/admin/users/2/");
    take_of_panel(&site, pictures, "user");
    site.visit("/admin/users/2/delete/");
    take_of_panel(&site, pictures, "delete");
}

/// Creates realistic users, cars and history entries, and logs in.
fn fill_panel(site: &Site) {
    let root = site.api_of(ROOT);
    for (username, first, last, role) in [
        ("bruno", "Bruno", "Castelli", "client"),
        ("chiara", "Chiara", "Novak", "client"),
        ("dmitri", "Dmitri", "Volkov", "client"),
        ("emma", "Emma", "Lindqvist", "admin"),
        ("farid", "Farid", "Haddad", "client"),
        ("grace", "Grace", "Okonkwo", "client"),
    ] {
        let user = json!({
            "username": username, "first_name": first, "last_name": last, "role": role,
            "email": format!("{username}@example.com"), "password": PASSWORD, "password2": PASSWORD,
        });
        root.create("/api/admin/users/", &user);
    }
    root.change("/api/admin/users/5/", &json!({"is_active": false}));
    let folder = TempDir::new().unwrap();
    site.log_in(ROOT);
    for (number, (owner, brand, model, year, mileage, colour)) in [
        (CLIENT, "Volkswagen", "Golf", 2019, 58_200, "#c22f33"),
        (CLIENT, "Škoda", "Octavia", 2021, 31_450, "#2f6fc2"),
        ("bruno", "Toyota", "Corolla", 2022, 18_900, "#e0a21b"),
        ("chiara", "Volvo", "V60", 2018, 96_310, "#3c8a55"),
        ("chiara", "Volvo", "XC40", 2023, 7_240, "#7a4fb0"),
        ("bruno", "Toyota", "Yaris", 2020, 44_020, "#d8dde2"),
        ("emma", "Volkswagen", "ID.3", 2024, 2_150, "#1f9ab0"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut car = cars::car(&format!("B-MC {}", 101 + number));
        car["brand"] = json!(brand);
        car["model"] = json!(model);
        car["year"] = json!(year);
        car["mileage"] = json!(mileage);
        site.api_of(owner).create("/api/cars/", &car);
        draw(site, &folder.path().join(format!("{number}.jpg")), colour);
    }
    for number in (0..7).rev() {
        site.visit(&format!("/admin/cars/{}/", number + 1));
        let photo = folder.path().join(format!("{number}.jpg"));
        site.change_form()
            .field("Picture")
            .type_in(photo.to_str().unwrap());
        assert_eq!(site.change_form().press("Save"), 200);
    }
    site.visit("/admin/cars/1/");
    site.change_form()
        .fill("Mileage", "60940")
        .fill("Notes", "Winter tyres are in the cellar. Service in March.");
    assert_eq!(site.change_form().press("Save"), 200);
}

/// Returns the folder for the screenshots: from the environment, or a temporary one.
fn folder(thrown_away: &TempDir) -> PathBuf {
    let kept = env::var_os("BROWSER_TESTS_SCREENSHOTS").map(PathBuf::from);
    kept.unwrap_or_else(|| thrown_away.path().to_owned())
}

/// Takes a screenshot of the current page in each size and colour scheme.
fn take(site: &Site, folder: &Path, name: &str) {
    for size in [DESKTOP, PHONE] {
        for scheme in SCHEMES {
            shoot(site, folder, name, size, scheme);
        }
    }
    site.set_appearance(1280, 900, "light");
}

/// Takes a screenshot of a page of the panel, in one colour scheme for the phone.
fn take_of_panel(site: &Site, folder: &Path, name: &str) {
    let name = format!("panel-{name}");
    for (size, scheme) in [(DESKTOP, SCHEMES[0]), (DESKTOP, SCHEMES[1]), (PHONE, SCHEMES[0])] {
        shoot(site, folder, &name, size, scheme);
    }
    site.set_appearance(1280, 900, "light");
}

fn shoot(site: &Site, folder: &Path, name: &str, (device, width, height): Size, scheme: &str) {
    let hidden = json!({"hidden": true});
    site.browser.devtools("Emulation.setScrollbarsHidden", &hidden);
    site.set_appearance(width, height, scheme);
    site.browser.run("scrollTo(0, 0)", &[]);
    let path = folder.join(format!("{name}-{device}-{scheme}.png"));
    fs::write(&path, site.browser.screenshot()).unwrap();
    // If the tool is not installed, the files are larger.
    let smaller = Command::new("pngquant")
        .args(["--force", "--ext", ".png", "--strip"])
        .arg(&path)
        .status();
    drop(smaller);
    let picture = fs::read(&path).unwrap();
    let pixels = [width.to_be_bytes(), height.to_be_bytes()].concat();
    assert_eq!(picture[16..24], pixels, "the size of {}", path.display());
}

/// Draws a picture of a car in the browser.
fn draw(site: &Site, path: &Path, colour: &str) {
    let script = "const canvas = Object.assign(document.createElement('canvas'), {width: 960, height: 640});
        const pen = canvas.getContext('2d');
        const fill = (colour, draw) => { pen.fillStyle = colour; pen.beginPath(); draw(); pen.fill(); };
        const box = (colour, ...at) => fill(colour, () => pen.roundRect(...at));
        const disc = (colour, x, y, size) => fill(colour, () => pen.arc(x, y, size, 0, 7));
        box('#bcdcf5', 0, 0, 960, 640, 0);
        disc('#fff4c2', 790, 120, 60);
        box('#7da87b', 0, 380, 960, 260, 0);
        box('#56606b', 0, 470, 960, 170, 0);
        box(arguments[0], 300, 270, 350, 150, [90, 110, 0, 0]);
        box('#0003', 300, 270, 350, 150, [90, 110, 0, 0]);
        box('#dceaf5', 335, 295, 130, 85, [55, 8, 8, 8]);
        box('#dceaf5', 485, 295, 130, 85, [8, 70, 8, 8]);
        box(arguments[0], 170, 375, 620, 120, [60, 70, 30, 30]);
        box('#ffe9a8', 745, 400, 40, 26, 10);
        for (const x of [310, 650]) { disc('#20262c', x, 495, 62); disc('#b8c0c8', x, 495, 30); }
        return canvas.toDataURL('image/jpeg', 0.9).split(',')[1];";
    let encoded = site.browser.run(script, &[json!(colour)]);
    fs::write(path, STANDARD.decode(encoded.as_str().unwrap()).unwrap()).unwrap();
}
