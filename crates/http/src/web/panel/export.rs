//! Exports: what a list shows as a file, as the API shows each. Cells that a spreadsheet would take for a formula are
//! text (OWASP, CSV injection).

use mycars_application::{App, Caller};
use serde_json::Value;

use super::{Stream, bulk::BulkResource, forms};
use crate::{api::fields::Schema, error::ApiError};

/// One thing as it is exported: the name and the value of each field, in order.
pub(super) type Row = Vec<(String, Value)>;

/// So many are read and written in one go.
const BATCH: usize = 500;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Csv,
    Json,
}

impl Format {
    /// The format of an action.
    pub(super) fn named(action: &str) -> Option<Self> {
        match action {
            "export_csv" => Some(Self::Csv),
            "export_json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// The names of the fields that a view of the API has, in order.
pub(super) fn names(shape: &Schema) -> Vec<&'static str> {
    shape.readable().map(|spec| spec.name).collect()
}

/// A view of the API as it is exported.
pub(super) fn row(view: &impl serde::Serialize) -> Result<Row, ApiError> {
    Ok(forms::object(view)?.into_iter().collect())
}

pub(super) fn stream(resource: &'static BulkResource, format: Format, ids: Vec<i64>) -> Stream {
    let (media_type, extension) = match format {
        Format::Csv => ("text/csv; charset=utf-8", "csv"),
        Format::Json => ("application/json", "json"),
    };
    let mut done = 0;
    let mut is_over = false;
    let mut has_begun = false;
    let step = move |app: &App, caller: Option<&Caller>| {
        let caller = caller.ok_or(ApiError::NoCredentials)?;
        let batch: Vec<i64> = ids.iter().skip(done).take(BATCH).copied().collect();
        if is_over {
            return Ok(None);
        }
        let rows = (resource.rows)(app, caller, &batch)?;
        done += batch.len();
        is_over = done >= ids.len();
        let piece = match format {
            Format::Csv => csv(&rows, &(resource.names)(), &mut has_begun, is_over)?,
            Format::Json => json(&rows, &mut has_begun, is_over)?,
        };
        Ok(Some(piece))
    };
    Stream {
        media_type,
        file_name: Some(format!("{}.{extension}", resource.spec.plural.replace(' ', "-"))),
        step: Box::new(step),
    }
}

/// Lines of a table. `has_begun` says whether its header line was written, and then that it was. The header line holds
/// the names of the first row, or `names` where there is none.
fn csv(rows: &[Row], names: &[&str], has_begun: &mut bool, is_last: bool) -> Result<Vec<u8>, ApiError> {
    if rows.is_empty() && (*has_begun || !is_last) {
        return Ok(Vec::new());
    }
    let failed = |error: csv::Error| ApiError::Internal(error.into());
    // Without this mark, some spreadsheets take UTF-8 for something else.
    let begin = if *has_begun { Vec::new() } else { "\u{feff}".into() };
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(begin);
    if !*has_begun {
        *has_begun = true;
        let names = match rows.first() {
            Some(row) => row.iter().map(|(name, _)| name.as_str()).collect(),
            None => names.to_vec(),
        };
        writer.write_record(names).map_err(failed)?;
    }
    for row in rows {
        writer
            .write_record(row.iter().map(|(_, value)| cell(value)))
            .map_err(failed)?;
    }
    writer
        .into_inner()
        .map_err(|error| ApiError::Internal(error.to_string().into()))
}

/// With what a formula begins, also in full-width letters, and what spreadsheets skip before it.
const FORMULA: [char; 11] = ['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'];

/// A value as a cell. What begins as a formula does gets a quotation mark before it, which spreadsheets take for
/// "this is text".
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) if text.starts_with(FORMULA) => format!("'{text}"),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A piece of a list. `has_begun` says whether there was an item before, and then whether there was one.
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
    fn no_cell_is_a_formula() {
        assert_eq!(
            String::from_utf8(csv(&rows(), &[], &mut false, true).unwrap()).unwrap(),
            "\u{feff}b,a,c\n'=1+1,-5,\n'+49 30,-5,\n\"plain, \"\"quoted\"\"\",-5,\n"
        );
        for begin in FORMULA {
            assert!(cell(&json!(format!("{begin}x"))).starts_with('\''), "{begin:?}");
        }
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
    fn the_pieces_of_a_json_export_make_one_list() {
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
