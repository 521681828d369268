//! Reads arbitrary bodies: nothing may panic, and chunks must not change what is read.
//!
//! The first byte chooses the media type, the second the size of chunks; the rest is the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mycars_http::fuzzing::read_body;

const MEDIA_TYPES: [&[u8]; 6] = [
    b"multipart/form-data; boundary=XX",
    b"multipart/form-data; boundary=-; charset=iso-8859-1",
    b"application/x-www-form-urlencoded",
    b"application/x-www-form-urlencoded; charset=shift_jis",
    b"application/json",
    b"application/json; charset=utf-16",
];

fuzz_target!(|data: &[u8]| {
    let [choice, size, body @ ..] = data else {
        return;
    };
    // The last choice takes the media type from the data as well.
    let (media_type, body) = match MEDIA_TYPES.get(usize::from(choice % 7)) {
        Some(media_type) => (*media_type, body),
        None => body.split_at(body.len().min(usize::from(*choice))),
    };
    let whole = read_body(media_type, body, usize::MAX);
    let chunked = read_body(media_type, body, usize::from(*size));
    assert_eq!(whole, chunked);
});
