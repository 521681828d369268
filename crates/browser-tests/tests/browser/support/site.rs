//! A server and a browser, and the actions of users.

use serde_json::{Value, json};

use super::{
    api::Api,
    driver::{Browser, Element, Scripts},
    server::Server,
    wait_for,
};

/// The superuser of every test server.
pub(crate) const ROOT: &str = "root";

/// The client of every test server.
pub(crate) const CLIENT: &str = "ann";

/// The password of all users.
pub(crate) const PASSWORD: &str = "Quartz-meadow-71";

/// A server and a browser that shows its pages.
pub(crate) struct Site {
    // Closed before the server ends, so that no request fails.
    pub(crate) browser: Browser,
    server: Server,
}

impl Site {
    /// Starts a server and a browser with scripts.
    pub(crate) fn open() -> Self {
        Self::with(Scripts::On)
    }

    pub(crate) fn without_scripts() -> Self {
        Self::with(Scripts::Off)
    }

    fn with(scripts: Scripts) -> Self {
        let server = Server::start(ROOT, PASSWORD);
        let site = Self {
            browser: Browser::open(scripts),
            server,
        };
        site.register(CLIENT);
        site
    }

    /// Returns the base URL of the server, `http://127.0.0.1:port`.
    pub(crate) fn url(&self) -> &str {
        &self.server.url
    }

    /// Waits for a mail with a link to this page, and returns the link without the server's address.
    #[track_caller]
    pub(crate) fn mailed_link(&self, page: &str) -> String {
        wait_for("a mail", || {
            let mut links = self.server.mailed_links().into_iter();
            links.find_map(|link| link.find(page).map(|path| link[path..].to_owned()))
        })
    }

    /// Returns an API client without credentials.
    pub(crate) fn api(&self) -> Api {
        Api::new(self.url())
    }

    /// Returns an API client that is logged in as a user.
    pub(crate) fn api_of(&self, username: &str) -> Api {
        self.api().log_in(username, PASSWORD)
    }

    /// Registers a client.
    pub(crate) fn register(&self, username: &str) {
        let registration = json!({
            "username": username,
            "email": format!("{username}@example.com"),
            "first_name": "Ann",
            "last_name": "Lee",
            "password": PASSWORD,
            "password2": PASSWORD,
        });
        self.api().create("/api/register/", &registration);
    }

    /// Loads a page and returns its status.
    #[track_caller]
    pub(crate) fn visit(&self, path: &str) -> u16 {
        self.browser.go(&format!("{}{path}", self.url()));
        self.status()
    }

    /// Returns the status of the current page.
    #[track_caller]
    pub(crate) fn status(&self) -> u16 {
        let script = "return performance.getEntriesByType('navigation')[0].responseStatus";
        let status = self.browser.run(script, &[]).as_u64();
        status
            .and_then(|status| status.try_into().ok())
            .expect("it is a status")
    }

    /// Returns the current URL without the server's address.
    pub(crate) fn path(&self) -> String {
        let url = self.browser.url();
        url.strip_prefix(self.url()).map_or(url.clone(), str::to_owned)
    }

    /// Fills in the login form of the current page.
    #[track_caller]
    pub(crate) fn fill_in_login(&self, username: &str, password: &str) {
        let form = self.form_with("Log in");
        form.fill("Username", username);
        form.fill("Password", password);
        form.press("Log in");
    }

    /// Logs in on the login page.
    #[track_caller]
    pub(crate) fn log_in(&self, username: &str) {
        self.visit("/api-auth/login/");
        self.fill_in_login(username, PASSWORD);
        assert_eq!(self.path(), "/api/", "{}", self.browser.text());
    }

