//! Compares the reading of bodies with the corpus in `tests/corpus/`.

use std::io::{Read as _, Seek as _};

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// A body and its expected content. Bytes are written as the characters U+0000 to U+00FF.
#[derive(Deserialize)]
struct Case {
    name: String,
    content_type: String,
    body: String,
    /// Names and texts; `None` for text that is not valid in its encoding.
    fields: Option<Vec<(String, Option<String>)>>,
    /// Names and contents.
    #[serde(default)]
    files: Vec<(String, String)>,
    json: Option<String>,
    error: Option<String>,
}

/// The result of reading a body.
#[derive(Debug, PartialEq)]
enum Outcome {
    Form {
        fields: Vec<(String, Option<String>)>,
        files: Vec<(String, String)>,
    },
    Json(String),
    Error(String),
}

fn corpus() -> Vec<Case> {
    serde_json::from_str(include_str!("../../../tests/corpus/bodies.json")).unwrap()
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).unwrap()).collect()
}

fn read<'a>(content_type: &[u8], chunks: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut reader = BodyReader::new(content_type, true);
    let pushed = chunks.into_iter().try_for_each(|chunk| reader.push(chunk));
    let body = match pushed {
        Ok(()) => reader.finish(),
        Err(body) => body,
    };
    match body {
        Body::Empty { .. } => Outcome::Form {
            fields: Vec::new(),
            files: Vec::new(),
        },
        Body::Form(parts) => outcome(parts),
        Body::Json(bytes) => Outcome::Json(String::from_utf8(bytes.to_vec()).unwrap()),
        Body::Malformed(why) => Outcome::Error(why),
        Body::Unsupported(media_type, _) => Outcome::Error(media_type.given),
        Body::TooLarge(_) | Body::BrokenOff | Body::NotKept(_) | Body::NoMemory => {
            panic!("does not come from a reader")
        }
    }
}

fn outcome(parts: Vec<(String, Part)>) -> Outcome {
    let (mut fields, mut files) = (Vec::new(), Vec::new());
    for (name, part) in parts {
        match part {
            Part::Text(text) => fields.push((name, Some(text))),
            Part::Undecodable(_) => fields.push((name, None)),
            Part::File(file) => {
                let (mut file, mut content) = (file.into_inner(), Vec::new());
                file.content.rewind().unwrap();
                file.content.read_to_end(&mut content).unwrap();
                assert_eq!(content.len() as u64, file.size);
                files.push((name, content.into_iter().map(char::from).collect()));
            }
        }
    }
    Outcome::Form { fields, files }
}

#[test]
fn bodies_of_the_corpus_are_read_as_expected() {
    let corpus = corpus();
    assert!(corpus.len() >= 100);
    for case in corpus {
        let expected = match (case.error, case.json) {
            (Some(error), _) => Outcome::Error(error),
            (None, Some(json)) => Outcome::Json(json),
            (None, None) => Outcome::Form {
                fields: case.fields.unwrap(),
                files: case.files,
            },
        };
        let (content_type, body) = (bytes(&case.content_type), bytes(&case.body));
        assert_eq!(read(&content_type, [&body[..]]), expected, "{}", case.name);
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(
                read(&content_type, body.chunks(size)),
                expected,
                "{} by {size}",
                case.name
            );
        }
    }
}

#[test]
fn forms_have_at_most_1000_fields() {
    let part = "--XX\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n";
    let read = |parts: usize| {
        let body = part.repeat(parts);
        read(b"multipart/form-data; boundary=XX", [body.as_bytes()])
    };
    assert!(matches!(read(MAX_PARTS), Outcome::Form { fields, .. } if fields.len() == MAX_PARTS));
    let refused = "Multipart form parse error - The form has too many fields: at most 1000";
    assert_eq!(read(MAX_PARTS + 1), Outcome::Error(refused.into()));
}

#[test]
fn files_are_discarded_where_none_are_accepted() {
    let body = "--XX\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\nc\r\n--XX--";
    let mut reader = BodyReader::new(b"multipart/form-data; boundary=XX", false);
    assert!(reader.push(body.as_bytes()).is_ok());
    let Body::Form(parts) = reader.finish() else {
        panic!("must be a form");
    };
    assert!(matches!(&parts[..], [(_, Part::File(file))] if file.borrow().size == 0));
}

