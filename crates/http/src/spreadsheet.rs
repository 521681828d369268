//! CSV as spreadsheets read and write it: RFC 4180, and cells that no spreadsheet reads as a formula (OWASP, CSV
//! injection).
//!
//! A text that a spreadsheet may read as a formula has a leading apostrophe, which marks text in spreadsheets. So has an
//! empty text, because an empty cell means null. A text of apostrophes before such a text has one more. Reading a cell
//! takes exactly this apostrophe away, so that every text is read as it was written: see [`is_marked`].
//!
//! Spreadsheets in many languages separate cells by semicolons alone, whatever the file is meant to be. So text behind a
//! semicolon, a tab or a line break is marked in the same way.

use std::borrow::Cow;

use mycars_domain::{shows_nothing, strip};
use serde_json::Value;

use crate::error::ApiError;

/// First characters of formulas, also full-width, and the characters that spreadsheets skip before them.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// The characters that may separate cells, the most common one first.
const DELIMITERS: [u8; 3] = [b',', b';', b'\t'];

/// Maximum number of columns that are read, known or not.
const MAX_COLUMNS: usize = 100;

/// Size of the buffer for a line, in bytes; it grows.
const LINE: usize = 1024;

/// The characters behind which a spreadsheet with other separators may begin a cell.
const SEPARATORS: [char; 4] = [';', '\t', '\r', '\n'];

/// Returns a value as a cell.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => {
            let mark = if is_marked(text) { "'" } else { "" };
            format!("{mark}{}", map_parts(text, mark_part))
        }
        other => other.to_string(),
    }
}

/// Returns the text in a cell; `None` if the cell is empty.
fn text(cell: &str) -> Option<String> {
    let cell = map_parts(cell, unmark_part);
    match cell.strip_prefix('\'') {
        Some(text) if is_marked(text) => Some(text.to_owned()),
        _ => (!cell.is_empty()).then_some(cell),
    }
}

/// Changes each part of a text that follows a separator.
fn map_parts(text: &str, change: fn(&str) -> Cow<'_, str>) -> String {
    let mut parts = text.split_inclusive(SEPARATORS);
    let mut changed = parts.next().unwrap_or_default().to_owned();
    changed.extend(parts.map(change));
    changed
}

fn mark_part(part: &str) -> Cow<'_, str> {
    if is_marked_part(part) {
        format!("'{part}").into()
    } else {
        part.into()
    }
}

fn unmark_part(part: &str) -> Cow<'_, str> {
    match part.strip_prefix('\'') {
        Some(text) if is_marked_part(text) => text.into(),
        _ => part.into(),
    }
}

/// Returns whether a part of a text is written with a leading apostrophe: behind any apostrophes of its own, it is a
/// formula. A quotation mark there begins a quoted cell.
fn is_marked_part(part: &str) -> bool {
    is_formula(part.trim_start_matches('\'').trim_start_matches('"'))
}

/// Returns whether a text is written with a leading apostrophe: behind any apostrophes of its own, it is empty or a
/// formula. A text with an apostrophe in front of a marked text is therefore marked itself.
fn is_marked(text: &str) -> bool {
    let text = text.trim_start_matches('\'');
    text.is_empty() || is_formula(text)
}

/// Returns whether a spreadsheet may read a text as a formula. Some ignore invisible characters in front of it.
fn is_formula(text: &str) -> bool {
    let is_invisible = |c: char| shows_nothing(c.encode_utf8(&mut [0; 4]));
    text.starts_with(FORMULA) || text.trim_start_matches(is_invisible).starts_with(FORMULA)
}

/// Writes the first line, with a byte order mark: some spreadsheets read UTF-8 only with it.
pub(crate) fn header<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<u8>, ApiError> {
    let mut bytes = "\u{feff}".into();
    write_record(names, &mut bytes)?;
    Ok(bytes)
}

/// Appends a line with these values.
pub(crate) fn write<'a>(
    values: impl IntoIterator<Item = &'a Value>,
    bytes: &mut Vec<u8>,
) -> Result<(), ApiError> {
    write_record(values.into_iter().map(cell), bytes)
}

fn write_record(
    cells: impl IntoIterator<Item = impl AsRef<[u8]>>,
    bytes: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let failed = |error: csv::Error| ApiError::Internal(error.into());
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .buffer_capacity(LINE)
        .from_writer(bytes);
    writer.write_record(cells).map_err(failed)?;
    writer.flush().map_err(|error| ApiError::Internal(error.into()))
}