    /// Returns the HTML form in the card with this title.
    #[track_caller]
    pub(crate) fn form(&self, title: &str) -> Form<'_> {
        self.tab(title, "HTML form")
    }

    /// Returns the raw form in the card with this title.
    #[track_caller]
    pub(crate) fn raw_form(&self, title: &str) -> Form<'_> {
        self.tab(title, "Raw data")
    }

    #[track_caller]
    fn tab(&self, title: &str, tab: &str) -> Form<'_> {
        let script = "const [title, tab] = arguments;
            const card = [...document.querySelectorAll('section')]
                .find((card) => card.querySelector('h2')?.textContent.trim() === title);
            return card && [...card.querySelectorAll('summary')]
                .find((summary) => summary.textContent.trim() === tab) || null;";
        let summary = self
            .browser
            .element(script, &[json!(title), json!(tab)])
            .unwrap_or_else(|| panic!("no card {title} has a tab {tab}:\n{}", self.browser.text()));
        let details = self.up(&summary, "details");
        if details.property("open") != true {
            summary.click();
        }
        Form {
            site: self,
            element: self.inside(&details, "form"),
        }
    }

    /// Returns the form that the button with this name submits.
    #[track_caller]
    pub(crate) fn form_with(&self, button: &str) -> Form<'_> {
        let button = self.button(button);
        Form {
            site: self,
            element: self.up(&button, "form"),
        }
    }

    /// Returns the form for the filters of a list, with all its parts opened.
    #[track_caller]
    pub(crate) fn filters(&self) -> Form<'_> {
        let form = self.form_with("Apply");
        let details = self.inside(&form.element, "details");
        if details.property("open") != true {
            self.inside(&form.element, "summary").click();
        }
        form
    }

    /// Returns the link with this text.
    #[track_caller]
    pub(crate) fn link(&self, text: &str) -> Element<'_> {
        self.named("a[href]", text)
    }

    /// Returns the button or summary with this text.
    #[track_caller]
    pub(crate) fn button(&self, text: &str) -> Element<'_> {
        self.named("button, summary", text)
    }

    #[track_caller]
    pub(super) fn named(&self, selector: &str, text: &str) -> Element<'_> {
        let script = "const [selector, text] = arguments;
            return [...document.querySelectorAll(selector)].find((it) => it.innerText.trim() === text) || null;";
        self.browser
            .element(script, &[json!(selector), json!(text)])
            .unwrap_or_else(|| panic!("no {selector} says {text:?}:\n{}", self.browser.text()))
    }

    /// Clicks on an element and waits until the next page is loaded.
    #[track_caller]
    pub(crate) fn follow(&self, element: &Element<'_>) -> u16 {
        self.browser.run("window.isLeft = true", &[]);
        element.click();
        wait_for("the next page", || {
            let script = "return window.isLeft === undefined && document.readyState === 'complete'";
            (self.browser.run(script, &[]) == true).then_some(())
        });
        self.status()
    }

    /// Deletes the object of the page.
    #[track_caller]
    pub(crate) fn delete(&self) -> u16 {
        self.button("DELETE").click();
        self.follow(&self.button("Delete"))
    }

    /// Returns the response in the page.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let text = self
            .browser
            .run("return document.querySelector('pre.json').textContent", &[]);
        let text = text.as_str().expect("it is text");
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Returns the plates of the cars in the page, in their order.
    #[track_caller]
    pub(crate) fn plates(&self) -> Vec<String> {
        let shown = self.json();
        let cars = shown
            .as_array()
            .or(shown["results"].as_array())
            .expect("it is a list");
        let plate = |car: &Value| car["license"].as_str().expect("it is text").to_owned();
        cars.iter().map(plate).collect()
    }

    /// Returns the errors on the console, except for pages with an error status.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let is_page = |message: &str| {
            let url = message.split_whitespace().next().unwrap_or("");
            let path = url.strip_prefix(self.url()).unwrap_or("");
            let is_refused = message.contains("the server responded with a status of 4");
            // For a resource without HTML, such as a picture, browsers request a default icon.
            is_refused && (path.starts_with("/api") || path.starts_with("/admin") || path == "/favicon.ico")
        };
        self.browser
            .console()
            .into_iter()
            .filter(|entry| {
                entry.level == "SEVERE" && !(entry.source == "network" && is_page(&entry.message))
            })
            .map(|entry| format!("{}: {}", entry.source, entry.message))
            .collect()
    }

    /// Asserts that since the start of the browser no policy was violated, no resource was missing and no script
    /// failed.
    #[track_caller]
    pub(crate) fn assert_quiet(&self) {
        let complaints = self.complaints();
        assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    }

    #[track_caller]
    fn up(&self, element: &Element<'_>, selector: &str) -> Element<'_> {
        self.browser
            .element(
                "return arguments[0].closest(arguments[1])",
                &[element.argument(), json!(selector)],
            )
            .unwrap_or_else(|| panic!("it is in no {selector}"))
    }

    #[track_caller]
    fn inside(&self, element: &Element<'_>, selector: &str) -> Element<'_> {
        self.browser
            .element(
                "return arguments[0].querySelector(arguments[1])",
                &[element.argument(), json!(selector)],
            )
            .unwrap_or_else(|| panic!("no {selector} is in it"))
    }
}

/// A form whose fields are found by their labels.
pub(crate) struct Form<'a> {
    site: &'a Site,
    element: Element<'a>,
}

