//! Asking for a new password: hidden, and twice.

use std::io;

use mycars_domain::{Field, Violation, values::Password};

use crate::{console::Console, error::describe};

/// What came of asking once.
pub(super) enum Asked {
    /// The two entries differ, or are no password: what is wrong was said.
    Unusable,
    /// A password, which may still not be good enough.
    Password(Password),
}

/// Asks for a password twice.
///
/// # Errors
/// If nobody answers any more.
pub(super) fn ask(console: &mut dyn Console) -> io::Result<Asked> {
    let password = console.ask_hidden("Password: ")?;
    let again = console.ask_hidden("Password (again): ")?;
    if password != again {
        console.complain("Error: Your passwords didn't match.");
        return Ok(Asked::Unusable);
    }
    match Password::parse(&password) {
        Ok(password) => Ok(Asked::Password(password)),
        Err(violations) if violations == [Violation::Blank] => {
            console.complain("Error: Blank passwords aren't allowed.");
            Ok(Asked::Unusable)
        }
        Err(violations) => {
            console.complain(&format!("Error: {}", describe(Field::Password, &violations)));
            Ok(Asked::Unusable)
        }
    }
}
