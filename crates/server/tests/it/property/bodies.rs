//! Generated bodies: JSON, forms and multipart, complete or broken, with their own or another type.

use super::{requests::Scene, values};
use crate::support::{http::TINY_JPEG, random::Random};

/// The fields of all writable resources, with valid values in JSON. `{}` is an unused number, so that many
/// generated bodies reach the database.
const FIELDS: [(&str, &str); 25] = [
    ("brand", "\"Toyota\""),
    ("model", "\"Camry\""),
    ("year", "2023"),
    ("color", "\"red\""),
    ("license", "\"L{}\""),
    ("vin", "\"1HGCM82633A004352\""),
    ("mileage", "5"),
    ("notes", "\"n\""),
    ("username", "\"u{}\""),
    ("email", "\"u{}@example.com\""),
    ("first_name", "\"Ann\""),
    ("last_name", "\"Lee\""),
    ("password", "\"Quartz-meadow-71\""),
    ("password2", "\"Quartz-meadow-71\""),
    ("role", "\"client\""),
    ("phone", "\"1\""),
    ("address", "\"a\""),
    ("is_active", "true"),
    ("refresh", "\"{refresh}\""),
    ("token", "\"{refresh}\""),
    ("old_password", "\"Quartz-meadow-71\""),
    ("new_password", "\"Velvet-harbor-42\""),
    ("image", "null"),
    ("owner", "1"),
    ("id", "1"),
];

const TYPES: [&[u8]; 14] = [
    b"application/json; charset=latin1",
    b"application/json; charset=\"",
    b"APPLICATION/JSON",
    b"application/json;;",
    b"text/plain",
    b"",
    b"/",
    b"application/x-www-form-urlencoded; charset=utf-16",
    b"multipart/form-data",
    b"multipart/form-data; boundary=",
    b"multipart/form-data; boundary=\"a",
    b"multipart/mixed; boundary=XX",
    b"image/jpeg",
    b"application/json\xff",
];

const JSON: &[u8] = b"application/json";
const FORM: &[u8] = b"application/x-www-form-urlencoded";
const MULTIPART: &[u8] = b"multipart/form-data; boundary=XX";

/// The type, if any, and the body.
pub(super) fn body(random: &mut Random, scene: &Scene, route: &str) -> (Option<Vec<u8>>, Vec<u8>) {
    let is_upload = route.ends_with("/upload-image/");
    let (kind, mut body) = match random.below(20) {
        0..=3 => return (None, Vec::new()),
        4..=5 => (FORM, form(random, scene)),
        6..=9 => (MULTIPART, multipart(random, scene)),
        _ if is_upload => (MULTIPART, multipart(random, scene)),
        10 => (JSON, values::json(random).into_bytes()),
        _ => (JSON, object(random, scene)),
    };
    spoil(random, &mut body);
    let kind = if random.percent(88) {
        kind
    } else {
        random.pick(&TYPES)
    };
    (Some(kind.to_vec()), body)
}

/// Damages some bodies, as broken connections and attackers do.
fn spoil(random: &mut Random, body: &mut Vec<u8>) {
    let place = random.below(body.len() + 1);
    match random.below(40) {
        0 => body.truncate(place),
        1 => body.insert(place, u8::try_from(random.below(256)).unwrap()),
        2 => body.insert(place, 0),
        3 => drop(body.splice(0..0, *b"\xef\xbb\xbf")),
        4 => body.extend_from_within(..place),
        5 => {
            for byte in body {
                *byte = u8::try_from(random.below(256)).unwrap();
            }
        }
        6 if random.percent(60) => body.resize(9 << 20, b' '),
        _ => {}
    }
}

/// Returns a field and a value, which is mostly valid.
fn field(random: &mut Random, scene: &Scene) -> (&'static str, String) {
    let (name, good) = *random.pick(&FIELDS);
    (name, good_value(random, scene, good))
}

fn good_value(random: &mut Random, scene: &Scene, good: &str) -> String {
    let unused = format!("{:x}", random.number() & 0xffff_ffff);
    good.replace("{}", &unused).replace("{refresh}", &scene.refresh)
}

