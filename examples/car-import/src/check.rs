//! Reads cars from CSV and checks each row by the rules of the domain. The result is data;
//! [`messages`](crate::messages) has the texts for users.

use std::{
    collections::{BTreeMap, HashMap},
    io::{self, Read},
    num::IntErrorKind,
};

use csv::{Position, ReaderBuilder, StringRecord, Trim};
use mycars_domain::{
    Field, Violation, Violations, fold,
    values::{Brand, Color, LicensePlate, Mileage, Model, Notes, Vin, Year},
};

/// The columns that are read, and whether a file must have them.
pub(crate) const COLUMNS: [(Field, &str, bool); 8] = [
    (Field::Brand, "brand", true),
    (Field::Model, "model", true),
    (Field::Year, "year", true),
    (Field::Color, "color", false),
    (Field::License, "license", true),
    (Field::Vin, "vin", false),
    (Field::Mileage, "mileage", false),
    (Field::Notes, "notes", false),
];

/// A valid car: the type of each field allows only valid values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckedCar {
    pub(crate) brand: Brand,
    pub(crate) model: Model,
    pub(crate) year: Year,
    pub(crate) color: Option<Color>,
    pub(crate) license: LicensePlate,
    pub(crate) vin: Option<Vin>,
    pub(crate) mileage: Mileage,
    pub(crate) notes: Option<Notes>,
}

/// A fault of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A field breaks a rule of the domain.
    Field(Field, Violation),
    /// An earlier row has the same plate, ignoring case.
    PlateTwice { first_line: u64 },
    /// The number of cells differs from the number of columns, so that the cells cannot be assigned to columns.
    Cells { found: usize, columns: usize },
}

/// A row with all its faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FaultyRow {
    /// The line in which the row begins, counted from one.
    pub(crate) line: u64,
    pub(crate) faults: Vec<Fault>,
}

/// The result for a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// The valid rows. This program only counts them; another one would store them.
    pub(crate) cars: Vec<CheckedCar>,
    /// The rows with faults.
    pub(crate) faulty: Vec<FaultyRow>,
    /// The unknown columns, which were not read.
    pub(crate) unknown_columns: Vec<String>,
}

/// The reason why a file cannot be read as a file of cars.
#[derive(Debug)]
pub(crate) enum FileError {
    /// The file is empty.
    Empty,
    /// Required columns are missing.
    MissingColumns {
        missing: Vec<&'static str>,
        found: Vec<String>,
    },
    /// Two columns have the same name.
    ColumnTwice(&'static str),
    /// The file is not encoded in UTF-8.
    NotUtf8 { line: u64 },
    /// The file could not be opened or read.
    Unreadable(io::Error),
}

impl From<io::Error> for FileError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error)
    }
}

impl From<csv::Error> for FileError {
    fn from(error: csv::Error) -> Self {
        Self::Unreadable(error.into())
    }
}

/// Checks all rows of a file. The year of a car is at most the year after `current_year`.
///
/// # Errors
/// [`FileError`] if the rows cannot be read at all.
pub(crate) fn check(file: impl Read, current_year: i32) -> Result<Report, FileError> {
    let text = text(file)?;
    let mut reader = ReaderBuilder::new()
        .flexible(true)
        .trim(Trim::Headers)
        .from_reader(text.as_bytes());
    let headers = reader.headers()?.clone();
    let places = places(&headers)?;
    let mut report = Report {
        unknown_columns: unknown(&headers),
        ..Report::default()
    };
    let mut lines = Lines::of(&text);
    let mut lines_of_plates = HashMap::new();
    for record in reader.records() {
        let record = record?;
        let line = lines.begin_of(&record);
        let row = Row {
            places: &places,
            record: &record,
        };
        match row.check(line, headers.len(), current_year, &mut lines_of_plates) {
            Ok(car) => report.cars.push(car),
            Err(faults) => report.faulty.push(FaultyRow { line, faults }),
        }
    }
    Ok(report)
}

