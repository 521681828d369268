//! Lists of any length, as JSON or CSV: a long one is read and sent in pieces, so that a slow client takes the memory of
//! one piece.

use std::collections::VecDeque;

use mycars_application::{App, Caller};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::{error::ApiError, request::stream::Step, spreadsheet};

/// The items of a list: how they are read again and written.
pub(crate) trait Items: Send + 'static {
    type Item;

    fn id(item: &Self::Item) -> i64;

    /// Reads the items with these ids, in this order. Items that do not exist any more are skipped.
    fn read(&self, app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<Self::Item>, ApiError>;

    /// Writes an item as JSON.
    fn write(&self, item: &Self::Item, json: &mut Vec<u8>) -> serde_json::Result<()>;
}

/// Number of bytes of a piece, up to which a list is sent as a whole, with its length. The last item may exceed it.
const PIECE: usize = 512 * 1024;

/// Maximum number of items that are read at once. An item has at most some 80 kB.
const MAX_CHUNK: usize = 400;

/// The rest of a long list.
pub(crate) struct Rest {
    pub(crate) step: Step,
    /// The end of the body, which the last step returns.
    pub(crate) end: Vec<u8>,
}

/// The form of a list.
enum Format {
    /// An array.
    Json,
    /// A line for each item, with the fields of these names.
    Csv(Vec<&'static str>),
}

impl Format {
    /// Appends an item.
    fn write<I: Items>(
        &self,
        kind: &I,
        item: &I::Item,
        is_first: bool,
        bytes: &mut Vec<u8>,
    ) -> Result<(), ApiError> {
        match self {
            Self::Json => {
                if !is_first {
                    bytes.push(b',');
                }
                kind.write(item, bytes).map_err(unwritable)
            }
            Self::Csv(names) => {
                let mut json = Vec::new();
                kind.write(item, &mut json).map_err(unwritable)?;
                let fields: Map<String, Value> = serde_json::from_slice(&json).map_err(unwritable)?;
                let value = |name: &&str| fields.get(*name).unwrap_or(&Value::Null);
                spreadsheet::write(names.iter().map(value), bytes)
            }
        }
    }
}

/// Writes items into the empty array at the end of `container`: `first`, and then those with the ids `rest`. Returns the
/// first piece, and what makes the rest if it is not all.
pub(crate) fn write<I: Items>(
    reader: (&App, &Caller),
    container: &impl Serialize,
    first: &[I::Item],
    rest: Vec<i64>,
    kind: I,
) -> Result<(Vec<u8>, Option<Rest>), ApiError> {
    let mut json = to_json(container)?;
    let inside = json.windows(2).rposition(|array| array == b"[]").unwrap_or(0) + 1;
    let end = json.split_off(inside);
    Pieces::new(Format::Json, rest, kind).start(reader, json, first, end)
}

/// Writes items as CSV with these columns: `first`, and then those with the ids `rest`. Returns the first piece, and what
/// makes the rest if it is not all.
pub(crate) fn write_csv<I: Items>(
    reader: (&App, &Caller),
    names: Vec<&'static str>,
    first: &[I::Item],
    rest: Vec<i64>,
    kind: I,
) -> Result<(Vec<u8>, Option<Rest>), ApiError> {
    let header = spreadsheet::header(names.iter().copied())?;
    Pieces::new(Format::Csv(names), rest, kind).start(reader, header, first, Vec::new())
}

/// A list in the making.
struct Pieces<I> {
    format: Format,
    kind: I,
    /// The items that are not written yet.
    ids: VecDeque<i64>,
    /// Number of items to read next, so that few are read in vain.
    chunk: usize,
    /// Whether no item is written yet.
    is_empty: bool,
}

impl<I: Items> Pieces<I> {
    fn new(format: Format, ids: Vec<i64>, kind: I) -> Self {
        Self {
            format,
            kind,
            ids: ids.into(),
            chunk: MAX_CHUNK,
            is_empty: true,
        }
    }

