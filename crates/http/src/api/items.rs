//! Lists of any length: a long one is read and sent in pieces, so that a slow client takes the memory of one piece.

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

/// Number of bytes up to which a list is sent as a whole, with its length; the size of the first piece of others.
const FIRST_PIECE: usize = 512 * 1024;

/// Number of items in each further piece. An item has at most some 80 kB.
const BATCH: usize = 50;

/// Writes items into the empty array at the end of `container`. Returns the first piece, and what makes the rest if it is
/// not all.
pub(crate) fn write<I: Items>(
    container: &impl Serialize,
    items: &[I::Item],
    kind: I,
) -> Result<(Vec<u8>, Option<Step>), ApiError> {
    let mut json = to_json(container)?;
    let inside = json.windows(2).rposition(|array| array == b"[]").unwrap_or(0) + 1;
    let end = json.split_off(inside);
    let mut written = 0;
    for item in items {
        if json.len() >= FIRST_PIECE {
            break;
        }
        if written > 0 {
            json.push(b',');
        }
        kind.write(item, &mut json).map_err(unwritable)?;
        written += 1;
    }
    let rest: Vec<i64> = items.iter().skip(written).map(I::id).collect();
    if rest.is_empty() {
        json.extend(end);
        return Ok((json, None));
    }
    Ok((json, Some(steps(kind, rest, end))))
}

/// Reads and writes the items with these ids, and then `end`.
fn steps<I: Items>(kind: I, ids: Vec<i64>, end: Vec<u8>) -> Step {
    let mut ids = ids.into_iter();
    let mut end = Some(end);
    Box::new(move |app, caller| {
        let caller = caller.ok_or(ApiError::NoCredentials)?;
        let batch: Vec<i64> = ids.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(end.take());
        }
        let mut json = Vec::new();
        for item in kind.read(app, caller, &batch)? {
            json.push(b',');
            kind.write(&item, &mut json).map_err(unwritable)?;
        }
        Ok(Some(json))
    })
}

pub(crate) fn to_json(view: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(view).map_err(unwritable)
}

fn unwritable(error: serde_json::Error) -> ApiError {
    ApiError::Internal(error.into())
}

#[cfg(test)]
mod tests {
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
            assert!(ids.len() <= BATCH);
            Ok(ids.iter().copied().filter(|id| *id >= 0).collect())
        }

        fn write(&self, item: &i64, json: &mut Vec<u8>) -> serde_json::Result<()> {
            serde_json::to_writer(json, &text(*item))
        }
    }

    fn pieces(container: &Value, ids: impl Iterator<Item = i64>) -> (Vec<u8>, Option<Step>) {
        write(container, &ids.collect::<Vec<_>>(), Texts).unwrap()
    }

    /// Returns all pieces together.
    fn whole(container: &Value, ids: impl Iterator<Item = i64>) -> String {
        let (app, _) = Mocks::new().into_app();
        let (mut json, rest) = pieces(container, ids);
        assert!(json.len() < FIRST_PIECE + 200_000);
        let mut rest = rest.unwrap();
        while let Some(piece) = rest(&app, Some(&samples::ann())).unwrap() {
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
        assert!(matches!(rest(&app, None), Err(ApiError::NoCredentials)));
    }
}
