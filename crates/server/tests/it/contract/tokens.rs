//! Tokens that a case creates itself, valid and forged ones.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::{
    Outcome,
    json::{Json, Object},
    world::World,
};

/// Creates a token by a recipe: by default an access token for ten minutes, signed with the server's key.
pub(super) fn craft(recipe: &Json, world: &World<'_>) -> Outcome<String> {
    let part = |name: &str| recipe.as_object().and_then(|recipe| recipe.get(name));
    let claims = claims(part("claims").and_then(Json::as_object), world);
    let key = part("key").and_then(Json::as_text).unwrap_or(world.secret_key);
    match part("alg").and_then(Json::as_text).unwrap_or("HS256") {
        "none" => Ok(unsigned(&claims)),
        algorithm => sign(&claims, algorithm, key),
    }
}

fn claims(wanted: Option<&Object>, world: &World<'_>) -> Object {
    let now = World::now();
    let mut claims = Object::default();
    claims.set("token_type", "access");
    claims.set("exp", now + 600);
    claims.set("iat", now);
    claims.set("jti", format!("{}{}", world.word(10), world.word(10)));
    for (name, value) in wanted.into_iter().flat_map(Object::iter) {
        match value {
            Json::Null => claims.remove(name),
            _ => claims.set(name, moment(name, value, now)),
        }
    }
    claims
}

/// Returns the value of a claim. Times are written as seconds from now.
fn moment(name: &str, value: &Json, now: i64) -> Json {
    match value.as_integer() {
        Some(seconds) if matches!(name, "exp" | "iat" | "nbf") => Json::from(now + seconds),
        _ => value.clone(),
    }
}

fn sign(claims: &Object, algorithm: &str, key: &str) -> Outcome<String> {
    let algorithm: Algorithm = algorithm
        .parse()
        .map_err(|_| format!("there is no algorithm {algorithm}"))?;
    jsonwebtoken::encode(
        &Header::new(algorithm),
        claims,
        &EncodingKey::from_secret(key.as_bytes()),
    )
    .map_err(|error| error.to_string())
}

fn unsigned(claims: &Object) -> String {
    let claims = serde_json::to_vec(claims).expect("claims are JSON");
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    format!(
        "{}.{}.",
        encode(br#"{"alg":"none","typ":"JWT"}"#),
        encode(&claims)
    )
}
