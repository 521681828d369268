//! Controls a browser over `WebDriver`: Chromium, through chromedriver.
//!
//! The protocol is JSON over HTTP; each of the few commands takes one line here.

use std::{cell::RefCell, process::Command, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use ureq::{Agent, http::Request};

use super::{named_path, server::Process};

/// The key under which `WebDriver` passes elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How often chromedriver is started until it has a port.
const DRIVER_ATTEMPTS: u8 = 5;

/// Arguments for Chromium: no window, no sandbox (which does not work as root), and no background requests.
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

/// Whether pages may run scripts. Scripts of the tests always run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scripts {
    On,
    Off,
}

/// A browser with its own profile, closed on drop.
pub(crate) struct Browser {
    agent: Agent,
    session: String,
    console: RefCell<Vec<Entry>>,
    // Ended before its folder is deleted.
    _driver: Process,
    _profile: TempDir,
}

/// A line of the browser's console.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The level, such as `SEVERE`.
    pub(crate) level: String,
    /// The source: `security` for policy violations, `network` for failed requests, and others.
    pub(crate) source: String,
    pub(crate) message: String,
}

/// Starts chromedriver on a free port. Returns the port.
///
/// With `--port=0` it picks a port that is free for IPv6 and ends if another process has that port for IPv4, which
/// happens when many drivers start at once: it is started again then.
fn start_driver() -> (Process, String) {
    let start = || {
        let mut command = Command::new(named_path("BROWSER_TESTS_CHROMEDRIVER"));
        Process::start(command.arg("--port=0"), |line| {
            let port = line.split_once("successfully on port ")?.1;
            Some(port.trim_end_matches('.').to_owned())
        })
    };
    let started = (1..DRIVER_ATTEMPTS)
        .find_map(|_| start().ok())
        .map_or_else(start, Ok);
    started.unwrap_or_else(|error| panic!("{error}"))
}

impl Browser {
    pub(crate) fn open(scripts: Scripts) -> Self {
        let (driver, port) = start_driver();
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

    /// Loads a page and waits until it is complete.
    #[track_caller]
    pub(crate) fn go(&self, url: &str) {
        self.post("/url", &json!({"url": url}));
    }

    /// Reloads the page, like the button of the browser.
    #[track_caller]
    pub(crate) fn reload(&self) {
        self.post("/refresh", &json!({}));
    }

    pub(crate) fn url(&self) -> String {
        text(&self.get("/url"))
    }

    /// Runs the body of a function and returns its result.
    #[track_caller]
    pub(crate) fn run(&self, script: &str, arguments: &[Value]) -> Value {
        self.post("/execute/sync", &json!({"script": script, "args": arguments}))
    }

    /// Runs the body of an asynchronous function, which passes its result to its last argument.
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

    /// Returns the first element that matches a CSS selector.
    #[track_caller]
    pub(crate) fn find(&self, selector: &str) -> Element<'_> {
        self.try_to_find(selector)
            .unwrap_or_else(|| panic!("there is no {selector}:\n{}", self.text()))
    }

    #[track_caller]
    pub(crate) fn try_to_find(&self, selector: &str) -> Option<Element<'_>> {
        self.element("return document.querySelector(arguments[0])", &[json!(selector)])
    }

    /// Returns the visible text of the page.
    pub(crate) fn text(&self) -> String {
        text(&self.run("return document.body.innerText", &[]))
    }

    /// Returns the cookies of the current page with all their attributes.
    pub(crate) fn cookies(&self) -> Vec<Value> {
        let cookies = self.get("/cookie");
        cookies.as_array().expect("it is a list").clone()
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<Value> {
        self.cookies().into_iter().find(|cookie| cookie["name"] == name)
    }

    /// Returns the current tab.
    pub(crate) fn tab(&self) -> String {
        text(&self.get("/window"))
    }

    /// Opens a new tab and switches to it.
    #[track_caller]
    pub(crate) fn open_tab(&self) -> String {
        let opened = self.post("/window/new", &json!({"type": "tab"}));
        let tab = text(&opened["handle"]);
        self.look_at(&tab);
        tab
    }

    /// Switches to another tab.
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

    /// Returns a PNG of the window.
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        let encoded = text(&self.get("/screenshot"));
        STANDARD.decode(encoded).expect("it is base64")
    }

    /// Returns all messages of the console so far.
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
        // A screenshot is larger than the default limit of a response.
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
        // Chromium ends with its session. Errors are ignored, because it may have ended already.
        self.command("DELETE", "", &Value::Null).ok();
    }
}

/// An element of the current page.
pub(crate) struct Element<'a> {
    browser: &'a Browser,
    id: String,
}

impl Element<'_> {
    /// Returns the element as an argument of a script.
    pub(crate) fn argument(&self) -> Value {
        json!({ELEMENT: self.id})
    }

    /// Clicks on the element like a user. Fails if another element covers it.
    #[track_caller]
    pub(crate) fn click(&self) {
        // The driver scrolls only until the element is in the window, where fixed bars may cover it.
        let script =
            "arguments[0].scrollIntoView({block: 'nearest', inline: 'nearest', behavior: 'instant'})";
        self.browser.run(script, &[self.argument()]);
        self.browser.post(&self.command("click"), &json!({}));
    }

    /// Types at the end of the existing text.
    #[track_caller]
    pub(crate) fn type_in(&self, text: &str) {
        self.browser.post(&self.command("value"), &json!({"text": text}));
    }

    /// Replaces the existing text.
    #[track_caller]
    pub(crate) fn fill(&self, text: &str) {
        self.browser.post(&self.command("clear"), &json!({}));
        if !text.is_empty() {
            self.type_in(text);
        }
    }

    /// Returns the visible text.
    #[track_caller]
    pub(crate) fn text(&self) -> String {
        text(&self.browser.get(&self.command("text")))
    }

    /// Returns the value of a field.
    #[track_caller]
    pub(crate) fn value(&self) -> String {
        text(&self.property("value"))
    }

    #[track_caller]
    pub(crate) fn property(&self, name: &str) -> Value {
        self.browser.get(&self.command(&format!("property/{name}")))
    }

    /// Returns an attribute; empty if it is missing.
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
