//! JSON Web Tokens in the format of `djangorestframework-simplejwt`.
//!
//! With the same key, tokens are identical to simplejwt's byte for byte, except that access tokens of My Cars have two
//! more claims, `iat_us` and `sid`; so clients of the Django system stay logged in. Claims whose type simplejwt (through `PyJWT`) refuses are refused here. Use-cases check the times.

use std::collections::HashSet;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation, crypto};
use mycars_application::ports::{Claims, TokenCodec, Undecodable, Unsignable};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::hs256;

/// The header of every token, in the order of `PyJWT`, which sorts the keys.
const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// Signs tokens by HMAC-SHA256 with one key, and verifies tokens signed with that key or an older one.
#[derive(Debug, Clone)]
pub struct JwtCodec {
    signing_key: EncodingKey,
    /// The signing key comes first, because most tokens are signed with it.
    keys: Vec<DecodingKey>,
    validation: Validation,
}

/// A key is empty. With an empty key, anyone could sign tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing key is empty")]
pub struct EmptyKey;

impl JwtCodec {
    /// Returns a codec that signs with `signing_key`, and verifies tokens signed with it or with any of
    /// `fallback_keys`.
    ///
    /// # Errors
    /// [`EmptyKey`] if one of the keys is empty.
    pub fn new<'a>(
        signing_key: &'a str,
        fallback_keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, EmptyKey> {
        let keys: Vec<&str> = std::iter::once(signing_key).chain(fallback_keys).collect();
        if keys.contains(&"") {
            return Err(EmptyKey);
        }
        hs256::install();
        Ok(Self {
            signing_key: EncodingKey::from_secret(signing_key.as_bytes()),
            keys: keys
                .iter()
                .map(|key| DecodingKey::from_secret(key.as_bytes()))
                .collect(),
            validation: signature_only(),
        })
    }

    fn verify(&self, token: &str) -> Option<Map<String, Value>> {
        let read = |key| jsonwebtoken::decode(token, key, &self.validation).ok();
        let data = self.keys.iter().find_map(read)?;
        // A critical header must be understood (RFC 7515, 4.1.11), and this codec supports none.
        data.header.crit.is_none().then_some(data.claims)
    }
}

impl TokenCodec for JwtCodec {
    fn encode(&self, claims: &Claims) -> Result<String, Unsignable> {
        let payload = serde_json::to_vec(&Payload::from(claims)).map_err(|error| Unsignable(error.into()))?;
        let message = format!(
            "{}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(HEADER),
            BASE64_URL_SAFE_NO_PAD.encode(payload)
        );
        let signature = crypto::sign(message.as_bytes(), &self.signing_key, Algorithm::HS256)
            .map_err(|error| Unsignable(error.into()))?;
        Ok(format!("{message}.{signature}"))
    }

    fn decode(&self, token: &str) -> Result<Claims, Undecodable> {
        let payload = self.verify(token).ok_or(Undecodable)?;
        // The subject is not used, but simplejwt refuses a token whose subject is not a string.
        claim(&payload, "sub", string)?;
        Ok(Claims {
            // simplejwt reports a type that is not a string as a wrong type: "Token has wrong type".
            token_type: claim(&payload, "token_type", |value| Some(text(value)))?,
            expires_at: claim(&payload, "exp", integer)?,
            issued_at: claim(&payload, "iat", integer)?,
            issued_at_micros: claim(&payload, "iat_us", integer)?,
            not_before: claim(&payload, "nbf", integer)?,
            id: claim(&payload, "jti", string)?,
            user_id: claim(&payload, "user_id", string_or_number)?,
            // Other systems may use the name for something else.
            login: payload.get("sid").and_then(string),
        })
    }
}

/// Reads a claim with `read`. Returns `None` if the claim is missing, and an error if it cannot be read.
fn claim<T>(
    payload: &Map<String, Value>,
    name: &str,
    read: impl FnOnce(&Value) -> Option<T>,
) -> Result<Option<T>, Undecodable> {
    match payload.get(name) {
        Some(value) => read(value).map(Some).ok_or(Undecodable),
        None => Ok(None),
    }
}

