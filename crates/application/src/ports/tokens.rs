//! Signing and decoding tokens.

use super::BoxError;

/// The claims of a token. The use-cases check them. Their names in a token are stated, because tokens of the Django
/// system are decoded as well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// `access` or `refresh`; may be different or missing in a token of another system.
    pub token_type: Option<String>,
    /// `exp`: time of expiry, in seconds since 1970 (RFC 7519, 4.1.4).
    pub expires_at: Option<i64>,
    /// `iat`: time of issue, in seconds since 1970 (RFC 7519, 4.1.6).
    pub issued_at: Option<i64>,
    /// `iat_us`: time of issue, in microseconds since 1970. Only in access tokens of My Cars: distinguishes a token
    /// that was issued just before all logins were ended from one that was issued just after, in the same second.
    pub issued_at_micros: Option<i64>,
    /// `nbf`: start of validity, in seconds since 1970 (RFC 7519, 4.1.5). My Cars never sets it.
    pub not_before: Option<i64>,
    /// `jti`: the id of the token (RFC 7519, 4.1.7).
    pub id: Option<String>,
    /// `user_id`: the id of the user, as text.
    pub user_id: Option<String>,
    /// `sid`: the id of the login's first refresh token. Only in access tokens of My Cars: identifies the login.
    pub login: Option<String>,
}

/// The text is no token, or is not signed with one of the server's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is malformed or not signed with one of the server's keys")]
pub struct Undecodable;

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed")]
pub struct Unsignable(#[source] pub BoxError);

/// Encodes and decodes signed tokens.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait TokenCodec: Send + Sync {
    /// Returns a signed token with these claims.
    ///
    /// # Errors
    /// [`Unsignable`] if signing fails, which it does only for keys that can't sign.
    fn encode(&self, claims: &Claims) -> Result<String, Unsignable>;

    /// Returns the claims of a correctly signed token. Only the signature and the types of the claims are checked: an
    /// expired token is decoded.
    ///
    /// # Errors
    /// [`Undecodable`] if the token is malformed, is signed with another key or by another algorithm, or if a
    /// claim is of a type that it can't be.
    fn decode(&self, token: &str) -> Result<Claims, Undecodable>;
}
