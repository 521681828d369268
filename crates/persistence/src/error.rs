//! Errors of opening a database, and the conversion of its errors to errors of the port.

use diesel::result::{DatabaseErrorInformation, DatabaseErrorKind as Kind, Error};
use mycars_application::ports::{BoxError, StoreError};
use mycars_domain::Field;

/// An error of an adapter, without the database it belongs to.
pub(crate) enum Failure {
    Opening(BoxError),
    /// A requirement is not met; holds the remedy.
    Unsuitable(String),
    Migrating(BoxError),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Opening(error.into())
    }
}

impl From<diesel::ConnectionError> for Failure {
    fn from(error: diesel::ConnectionError) -> Self {
        Self::Opening(error.into())
    }
}

/// The unique constraints: the name in PostgreSQL, the column in SQLite, and the field.
const UNIQUE: [(&str, &str, Field); 3] = [
    ("users_username_unique", "users.username_key", Field::Username),
    ("users_email_unique", "users.email_key", Field::Email),
    ("cars_license_unique", "cars.license_key", Field::License),
];

/// Prefixes of the messages of transient errors that Diesel does not classify, because it does not pass the SQLSTATE
/// on. PostgreSQL's messages are in English: see `postgres::prepare`.
const TRANSIENT: [&str; 11] = [
    // SQLite: another process is writing.
    "database is locked",
    "database table is locked",
    "locking protocol",
    // SQLite: the file is missing, or too many files are open.
    "unable to open database file",
    // PostgreSQL: a lock or statement timeout, or an administrator.
    "canceling statement due to",
    // PostgreSQL: the transaction was aborted to resolve a deadlock.
    "deadlock detected",
    // PostgreSQL: it is shutting down, starting or closing connections.
    "terminating connection",
    "the database system is",
    "server closed the connection unexpectedly",
    // Both: there is not enough memory at the moment.
    "out of memory",
    "out of shared memory",
];

/// Parts of the messages of a database that is readable but not writable.
const NOT_WRITABLE: [&str; 5] = [
    // SQLite.
    "database or disk is full",
    "attempt to write a readonly database",
    "disk I/O error",
    // PostgreSQL passes on the message of the operating system.
    "No space left on device",
    "Disk quota exceeded",
];

/// Converts an error of the database to the port's error.
pub(crate) fn store_error(error: Error) -> StoreError {
    match &error {
        Error::DatabaseError(Kind::UniqueViolation, what) => match taken(what.as_ref()) {
            Some(field) => StoreError::Taken(field),
            None => StoreError::Other(error.into()),
        },
        // All foreign keys refer to users.
        Error::DatabaseError(Kind::ForeignKeyViolation, _) => StoreError::OwnerGone,
        _ if is_not_writable(&error) => StoreError::NotWritable(error.into()),
        _ if is_transient(&error) => StoreError::Unavailable(error.into()),
        _ => StoreError::Other(error.into()),
    }
}

fn taken(what: &dyn DatabaseErrorInformation) -> Option<Field> {
    let column = what.message().strip_prefix("UNIQUE constraint failed: ");
    UNIQUE
        .into_iter()
        .find(|(constraint, name, _)| what.constraint_name() == Some(constraint) || column == Some(name))
        .map(|(_, _, field)| field)
}

fn is_not_writable(error: &Error) -> bool {
    match error {
        Error::DatabaseError(Kind::ReadOnlyTransaction, _) => true,
        Error::DatabaseError(Kind::Unknown, what) => {
            NOT_WRITABLE.iter().any(|part| what.message().contains(part))
        }
        _ => false,
    }
}

