//! Splits multipart bodies into parts (RFC 2046, section 5.1), chunk by chunk and as leniently as Django does.

use actix_web::web::{Buf as _, Bytes, BytesMut};
use memchr::{memchr, memmem::Finder};
use thiserror::Error;

/// Maximum size of the headers of a part, in bytes. (Django allows 1024.)
const MAX_PART_HEADERS: usize = 16 * 1024;

/// Maximum length of a boundary, in characters, as in Django. (RFC 2046 allows 70.)
const MAX_BOUNDARY: usize = 201;

/// A piece of a multipart body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// The headers of a part, each line with its line end.
    Headers(Vec<u8>),
    /// Some of the content of the part.
    Content(Bytes),
    /// The end of the part.
    End,
}

/// The reason why a body can't be split.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum MultipartError {
    #[error("Invalid boundary in multipart")]
    InvalidBoundary,
    #[error("The boundary does not occur in the body")]
    NoBoundary,
    #[error("The body ends within the headers of a part")]
    IncompleteHeaders,
    #[error("The headers of a part are too large: at most {} KiB", MAX_PART_HEADERS / 1024)]
    HeadersTooLarge,
}

/// Splits a body that is pushed chunk by chunk. Between two chunks it holds no more than the headers of a part, or
/// as many bytes as may be the start of a delimiter.
pub(super) struct Splitter {
    /// `--` and the boundary.
    delimiter: Finder<'static>,
    buffer: BytesMut,
    state: State,
    /// Whether the buffer begins at the start of a line.
    is_line_start: bool,
    is_finished: bool,
}

enum State {
    Preamble,
    /// Behind a delimiter, before it is known whether it is the last one.
    AfterDelimiter,
    /// In the rest of the line of a delimiter.
    DelimiterLine,
    /// In headers; holds those that are complete.
    Headers(Vec<u8>),
    Content,
    Epilogue,
}

impl Splitter {
    pub(super) fn new(boundary: &[u8]) -> Result<Self, MultipartError> {
        let is_printable = boundary.iter().all(|byte| (b' '..=b'~').contains(byte));
        if boundary.is_empty() || boundary.len() > MAX_BOUNDARY || boundary.ends_with(b" ") || !is_printable {
            return Err(MultipartError::InvalidBoundary);
        }
        Ok(Self {
            delimiter: Finder::new(&[b"--", boundary].concat()).into_owned(),
            buffer: BytesMut::new(),
            state: State::Preamble,
            is_line_start: true,
            is_finished: false,
        })
    }

    /// Adds a chunk. All events must be taken before the next one.
    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// Notes that there are no more chunks.
    pub(super) fn finish(&mut self) {
        self.is_finished = true;
    }

    /// Returns the next event; `None` if it needs another chunk or if there is none left.
    pub(super) fn next_event(&mut self) -> Result<Option<Event>, MultipartError> {
        loop {
            let step = match &mut self.state {
                State::Preamble => self.skip_preamble()?,
                State::AfterDelimiter => self.after_delimiter(),
                State::DelimiterLine => self.skip_delimiter_line(),
                State::Headers(_) => self.header_line()?,
                State::Content => self.content(),
                State::Epilogue => {
                    self.buffer.clear();
                    Step::Wait
                }
            };
            match step {
                Step::Go => {}
                Step::Emit(event) => return Ok(Some(event)),
                Step::Wait => return Ok(None),
            }
        }
    }

    fn skip_preamble(&mut self) -> Result<Step, MultipartError> {
        Ok(match self.until_delimiter() {
            Found::Content(_) => Step::Go,
            Found::Delimiter => self.go_to(State::AfterDelimiter),
            Found::Nothing if self.is_finished => return Err(MultipartError::NoBoundary),
            Found::Nothing => Step::Wait,
        })
    }

    fn content(&mut self) -> Step {
        match self.until_delimiter() {
            Found::Content(bytes) => Step::Emit(Event::Content(bytes)),
            Found::Delimiter => {
                self.state = State::AfterDelimiter;
                Step::Emit(Event::End)
            }
            // Some clients leave the last delimiter out.
            Found::Nothing if self.is_finished => {
                self.state = State::Epilogue;
                Step::Emit(Event::End)
            }
            Found::Nothing => Step::Wait,
        }
    }

    fn after_delimiter(&mut self) -> Step {
        if self.buffer.starts_with(b"--") {
            self.go_to(State::Epilogue)
        } else if self.buffer.len() >= 2 || self.is_finished {
            self.go_to(State::DelimiterLine)
        } else {
            Step::Wait
        }
    }

