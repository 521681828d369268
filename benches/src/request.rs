//! The requests of the benchmark: `wrk` repeats them, and the client sends them one at a time.

/// The password of all users.
pub(crate) const PASSWORD: &str = "benchmark-8412";

/// In a body, stands for a number that is different in each request.
pub(crate) const NUMBER: &str = "NUMBER";

/// Separates the parts of an upload.
const BOUNDARY: &str = "benchmark-boundary";

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    /// The paths, which are requested in turn.
    pub(crate) paths: Vec<String>,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: "GET",
            paths: vec![path.into()],
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    pub(crate) fn post(path: impl Into<String>, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST",
            body: body.into(),
            ..Self::get(path).header("Content-Type", content_type.to_owned())
        }
    }

    /// A login that returns tokens.
    pub(crate) fn login(username: &str) -> Self {
        let body = format!(r#"{{"username":"{username}","password":"{PASSWORD}"}}"#);
        Self::post("/api/token/", "application/json", body)
    }

    /// Uploads of a JPEG file to cars in turn.
    pub(crate) fn upload(cars: &[String], jpeg: &[u8]) -> Self {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"car.jpg\"\r\n\
             Content-Type: image/jpeg\r\n\r\n"
        );
        let tail = format!("\r\n--{BOUNDARY}--\r\n");
        let body = [head.as_bytes(), jpeg, tail.as_bytes()].concat();
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        Self::post("", &content_type, body).to(cars, |car| format!("{car}upload-image/"))
    }

    /// Sends the request to other paths.
    pub(crate) fn to(self, paths: &[String], path: fn(&String) -> String) -> Self {
        let paths = paths.iter().map(path).collect();
        Self { paths, ..self }
    }

    pub(crate) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }
}
