//! A collector of traces for tests: it accepts OTLP over HTTP (OpenTelemetry), and keeps the spans in memory.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// A span that arrived. Ids are hexadecimal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceivedSpan {
    /// The id of the trace.
    pub trace_id: String,
    /// The id of the span.
    pub id: String,
    /// The id of the span around it; empty if there is none.
    pub parent_id: String,
    /// The name.
    pub name: String,
    /// The attributes that are text or whole numbers.
    pub attributes: BTreeMap<String, String>,
}

/// A collector on a free port. It ends when it is dropped.
pub struct TraceSink {
    address: SocketAddr,
    spans: Arc<Mutex<Vec<ReceivedSpan>>>,
    is_over: Arc<AtomicBool>,
}

impl TraceSink {
    /// Starts the collector.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let sink = Self {
            address: listener.local_addr().expect("it is bound"),
            spans: Arc::default(),
            is_over: Arc::default(),
        };
        let (spans, is_over) = (Arc::clone(&sink.spans), Arc::clone(&sink.is_over));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if is_over.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, spans) = (stream.expect("a connection"), Arc::clone(&spans));
                // A client that ends its connection needs no response.
                thread::spawn(move || serve(&stream, &spans).ok());
            }
        });
        sink
    }

    /// Returns the URL of the collector.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the spans that have arrived.
    #[must_use]
    pub fn spans(&self) -> Vec<ReceivedSpan> {
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for TraceSink {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        // Wakes the thread.
        TcpStream::connect(self.address).ok();
    }
}

fn serve(stream: &TcpStream, spans: &Mutex<Vec<ReceivedSpan>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        assert_eq!(line, "POST /v1/traces HTTP/1.1\r\n");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line)?;
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut received = Vec::new();
        for resource in messages(&body, 1) {
            for scope in messages(resource, 2) {
                received.extend(messages(scope, 2).map(span));
            }
        }
        spans
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(received);
        let mut stream = stream;
        stream.write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n",
        )?;
    }
}

fn span(message: &[u8]) -> ReceivedSpan {
    let mut span = ReceivedSpan::default();
    for (number, value) in fields(message) {
        match (number, value) {
            (1, Value::Bytes(id)) => span.trace_id = hexadecimal(id),
            (2, Value::Bytes(id)) => span.id = hexadecimal(id),
            (4, Value::Bytes(id)) => span.parent_id = hexadecimal(id),
            (5, Value::Bytes(name)) => span.name = text(name),
            (9, Value::Bytes(attribute)) => {
                let name = messages(attribute, 1).next().map(text).unwrap_or_default();
                let value = messages(attribute, 2).next().unwrap_or_default();
                let value = match fields(value).next() {
                    Some((1, Value::Bytes(value))) => text(value),
                    Some((3, Value::Number(value))) => value.to_string(),
                    _ => continue,
                };
                span.attributes.insert(name, value);
            }
            _ => {}
        }
    }
    span
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String accepts all text");
    }
    text
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The value of a field of Protocol Buffers.
enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// Returns the values of a field that are bytes: messages or texts.
fn messages(message: &[u8], wanted: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(move |(number, value)| match value {
        Value::Bytes(bytes) if number == wanted => Some(bytes),
        _ => None,
    })
}

/// Returns the numbers and values of the fields of a message.
fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        let tag = (!rest.is_empty()).then(|| number(&mut rest))?;
        let value = match tag & 7 {
            0 => Value::Number(number(&mut rest)),
            1 => Value::Bytes(split(&mut rest, 8)),
            2 => {
                let length = number(&mut rest).try_into().expect("it is in memory");
                Value::Bytes(split(&mut rest, length))
            }
            5 => Value::Bytes(split(&mut rest, 4)),
            other => panic!("a field of type {other}"),
        };
        Some((tag >> 3, value))
    })
}

fn number(rest: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = split(rest, 1)[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

fn split<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (first, others) = rest.split_at(length);
    *rest = others;
    first
}