/// Reads a whole file, without the byte order mark that some programs write.
fn text(mut file: impl Read) -> Result<String, FileError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let readable = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        FileError::NotUtf8 {
            line: 1 + breaks(readable),
        }
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Finds the line in which a row begins. The line numbers of `csv` differ: it assigns the second half of a Windows
/// line break, and blank lines, to the row that follows.
struct Lines<'a> {
    text: &'a [u8],
    seen: usize,
    line: u64,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            seen: 0,
            line: 1,
        }
    }

    /// Returns the line of a row. Rows must be passed in their order in the file.
    fn begin_of(&mut self, record: &StringRecord) -> u64 {
        let start = record.position().map_or(0, Position::byte);
        let start = usize::try_from(start).unwrap_or(usize::MAX).min(self.text.len());
        let is_break = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let start = start + self.text[start..].iter().take_while(is_break).count();
        self.line += breaks(&self.text[self.seen..start]);
        self.seen = start;
        self.line
    }
}

fn breaks(text: &[u8]) -> u64 {
    text.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}

/// Returns the column of each field.
fn places(headers: &StringRecord) -> Result<BTreeMap<Field, usize>, FileError> {
    if headers.is_empty() {
        return Err(FileError::Empty);
    }
    let mut places = BTreeMap::new();
    let mut missing = Vec::new();
    for (field, name, is_required) in COLUMNS {
        let mut found = headers
            .iter()
            .enumerate()
            .filter(|(_, header)| fold(header) == name);
        match (found.next(), found.next()) {
            (Some(_), Some(_)) => return Err(FileError::ColumnTwice(name)),
            (Some((place, _)), None) => _ = places.insert(field, place),
            (None, _) if is_required => missing.push(name),
            (None, _) => {}
        }
    }
    if missing.is_empty() {
        Ok(places)
    } else {
        let found = headers.iter().map(str::to_owned).collect();
        Err(FileError::MissingColumns { missing, found })
    }
}

fn unknown(headers: &StringRecord) -> Vec<String> {
    let is_known = |header: &str| COLUMNS.iter().any(|(_, name, _)| fold(header) == *name);
    let unknown = headers.iter().filter(|header| !is_known(header));
    unknown.map(str::to_owned).collect()
}

/// A row and the columns of its fields.
struct Row<'a> {
    places: &'a BTreeMap<Field, usize>,
    record: &'a StringRecord,
}

