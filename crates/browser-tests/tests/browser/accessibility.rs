//! Accessibility of all pages of My Cars, light and dark, on a screen and on a phone: axe-core finds no violation,
//! and no page scrolls sideways. The interactive documentation belongs to Swagger UI and is left out.

use crate::support::{CLIENT, ROOT, Site, cars, wait_for};

/// The longest allowed name, without a place to break it.
pub(crate) const LONG: &str =
    "Donaudampfschifffahrtselektrizitaetenhauptbetriebswerkbauunterbeamtengesellschaftsfahrzeugpark";

/// Collects the faults of pages.
pub(crate) struct Inspection<'a> {
    site: &'a Site,
    found: Vec<String>,
}

impl<'a> Inspection<'a> {
    pub(crate) fn of(site: &'a Site) -> Self {
        Self {
            site,
            found: Vec::new(),
        }
    }

    /// Loads a page and inspects it.
    #[track_caller]
    pub(crate) fn visit(&mut self, path: &str, status: u16) {
        let seen = self.site.visit(path);
        assert_eq!(seen, status, "{path}: {}", self.site.browser.text());
        self.look(&format!("{status} {path}"));
    }

    /// Inspects the current page.
    pub(crate) fn look(&mut self, name: &str) {
        self.found.extend(self.site.inspect(name));
        self.site.set_appearance(1280, 800, "light");
    }

    #[track_caller]
    pub(crate) fn end(self) {
        self.site.assert_quiet();
        assert!(
            self.found.is_empty(),
            "{} problems:\n{}",
            self.found.len(),
            self.found.join("\n")
        );
    }
}

#[test]
fn public_pages_are_accessible() {
    let site = Site::open();
    let mut inspection = Inspection::of(&site);
    inspection.visit("/api/", 200);
    inspection.visit("/api/cars/", 401);
    inspection.visit("/api/register/", 405);
    inspection.visit("/api/token/", 405);
    inspection.visit("/api-auth/login/", 200);
    site.fill_in_login(CLIENT, "wrong");
    inspection.look("login, refused");
    inspection.visit("/api-auth/password/reset/", 200);
    site.form_with("Send the link")
        .fill("Email address", "ann@example.com");
    site.form_with("Send the link").press("Send the link");
    inspection.look("link for a new password, sent");
    inspection.visit("/api-auth/password/reset/confirm/?token=unknown", 200);
    site.form_with("Set the password")
        .fill("New password", "Copper-island-35");
    site.form_with("Set the password").press("Set the password");
    inspection.look("new password, refused");
    inspection.visit("/api-auth/email/verify/resend/", 200);
    for (page, button) in [
        ("/api-auth/email/verify/", "Verify the address"),
        ("/api-auth/email/undo/", "Put the old address back"),
    ] {
        inspection.visit(&format!("{page}?token=unknown"), 200);
        site.form_with(button).press(button);
        inspection.look(&format!("{page}, refused"));
    }
    inspection.end();
}

#[test]
fn pages_of_cars_are_accessible() {
    let site = Site::open();
    let api = site.api_of(CLIENT);
    for number in 0..5 {
        let mut car = cars::car(&format!("B-{number}"));
        car["model"] = LONG.into();
        car["notes"] = LONG.repeat(3).into();
        api.create("/api/cars/", &car);
    }
    site.log_in(CLIENT);
    let mut inspection = Inspection::of(&site);
    inspection.visit("/api/", 200);
    inspection.visit("/api/cars/", 200);
    inspection.visit(
        "/api/cars/?limit=2&offset=2&ordering=year&brand=toyota&search=b",
        200,
    );
    inspection.visit(&format!("/api/cars/?search={LONG}"), 200);
    inspection.visit("/api/cars/?year=x", 400);
    inspection.visit("/api/cars/1/upload-image/", 405);
    let form = site.form("POST");
    form.field("Image").type_in(&cars::picture("tiny.jpg"));
    form.press("POST");
    inspection.look("answer to an upload");
    inspection.visit("/api/cars/1/", 200);
    inspection.visit("/api/cars/99/", 404);
    inspection.visit("/api/admin/users/", 403);
    inspection.visit("/api/me/", 200);
    inspection.visit("/api/change-password/", 405);
    inspection.end();
}

