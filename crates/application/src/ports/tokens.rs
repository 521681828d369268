//! Writing and reading signed tokens.

use super::BoxError;

/// What a token says, as far as anybody here asks. Whether it may be said is for the use-cases to judge. What a claim
/// is called in a token is said beside it, because tokens of the system that this one replaces are read, too.
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
    /// `user_id`: whose token it is, as text.
    pub user_id: Option<String>,
}

/// A token that is no token, or that was not signed with a key of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not a token of ours")]
pub struct Undecodable;

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
#[error("the token could not be signed")]
pub struct Unsignable(#[source] pub BoxError);

/// Signs tokens and reads signed ones.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait TokenCodec: Send + Sync {
    /// A signed token with these claims.
    ///
    /// # Errors
    /// [`Unsignable`] if signing fails, which it does only for keys that can't sign.
    fn encode(&self, claims: &Claims) -> Result<String, Unsignable>;

    /// The claims of a token whose signature is right. Nothing but the signature and the types of the claims
    /// is checked: an expired token is decoded.
    ///
    /// # Errors
    /// [`Undecodable`] if the token is malformed, is signed with another key or by another algorithm, or if a
    /// claim is of a type that it can't be.
    fn decode(&self, token: &str) -> Result<Claims, Undecodable>;
}