impl Row<'_> {
    /// Returns the text of a field; empty if there is no such column.
    fn text(&self, field: Field) -> &str {
        let place = self.places.get(&field);
        place
            .and_then(|place| self.record.get(*place))
            .unwrap_or_default()
    }

    /// Returns the text of an optional field; `None` if the cell is empty.
    fn optional(&self, field: Field) -> Option<&str> {
        Some(self.text(field)).filter(|text| !text.trim().is_empty())
    }

    /// Returns the car of this row, or all its faults.
    fn check(
        &self,
        line: u64,
        columns: usize,
        current_year: i32,
        lines_of_plates: &mut HashMap<String, u64>,
    ) -> Result<CheckedCar, Vec<Fault>> {
        let found = self.record.len();
        if found != columns {
            return Err(vec![Fault::Cells { found, columns }]);
        }
        let checked = self.parse(current_year);
        let plate = LicensePlate::parse(self.text(Field::License)).ok();
        let first_line = plate.map(|plate| *lines_of_plates.entry(plate.key()).or_insert(line));
        match (checked, first_line.filter(|first| *first != line)) {
            (Ok(car), None) => Ok(car),
            (checked, first_line) => {
                let mut faults = checked.err().as_ref().map(faults_of).unwrap_or_default();
                faults.extend(first_line.map(|first_line| Fault::PlateTwice { first_line }));
                Err(faults)
            }
        }
    }

    /// Parses all fields before returning, so that all violations are reported at once.
    fn parse(&self, current_year: i32) -> Result<CheckedCar, Violations> {
        let mut wrong = Violations::new();
        let brand = keep(&mut wrong, Field::Brand, Brand::parse(self.text(Field::Brand)));
        let model = keep(&mut wrong, Field::Model, Model::parse(self.text(Field::Model)));
        let year = number(self.text(Field::Year)).and_then(|year| Year::parse(year, current_year));
        let year = keep(&mut wrong, Field::Year, year);
        let color = self.optional(Field::Color).map(Color::parse).transpose();
        let color = keep(&mut wrong, Field::Color, color);
        let license = LicensePlate::parse(self.text(Field::License));
        let license = keep(&mut wrong, Field::License, license);
        let vin = self.optional(Field::Vin).map(Vin::parse).transpose();
        let vin = keep(&mut wrong, Field::Vin, vin);
        let mileage = self
            .optional(Field::Mileage)
            .map(|text| Mileage::parse(number(text)?));
        let mileage = keep(&mut wrong, Field::Mileage, mileage.transpose());
        let notes = self.optional(Field::Notes).map(Notes::parse).transpose();
        let notes = keep(&mut wrong, Field::Notes, notes);
        let (
            Some(brand),
            Some(model),
            Some(year),
            Some(color),
            Some(license),
            Some(vin),
            Some(mileage),
            Some(notes),
        ) = (brand, model, year, color, license, vin, mileage, notes)
        else {
            return Err(wrong);
        };
        Ok(CheckedCar {
            brand,
            model,
            year,
            color,
            license,
            vin,
            mileage: mileage.unwrap_or_default(),
            notes,
        })
    }
}

/// Returns a valid value. Otherwise returns `None` and adds the violations to `wrong`.
fn keep<T>(wrong: &mut Violations, field: Field, parsed: Result<T, Vec<Violation>>) -> Option<T> {
    parsed.map_err(|violations| wrong.extend(field, violations)).ok()
}

/// Parses a whole number. A number that is too long for the type is clamped, so that it is out of every range.
fn number(text: &str) -> Result<i64, Vec<Violation>> {
    text.trim().parse::<i64>().or_else(|error| match error.kind() {
        IntErrorKind::Empty => Err(vec![Violation::Blank]),
        IntErrorKind::PosOverflow => Ok(i64::MAX),
        IntErrorKind::NegOverflow => Ok(i64::MIN),
        _ => Err(vec![Violation::NotAnInteger]),
    })
}

