//! The prompt for a new password: hidden, and twice.

use std::io;

use mycars_domain::{Field, Violation, values::Password};

use crate::{console::Console, error::describe};

/// The result of one prompt.
pub(super) enum Asked {
    /// The two entries differ, or are not a password; the error was printed.
    Unusable,
    /// A password that was not validated yet.
    Password(Password),
}

/// Asks for a password twice.
///
/// # Errors
/// If the input ends.
pub(super) fn ask(console: &mut dyn Console) -> io::Result<Asked> {
    let password = console.ask_hidden("Password: ")?;
    let again = console.ask_hidden("Password (again): ")?;
    if password != again {
        console.print_error("Error: Your passwords didn't match.");
        return Ok(Asked::Unusable);
    }
    match Password::parse(&password) {
        Ok(password) => Ok(Asked::Password(password)),
        Err(violations) if violations == [Violation::Blank] => {
            console.print_error("Error: Blank passwords aren't allowed.");
            Ok(Asked::Unusable)
        }
        Err(violations) => {
            console.print_error(&format!("Error: {}", describe(Field::Password, &violations)));
            Ok(Asked::Unusable)
        }
    }
}