/// Returns the validation of the algorithm and the signature alone.
fn signature_only() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.required_spec_claims = HashSet::new();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// The claims as they are written, in simplejwt's order.
#[derive(Serialize)]
struct Payload<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat_us: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
}

impl<'a> From<&'a Claims> for Payload<'a> {
    fn from(claims: &'a Claims) -> Self {
        Self {
            token_type: claims.token_type.as_deref(),
            exp: claims.expires_at,
            iat: claims.issued_at,
            iat_us: claims.issued_at_micros,
            nbf: claims.not_before,
            jti: claims.id.as_deref(),
            user_id: claims.user_id.as_deref(),
            sid: claims.login.as_deref(),
        }
    }
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn string_or_number(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        other => string(other),
    }
}

/// Returns any JSON value as text.
fn text(value: &Value) -> String {
    string(value).unwrap_or_else(|| value.to_string())
}

/// Returns a number as `PyJWT` reads it with Python's `int()`, which also accepts a string of digits and drops the
/// fraction. Numbers beyond 64 bits are not times.
fn integer(value: &Value) -> Option<i64> {
    /// Two to the power of 63, the smallest number that does not fit.
    const TOO_GREAT: f64 = 9_223_372_036_854_775_808.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "int() drops the fraction, and the range is checked"
    )]
    let truncate = |number: f64| (-TOO_GREAT..TOO_GREAT).contains(&number).then_some(number as i64);
    match value {
        Value::Number(number) => number.as_i64().or_else(|| truncate(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "a-signing-key-that-both-systems-know-0123456789";
    const OLD_KEY: &str = "the-key-before-that-one-which-is-secret-as-well";

    // Made by simplejwt 5.5 with `KEY`.
    const ACCESS: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6IjQyIn0.hLOEpdkP2VG0ZZ7zz7h52jSwOhQJRwMuUJ4bcdMDjck";
    const REFRESH: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCIsImV4cCI6NDEwMjQ0NDgwMCwiaWF0IjoxNzAwMDAwMDAwLCJqdGkiOiIwMTIzNDU2Nzg5YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZiIsInVzZXJfaWQiOiI0MiJ9.O49AcOK5zH9rXMsbgwdm1mVnOBketXW31igA4U1poHY";
    // Made by PyJWT 2.15 from the same claims with `KEY`, but the algorithms HS512 and none.
    const HS512: &str = "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6NDJ9.iYcBm5vyebrsqze-56qRhsHllbzKUj--mVliODLTbs1aAgmQ-s54LN68LKRbLnqvwTeFv5qeQHmP7KhfcJLCyg";
    const NONE: &str = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIiwiZXhwIjo0MTAyNDQ0ODAwLCJpYXQiOjE3MDAwMDAwMDAsImp0aSI6IjAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVmIiwidXNlcl9pZCI6NDJ9.";

    fn codec() -> JwtCodec {
        JwtCodec::new(KEY, [OLD_KEY]).unwrap()
    }

    fn claims(token_type: &str) -> Claims {
        Claims {
            token_type: Some(token_type.to_owned()),
            expires_at: Some(4_102_444_800),
            issued_at: Some(1_700_000_000),
            issued_at_micros: None,
            not_before: None,
            id: Some("0123456789abcdef0123456789abcdef".to_owned()),
            user_id: Some("42".to_owned()),
            login: None,
        }
    }

    /// Returns a token with this header and payload and a valid signature.
    fn signed(header: &str, payload: &str) -> String {
        let message = format!(
            "{}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(header),
            BASE64_URL_SAFE_NO_PAD.encode(payload)
        );
        let key = EncodingKey::from_secret(KEY.as_bytes());
        let signature = crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
        format!("{message}.{signature}")
    }

    fn decode_payload(payload: &str) -> Result<Claims, Undecodable> {
        codec().decode(&signed(HEADER, payload))
    }

    #[test]
    fn encode_equals_simplejwt_byte_for_byte() {
        assert_eq!(codec().encode(&claims("access")).unwrap(), ACCESS);
        assert_eq!(codec().encode(&claims("refresh")).unwrap(), REFRESH);
    }

    #[test]
    fn decode_reads_tokens_of_simplejwt() {
        assert_eq!(codec().decode(ACCESS), Ok(claims("access")));
        assert_eq!(codec().decode(REFRESH), Ok(claims("refresh")));
    }

    #[test]
    fn any_claims_round_trip() {
        for claims in [
            Claims::default(),
            Claims {
                issued_at_micros: Some(1_700_000_000_000_001),
                not_before: Some(-5),
                user_id: Some("ü\"\\\0".to_owned()),
                login: Some("ab".to_owned()),
                ..claims("access")
            },
        ] {
            let token = codec().encode(&claims).unwrap();
            assert_eq!(codec().decode(&token), Ok(claims));
        }
    }

    #[test]
    fn login_of_another_type_counts_as_none() {
        let claims = decode_payload(r#"{"user_id":"42","sid":5}"#).unwrap();
        assert_eq!((claims.user_id.as_deref(), claims.login), (Some("42"), None));
    }

    #[test]
    fn first_key_signs_and_any_key_verifies() {
        let old = JwtCodec::new(OLD_KEY, []).unwrap();
        let old_token = old.encode(&claims("access")).unwrap();
        assert_eq!(codec().decode(&old_token), Ok(claims("access")));

        let new_token = codec().encode(&claims("access")).unwrap();
        assert_eq!(old.decode(&new_token), Err(Undecodable));
    }

    #[test]
    fn empty_key_is_refused() {
        assert_eq!(JwtCodec::new("", []).unwrap_err(), EmptyKey);
        assert_eq!(JwtCodec::new(KEY, [OLD_KEY, ""]).unwrap_err(), EmptyKey);
    }

    #[test]
    fn debug_shows_no_key() {
        let printed = format!("{:?}", codec());
        assert!(!printed.contains(KEY) && !printed.contains(OLD_KEY));
        let bytes = format!("{:?}", KEY.as_bytes());
        assert!(!printed.contains(bytes.trim_matches(['[', ']'])));
    }

    #[test]
    fn decode_ignores_expiry_and_audience() {
        let decoded =
            decode_payload(r#"{"exp":0,"nbf":99999999999,"iat":99999999999,"aud":"others","iss":5}"#);
        assert_eq!(
            decoded,
            Ok(Claims {
                expires_at: Some(0),
                not_before: Some(99_999_999_999),
                issued_at: Some(99_999_999_999),
                ..Claims::default()
            })
        );
    }

    #[test]
    fn times_are_parsed_like_pyjwt() {
        for (json, time) in [
            ("123", 123),
            ("-1", -1),
            ("123.7", 123),
            ("-123.7", -123),
            ("1.5e3", 1_500),
            (r#""123""#, 123),
            (r#"" 123 ""#, 123),
            ("9223372036854775807", i64::MAX),
        ] {
            for claim in ["exp", "iat", "nbf"] {
                let decoded = decode_payload(&format!(r#"{{"{claim}":{json}}}"#)).unwrap();
                let times = [decoded.expires_at, decoded.issued_at, decoded.not_before];
                assert_eq!(
                    times.into_iter().flatten().collect::<Vec<_>>(),
                    [time],
                    "{claim} {json}"
                );
            }
        }
    }

    #[test]
    fn invalid_time_is_refused() {
        for json in [
            "null",
            "true",
            "[]",
            "{}",
            r#""""#,
            r#""soon""#,
            r#""123.7""#,
            "1e30",
            "-1e30",
            "1e999",
            "9223372036854775808",
            "NaN",
        ] {
            for claim in ["exp", "iat", "nbf"] {
                let payload = format!(r#"{{"{claim}":{json}}}"#);
                assert_eq!(decode_payload(&payload), Err(Undecodable), "{payload}");
            }
        }
    }

    #[test]
    fn user_id_is_a_string_or_a_number() {
        for (json, text) in [
            (r#""42""#, "42"),
            ("42", "42"),
            (r#""a-b""#, "a-b"),
            ("4.5", "4.5"),
        ] {
            let decoded = decode_payload(&format!(r#"{{"user_id":{json}}}"#)).unwrap();
            assert_eq!(decoded.user_id.as_deref(), Some(text));
        }
        for json in ["null", "true", "[42]", "{}"] {
            assert_eq!(
                decode_payload(&format!(r#"{{"user_id":{json}}}"#)),
                Err(Undecodable)
            );
        }
    }

    #[test]
    fn token_id_and_subject_are_strings() {
        for claim in ["jti", "sub"] {
            for json in ["null", "5", "true", "[]"] {
                let payload = format!(r#"{{"{claim}":{json}}}"#);
                assert_eq!(decode_payload(&payload), Err(Undecodable), "{payload}");
            }
        }
        assert!(decode_payload(r#"{"jti":"","sub":"x"}"#).is_ok());
    }

    #[test]
    fn token_type_of_another_json_type_is_wrong() {
        for (json, text) in [("5", "5"), ("null", "null"), (r#"["access"]"#, r#"["access"]"#)] {
            let decoded = decode_payload(&format!(r#"{{"token_type":{json}}}"#)).unwrap();
            assert_eq!(decoded.token_type.as_deref(), Some(text));
        }
    }

    #[test]
    fn other_algorithm_or_critical_header_is_refused() {
        assert!(codec().decode(&signed(r#"{"alg":"HS256"}"#, "{}")).is_ok());
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"None"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"HS384"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"ES256"}"#,
            r#"{"alg":""}"#,
            r#"{"alg":null}"#,
            r#"{"alg":["HS256"]}"#,
            r#"{"typ":"JWT"}"#,
            r#"{"alg":"HS256","crit":["b64"],"b64":true}"#,
            r#"{"alg":"HS256","crit":["exp"]}"#,
            r#"{"alg":"HS256","crit":[]}"#,
            r#"{"alg":"HS256","crit":"exp"}"#,
            r#"{"alg":"HS256","kid":5}"#,
            "[]",
            "null",
            "",
        ] {
            assert_eq!(
                codec().decode(&signed(header, "{}")),
                Err(Undecodable),
                "{header}"
            );
        }
        assert_eq!(codec().decode(HS512), Err(Undecodable));
        assert_eq!(codec().decode(NONE), Err(Undecodable));
    }

    #[test]
    fn payload_that_is_not_an_object_is_refused() {
        for payload in ["", "null", "[]", "5", "\"exp\"", "{", "{}x", "{'exp': 1}"] {
            assert_eq!(decode_payload(payload), Err(Undecodable), "{payload}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(decode_payload(&format!(r#"{{"x":{deep}"#)), Err(Undecodable));
    }

    #[test]
    fn malformed_token_is_refused() {
        let [header, payload, signature] = ACCESS.split('.').collect::<Vec<_>>()[..] else {
            panic!("a token has three parts");
        };
        let refresh_payload = REFRESH.split('.').nth(1).unwrap();
        let huge = "A".repeat(5_000_000);
        for token in [
            String::new(),
            ".".to_owned(),
            "..".to_owned(),
            "...".to_owned(),
            "no token".to_owned(),
            "🚗.🚗.🚗".to_owned(),
            "\0.\0.\0".to_owned(),
            huge.clone(),
            ".".repeat(100_000),
            format!("{header}.{payload}"),
            format!("{header}.{payload}."),
            format!("{header}.{payload}.{signature}."),
            format!("{header}.{payload}.{signature}.{signature}"),
            format!(".{payload}.{signature}"),
            format!("{header}..{signature}"),
            format!("{payload}.{header}.{signature}"),
            format!("{header}.{signature}.{payload}"),
            format!("{header}.{refresh_payload}.{signature}"),
            format!("{header}.{payload}.{huge}"),
            format!("{header}.{huge}.{signature}"),
            format!("{huge}.{payload}.{signature}"),
            format!("{header}.{payload}.{}", &signature[..42]),
            format!("{header}.{payload}.{signature}="),
            format!("{header}.{payload}.{}", signature.to_lowercase()),
            format!(" {ACCESS}"),
            format!("{ACCESS}\n"),
            format!("Bearer {ACCESS}"),
        ] {
            assert_eq!(
                codec().decode(&token),
                Err(Undecodable),
                "{}",
                token.chars().take(300).collect::<String>()
            );
        }
    }

    #[test]
    fn changed_token_is_refused() {
        for (position, character) in ACCESS.char_indices() {
            let other = if character == 'A' { "B" } else { "A" };
            let mut token = ACCESS.to_owned();
            token.replace_range(position..=position, other);
            assert_eq!(codec().decode(&token), Err(Undecodable), "{position}");
        }
    }
}
