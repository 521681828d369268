//! Lists of any length: a long one is read and sent in pieces, so that a slow client takes the memory of one piece.

use std::collections::VecDeque;

use mycars_application::{App, Caller};
use serde::Serialize;

use crate::{error::ApiError, request::stream::Step};

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
    /// The end of the JSON, which the last step returns.
    pub(crate) end: Vec<u8>,
}

/// Writes items into the empty array at the end of `container`: `first`, and then those with the ids `rest`. Returns the
/// first piece, and what makes the rest if it is not all.
pub(crate) fn write<I: Items>(
    (app, caller): (&App, &Caller),
    container: &impl Serialize,
    first: &[I::Item],
    rest: Vec<i64>,
    kind: I,
) -> Result<(Vec<u8>, Option<Rest>), ApiError> {
    let mut json = to_json(container)?;
    let inside = json.windows(2).rposition(|array| array == b"[]").unwrap_or(0) + 1;
    let end = json.split_off(inside);
    let mut pieces = Pieces {
        kind,
        ids: rest.into(),
        chunk: MAX_CHUNK,
        is_empty: true,
    };
    pieces.append(first, &mut json)?;
    pieces.fill(app, caller, &mut json)?;
    if pieces.ids.is_empty() {
        json.extend(end);
        return Ok((json, None));
    }
    let step = pieces.into_step(end.clone());
    Ok((json, Some(Rest { step, end })))
}

/// A list in the making.
struct Pieces<I> {
    kind: I,
    /// The items that are not written yet.
    ids: VecDeque<i64>,
    /// Number of items to read next, so that few are read in vain.
    chunk: usize,
    /// Whether no item is written yet.
    is_empty: bool,
}

impl<I: Items> Pieces<I> {
    /// Reads and writes items until the piece is full or all are written.
    fn fill(&mut self, app: &App, caller: &Caller, json: &mut Vec<u8>) -> Result<(), ApiError> {
        while json.len() < PIECE && !self.ids.is_empty() {
            let count = self.chunk.min(self.ids.len());
            let ids: Vec<i64> = self.ids.drain(..count).collect();
            let items = self.kind.read(app, caller, &ids)?;
            self.append(&items, json)?;
        }
        Ok(())
    }

    /// Writes items until the piece is full, and puts the ids of the others back.
    fn append(&mut self, items: &[I::Item], json: &mut Vec<u8>) -> Result<(), ApiError> {
        let mut items = items.iter();
        let mut written = 0;
        while json.len() < PIECE
            && let Some(item) = items.next()
        {
            if !self.is_empty {
                json.push(b',');
            }
            self.kind.write(item, json).map_err(unwritable)?;
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
        let mut end = Some(end);
        Box::new(move |app, caller| {
            let caller = caller.ok_or(ApiError::NoCredentials)?;
            if self.ids.is_empty() {
                return Ok(end.take());
            }
            let mut json = Vec::new();
            self.fill(app, caller, &mut json)?;
            Ok(Some(json))
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
    use serde_json::{Value, json};

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
        while let Some(piece) = step(&app, Some(&samples::ann())).unwrap() {
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
        assert!(matches!((rest.step)(&app, None), Err(ApiError::NoCredentials)));
    }
}
