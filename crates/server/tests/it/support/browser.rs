//! A browser with cookies and forms.

use super::{Answer, Request, Server, accounts::PASSWORD};

const FORM: &str = "application/x-www-form-urlencoded";

/// A browser with the cookies of a session.
pub(crate) struct Browser<'s> {
    server: &'s Server,
    /// The key of the session, if there is one.
    pub(crate) session: Option<String>,
    /// The CSRF token that a form must send.
    pub(crate) token: String,
}

impl<'s> Browser<'s> {
    /// Creates a browser that has opened the login page.
    pub(crate) fn new(server: &'s Server) -> Self {
        let page = server.send(&Request::get("/api-auth/login/"));
        assert_eq!(page.status, 200);
        let token = cookie(&page, "csrftoken").expect("the page sets a token");
        assert!(page.text().contains(&token), "the form holds the token");
        Self {
            server,
            session: None,
            token,
        }
    }

    /// Creates a browser with a session.
    pub(crate) fn of(server: &'s Server, username: &str) -> Self {
        let mut browser = Self::new(server);
        let answer = browser.log_in(username, PASSWORD, "/api/");
        assert_eq!(answer.status, 302, "{}", answer.text());
        browser
    }

    pub(crate) fn log_in(&mut self, username: &str, password: &str, next: &str) -> Answer {
        let fields = [("username", username), ("password", password), ("next", next)];
        let answer = self.submit("/api-auth/login/", &fields);
        self.session = cookie(&answer, "sessionid").or(self.session.take());
        self.token = cookie(&answer, "csrftoken").unwrap_or(self.token.clone());
        answer
    }

    /// Sends a form with the token.
    pub(crate) fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let token = ("csrfmiddlewaretoken", self.token.as_str());
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain([token]).collect();
        self.send(form(path, &fields).header("Accept", "text/html"))
    }

    pub(crate) fn send(&self, request: Request) -> Answer {
        let session = self
            .session
            .as_ref()
            .map(|key| format!("; sessionid={key}"))
            .unwrap_or_default();
        self.server
            .send(&request.header("Cookie", &format!("csrftoken={}{session}", self.token)))
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path))
    }
}

/// Percent-encodes text for URLs and forms.
pub(crate) fn escape(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    });
    escaped.collect()
}

/// Returns the request that a browser sends for a form.
pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> Request {
    let pairs: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
        .collect();
    let mut request = Request::new("POST", path).header("Content-Type", FORM);
    request.body = pairs.join("&").into_bytes();
    request
}

/// Returns the value of a cookie that a response sets.
pub(crate) fn cookie(answer: &Answer, name: &str) -> Option<String> {
    answer.headers.get_all("set-cookie").iter().find_map(|header| {
        let (known, rest) = header.to_str().ok()?.split_once('=')?;
        (known == name).then(|| rest.split(';').next().unwrap_or_default().to_owned())
    })
}
