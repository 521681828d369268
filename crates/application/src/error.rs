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

/// Implements the conversions of the errors of use-cases with fields. `$owner_gone` stands for
/// [`StoreError::OwnerGone`](crate::ports::StoreError::OwnerGone).
macro_rules! convert_errors {
    ($owner_gone:ident) => {
        impl From<mycars_domain::Violations> for Error {
            fn from(violations: mycars_domain::Violations) -> Self {
                Self::Invalid(violations)
            }
        }

        impl From<crate::ports::StoreError> for Error {
            /// Maps a unique value of another row to a violation of its field, also if another request was faster.
            fn from(error: crate::ports::StoreError) -> Self {
                use crate::ports::StoreError;
                match error {
                    StoreError::Taken(field) => Self::Invalid(mycars_domain::Violations::one(
                        field,
                        mycars_domain::Violation::Taken,
                    )),
                    StoreError::OwnerGone => Self::$owner_gone,
                    other => Self::Store(other),
                }
            }
        }

        #[cfg(test)]
        impl Error {
            /// Returns the violations; panics if the error is another one.
            pub(crate) fn violations(self) -> mycars_domain::Violations {
                match self {
                    Self::Invalid(violations) => violations,
                    other => panic!("must be Invalid: {other:?}"),
                }
            }
        }
    };
}
pub(crate) use convert_errors;
