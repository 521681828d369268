//! HTTP byte by byte, for what no decent client sends or shows.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use super::PATIENCE;

/// A connection on which nothing is sent or understood but what a test says.
pub(crate) struct Connection(TcpStream);

impl Connection {
    /// Connects to a host and port.
    pub(crate) fn to(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0
            .write_all(bytes.as_ref())
            .expect("the server takes what is sent");
    }

    /// Reads until these bytes have come.
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

/// The head and the body of an answer.
pub(crate) fn split(answer: &str) -> (&str, &str) {
    answer.split_once("\r\n\r\n").expect("an answer has a head")
}

/// A body in pieces, as `Transfer-Encoding: chunked` sends it.
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