/// The number and the cells of a row.
pub(crate) type Row = (u64, Vec<Option<String>>);

/// A table that was read from CSV.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sheet {
    /// The names of the columns, without surrounding white space and in lower case.
    pub(crate) columns: Vec<String>,
    /// The rows that are not empty. The first line is row 1, as in spreadsheets.
    pub(crate) rows: Vec<Row>,
}

/// Reads CSV whose first line names the columns, at most `at_most` rows. Cells are separated by the comma, semicolon or
/// tab with which the first line has the most `known` names.
///
/// # Errors
/// A message for users: the first line has no known name, or one twice, or too many, or a row has more or fewer cells.
pub(crate) fn read(csv: &str, known: &[&str], at_most: usize) -> Result<Sheet, String> {
    let (delimiter, columns) = DELIMITERS
        .map(|delimiter| (delimiter, columns(csv, delimiter)))
        .into_iter()
        .rev()
        .max_by_key(|(_, columns)| {
            columns
                .iter()
                .filter(|name| known.contains(&name.as_str()))
                .count()
        })
        .unwrap_or_default();
    if columns.len() > MAX_COLUMNS {
        return Err(format!("The first row has more than {MAX_COLUMNS} cells."));
    }
    if !columns.iter().any(|name| known.contains(&name.as_str())) {
        return Err("The first row must hold the names of the columns.".into());
    }
    if let Some(name) = columns.iter().find(|name| {
        known.contains(&name.as_str()) && columns.iter().filter(|other| other == name).count() > 1
    }) {
        return Err(format!("The column \"{name}\" is there twice."));
    }
    let mut rows = Vec::new();
    for (record, number) in reader(csv, delimiter).into_records().zip(1..).skip(1) {
        let record = record.map_err(|error| error.to_string())?;
        if record.iter().all(str::is_empty) {
            continue;
        }
        if record.len() != columns.len() {
            return Err(format!(
                "Row {number} has {} cells, but the first row has {}.",
                record.len(),
                columns.len()
            ));
        }
        let cells = record.iter().map(text);
        rows.push((number, cells.collect()));
        if rows.len() == at_most {
            break;
        }
    }
    Ok(Sheet { columns, rows })
}

/// Returns the names in the first line.
fn columns(csv: &str, delimiter: u8) -> Vec<String> {
    let first = reader(csv, delimiter).into_records().next();
    let Some(Ok(names)) = first else {
        return Vec::new();
    };
    let names = names.iter().take(MAX_COLUMNS + 1);
    names.map(|name| strip(name).to_lowercase()).collect()
}