fn is_transient(error: &Error) -> bool {
    match error {
        Error::DatabaseError(
            Kind::ClosedConnection | Kind::UnableToSendCommand | Kind::SerializationFailure,
            _,
        )
        | Error::BrokenTransactionManager => true,
        Error::DatabaseError(Kind::Unknown, what) => {
            TRANSIENT.iter().any(|begin| what.message().starts_with(begin))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error as PostgreSQL reports it, with the name of the constraint.
    struct Constraint(&'static str);

    impl DatabaseErrorInformation for Constraint {
        fn message(&self) -> &'static str {
            "duplicate key value violates unique constraint"
        }

        fn constraint_name(&self) -> Option<&str> {
            Some(self.0)
        }

        fn details(&self) -> Option<&str> {
            None
        }

        fn hint(&self) -> Option<&str> {
            None
        }

        fn table_name(&self) -> Option<&str> {
            None
        }

        fn column_name(&self) -> Option<&str> {
            None
        }

        fn statement_position(&self) -> Option<i32> {
            None
        }
    }

    fn said(kind: Kind, message: &str) -> StoreError {
        store_error(Error::DatabaseError(kind, Box::new(message.to_owned())))
    }

    #[test]
    fn unique_violation_names_its_field() {
        for (constraint, column, expected) in UNIQUE {
            let postgres = Error::DatabaseError(Kind::UniqueViolation, Box::new(Constraint(constraint)));
            let sqlite = said(
                Kind::UniqueViolation,
                &format!("UNIQUE constraint failed: {column}"),
            );
            for error in [store_error(postgres), sqlite] {
                assert!(
                    matches!(error, StoreError::Taken(field) if field == expected),
                    "{error:?}"
                );
            }
        }
    }

    #[test]
    fn unique_violation_without_a_field_is_a_fault() {
        let postgres = Error::DatabaseError(Kind::UniqueViolation, Box::new(Constraint("cars_pkey")));
        assert!(matches!(store_error(postgres), StoreError::Other(_)));
        let sqlite = said(Kind::UniqueViolation, "UNIQUE constraint failed: cars.id");
        assert!(matches!(sqlite, StoreError::Other(_)));
    }

    #[test]
    fn transient_errors_are_unavailable() {
        for (kind, message) in [
            (
                Kind::ClosedConnection,
                "server closed the connection unexpectedly",
            ),
            (Kind::UnableToSendCommand, "no connection to the server"),
            (Kind::Unknown, "database is locked"),
            (Kind::Unknown, "canceling statement due to lock timeout"),
            (Kind::Unknown, "canceling statement due to statement timeout"),
            (Kind::Unknown, "deadlock detected"),
            (
                Kind::Unknown,
                "terminating connection due to administrator command",
            ),
            (Kind::Unknown, "the database system is shutting down"),
            (Kind::Unknown, "the database system is starting up"),
        ] {
            let error = said(kind, message);
            assert!(
                matches!(error, StoreError::Unavailable(_)),
                "{message}: {error:?}"
            );
        }
        let broken = store_error(Error::BrokenTransactionManager);
        assert!(matches!(broken, StoreError::Unavailable(_)));
    }

    #[test]
    fn more_transient_errors_are_unavailable() {
        for (kind, message) in [
            // For classified errors, the language does not matter.
            (
                Kind::ClosedConnection,
                "beende Verbindung aufgrund von Anweisung des Administrators",
            ),
            (
                Kind::SerializationFailure,
                "konnte Zugriff nicht serialisieren wegen gleichzeitiger Aktualisierung",
            ),
            (Kind::Unknown, "canceling statement due to user request"),
            (Kind::Unknown, "canceling statement due to conflict with recovery"),
            (
                Kind::Unknown,
                "terminating connection because of crash of another server process",
            ),
            (
                Kind::Unknown,
                "terminating connection due to idle-session timeout",
            ),
            (Kind::Unknown, "the database system is in recovery mode"),
            (Kind::Unknown, "the database system is not accepting connections"),
            (Kind::Unknown, "out of memory"),
            (Kind::Unknown, "out of shared memory"),
            (Kind::Unknown, "database table is locked: cars"),
            (Kind::Unknown, "locking protocol"),
            (Kind::Unknown, "unable to open database file"),
        ] {
            let error = said(kind, message);
            assert!(
                matches!(error, StoreError::Unavailable(_)),
                "{message}: {error:?}"
            );
        }
    }

    #[test]
    fn full_and_read_only_databases_are_not_writable() {
        for (kind, message) in [
            (Kind::Unknown, "database or disk is full"),
            (Kind::Unknown, "attempt to write a readonly database"),
            (Kind::Unknown, "disk I/O error"),
            (
                Kind::ReadOnlyTransaction,
                "cannot execute INSERT in a read-only transaction",
            ),
            (
                Kind::ReadOnlyTransaction,
                "INSERT kann nicht in einer Read-Only-Transaktion ausgeführt werden",
            ),
            (
                Kind::Unknown,
                "could not extend file \"base/5/16384\": No space left on device",
            ),
            (
                Kind::Unknown,
                "could not write to file \"base/pgsql_tmp/pgsql_tmp1.0\": No space left on device",
            ),
            (
                Kind::Unknown,
                "could not extend file \"base/5/16384\": Disk quota exceeded",
            ),
        ] {
            let error = said(kind, message);
            assert!(
                matches!(error, StoreError::NotWritable(_)),
                "{message}: {error:?}"
            );
        }
    }

    #[test]
    fn damaged_database_is_a_fault() {
        for message in [
            "database disk image is malformed",
            "file is not a database",
            "no such table: cars",
        ] {
            assert!(
                matches!(said(Kind::Unknown, message), StoreError::Other(_)),
                "{message}"
            );
        }
    }

    #[test]
    fn foreign_key_violation_is_owner_gone() {
        let error = said(Kind::ForeignKeyViolation, "FOREIGN KEY constraint failed");
        assert!(matches!(error, StoreError::OwnerGone));
    }

    #[test]
    fn other_error_is_a_fault_with_its_cause() {
        let error = said(Kind::CheckViolation, "CHECK constraint failed: mileage");
        assert!(matches!(error, StoreError::Other(cause) if cause.to_string().contains("mileage")));
        assert!(matches!(store_error(Error::NotFound), StoreError::Other(_)));
    }
}
