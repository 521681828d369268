//! The interactive documentation, from login to a car with a picture.

use serde_json::{Value, json};

use crate::support::{CLIENT, Element, PASSWORD, Site, cars, wait_for};

/// An expanded operation.
struct Operation<'a> {
    site: &'a Site,
    selector: String,
}

impl<'a> Operation<'a> {
    /// Returns an operation of a group.
    #[track_caller]
    fn open(site: &'a Site, group: &str, id: &str) -> Self {
        let operation = Self {
            site,
            selector: format!("#operations-{group}-{id}"),
        };
        operation.wait("button.opblock-summary-control").click();
        operation.wait("button.execute");
        operation
    }

    /// Waits for an element inside the operation.
    #[track_caller]
    fn wait(&self, inner: &str) -> Element<'a> {
        let selector = format!("{} {inner}", self.selector);
        wait_for(&selector, || self.site.browser.try_to_find(&selector))
    }

    fn body(&self) -> Element<'a> {
        self.wait("textarea.body-param__text")
    }

    /// Executes the operation, and returns the status and body that are shown.
    #[track_caller]
    fn execute(&self) -> (u16, Value) {
        self.wait("button.execute").click();
        let status = self.wait(".live-responses-table tr.response .response-col_status");
        let status = status.text().split_whitespace().next().unwrap_or("").to_owned();
        let body = self
            .wait(".live-responses-table tr.response .response-col_description code")
            .text();
        let body = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{error}: {body}"));
        (status.parse().expect("it is a status"), body)
    }
}

#[test]
fn documentation_logs_in_and_creates_a_car_with_picture() {
    let site = Site::open();
    assert_eq!(site.visit("/api/docs/"), 200);

    let obtain = Operation::open(&site, "tokens", "obtain_token");
    let credentials = json!({"username": CLIENT, "password": PASSWORD});
    obtain.body().fill(&credentials.to_string());
    let (status, tokens) = obtain.execute();
    assert_eq!(status, 200, "{tokens}");

    site.button("Authorize").click();
    let dialog = "#auth-bearer-value";
    wait_for(dialog, || site.browser.try_to_find(dialog)).type_in(tokens["access"].as_str().unwrap());
    site.browser.find(".auth-container button.authorize").click();
    wait_for("the token to be taken", || {
        site.browser.text().contains("Logout").then_some(())
    });
    site.browser.find(".auth-container button.btn-done").click();

    // The example body is valid.
    let (status, car) = Operation::open(&site, "cars", "create_car").execute();
    assert_eq!(status, 201, "{car}");

    let upload = Operation::open(&site, "cars", "upload_car_image");
    upload
        .wait("input[placeholder=car_id]")
        .fill(&car["id"].to_string());
    upload
        .wait("input[type=file]")
        .type_in(&cars::picture("tiny.jpg"));
    let (status, shown) = upload.execute();
    assert_eq!(status, 200, "{shown}");

    let kept = &site.api_of(CLIENT).get("/api/cars/")[0];
    assert_eq!(kept["license"], car["license"]);
    assert_eq!(kept["image"], shown["image"]);
    assert_eq!(site.visit(shown["image"].as_str().unwrap()), 200);
    // No resource came from another server, and no policy was violated.
    site.assert_quiet();
}

#[test]
fn documentation_uses_the_session_of_the_browser() {
    let site = Site::open();
    site.log_in(CLIENT);
    site.visit("/api/docs/");
    let (status, car) = Operation::open(&site, "cars", "create_car").execute();
    assert_eq!(status, 201, "{car}");
    assert_eq!(site.api_of(CLIENT).get("/api/cars/")[0]["id"], car["id"]);
    site.assert_quiet();
}

#[test]
fn documentation_without_scripts_links_to_alternatives() {
    let site = Site::without_scripts();
    assert_eq!(site.visit("/api/docs/"), 200);
    assert!(site.browser.text().contains("needs JavaScript"));
    assert_eq!(site.follow(&site.link("/api/")), 200);
}