/// Returns an object with all fields, one or two of which are invalid or duplicated.
fn object(random: &mut Random, scene: &Scene) -> Vec<u8> {
    let good = |(name, good): &(&'static str, &str)| (*name, good_value(random, scene, good));
    let mut fields: Vec<(&str, String)> = FIELDS.iter().map(good).collect();
    for _ in 0..random.below(3) {
        let place = random.below(fields.len());
        match random.below(8) {
            0 => drop(fields.remove(place)),
            1 => fields.push((fields[place].0, values::json(random))),
            _ => fields[place].1 = values::json(random),
        }
    }
    let written: Vec<_> = fields
        .iter()
        .map(|(name, value)| format!("\"{name}\":{value}"))
        .collect();
    format!("{{{}}}", written.join(",")).into_bytes()
}

fn form(random: &mut Random, scene: &Scene) -> Vec<u8> {
    let mut body = Vec::new();
    let many = random.percent(3);
    let count = if many { 3000 } else { random.below(25) };
    for _ in 0..count {
        let (name, good) = field(random, scene);
        let value = if random.percent(70) {
            good.trim_matches('"').to_owned()
        } else {
            values::text(random, "u")
        };
        body.extend(name.as_bytes());
        if random.percent(95) {
            body.push(b'=');
        }
        body.extend(values::encoded(random, &value));
        body.push(b'&');
    }
    body
}

/// Returns parts with texts and files, some of them incomplete.
fn multipart(random: &mut Random, scene: &Scene) -> Vec<u8> {
    let line_end = if random.percent(95) { "\r\n" } else { "\n" };
    let mut body = Vec::new();
    for _ in 0..random.below(6) {
        body.extend(format!("--XX{line_end}").as_bytes());
        body.extend(part(random, scene, line_end));
        body.extend(line_end.as_bytes());
    }
    if random.percent(40) {
        let head = "--XX\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\n";
        body.extend(head.as_bytes());
        body.extend(picture(random));
        body.extend(b"\r\n");
    }
    if random.percent(90) {
        body.extend(b"--XX--\r\n");
    }
    body
}

fn part(random: &mut Random, scene: &Scene, line_end: &str) -> Vec<u8> {
    let (name, good) = field(random, scene);
    let disposition = match random.below(12) {
        0 => String::new(),
        1 => "Content-Disposition: form-data".to_owned(),
        2 => "Content-Disposition: attachment; name=\"year\"".to_owned(),
        3 => "Content-Disposition: form-data; name=\"".to_owned(),
        4 => format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"\""),
        5 => format!("Content-Disposition: form-data; name=\"{name}\"; filename=\"../../a\0.jpg\""),
        6 => format!("Content-Disposition: form-data; name=\"{name}\"; filename*=UTF-8''%ff%fe"),
        7 => format!(
            "Content-Disposition: form-data; name=\"{name}\"{line_end}X-Long: {}",
            "y".repeat(20_000)
        ),
        8 => format!(
            "Content-Disposition: form-data; name=\"{name}\"{line_end}Content-Type: multipart/mixed; boundary=XX"
        ),
        9 => format!(
            "Content-Disposition: form-data; name=\"{name}\"{line_end}Content-Length: 99999999999999999999"
        ),
        10 => format!(
            "Content-Disposition: form-data; name=\"{name}\"{line_end}Content-Transfer-Encoding: base64"
        ),
        _ => format!("Content-Disposition: form-data; name=\"{name}\""),
    };
    let value = if random.percent(70) {
        good.trim_matches('"').to_owned()
    } else {
        values::text(random, "u")
    };
    format!("{disposition}{line_end}{line_end}{value}").into_bytes()
}

fn picture(random: &mut Random) -> Vec<u8> {
    const FILES: [&[u8]; 7] = [
        TINY_JPEG,
        include_bytes!("../../contract/files/tiny.png"),
        include_bytes!("../../contract/files/tiny.gif"),
        include_bytes!("../../contract/files/tiny.webp"),
        include_bytes!("../../contract/files/exif.jpg"),
        include_bytes!("../../contract/files/bomb.png"),
        include_bytes!("../../contract/files/polyglot.gif"),
    ];
    let mut file = random.pick(&FILES).to_vec();
    for _ in 0..random.below(4) {
        let place = random.below(file.len());
        file[place] = u8::try_from(random.below(256)).unwrap();
    }
    file
}