    /// Appends items to the beginning of a body: `first`, and the others. Returns the first piece, and what makes the
    /// rest, before `end`, if it is not all.
    fn start(
        mut self,
        (app, caller): (&App, &Caller),
        mut bytes: Vec<u8>,
        first: &[I::Item],
        end: Vec<u8>,
    ) -> Result<(Vec<u8>, Option<Rest>), ApiError> {
        self.append(first, &mut bytes)?;
        self.fill(app, caller, &mut bytes)?;
        if self.ids.is_empty() {
            bytes.extend(end);
            return Ok((bytes, None));
        }
        let step = self.into_step(end.clone());
        Ok((bytes, Some(Rest { step, end })))
    }

    /// Reads and writes items until the piece is full or all are written.
    fn fill(&mut self, app: &App, caller: &Caller, bytes: &mut Vec<u8>) -> Result<(), ApiError> {
        while bytes.len() < PIECE && !self.ids.is_empty() {
            let count = self.chunk.min(self.ids.len());
            let ids: Vec<i64> = self.ids.drain(..count).collect();
            let items = self.kind.read(app, caller, &ids)?;
            self.append(&items, bytes)?;
        }
        Ok(())
    }

    /// Writes items until the piece is full, and puts the ids of the others back.
    fn append(&mut self, items: &[I::Item], bytes: &mut Vec<u8>) -> Result<(), ApiError> {
        let mut items = items.iter();
        let mut written = 0;
        while bytes.len() < PIECE
            && let Some(item) = items.next()
        {
            self.format.write(&self.kind, item, self.is_empty, bytes)?;
            self.is_empty = false;
            written += 1;
        }
        self.chunk = if items.len() > 0 {
            written.max(1)
        } else {
            (2 * self.chunk).min(MAX_CHUNK)
        };
        for item in items.rev() {
            self.ids.push_front(I::id(item));
        }
        Ok(())
    }

