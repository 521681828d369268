//! Reads cars from CSV and holds each row against the rules of the domain. It answers data: what it is called for a
//! person is in [`words`](crate::words).

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

/// A car that may be kept: each field is of a type that has no wrong values.
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

/// One thing that is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A field breaks a rule of the domain.
    Field(Field, Violation),
    /// The plate is that of an earlier row, whatever the case.
    PlateTwice { first_line: u64 },
    /// There are more or fewer cells than columns, so that nobody knows which is which.
    Cells { found: usize, columns: usize },
}

/// A row with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FaultyRow {
    /// The line in which it begins, counted from one.
    pub(crate) line: u64,
    pub(crate) faults: Vec<Fault>,
}

/// What is in a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// The rows that are fine. This program only counts them; another one would keep them now.
    pub(crate) cars: Vec<CheckedCar>,
    /// The others.
    pub(crate) faulty: Vec<FaultyRow>,
    /// The columns that nothing is known about, and that were not read.
    pub(crate) unknown_columns: Vec<String>,
}

/// Why a file can't be read as one of cars.
#[derive(Debug)]
pub(crate) enum FileError {
    /// Nothing is in it.
    Empty,
    /// Columns are missing that must be there.
    MissingColumns {
        missing: Vec<&'static str>,
        found: Vec<String>,
    },
    /// Two columns have the same name.
    ColumnTwice(&'static str),
    /// It is in another encoding.
    NotUtf8 { line: u64 },
    /// It could not be opened or read.
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

/// Checks all rows of a file. A car may be as new as the year after `current_year`.
///
/// # Errors
/// [`FileError`], where not even the rows can be told.
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

/// All that is in a file, without the mark that some programs write before UTF-8.
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

/// Says in which line a row begins. `csv` can't: it counts the second half of a Windows line break, and blank lines, to
/// the row that follows.
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

    /// The line of a row, which comes after all that were asked for before.
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

/// Where each field is in a row.
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

/// One row, and where its fields are.
struct Row<'a> {
    places: &'a BTreeMap<Field, usize>,
    record: &'a StringRecord,
}

impl Row<'_> {
    /// The text of a field; empty where there is no such column.
    fn text(&self, field: Field) -> &str {
        let place = self.places.get(&field);
        place
            .and_then(|place| self.record.get(*place))
            .unwrap_or_default()
    }

    /// The text of a field that may be left out; `None` where nothing is in the cell.
    fn optional(&self, field: Field) -> Option<&str> {
        Some(self.text(field)).filter(|text| !text.trim().is_empty())
    }

    /// The car of this row, or everything that is wrong with it.
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

    /// Parses every field before it judges any, so that everything that is wrong is known at once.
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

/// A value that is right, or `None`, and then what is wrong with it is added to the rest.
fn keep<T>(wrong: &mut Violations, field: Field, parsed: Result<T, Vec<Violation>>) -> Option<T> {
    parsed.map_err(|violations| wrong.extend(field, violations)).ok()
}

/// A whole number. One that is too long for any type is still a number, and beyond every bound.
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
    fn a_car_is_as_the_domain_keeps_it() {
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
    fn columns_may_come_in_any_order_and_case_and_most_may_be_missing() {
        let report = checked("License,YEAR, model ,brand,owner\nA 1,1886,Patent,Benz,Bertha\n");
        assert_eq!(report.cars[0].model.as_str(), "Patent");
        assert_eq!(report.cars[0].mileage, Mileage::default());
        assert_eq!(report.unknown_columns, ["owner"]);
    }

    #[test]
    fn everything_that_is_wrong_with_a_row_is_said_at_once() {
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
    fn a_number_beyond_every_type_is_too_large_and_no_number_is_blank() {
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
    fn a_plate_is_the_same_whatever_its_case_also_where_its_first_row_has_other_faults() {
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
    fn lines_are_counted_as_an_editor_counts_them() {
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
    fn a_row_of_other_cells_than_columns_is_not_guessed_at() {
        let report = checked("brand,model,year,license\nVW,Golf,GTI,2020,A 1\n");
        let cells = Fault::Cells { found: 5, columns: 4 };
        assert_eq!(report.faulty[0].faults, [cells]);
    }

    #[test]
    fn the_mark_that_some_programs_write_first_is_no_part_of_a_name() {
        assert_eq!(
            checked("\u{feff}brand,model,year,license\nVW,Golf,2020,A 1\n")
                .cars
                .len(),
            1
        );
    }

    #[test]
    fn what_is_no_file_of_cars_is_said() {
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