fn faults_of(violations: &Violations) -> Vec<Fault> {
    let fault = |field| move |violation: &Violation| Fault::Field(field, violation.clone());
    violations
        .iter()
        .flat_map(|(field, wrong)| wrong.iter().map(fault(field)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Report {
        check(text.as_bytes(), 2026).expect("it is a file of cars")
    }

    fn refused(bytes: &[u8]) -> FileError {
        check(bytes, 2026).expect_err("it is no file of cars")
    }

    #[test]
    fn row_is_parsed_to_a_car() {
        let report = checked(
            "brand,model,year,color,license,vin,mileage,notes\n\
             \" VW \",Golf,2027, ,B-ÖA 1,wvwzzz1jzxw000001,15000,\"two\nlines\"\n",
        );
        let car = CheckedCar {
            brand: Brand::from_storage("VW".into()),
            model: Model::from_storage("Golf".into()),
            year: Year::from_storage(2027),
            color: None,
            license: LicensePlate::from_storage("B-ÖA 1".into()),
            vin: Some(Vin::from_storage("WVWZZZ1JZXW000001".into())),
            mileage: Mileage::from_storage(15_000),
            notes: Some(Notes::from_storage("two\nlines".into())),
        };
        assert_eq!((report.cars, report.faulty), (vec![car], vec![]));
    }

    #[test]
    fn columns_may_be_in_any_order_and_case() {
        let report = checked("License,YEAR, model ,brand,owner\nA 1,1886,Patent,Benz,Bertha\n");
        assert_eq!(report.cars[0].model.as_str(), "Patent");
        assert_eq!(report.cars[0].mileage, Mileage::default());
        assert_eq!(report.unknown_columns, ["owner"]);
    }

    #[test]
    fn all_violations_of_a_row_are_reported() {
        let report = checked("brand,model,year,license,vin,mileage\n ,Golf,2028,A 1,nonsense,many\n");
        let faults = vec![
            Fault::Field(Field::Brand, Violation::Blank),
            Fault::Field(Field::Year, Violation::TooLarge { max: 2027 }),
            Fault::Field(Field::Vin, Violation::InvalidVin),
            Fault::Field(Field::Mileage, Violation::NotAnInteger),
        ];
        assert_eq!(report.faulty, [FaultyRow { line: 2, faults }]);
        assert_eq!(report.cars, []);
    }

    #[test]
    fn number_beyond_every_type_is_too_large() {
        let year = |text: &str| {
            let report = checked(&format!("brand,model,year,license\nVW,Golf,{text},A 1\n"));
            report.faulty[0].faults.clone()
        };
        let said = |violation| vec![Fault::Field(Field::Year, violation)];
        let digits = "9".repeat(30);
        assert_eq!(year(&digits), said(Violation::TooLarge { max: 2027 }));
        assert_eq!(
            year(&format!("-{digits}")),
            said(Violation::TooSmall { min: 1886 })
        );
        assert_eq!(year("2020.5"), said(Violation::NotAnInteger));
        assert_eq!(year(" "), said(Violation::Blank));
    }

    #[test]
    fn repeated_plate_in_any_case_is_reported() {
        let report =
            checked("brand,model,year,license\n,Golf,2020,b-Öa 1\nVW,Golf,2020,A 1\nVW,,2020,B-öA 1\n");
        let twice = FaultyRow {
            line: 4,
            faults: vec![
                Fault::Field(Field::Model, Violation::Blank),
                Fault::PlateTwice { first_line: 2 },
            ],
        };
        assert_eq!(report.faulty[1], twice);
        assert_eq!((report.cars.len(), report.faulty.len()), (1, 2));
    }

    #[test]
    fn line_numbers_are_those_of_an_editor() {
        let text =
            "brand,model,year,license\n\nVW,Golf,no,A 1\n\n\nVW,\"two\nlines\",no,A 2\nVW,Golf,no,A 3\n";
        for text in [
            text.to_owned(),
            text.replace('\n', "\r\n"),
            format!("\u{feff}{text}"),
        ] {
            let report = checked(&text);
            let lines: Vec<u64> = report.faulty.iter().map(|row| row.line).collect();
            assert_eq!(lines, [3, 6, 8], "{text:?}");
        }
    }

    #[test]
    fn row_with_another_number_of_cells_is_refused() {
        let report = checked("brand,model,year,license\nVW,Golf,GTI,2020,A 1\n");
        let cells = Fault::Cells { found: 5, columns: 4 };
        assert_eq!(report.faulty[0].faults, [cells]);
    }

    #[test]
    fn byte_order_mark_is_ignored() {
        assert_eq!(
            checked("\u{feff}brand,model,year,license\nVW,Golf,2020,A 1\n")
                .cars
                .len(),
            1
        );
    }

    #[test]
    fn invalid_file_is_reported() {
        assert!(matches!(refused(b""), FileError::Empty));
        assert!(
            matches!(refused(b"brand,year\n"), FileError::MissingColumns { missing, .. }
            if missing == ["model", "license"])
        );
        assert!(matches!(
            refused(b"brand,model,year,license,Brand\n"),
            FileError::ColumnTwice("brand")
        ));
        assert!(matches!(
            refused(b"brand,model,year,license\nVW,Golf,2020,A 1\nVW,Golf,2020,B-\xd6 1\n"),
            FileError::NotUtf8 { line: 3 }
        ));
    }
}