    /// Skips what follows the boundary in its line: white space, and anything else (RFC 2046: "it is sufficient
    /// that the boundary appear in its entirety following the CRLF").
    fn skip_delimiter_line(&mut self) -> Step {
        if let Some(end) = memchr(b'\n', &self.buffer) {
            self.buffer.advance(end + 1);
            return self.go_to(State::Headers(Vec::new()));
        }
        self.buffer.clear();
        Step::Wait
    }

    fn header_line(&mut self) -> Result<Step, MultipartError> {
        let State::Headers(headers) = &mut self.state else {
            return Ok(Step::Wait);
        };
        let line_end = memchr(b'\n', &self.buffer);
        let is_delimiter = self.buffer.starts_with(self.delimiter.needle());
        let size = headers.len() + line_end.map_or(self.buffer.len(), |end| end + 1);
        if size > MAX_PART_HEADERS && !is_delimiter {
            return Err(MultipartError::HeadersTooLarge);
        }
        let line = match line_end {
            // A delimiter among the headers ends a part without content.
            _ if is_delimiter => Bytes::new(),
            Some(end) => self.buffer.split_to(end + 1).freeze(),
            None if !self.is_finished => return Ok(Step::Wait),
            // Some clients write the last delimiter as if another part followed.
            None if headers.is_empty() && self.buffer.is_empty() => return Ok(self.go_to(State::Epilogue)),
            None => return Err(MultipartError::IncompleteHeaders),
        };
        if !matches!(&line[..], b"" | b"\n" | b"\r\n") {
            headers.extend_from_slice(&line);
            return Ok(Step::Go);
        }
        let headers = std::mem::take(headers);
        self.state = State::Content;
        self.is_line_start = true;
        Ok(Step::Emit(Event::Headers(headers)))
    }

    /// Takes what precedes the next delimiter, or the delimiter if nothing does. The line break before a delimiter
    /// belongs to it.
    fn until_delimiter(&mut self) -> Found {
        let content = if let Some(start) = self.delimiter_start() {
            let content = without_line_break(self.buffer.get(..start).unwrap_or_default()).len();
            if content == 0 {
                self.buffer.advance(start + self.delimiter.needle().len());
                return Found::Delimiter;
            }
            content
        } else if self.is_finished {
            self.buffer.len()
        } else {
            // The rest may be a line break and all of a delimiter but its last byte.
            let held_back = self.delimiter.needle().len() + 1;
            self.buffer.len().saturating_sub(held_back)
        };
        if content == 0 {
            return Found::Nothing;
        }
        self.is_line_start = false;
        Found::Content(self.buffer.split_to(content).freeze())
    }

    /// Returns where the first delimiter at the start of a line begins.
    fn delimiter_start(&self) -> Option<usize> {
        self.delimiter
            .find_iter(&self.buffer)
            .find(|start| match start.checked_sub(1) {
                None => self.is_line_start,
                Some(before) => self.buffer.get(before) == Some(&b'\n'),
            })
    }

    fn go_to(&mut self, state: State) -> Step {
        self.state = state;
        Step::Go
    }
}

enum Step {
    Go,
    Emit(Event),
    Wait,
}

enum Found {
    Content(Bytes),
    Delimiter,
    /// Nothing yet.
    Nothing,
}