impl Form<'_> {
    /// Returns the field of a label.
    #[track_caller]
    pub(crate) fn field(&self, label: &str) -> Element<'_> {
        let script = "const [form, label] = arguments;
            const text = (it) => it.textContent.replace('*', '').trim();
            return [...form.querySelectorAll('label')].find((it) => text(it) === label)?.control || null;";
        self.site
            .browser
            .element(script, &[self.element.argument(), json!(label)])
            .unwrap_or_else(|| panic!("no label {label} is tied to a field:\n{}", self.element.text()))
    }

    /// Fills in a field, replacing its value.
    #[track_caller]
    pub(crate) fn fill(&self, label: &str, text: &str) -> &Self {
        self.field(label).fill(text);
        self
    }

    /// Selects an option by its text.
    #[track_caller]
    pub(crate) fn choose(&self, label: &str, option: &str) -> &Self {
        let field = self.field(label);
        let script = "return [...arguments[0].options].find((it) => it.text.trim() === arguments[1]) || null";
        self.site
            .browser
            .element(script, &[field.argument(), json!(option)])
            .unwrap_or_else(|| panic!("{label} has no option {option}: {}", field.text()))
            .click();
        self
    }

    /// Returns the value of a field.
    #[track_caller]
    pub(crate) fn value(&self, label: &str) -> String {
        self.field(label).value()
    }

    /// Returns the error of a field, which must be visible and announced by screen readers.
    #[track_caller]
    pub(crate) fn error(&self, label: &str) -> String {
        let field = self.field(label);
        assert_eq!(
            field.attribute("aria-invalid"),
            "true",
            "{label} is said to be right"
        );
        let script = "return (arguments[0].getAttribute('aria-describedby') || '').split(' ')
            .map((id) => document.getElementById(id)).filter((it) => it && it.matches('.error'))
            .map((it) => it.innerText).join(' ')";
        let error = self.site.browser.run(script, &[field.argument()]);
        error.as_str().expect("it is text").to_owned()
    }

    /// Returns the button with this text.
    #[track_caller]
    pub(crate) fn button(&self, text: &str) -> Element<'_> {
        let script = "return [...arguments[0].querySelectorAll('button')]
            .find((it) => it.innerText.trim() === arguments[1]) || null";
        self.site
            .browser
            .element(script, &[self.element.argument(), json!(text)])
            .unwrap_or_else(|| panic!("there is no button {text}: {}", self.element.text()))
    }

    /// Presses a submit button, waits for the next page and returns its status.
    #[track_caller]
    pub(crate) fn press(&self, button: &str) -> u16 {
        self.site.follow(&self.button(button))
    }
}