#[test]
fn raw_body_of_a_page_ignores_its_charset() {
    let form = [
        ("_content_type", "application/json; charset=latin-1"),
        ("_content", "{\"a\":\"ü\"}"),
    ];
    let text = |(name, text): (&str, &str)| (name.to_owned(), Part::Text(text.to_owned()));
    let mut body = Body::Form(form.map(text).into());
    body.take_page_form(&mut SentForm::default());
    assert!(matches!(body, Body::Json(json) if json == "{\"a\":\"ü\"}"));
}

#[test]
fn page_form_with_undecodable_own_field_is_malformed() {
    for (form, field) in [
        ("_method=PATCH&_content=%FF", "_content"),
        ("_method=PATCH&_content={}&_content={%FF}", "_content"),
        ("_method=PATCH&_content={%FF}&_content={}", "_content"),
        ("_method=PATCH&_content=%C3&brand=VW", "_content"),
        ("_method=PATCH&_content_type=%FF&_content={}", "_content_type"),
        ("_method=PATCH&_content_type=%ED%A0%80&brand=VW", "_content_type"),
        ("_method=%FF&_content={}", "_method"),
        ("_method=P%C3&brand=VW", "_method"),
    ] {
        let (method, body) = read_page_form(form);
        let expected = format!("Form parse error - the field \"{field}\" could not be decoded as UTF-8");
        assert!(
            matches!(&body, Body::Malformed(why) if *why == expected),
            "{form}"
        );
        assert_eq!(method.is_some(), field != "_method", "{form}");
    }
    let (method, body) = read_page_form("_method=PATCH&brand=%FF");
    assert!(method.is_some() && matches!(body, Body::Form(_)));
}

fn read_page_form(form: &str) -> (Option<Method>, Body) {
    let mut reader = BodyReader::new(FORM, false);
    assert!(reader.push(form.as_bytes()).is_ok());
    let mut body = reader.finish();
    let method = body.take_page_form(&mut SentForm::default());
    (method, body)
}

/// Pieces of bodies, with and without a meaning for a parser.
const PIECES: &[&[u8]] = &[
    b"--XX",
    b"\r\n",
    b"\n",
    b"\r",
    b"--",
    b"-",
    b"X",
    b"\r\n\r\n",
    b"\r\n--XX\r\n",
    b"Content-Disposition: form-data; name=a\r\n\r\n",
    b"Content-Disposition: form-data; name=\"b\"; filename=\"c\"\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Type: text/plain; charset=latin1\r\n",
    b" folded",
    b"QUJD",
    b"=3D=",
    b"\xff\0",
    b"a=%FF&b=",
];

fn body_of_pieces() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(proptest::sample::select(PIECES), 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn chunks_do_not_change_what_is_read(
        body in body_of_pieces(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let content_type = b"multipart/form-data; boundary=XX";
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len() + 1)).collect();
        cuts.extend([0, body.len()]);
        cuts.sort_unstable();
        let chunks = cuts.windows(2).map(|ends| &body[ends[0]..ends[1]]);
        let whole = read(content_type, [&body[..]]);
        prop_assert_eq!(&read(content_type, chunks), &whole);
        prop_assert_eq!(&read(content_type, body.chunks(1)), &whole);
    }

    #[test]
    fn arbitrary_bodies_do_not_panic(
        content_type in prop_oneof![
            Just(b"multipart/form-data; boundary=XX".to_vec()),
            Just(b"application/x-www-form-urlencoded".to_vec()),
            Just(b"application/x-www-form-urlencoded; charset=utf-16".to_vec()),
            Just(b"application/json; charset=utf-16".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..40),
        ],
        body in prop_oneof![body_of_pieces(), proptest::collection::vec(any::<u8>(), 0..200)],
    ) {
        read(&content_type, [&body[..]]);
    }

    #[test]
    fn arbitrary_contents_are_read_back(content in proptest::collection::vec(any::<u8>(), 0..300), size in 1..50usize) {
        let head = b"--XX\r\nContent-Disposition: form-data; name=a; filename=b\r\n\r\n";
        let body = [head, &content[..], b"\r\n--XX--\r\n"].concat();
        let content = content.into_iter().map(char::from).collect();
        let expected = Outcome::Form { fields: vec![], files: vec![("a".into(), content)] };
        prop_assert_eq!(read(b"multipart/form-data; boundary=XX", body.chunks(size)), expected);
    }
}
