//! A browser, driven over `WebDriver`: Chromium, through chromedriver.
//!
//! The protocol is JSON over HTTP, and the few commands that are used here are a line each.

use std::{cell::RefCell, process::Command, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::{Agent, http::Request};

use super::{named_path, server::Process};

/// Under which name `WebDriver` passes elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Chromium without a window, without a sandbox (which does not work as root), and without any request of its
/// own.
const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// Whether pages may run scripts. What the tests run is run in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scripts {
    On,
    Off,
}

/// A browser with a profile of its own, closed when this is dropped.
pub(crate) struct Browser {
    agent: Agent,
    session: String,
    console: RefCell<Vec<Entry>>,
    // Ended before its folder is deleted.
    _driver: Process,
    _profile: TempDir,
}

/// One line of the browser's console.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Such as `SEVERE`.
    pub(crate) level: String,
    /// Who says it: `security` of what a policy forbids, `network` of what was not loaded, and others.
    pub(crate) source: String,
    pub(crate) message: String,
}

impl Browser {
    pub(crate) fn open(scripts: Scripts) -> Self {
        let mut command = Command::new(named_path("BROWSER_TESTS_CHROMEDRIVER"));
        let (driver, port) = Process::start(command.arg("--port=0"), |line| {
            let port = line.split_once("successfully on port ")?.1;
            Some(port.trim_end_matches('.').to_owned())
        });
        let profile = TempDir::new().expect("a folder can be made");
        let mut flags = FLAGS.map(str::to_owned).to_vec();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        let mut preferences = json!({
            "credentials_enable_service": false,
            "profile.password_manager_leak_detection": false,
        });
        if scripts == Scripts::Off {
            preferences["profile.managed_default_content_settings.javascript"] = json!(2);
        }
        let capabilities = json!({
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {
                "binary": named_path("BROWSER_TESTS_CHROMIUM"),
                "args": flags,
                "prefs": preferences,
            },
        });
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_mins(3)))
            .build();
        let mut browser = Self {
            agent: config.into(),
            session: format!("http://127.0.0.1:{port}/session"),
            console: RefCell::default(),
            _driver: driver,
            _profile: profile,
        };
        let started = browser.post("", &json!({"capabilities": {"alwaysMatch": capabilities}}));
        let id = started["sessionId"].as_str().expect("a session has an id");
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    /// Loads a page, and waits until it is there.
    #[track_caller]
    pub(crate) fn go(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// Does what the button of this name does.
    #[track_caller]
    pub(crate) fn reload(&self) {
        self.post("/refresh", &json!({}));
    }

    pub(crate) fn url(&self) -> String {
        text(&self.get("/url"))
    }

    /// Runs the body of a function.
    #[track_caller]
    pub(crate) fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": arguments}))
    }

    /// Runs the body of a function that hands its result to its last argument, in its own time.
    #[track_caller]
    pub(crate) fn run_async(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("/execute/async", &json!({"script": script, "args": arguments}))
    }

    /// Runs the body of a function that returns an element, or `null`.
    #[track_caller]
    pub(crate) fn element(&self, script: &str, arguments: &[Value]) -> Option<Element<'_>> {
        let id = self.run(script, arguments)[ELEMENT].as_str()?.to_owned();
        Some(Element { browser: self, id })
    }

    /// The first element that a CSS selector matches.
    #[track_caller]
    pub(crate) fn find(&self, selector: &str) -> Element<'_> {
        self.try_to_find(selector)
            .unwrap_or_else(|| panic!("there is no {selector}:\n{}", self.text()))
    }

    #[track_caller]
    pub(crate) fn try_to_find(&self, selector: &str) -> Option<Element<'_>> {
        self.element("return document.querySelector(arguments[0])", &[json!(selector)])
    }

    /// What one sees of the page's text.
    pub(crate) fn text(&self) -> String {
        text(&self.run("return document.body.innerText", &[]))
    }

    /// The cookies that are sent to the page that is shown, with all that the browser knows of them.
    pub(crate) fn cookies(&self) -> Vec<Value> {
        let cookies = self.get("/cookie");
        cookies.as_array().expect("it is a list").clone()
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<Value> {
        self.cookies().into_iter().find(|cookie| cookie["name"] == name)
    }

    /// Has the browser keep a cookie as if the server had set it.
    #[track_caller]
    pub(crate) fn plant_cookie(&self, name: &str, value: &str) {
        let cookie = json!({"name": name, "value": value, "path": "/", "httpOnly": true});
        self.post("/cookie", &json!({"cookie": cookie}));
    }

    /// The tab that is looked at.
    pub(crate) fn tab(&self) -> String {
        text(&self.get("/window"))
    }

    /// Opens another tab, and looks at it.
    #[track_caller]
    pub(crate) fn open_tab(&self) -> String {
        let opened = self.post("/window/new", &json!({"type": "tab"}));
        let tab = text(&opened["handle"]);
        self.look_at(&tab);
        tab
    }

    /// Looks at another tab.
    #[track_caller]
    pub(crate) fn look_at(&self, tab: &str) {
        self.post("/window", &json!({"handle": tab}));
    }

    /// Moves the mouse and presses keys.
    #[track_caller]
    pub(crate) fn perform(&self, actions: &Value) {
        self.post("/actions", &json!({"actions": actions}));
    }

    /// Sends a command of the Chrome `DevTools` Protocol.
    #[track_caller]
    pub(crate) fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post(
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        )
    }

    /// A PNG of the window.
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        let encoded = text(&self.get("/screenshot"));
        STANDARD.decode(encoded).expect("it is base64")
    }

    /// Everything that the console has said so far.
    pub(crate) fn console(&self) -> Vec<Entry> {
        let new = self.post("/se/log", &json!({"type": "browser"}));
        let new = new.as_array().expect("it is a list").iter().map(|entry| Entry {
            level: text(&entry["level"]),
            source: text(&entry["source"]),
            message: text(&entry["message"]),
        });
        let mut console = self.console.borrow_mut();
        console.extend(new);
        console.clone()
    }

    #[track_caller]
    fn get(&self, command: &str) -> Value {
        self.command("GET", command, &Value::Null)
            .unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    #[track_caller]
    fn post(&self, command: &str, body: &Value) -> Value {
        self.command("POST", command, body)
            .unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    fn command(&self, method: &str, command: &str, body: &Value) -> Result<Value, String> {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{command}", self.session))
            .header("Content-Type", "application/json; charset=utf-8")
            .body(body)
            .map_err(|error| error.to_string())?;
        let mut answer = self.agent.run(request).map_err(|error| error.to_string())?;
        // A picture of a page is larger than what is read without being asked to.
        let body = answer.body_mut().with_config().limit(64 << 20).read_to_vec();
        let body = body.map_err(|error| error.to_string())?;
        let mut read: Value = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
        if answer.status().is_success() {
            return Ok(read["value"].take());
        }
        Err(format!(
            "{}: {}",
            read["value"]["error"], read["value"]["message"]
        ))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its session. What fails here has ended already.
        self.command("DELETE", "", &Value::Null).ok();
    }
}

/// An element of the page that is shown.
pub(crate) struct Element<'a> {
    browser: &'a Browser,
    id: String,
}

