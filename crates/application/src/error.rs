//! The error of use-cases that take no fields.

use mycars_domain::Denied;

use crate::ports::StoreError;

/// Why a use-case without fields failed: [`status`](crate::status), [`history`](crate::history),
/// [`accounts::logins`](crate::accounts::logins), reading [`users`](crate::users), and deleting expired tokens and
/// sessions.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such user or login.
    #[error("not found")]
    NotFound,
    /// The caller may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