    /// Returns the step that makes the next pieces, and then `end`.
    fn into_step(mut self, end: Vec<u8>) -> Step {
        let mut end = Some(end).filter(|end| !end.is_empty());
        Box::new(move |app: &App, caller: Option<&Caller>| {
            let caller = caller.ok_or(ApiError::NoCredentials)?;
            if self.ids.is_empty() {
                return Ok(end.take());
            }
            let mut bytes = Vec::new();
            self.fill(app, caller, &mut bytes)?;
            Ok(Some(bytes))
        })
    }
}

pub(crate) fn to_json(view: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(view).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> ApiError {
    ApiError::Internal(error.into())
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use mycars_application::mocks::{Mocks, samples};
    use serde_json::json;

    use super::*;

    /// Texts of 100 kB by their ids. Those below 0 do not exist any more.
    struct Texts;

    fn text(id: i64) -> String {
        format!("{id} {}", "x".repeat(100_000))
    }

    impl Items for Texts {
        type Item = i64;

        fn id(item: &i64) -> i64 {
            *item
        }

        fn read(&self, _: &App, _: &Caller, ids: &[i64]) -> Result<Vec<i64>, ApiError> {
            assert!(ids.len() <= MAX_CHUNK);
            Ok(ids.iter().copied().filter(|id| *id >= 0).collect())
        }

        fn write(&self, item: &i64, json: &mut Vec<u8>) -> serde_json::Result<()> {
            serde_json::to_writer(json, &text(*item))
        }
    }

    /// Writes a list whose first two items were read.
    fn pieces(container: &Value, ids: impl Iterator<Item = i64>) -> (Vec<u8>, Option<Rest>) {
        let (app, _) = Mocks::new().into_app();
        let mut first: Vec<i64> = ids.collect();
        let rest = first.split_off(first.len().min(2));
        write((&app, &samples::ann()), container, &first, rest, Texts).unwrap()
    }

    /// Returns all pieces together.
    fn whole(container: &Value, ids: impl Iterator<Item = i64>) -> String {
        let (app, _) = Mocks::new().into_app();
        let (mut json, rest) = pieces(container, ids);
        assert!(json.len() < PIECE + 200_000);
        let mut step = rest.unwrap().step;
        while let Some(piece) = step.next(&app, Some(&samples::ann())).unwrap() {
            assert!(piece.len() < PIECE + 200_000);
            json.extend(piece);
        }
        String::from_utf8(json).unwrap()
    }

    #[test]
    fn short_list_is_whole() {
        for (container, expected) in [
            (json!([]), json!([text(1), text(2)])),
            (
                json!({"a": [], "b": []}),
                json!({"a": [], "b": [text(1), text(2)]}),
            ),
        ] {
            let (json, rest) = pieces(&container, 1..=2);
            assert!(rest.is_none());
            assert!(json == expected.to_string().into_bytes());
        }
        assert_eq!(pieces(&json!([]), 0..0).0, b"[]");
    }

    #[test]
    fn long_list_in_pieces_is_the_same_as_whole() {
        let expected: Vec<String> = (0..200).map(text).collect();
        let expected = json!({"count": 200, "results": expected}).to_string();
        assert!(whole(&json!({"count": 200, "results": []}), 0..200) == expected);
    }

    /// Numbers, and how often some were read.
    struct Short(Arc<AtomicUsize>);

    impl Items for Short {
        type Item = i64;

        fn id(item: &i64) -> i64 {
            *item
        }

        fn read(&self, _: &App, _: &Caller, ids: &[i64]) -> Result<Vec<i64>, ApiError> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(ids.to_vec())
        }

        fn write(&self, item: &i64, json: &mut Vec<u8>) -> serde_json::Result<()> {
            serde_json::to_writer(json, item)
        }
    }

    #[test]
    fn many_short_items_are_read_in_few_chunks() {
        let (app, _) = Mocks::new().into_app();
        let reads = Arc::new(AtomicUsize::new(0));
        let kind = Short(Arc::clone(&reads));
        let (json, rest) = write(
            (&app, &samples::ann()),
            &json!([]),
            &[0],
            (1..=800).collect(),
            kind,
        )
        .unwrap();
        let expected: Vec<i64> = (0..=800).collect();
        assert_eq!(json, json!(expected).to_string().into_bytes());
        assert!(rest.is_none());
        assert_eq!(reads.load(Ordering::Relaxed), 2);
    }

    /// Numbers as objects.
    struct Numbers;

    impl Items for Numbers {
        type Item = i64;

        fn id(item: &i64) -> i64 {
            *item
        }

        fn read(&self, _: &App, _: &Caller, ids: &[i64]) -> Result<Vec<i64>, ApiError> {
            Ok(ids.to_vec())
        }

        fn write(&self, item: &i64, json: &mut Vec<u8>) -> serde_json::Result<()> {
            serde_json::to_writer(json, &json!({"id": item, "text": text(*item), "none": null}))
        }
    }

    #[test]
    fn csv_in_pieces_has_one_line_for_each_item() {
        let (app, _) = Mocks::new().into_app();
        let ann = samples::ann();
        let first: Vec<i64> = (0..50).collect();
        let names = vec!["text", "none", "id"];
        let (mut csv, rest) = write_csv((&app, &ann), names, &first, (50..200).collect(), Numbers).unwrap();
        let mut step = rest.unwrap().step;
        while let Some(piece) = step.next(&app, Some(&ann)).unwrap() {
            csv.extend(piece);
        }
        let lines: Vec<String> = (0..200).map(|id| format!("{},,{id}\n", text(id))).collect();
        let lines = lines.concat();
        assert!(String::from_utf8(csv).unwrap() == format!("\u{feff}text,none,id\n{lines}"));

        let (csv, rest) = write_csv((&app, &ann), vec!["id"], &[], vec![], Numbers).unwrap();
        assert!(csv == "\u{feff}id\n".as_bytes() && rest.is_none());
    }

    #[test]
    fn items_deleted_meanwhile_are_left_out() {
        let ids = (1..=20).chain(-100..0).chain(21..=22);
        let expected: Vec<String> = (1..=22).map(text).collect();
        let expected = json!(expected).to_string();
        assert!(whole(&json!([]), ids) == expected);
    }

    #[test]
    fn rest_ends_with_the_rights_of_the_caller() {
        let (app, _) = Mocks::new().into_app();
        let mut rest = pieces(&json!([]), 0..200).1.unwrap();
        assert!(matches!(rest.step.next(&app, None), Err(ApiError::NoCredentials)));
    }
}
