//! Servers of attackers, and requests from their pages.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    thread,
};

use super::{Site, wait_for};

/// A form of an attacker's page: its attributes and fields.
pub(crate) struct Attack {
    pub(crate) path: &'static str,
    pub(crate) enctype: &'static str,
    pub(crate) fields: String,
}

/// Loads an attacker's page that submits a form at once, and returns the resulting status.
pub(crate) fn submit_from(host: &str, site: &Site, attack: &Attack) -> u16 {
    let Attack {
        path,
        enctype,
        fields,
    } = attack;
    let html = format!(
        r#"<!doctype html><title>evil</title>
        <form method="post" action="{}{path}" enctype="{enctype}">{fields}</form>
        <script>document.forms[0].submit()</script>"#,
        site.url()
    );
    site.browser.go(&serve(host, html));
    wait_for("the form to be sent", || {
        let is_there = site.browser.url().starts_with(site.url());
        (is_there && site.browser.run("return document.readyState", &[]) == "complete").then_some(())
    });
    site.status()
}

/// Serves this page on a new port, and returns its URL.
pub(crate) fn serve(host: &str, html: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it listens").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("the browser connects");
            let mut reader = BufReader::new(&stream);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|length| length > 2) {
                line.clear();
            }
            // Errors are ignored, because the browser may have closed the connection.
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{html}",
                html.len()
            )
            .ok();
        }
    });
    format!("http://{host}:{port}/")
}
