//! The error of use-cases that take no fields.

use mycars_domain::Denied;

use crate::ports::StoreError;

/// The errors of use-cases without fields: [`status`](crate::status), [`history`](crate::history),
/// [`accounts::logins`](crate::accounts::logins), reading [`users`](crate::users), and deleting expired tokens and
/// sessions.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user or login does not exist.
    #[error("not found")]
    NotFound,
    /// The caller may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
