//! Writing and reading signed tokens.

use super::BoxError;

/// The claims of a token that are used here. The use-cases check them. Their names in a token are noted, because tokens
/// of the Django system are read as well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// `access` or `refresh`; anything else, or nothing, in a token from elsewhere.
    pub token_type: Option<String>,
    /// `exp`: when the token expires, in seconds since 1970 (RFC 7519, 4.1.4).
    pub expires_at: Option<i64>,
    /// `iat`: when it was issued, in seconds since 1970 (RFC 7519, 4.1.6).
    pub issued_at: Option<i64>,
    /// `nbf`: from when on it is valid, in seconds since 1970 (RFC 7519, 4.1.5). Never in tokens of ours.
    pub not_before: Option<i64>,
    /// `jti`: the token's own id (RFC 7519, 4.1.7).
    pub id: Option<String>,
    /// `user_id`: the id of the user, as text.
    pub user_id: Option<String>,
}

/// The text is no token, or is not signed with one of our keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a token of ours")]
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
