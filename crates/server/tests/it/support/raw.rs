//! HTTP byte by byte, for requests and responses that a normal client does not handle.

use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{Shutdown, TcpStream},
};

use flate2::read::GzDecoder;

use super::http::{Answer, HeaderMap, HeaderName, HeaderValue, PATIENCE};

/// A connection that sends exactly the bytes of a test.
pub(crate) struct Connection(TcpStream);

impl Connection {
    /// Connects to a host and port.
    pub(crate) fn to(address: &str) -> Self {
        Self(connect(address).expect("the server listens"))
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0
            .write_all(bytes.as_ref())
            .expect("the server takes what is sent");
    }

    /// Sends the same bytes again and again until the server has closed the connection. Returns their number.
    pub(crate) fn send_until_closed(&mut self, bytes: &[u8]) -> usize {
        let mut sent = 0;
        loop {
            match self.0.write(bytes) {
                Ok(length) => sent += length,
                Err(error) => {
                    let closed = [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset];
                    assert!(closed.contains(&error.kind()), "after {sent} bytes: {error}");
                    return sent;
                }
            }
        }
    }

    /// Announces that nothing more is sent, as the end of a program does.
    pub(crate) fn finish(&mut self) {
        self.0.shutdown(Shutdown::Write).expect("the server listens");
    }

    /// Whether bytes have come that are not read yet.
    pub(crate) fn has_bytes(&mut self) -> bool {
        self.0.set_nonblocking(true).expect("the system obeys");
        let peeked = self.0.peek(&mut [0]);
        self.0.set_nonblocking(false).expect("the system obeys");
        peeked.is_ok()
    }

    /// Reads until these bytes have arrived.
    pub(crate) fn read_until(&mut self, end: &str) -> String {
        let mut read = Vec::new();
        let mut byte = [0];
        while !read.ends_with(end.as_bytes()) {
            let length = self.0.read(&mut byte).expect("the server answers");
            assert_eq!(length, 1, "closed after {:?}", String::from_utf8_lossy(&read));
            read.push(byte[0]);
        }
        String::from_utf8_lossy(&read).into_owned()
    }

    /// Reads until the server closes the connection.
    pub(crate) fn read_to_end(&mut self) -> String {
        let mut read = Vec::new();
        self.0
            .read_to_end(&mut read)
            .expect("the server answers and closes");
        String::from_utf8_lossy(&read).into_owned()
    }
}

fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection for several requests in sequence, while the server keeps it open.
pub(crate) struct KeepAlive {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

impl KeepAlive {
    pub(crate) fn to(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            stream: None,
        }
    }

    /// Sends the bytes of one request, and returns the response.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Answer, String> {
        if let Some(used) = self.stream.take() {
            // The server may have closed a used connection; that is not an error of this request.
            if let Ok(answer) = self.ask_on(used, request) {
                return Ok(answer);
            }
        }
        let stream = connect(&self.address).map_err(|error| format!("nobody listens: {error}"))?;
        self.ask_on(BufReader::new(stream), request)
    }

    fn ask_on(&mut self, mut stream: BufReader<TcpStream>, request: &[u8]) -> Result<Answer, String> {
        // A server that refuses early may not read the whole request, but still responds.
        let sent = stream.get_mut().write_all(request);
        let is_head = request.starts_with(b"HEAD ");
        let answer = read_answer(&mut stream, is_head)
            .map_err(|error| format!("no answer: {error}; what was sent: {sent:?}"))?;
        if sent.is_ok() && answer.header("Connection").as_deref() != Some("close") {
            self.stream = Some(stream);
        }
        Ok(answer)
    }
}

fn read_answer(stream: &mut BufReader<TcpStream>, is_head: bool) -> Result<Answer, String> {
    let status_line = read_line(stream)?;
    let status: u16 = status_line
        .strip_prefix("HTTP/1.1 ")
        .or_else(|| status_line.strip_prefix("HTTP/1.0 "))
        .and_then(|rest| rest.get(..3)?.parse().ok())
        .ok_or_else(|| format!("this begins no answer: {status_line:?}"))?;
    let mut headers = HeaderMap::new();
    loop {
        let line = read_line(stream)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| format!("this is no header: {line:?}"))?;
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).map_err(|error| error.to_string())?,
            HeaderValue::from_str(value.trim()).map_err(|error| error.to_string())?,
        );
    }
    let mut answer = Answer {
        status,
        headers,
        body: Vec::new(),
    };
    if !is_head && !matches!(status, 204 | 304) {
        answer.body = read_body(stream, &answer)?;
    }
    Ok(answer)
}

/// Reads a body by its length or in chunks, and decompresses it.
fn read_body(stream: &mut BufReader<TcpStream>, answer: &Answer) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    if let Some(length) = answer.header("Content-Length") {
        read_piece(stream, length.parse().ok(), &mut body)?;
    } else {
        loop {
            let length = usize::from_str_radix(&read_line(stream)?, 16).ok();
            read_piece(stream, length, &mut body)?;
            read_line(stream)?;
            if length == Some(0) {
                break;
            }
        }
    }
    if answer.header("Content-Encoding").as_deref() == Some("gzip") {
        let compressed = std::mem::take(&mut body);
        let read = GzDecoder::new(&compressed[..]).read_to_end(&mut body);
        read.map_err(|error| error.to_string())?;
    }
    Ok(body)
}

fn read_piece(
    stream: &mut BufReader<TcpStream>,
    length: Option<usize>,
    body: &mut Vec<u8>,
) -> Result<(), String> {
    let read = body.len();
    body.resize(read + length.ok_or("the response has no length")?, 0);
    stream
        .read_exact(&mut body[read..])
        .map_err(|error| error.to_string())
}

fn read_line(stream: &mut BufReader<TcpStream>) -> Result<String, String> {
    let mut line = String::new();
    stream.read_line(&mut line).map_err(|error| error.to_string())?;
    line.strip_suffix("\r\n")
        .map(str::to_owned)
        .ok_or_else(|| format!("closed after {line:?}"))
}

/// Splits a response into its head and its body.
pub(crate) fn split(answer: &str) -> (&str, &str) {
    answer.split_once("\r\n\r\n").expect("an answer has a head")
}

/// Returns a body with the encoding `chunked`.
pub(crate) fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut sent = Vec::new();
    for piece in body.chunks(size) {
        sent.extend(format!("{:x}\r\n", piece.len()).as_bytes());
        sent.extend(piece);
        sent.extend(b"\r\n");
    }
    sent.extend(b"0\r\n\r\n");
    sent
}