impl Element<'_> {
    /// The element as an argument of a script.
    pub(crate) fn argument(&self) -> Value {
        json!({ELEMENT: self.id})
    }

    /// Clicks where a person would; fails where something else is in front of it.
    #[track_caller]
    pub(crate) fn click(&self) {
        // The driver scrolls no further than into the window, where bars that stay may be in front.
        let script =
            "arguments[0].scrollIntoView({block: 'nearest', inline: 'nearest', behavior: 'instant'})";
        self.browser.run(script, &[self.argument()]);
        self.browser.post(&self.command("click"), &json!({}));
    }

    /// Types at the end of what is there.
    #[track_caller]
    pub(crate) fn type_in(&self, text: &str) {
        self.browser.post(&self.command("value"), &json!({"text": text}));
    }

    /// Types in the place of what is there.
    #[track_caller]
    pub(crate) fn fill(&self, text: &str) {
        self.browser.post(&self.command("clear"), &json!({}));
        if !text.is_empty() {
            self.type_in(text);
        }
    }

    /// The text that one sees.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        text(&self.browser.get(&self.command("text")))
    }

    /// What is filled in.
    #[track_caller]
    pub(crate) fn value(&self) -> String {
        text(&self.property("value"))
    }

    #[track_caller]
    pub(crate) fn property(&self, name: &str) -> Value {
        self.browser.get(&self.command(&format!("property/{name}")))
    }

    /// What an attribute says; empty where there is none.
    #[track_caller]
    pub(crate) fn attribute(&self, name: &str) -> String {
        text(&self.browser.get(&self.command(&format!("attribute/{name}"))))
    }

    #[track_caller]
    pub(crate) fn is_shown(&self) -> bool {
        self.browser.get(&self.command("displayed")) == true
    }

    fn command(&self, command: &str) -> String {
        format!("/element/{}/{command}", self.id)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
