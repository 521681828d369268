//! Exports of lists as CSV or JSON, with the fields of the API.

use mycars_application::{App, Caller};
use serde_json::Value;

use super::{Stream, forms};
use crate::{api::fields::Schema, error::ApiError, spreadsheet};

/// An exported object: the name and the value of each field, in order.
pub(super) type Row = Vec<(String, Value)>;

/// Reads the rows of objects by their ids.
pub(super) type ReadRows = fn(&App, &Caller, &[i64]) -> Result<Vec<Row>, ApiError>;

/// Number of objects that are read and written in one step.
const BATCH: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Json,
}

impl Format {
    /// Returns the format that an action exports.
    pub(super) fn named(action: &str) -> Option<Self> {
        match action {
            "export_csv" => Some(Self::Csv),
            "export_json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// Returns the names of the fields in a view of the API, in order.
pub(super) fn names(schema: &Schema) -> Vec<&'static str> {
    schema.readable().map(|spec| spec.name).collect()
}

/// Converts a view of the API to a row.
pub(super) fn row(view: &impl serde::Serialize) -> Result<Row, ApiError> {
    Ok(forms::object(view)?.into_iter().collect())
}

/// Exports the objects with these ids to a file. `rows` reads some of them.
pub(super) fn stream(
    file: &str,
    format: Format,
    ids: Vec<i64>,
    names: &[&'static str],
    rows: ReadRows,
) -> Stream {
    let (media_type, extension) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Json => ("application/json", "json"),
    };
    let names = names.to_vec();
    let mut done = 0;
    let mut is_over = false;
    let mut has_begun = false;
    let step = move |app: &App, caller: Option<&Caller>| {
        let caller = caller.ok_or(ApiError::NoCredentials)?;
        if is_over {
            return Ok(None);
        }
        let batch: Vec<i64> = ids.iter().skip(done).take(BATCH).copied().collect();
        let rows = rows(app, caller, &batch)?;
        done += batch.len();
        is_over = done >= ids.len();
        let piece = match format {
            Format::Csv => csv(&rows, &names, &mut has_begun, is_over)?,
            Format::Json => json(&rows, &mut has_begun, is_over)?,
        };
        Ok(Some(piece))
    };
    Stream {
        media_type,
        file_name: Some(format!("{file}.{extension}")),
        step: Box::new(step),
    }
}

/// Writes lines of CSV. `has_begun`: whether the header line was written; is set. The header line holds the names
/// of the first row, or `names` if there is none.
fn csv(rows: &[Row], names: &[&str], has_begun: &mut bool, is_last: bool) -> Result<Vec<u8>, ApiError> {
    if rows.is_empty() && (*has_begun || !is_last) {
        return Ok(Vec::new());
    }
    let mut lines = Vec::new();
    if !*has_begun {
        *has_begun = true;
        lines = match rows.first() {
            Some(row) => spreadsheet::header(row.iter().map(|(name, _)| name.as_str()))?,
            None => spreadsheet::header(names.iter().copied())?,
        };
    }
    for row in rows {
        spreadsheet::write(row.iter().map(|(_, value)| value), &mut lines)?;
    }
    Ok(lines)
}

/// Writes a part of a JSON array. `has_begun`: whether an item was written; is updated.
fn json(rows: &[Row], has_begun: &mut bool, is_last: bool) -> Result<Vec<u8>, ApiError> {
    let mut piece = Vec::new();
    for row in rows {
        piece.extend_from_slice(if *has_begun { b",\n" } else { b"[\n" });
        *has_begun = true;
        let object: serde_json::Map<String, Value> = row.iter().cloned().collect();
        serde_json::to_writer(&mut piece, &object).map_err(|error| ApiError::Internal(error.into()))?;
    }
    if is_last {
        piece.extend_from_slice(if *has_begun { b"\n]\n" } else { b"[]\n" });
    }
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows() -> Vec<Row> {
        ["=1+1", "+49 30", "plain, \"quoted\""]
            .into_iter()
            .map(|text| {
                vec![
                    ("b".into(), json!(text)),
                    ("a".into(), json!(-5)),
                    ("c".into(), Value::Null),
                ]
            })
            .collect()
    }

    #[test]
    fn csv_cells_are_never_formulas() {
        assert_eq!(
            String::from_utf8(csv(&rows(), &[], &mut false, true).unwrap()).unwrap(),
            "\u{feff}b,a,c\n'=1+1,-5,\n'+49 30,-5,\n\"plain, \"\"quoted\"\"\",-5,\n"
        );
    }

    #[test]
    fn csv_without_rows_is_a_header_line() {
        let mut has_begun = false;
        assert!(
            csv(&[], &["b", "a", "c"], &mut has_begun, false)
                .unwrap()
                .is_empty()
        );
        let last = csv(&[], &["b", "a", "c"], &mut has_begun, true).unwrap();
        assert_eq!(String::from_utf8(last).unwrap(), "\u{feff}b,a,c\n");
    }

    #[test]
    fn csv_whose_last_piece_is_empty_has_one_header_line() {
        let mut has_begun = false;
        let first = csv(&rows(), &[], &mut has_begun, false).unwrap();
        assert!(String::from_utf8(first).unwrap().starts_with("\u{feff}b,a,c\n"));
        assert!(csv(&[], &["b"], &mut has_begun, true).unwrap().is_empty());
    }

    #[test]
    fn json_pieces_make_one_array() {
        let mut has_begun = false;
        let mut whole = json(&[], &mut has_begun, false).unwrap();
        whole.extend(json(&rows(), &mut has_begun, false).unwrap());
        whole.extend(json(&rows(), &mut has_begun, true).unwrap());
        let list: Vec<Value> = serde_json::from_slice(&whole).unwrap();
        assert_eq!(list.len(), 6);
        assert_eq!(list[0]["b"], "=1+1");
        assert_eq!(json(&[], &mut false, true).unwrap(), b"[]\n");
    }
}
