//! All texts for users. The domain reports violations as data, so each program has texts of its own: these differ
//! from those of the API of My Cars.

use mycars_domain::{Field, Violation};

use crate::check::{COLUMNS, Fault, FileError, Report};

/// The output of `--help`.
pub(crate) const HELP: &str = "\
Checks a CSV file of cars and reports all faults of each row.

Usage: car-import [--year YEAR] [FILE]

Without FILE, or if FILE is -, standard input is read. The first line names the
columns, in any order: brand, model, year and license are required; color, vin,
mileage and notes are optional. Other columns are not read.

Options:
  --year YEAR    the current calendar year; cars may be of the next year. The
                 default is the year of the clock.
  -h, --help     prints this
  -V, --version  prints the version

Exit status: 0 if all rows are valid, 1 if some have faults, 2 if an option is
wrong or the file can't be read as a file of cars.
";

/// Returns the numbers of valid rows and of rows with faults.
pub(crate) fn summary(report: &Report) -> String {
    let (fine, faulty) = (report.cars.len(), report.faulty.len());
    let rows = |count| match count {
        1 => "1 row".to_owned(),
        _ => format!("{count} rows"),
    };
    let counted = match (fine, faulty) {
        (0, 0) => "no rows".to_owned(),
        (_, 0) => format!("{}, all fine", rows(fine)),
        _ => format!("{}: {fine} fine, {faulty} with faults", rows(fine + faulty)),
    };
    match &report.unknown_columns[..] {
        [] => counted,
        unknown => format!("{counted}; columns that were not read: {}", unknown.join(", ")),
    }
}

/// Returns the message for an error of the whole file, with advice.
pub(crate) fn file_error(error: &FileError) -> String {
    match error {
        FileError::Empty => "the file is empty; its first line should name the columns".into(),
        FileError::MissingColumns { missing, found } => {
            let advice = match &found[..] {
                [only] if only.contains(';') => {
                    "; it has semicolons, but the cells must be separated by commas"
                }
                [only] if only.contains('\t') => "; it has tabs, but the cells must be separated by commas",
                _ => "; the first line must name the columns",
            };
            format!("there is no column {}{advice}", missing.join(", "))
        }
        FileError::ColumnTwice(name) => format!("there are two columns {name}"),
        FileError::NotUtf8 { line } => {
            format!("line {line} is not UTF-8; save the file as \"CSV UTF-8\" and try again")
        }
        FileError::Unreadable(error) => format!("the file can't be read: {error}"),
    }
}

/// Returns the message for one fault of a row.
pub(crate) fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Field(field, wrong) => format!("{} {}", column(*field), violation(wrong)),
        Fault::PlateTwice { first_line } => {
            format!("{} is that of line {first_line} already", column(Field::License))
        }
        Fault::Cells { found, columns } => {
            format!("the row has {found} cells, but there are {columns} columns")
        }
    }
}

fn column(field: Field) -> &'static str {
    let found = COLUMNS.iter().find(|(known, _, _)| *known == field);
    found.map_or("a field", |(_, name, _)| name)
}

/// Returns the message for a violation, which follows the name of its column.
///
/// The `match` has no catch-all arm: when the domain adds a violation, this function does not compile until it has a
/// message for it.
fn violation(violation: &Violation) -> String {
    match violation {
        Violation::Required | Violation::Null | Violation::Blank => "is missing".into(),
        Violation::NotAnInteger => "is not a whole number".into(),
        Violation::NumberTooLong => "has too many digits".into(),
        Violation::TooLong { max } => format!("has more than {max} characters"),
        Violation::TooSmall { min } => format!("is less than {min}"),
        Violation::TooLarge { max } => format!("is more than {max}"),
        Violation::NullCharacter | Violation::SurrogateCharacter(_) => {
            "has a character in it that can't be kept".into()
        }
        Violation::InvalidVin => {
            "is no vehicle identification number: 17 digits and letters, none of them I, O or Q".into()
        }
        Violation::Taken => "is taken by another car".into(),
        Violation::Confusable => "looks too much like another one".into(),
        // Violations that no column of a file of cars can have.
        Violation::NotAString
        | Violation::AmbiguousNumber
        | Violation::NotABoolean
        | Violation::NotAChoice(_)
        | Violation::InvalidUsername
        | Violation::InvalidEmail
        | Violation::PasswordsDiffer
        | Violation::WrongPassword
        | Violation::PasswordTooShort { .. }
        | Violation::PasswordTooCommon
        | Violation::PasswordEntirelyNumeric
        | Violation::PasswordTooSimilar(_)
        | Violation::AdminRoleNotGrantable
        | Violation::ForeignToken
        | Violation::InvalidLink
        | Violation::NoFile
        | Violation::NotAFile
        | Violation::EmptyFile
        | Violation::FileTooLarge { .. }
        | Violation::NotAnImage
        | Violation::UnsupportedFormat(_)
        | Violation::Undecodable(_)
        | Violation::TooManyPixels { .. }
        | Violation::TakenInFile { .. }
        | Violation::TooManyRows { .. }
        | Violation::TooManyCars { .. }
        | Violation::LoginTooOld
        | Violation::NotADateTime
        | Violation::NotInTheFuture
        | Violation::TooManyKeys { .. }
        | Violation::TooManyPictureBytes { .. } => format!("is wrong ({violation:?})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;

    fn summary_of(text: &str) -> String {
        summary(&check(text.as_bytes(), 2026).expect("it is a file of cars"))
    }

    #[test]
    fn summary_counts_rows_and_names_unread_columns() {
        let header = "brand,model,year,license";
        assert_eq!(summary_of(header), "no rows");
        assert_eq!(
            summary_of(&format!("{header}\nVW,Golf,2020,A\n")),
            "1 row, all fine"
        );
        assert_eq!(
            summary_of(&format!(
                "{header},id,owner\nVW,Golf,2020,A,1,2\nVW,Golf,no,B,1,2\n"
            )),
            "2 rows: 1 fine, 1 with faults; columns that were not read: id, owner"
        );
    }

    #[test]
    fn fault_names_its_column_and_bound() {
        let said = |field, wrong| fault(&Fault::Field(field, wrong));
        assert_eq!(said(Field::Brand, Violation::Blank), "brand is missing");
        assert_eq!(
            said(Field::Year, Violation::TooLarge { max: 2027 }),
            "year is more than 2027"
        );
        assert_eq!(
            said(Field::License, Violation::TooLong { max: 20 }),
            "license has more than 20 characters"
        );
    }

    #[test]
    fn help_fits_a_terminal_and_names_every_column() {
        assert!(HELP.lines().all(|line| line.chars().count() <= 80));
        for (_, name, _) in COLUMNS {
            assert!(HELP.contains(name), "{name}");
        }
    }
}