fn reader(csv: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(csv.as_bytes())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KNOWN: [&str; 3] = ["brand", "model", "notes"];

    fn sheet(csv: &str) -> Result<Vec<Row>, String> {
        read(csv, &KNOWN, 100).map(|sheet| sheet.rows)
    }

    fn cells(texts: &[&str]) -> Vec<Option<String>> {
        let cell = |text: &&str| (!text.is_empty()).then(|| (*text).to_owned());
        texts.iter().map(cell).collect()
    }

    #[test]
    fn columns_beyond_the_limit_are_refused() {
        let header = |columns: usize| format!("brand{}", ",".repeat(columns - 1));
        assert!(read(&header(100), &["brand"], 10).is_ok());
        let refused = read(&header(1_000_000), &["brand"], 10);
        assert_eq!(refused, Err("The first row has more than 100 cells.".into()));
    }

    #[test]
    fn cell_of_a_formula_begins_with_an_apostrophe() {
        for begin in FORMULA {
            assert!(cell(&json!(format!("{begin}x"))).starts_with('\''), "{begin:?}");
        }
        assert_eq!(cell(&json!("'s-Hertogenbosch")), "'s-Hertogenbosch");
        assert_eq!(cell(&json!(-5)), "-5");
    }

    #[test]
    fn cell_of_a_formula_after_invisible_characters_is_text() {
        for invisible in [
            " ",
            "\u{a0}",
            "\u{ad}",
            "\u{200b}",
            "\u{200e}",
            "\u{202e}",
            "\u{2060}",
            "\u{2800}",
            "\u{fe0f}",
            "\u{feff}",
            "\u{e0020}",
            "\u{b}",
            "\u{7f}",
            "\u{feff}\u{200b} ",
        ] {
            for begin in FORMULA.into_iter().filter(|c| !c.is_whitespace()) {
                let text = format!("{invisible}{begin}1+1");
                assert_eq!(cell(&json!(text)), format!("'{text}"), "{text:?}");
            }
            let text = format!("{invisible}1=1");
            assert_eq!(cell(&json!(text)), text);
        }
    }

    #[test]
    fn cells_of_nasty_texts_are_distinct_and_read_back() {
        let texts = [
            "",
            "'",
            "''",
            "=1",
            "'=1",
            "''=1",
            "x",
            "'x",
            "'s",
            "\n",
            "'\n",
            "\u{200b}=1",
            "'\u{200b}=1",
            "a\"b",
            "\"",
            "a,b",
            "a;b",
            "a\tb",
            "a\r\nb",
            "-5",
            "a;=1",
            "a;'=1",
            "a;''=1",
            "a;\"=1",
            "a; =1",
            "=1;=1",
            "\n=1",
            "\n'=1",
            " \n=1",
            "- a\n- b",
            ";",
            ";'",
            "＝1",
            "\u{feff}",
            "'+'",
            "’",
        ];
        let mut seen = std::collections::HashSet::new();
        for value in texts {
            let written = cell(&json!(value));
            assert!(seen.insert(written.clone()), "{value:?}");
            assert_eq!(text(&written).as_deref(), Some(value));
            assert!(!is_formula(&written), "{written:?}");
        }
        assert_eq!((cell(&Value::Null).as_str(), text("")), ("", None));
    }

    proptest! {
        #[test]
        fn written_values_are_read_back(
            values in proptest::collection::vec(
                proptest::option::of(prop_oneof![any::<String>(), "[-+=@'\"\\t\\r\\n,; \u{200b}x]{0,6}"]),
                3,
            )
        ) {
            let mut bytes = header(KNOWN).unwrap();
            let row: Vec<Value> = values.iter().map(|value| json!(value)).collect();
            write(&row, &mut bytes).unwrap();
            let csv = String::from_utf8(bytes).unwrap();
            let read = sheet(csv.trim_start_matches('\u{feff}')).unwrap();
            for delimiter in DELIMITERS {
                for record in reader(&csv, delimiter).into_records() {
                    for cell in &record.unwrap() {
                        let shown = cell.trim_start_matches(|c: char| shows_nothing(c.encode_utf8(&mut [0; 4])));
                        prop_assert!(!shown.starts_with(FORMULA), "{:?} by {:?}", cell, char::from(delimiter));
                    }
                }
            }
            // A row without values is the same as none.
            let expected = if values.iter().all(Option::is_none) { vec![] } else { vec![(2, values)] };
            prop_assert_eq!(read, expected);
        }
    }

    #[test]
    fn delimiter_is_found_in_the_first_line() {
        let expected = vec![(2, cells(&["VW", "Golf, red", ""]))];
        for csv in [
            "brand,model,notes\nVW,\"Golf, red\",\n",
            "Brand;MODEL; notes \r\nVW;Golf, red;\r\n",
            "brand\tmodel\tnotes\rVW\tGolf, red\t",
            "\"brand\";\"model\";\"notes\"\n\"VW\";\"Golf, red\";\"\"",
        ] {
            assert_eq!(sheet(csv), Ok(expected.clone()), "{csv:?}");
        }
        assert_eq!(
            sheet("brand,a;b\nVW,x\n"),
            Ok(vec![(2, cells(&["VW", "x"]))]),
            "an unknown column holds the other delimiter"
        );
    }

    #[test]
    fn rows_are_numbered_as_in_spreadsheets() {
        let csv = "brand;notes\nVW;\"two\nlines\"\n;\nAudi;\n";
        let expected = vec![(2, cells(&["VW", "two\nlines"])), (4, cells(&["Audi", ""]))];
        assert_eq!(sheet(csv), Ok(expected));
        assert_eq!(sheet("brand\n"), Ok(vec![]));
        assert_eq!(read("brand\na\nb\nc\n", &KNOWN, 2).unwrap().rows.len(), 2);
    }

    #[test]
    fn sheet_that_is_no_table_is_refused_with_a_message() {
        for (csv, message) in [
            ("", "The first row must hold the names of the columns."),
            ("VW,Golf\n", "The first row must hold the names of the columns."),
            ("brand,notes,Brand\n", "The column \"brand\" is there twice."),
            ("brand,notes\nVW\n", "Row 2 has 1 cells, but the first row has 2."),
            (
                "brand,notes\nVW,a,b\n",
                "Row 2 has 3 cells, but the first row has 2.",
            ),
        ] {
            assert_eq!(sheet(csv), Err(message.into()), "{csv:?}");
        }
    }
}
