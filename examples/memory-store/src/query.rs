//! What the lists of all repositories have in common.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
};

use mycars_application::lists::{Direction, Page, Search};
use mycars_domain::fold;

/// Whether all words are found in these fields, whatever their case, and none of them across two fields.
pub(crate) fn finds(search: &Search, fields: &[&str]) -> bool {
    let text = fold(&fields.join("\n"));
    search.words().all(|word| text.contains(word))
}

/// Compares two rows by the first order that tells them apart.
pub(crate) fn compare<O: Copy>(orders: &[(O, Direction)], by: impl Fn(O) -> Ordering) -> Ordering {
    orders.iter().fold(Ordering::Equal, |so_far, (order, direction)| {
        so_far.then_with(|| match direction {
            Direction::Ascending => by(*order),
            Direction::Descending => by(*order).reverse(),
        })
    })
}

/// A page of what was found, or all of it.
pub(crate) fn paged<T: Clone>(found: Vec<&T>, page: Option<Page>) -> Vec<T> {
    let (limit, offset) = page.map_or((u32::MAX, 0), |page| (page.limit, page.offset));
    let rest = found
        .into_iter()
        .skip(usize::try_from(offset).unwrap_or(usize::MAX));
    rest.take(limit as usize).cloned().collect()
}

/// The rows that have these keys, each once, however often it is named.
pub(crate) fn with_keys<K: Ord, V: Clone>(rows: &BTreeMap<K, V>, keys: &[K]) -> Vec<V> {
    let keys: BTreeSet<&K> = keys.iter().collect();
    keys.into_iter()
        .filter_map(|key| rows.get(key).cloned())
        .collect()
}

/// Forgets the rows of which something holds, and answers how many there were.
pub(crate) fn forget<K: Ord, V>(rows: &mut BTreeMap<K, V>, which: impl Fn(&V) -> bool) -> usize {
    let before = rows.len();
    rows.retain(|_, row| !which(row));
    before - rows.len()
}

/// How often each of these occurs.
pub(crate) fn tally<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<(T, u64)> {
    let mut counted: Vec<(T, u64)> = Vec::new();
    for item in items {
        match counted.iter_mut().find(|(known, _)| *known == item) {
            Some((_, count)) => *count += 1,
            None => counted.push((item, 1)),
        }
    }
    counted
}