#[test]
fn results_of_forms_are_accessible() {
    let site = Site::open();
    site.api_of(CLIENT).create("/api/cars/", &cars::car("B-1"));
    site.log_in(CLIENT);
    let mut inspection = Inspection::of(&site);
    site.visit("/api/cars/");
    assert_eq!(
        site.form("POST")
            .fill("License", "b-1")
            .fill("VIN", "x")
            .press("POST"),
        400
    );
    inspection.look("400 of a form");
    assert_eq!(
        site.raw_form("POST")
            .fill("Content", "{\"year\": 1,\n oh")
            .press("POST"),
        400
    );
    inspection.look("400 of a text");
    site.visit("/api/cars/");
    let form = site.form("POST");
    form.fill("Brand", "Fiat")
        .fill("Model", "Panda")
        .fill("Year", "1985")
        .fill("License", "B-2");
    assert_eq!(form.press("POST"), 201);
    inspection.look("201");
    site.follow(&site.link("Open it"));
    assert_eq!(site.delete(), 200);
    inspection.look("204");
    site.visit("/api/cars/");
    site.button("OPTIONS").click();
    wait_for("the description", || {
        let shown = "return document.querySelector('#request .verb')?.textContent";
        (site.browser.run(shown, &[]) == "OPTIONS").then_some(())
    });
    inspection.look("OPTIONS");
    inspection.end();
}

#[test]
fn pages_of_users_are_accessible() {
    let site = Site::open();
    site.api_of(CLIENT).create("/api/cars/", &cars::car("B-1"));
    site.log_in(ROOT);
    let mut inspection = Inspection::of(&site);
    inspection.visit("/api/me/keys/", 200);
    inspection.visit("/api/me/logins/", 200);
    inspection.visit("/api/admin/users/?limit=1", 200);
    inspection.visit("/api/admin/users/2/", 200);
    inspection.visit("/api/admin/users/2/cars/", 200);
    inspection.visit("/api/admin/users/2/cars/1/", 200);
    site.visit("/api/admin/users/");
    assert_eq!(site.form("POST").press("POST"), 400);
    inspection.look("400 of a user");
    inspection.end();
}

#[test]
fn inspection_reports_faults() {
    let site = Site::open();
    site.visit("/api/");
    assert!(site.inspect("root").is_empty());
    let script = "const wide = document.createElement('div');
        wide.style.width = '2000px';
        wide.append('wide');
        document.querySelector('main').append(wide, document.createElement('input'));";
    site.browser.run(script, &[]);
    let found = site.inspect("root");
    for problem in [" px wide because of ", "Form elements must have labels"] {
        let times = found.iter().filter(|found| found.contains(problem)).count();
        assert_eq!(times, 4, "in each colour and width: {found:?}");
    }
}

#[test]
fn pages_work_with_the_keyboard_alone() {
    let site = Site::open();
    site.log_in(CLIENT);
    site.visit("/api/cars/");
    let active = "return document.activeElement.innerText || document.activeElement.id";
    let press = |key: &str| site.browser.find("body").type_in(key);
    press("\u{e004}");
    assert_eq!(site.browser.run(active, &[]), "Skip to content");
    let rest = "return document.activeElement.closest('#main') === null";
    let seen = "const box = document.activeElement.getBoundingClientRect();
        return box.width > 1 && box.height > 1 && box.top >= 0 && box.left >= 0";
    assert_eq!(
        site.browser.run(seen, &[]),
        true,
        "the focused element is visible"
    );
    site.browser
        .element("return document.activeElement", &[])
        .unwrap()
        .type_in("\u{e007}");
    assert_eq!(
        site.browser.run(rest, &[]),
        false,
        "the link leads to the content"
    );

    // After loading, the focus is on the faulty field.
    site.form("POST").press("POST");
    assert_eq!(
        site.browser.run("return document.activeElement.className", &[]),
        "problems"
    );

    // Escape closes an opened element and returns the focus to its button.
    site.visit("/api/");
    let summary = site.button("Authorize");
    summary.type_in("\u{e007}");
    assert!(site.browser.find("#token").is_shown());
    site.browser.find("#token").type_in("\u{e00c}");
    assert!(!site.browser.find("#token").is_shown());
    assert_eq!(site.browser.run(active, &[]), "Authorize");
}
