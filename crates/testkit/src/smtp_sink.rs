//! A mail server for tests: it accepts mail over SMTP (RFC 5321), without TLS, and keeps it in memory.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread,
};

/// A mail that arrived.
#[derive(Debug, Clone)]
pub struct ReceivedMail {
    /// The recipients of the envelope.
    pub to: Vec<String>,
    /// The message as it was sent.
    message: String,
}

impl ReceivedMail {
    /// Reads a message, such as a file of one.
    #[must_use]
    pub fn read(message: String) -> Self {
        Self {
            to: Vec::new(),
            message,
        }
    }

    /// Returns the message. If it has quoted-printable parts, all of it is decoded.
    #[must_use]
    pub fn text(&self) -> String {
        if !self.message.contains("quoted-printable") {
            return self.message.clone();
        }
        let joined = self.message.replace("=\r\n", "");
        let mut bytes = Vec::new();
        let mut rest = joined.as_bytes();
        while let [first, after @ ..] = rest {
            let code = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
            let byte = code.and_then(|two| u8::from_str_radix(two, 16).ok());
            if let Some(byte) = byte.filter(|_| *first == b'=') {
                bytes.push(byte);
                rest = &after[2..];
            } else {
                bytes.push(*first);
                rest = after;
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Returns the lines of the plain text that are links.
    #[must_use]
    pub fn links(&self) -> Vec<String> {
        let text = self.text();
        let links = text.lines().filter(|line| line.starts_with("http"));
        links.map(str::to_owned).collect()
    }
}

/// A mail server on a free port. It ends when it is dropped.
pub struct SmtpSink {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    mails: Mutex<Vec<ReceivedMail>>,
    /// The code with which recipients are refused; 0 accepts them.
    refusal: AtomicU16,
    is_over: AtomicBool,
}

impl SmtpSink {
    /// Starts the server.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it listens").port();
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for connection in listener.incoming() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (connection, state) = (connection, Arc::clone(&shared));
                // A client that is killed breaks its connection.
                thread::spawn(move || connection.and_then(|connection| serve(&connection, &state)).ok());
            }
        });
        Self { port, state }
    }

    /// Returns the URL of the server, for the setting `mail.url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://127.0.0.1:{}", self.port)
    }

    /// Refuses all further recipients with this code; 0 accepts them again.
    pub fn refuse(&self, code: u16) {
        self.state.refusal.store(code, Ordering::SeqCst);
    }

    /// Returns the mails so far.
    #[must_use]
    pub fn mails(&self) -> Vec<ReceivedMail> {
        self.state
            .mails
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts connections.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

fn serve(mut connection: &TcpStream, state: &State) -> io::Result<()> {
    let mut lines = BufReader::new(connection).lines();
    let mut to = Vec::new();
    connection.write_all(b"220 sink\r\n")?;
    while let Some(line) = lines.next() {
        let line = line?;
        let verb = line.get(..4).unwrap_or_default().to_uppercase();
        let refusal = state.refusal.load(Ordering::SeqCst);
        let reply = match verb.as_str() {
            "EHLO" => "250 sink".to_owned(),
            "RCPT" if refusal > 0 => format!("{refusal} refused"),
            "RCPT" => {
                let address = line.split(['<', '>']).nth(1).unwrap_or_default();
                to.push(address.to_owned());
                "250 ok".to_owned()
            }
            "DATA" => {
                connection.write_all(b"354 go on\r\n")?;
                let mut message = String::new();
                for line in lines.by_ref() {
                    match line?.as_str() {
                        "." => break,
                        line => {
                            message.push_str(line.strip_prefix('.').unwrap_or(line));
                            message.push_str("\r\n");
                        }
                    }
                }
                let to = std::mem::take(&mut to);
                let mut mails = state.mails.lock().unwrap_or_else(PoisonError::into_inner);
                mails.push(ReceivedMail { to, message });
                "250 kept".to_owned()
            }
            "QUIT" => "221 bye".to_owned(),
            _ => "250 ok".to_owned(),
        };
        connection.write_all(format!("{reply}\r\n").as_bytes())?;
    }
    Ok(())
}