fn without_line_break(content: &[u8]) -> &[u8] {
    match content {
        [content @ .., b'\r', b'\n'] | [content @ .., b'\n'] => content,
        _ => content,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a body in chunks: the headers and the content of each part.
    fn split<'a>(
        chunks: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<(String, String)>, MultipartError> {
        let mut splitter = Splitter::new(b"XX").unwrap();
        let mut parts: Vec<(String, Vec<u8>)> = Vec::new();
        let mut take = |splitter: &mut Splitter| {
            while let Some(event) = splitter.next_event()? {
                match event {
                    Event::Headers(headers) => parts.push((String::from_utf8(headers).unwrap(), Vec::new())),
                    Event::Content(bytes) => parts.last_mut().unwrap().1.extend_from_slice(&bytes),
                    Event::End => {}
                }
            }
            Ok(())
        };
        for chunk in chunks {
            splitter.push(chunk);
            take(&mut splitter)?;
            assert!(splitter.buffer.len() <= MAX_PART_HEADERS);
        }
        splitter.finish();
        take(&mut splitter)?;
        Ok(parts
            .into_iter()
            .map(|(headers, content)| (headers, String::from_utf8(content).unwrap()))
            .collect())
    }

    #[test]
    fn chunks_do_not_change_the_parts() {
        for (body, expected) in [
            ("--XX\r\nA: b\r\n\r\nc\r\n--XX--\r\n", vec![("A: b\r\n", "c")]),
            ("--XX\r\nA: b\r\n\r\nc", vec![("A: b\r\n", "c")]),
            ("--XX\r\nA: b\r\n\r\nc\r\n--X", vec![("A: b\r\n", "c\r\n--X")]),
            ("--XX\r\nA: b\r\n\r\nc\r\n--XX", vec![("A: b\r\n", "c")]),
            ("--XX\r\nA: b\r\n\r\nc\r\n--XX\r\n", vec![("A: b\r\n", "c")]),
            ("--XX\r\nA: b\r\n\r\n\r\n--XX--", vec![("A: b\r\n", "")]),
            ("--XX\r\nA: b\r\n\r\n--XX--", vec![("A: b\r\n", "")]),
            ("--XX\r\nA: b\r\n--XX--", vec![("A: b\r\n", "")]),
            ("--XX\r\n\r\nc\r\n--XX--", vec![("", "c")]),
            (
                "--XX\r\nA: b\r\n\r\na--XX\r\n --XX\r\n-XX\r\n--XX--",
                vec![("A: b\r\n", "a--XX\r\n --XX\r\n-XX")],
            ),
            (
                "--XX\r\nA: b\r\n\r\na\r\r\n\r\n--XX--",
                vec![("A: b\r\n", "a\r\r\n")],
            ),
            (
                "--XX\r\nA: b\r\n\r\na\r--XX\r\n--XX--",
                vec![("A: b\r\n", "a\r--XX")],
            ),
            ("--XX\nA: b\n\nc\n\n--XX--\n", vec![("A: b\n", "c\n")]),
            (
                "--XX \t\r\nA: b\r\n\r\nc\r\n--XX--  \r\n",
                vec![("A: b\r\n", "c")],
            ),
            ("--XXY\r\nA: b\r\n\r\nc\r\n--XX--", vec![("A: b\r\n", "c")]),
            ("--XX--", vec![]),
            ("--XX", vec![]),
            ("--XX\r\n", vec![]),
            (
                "a --XX\r\n--XX\r\nA: b\r\n\r\nc\r\n--XX--\r\n--XX\r\nD: e\r\n\r\nf",
                vec![("A: b\r\n", "c")],
            ),
            (
                "\r\n--XX\r\nA: b\r\n\r\nc\r\n--XX\r\nD: e\r\n\r\nf\r\n--XX--",
                vec![("A: b\r\n", "c"), ("D: e\r\n", "f")],
            ),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .collect();
            assert_eq!(split([body.as_bytes()]).as_ref(), Ok(&expected), "{body:?}");
            for size in 1..body.len() {
                assert_eq!(
                    split(body.as_bytes().chunks(size)).as_ref(),
                    Ok(&expected),
                    "{body:?} by {size}"
                );
            }
        }
    }

    #[test]
    fn malformed_multipart_is_refused() {
        for (body, error) in [
            ("", MultipartError::NoBoundary),
            ("a=b", MultipartError::NoBoundary),
            ("a--XX\r\n\r\n", MultipartError::NoBoundary),
            ("--YY\r\nA: b\r\n\r\nc\r\n--YY--", MultipartError::NoBoundary),
            ("--XX\r\nA: b", MultipartError::IncompleteHeaders),
            ("--XX\r\nA: b\r\n", MultipartError::IncompleteHeaders),
            ("--XX\r\nA", MultipartError::IncompleteHeaders),
        ] {
            assert_eq!(split([body.as_bytes()]).as_ref(), Err(&error), "{body:?}");
            assert_eq!(split(body.as_bytes().chunks(1)), Err(error), "{body:?}");
        }
    }

    #[test]
    fn headers_have_a_maximum_size() {
        let body = |size: usize| format!("--XX\r\nA: {}\r\n\r\n--XX--", "b".repeat(size));
        // "A: " and two line ends.
        let largest = MAX_PART_HEADERS - 3 - 4;
        for chunk in [1, 1000, usize::MAX] {
            assert!(split(body(largest).as_bytes().chunks(chunk)).is_ok());
            let refused = split(body(largest + 1).as_bytes().chunks(chunk));
            assert_eq!(refused, Err(MultipartError::HeadersTooLarge));
        }
        let endless = "b".repeat(MAX_PART_HEADERS + 1);
        let refused = split(format!("--XX\r\n{endless}").as_bytes().chunks(100));
        assert_eq!(refused, Err(MultipartError::HeadersTooLarge));
    }

    #[test]
    fn boundaries_are_printable_ascii_of_limited_length() {
        for boundary in [
            "a",
            "----=_Part_1",
            "a/b",
            "a b",
            "'()+_,-./:=?",
            &"a".repeat(201),
        ] {
            assert!(Splitter::new(boundary.as_bytes()).is_ok(), "{boundary}");
        }
        for boundary in ["", " ", "a ", "ü", "a\tb", "a\0", &"a".repeat(202)] {
            assert!(Splitter::new(boundary.as_bytes()).is_err(), "{boundary}");
        }
    }
}
