//! Queries of lists: filters, search, ordering and pages, from fixed sets (wire contract, section 7).
//!
//! With the feature `reference`, each query is defined by a function `select`: of all rows in memory, it returns
//! those that match, in order, and limited to the page. Fakes of ports and the store contract use it. A store on a
//! database implements the same with its own queries.

#[cfg(feature = "reference")]
mod reference;

use std::{
    collections::{HashMap, HashSet},
    hash::Hash,
};

use chrono::{DateTime, Utc};
use mycars_domain::{
    Role, UserId,
    audit::{Action, ObjectType},
    fold, is_space,
};

/// A number of items after an offset. Adapters set the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitOffset {
    /// Maximum number of items.
    pub limit: u32,
    /// Number of items before.
    pub offset: u64,
}

/// A list, or a page of it, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Number of items on all pages; `None` if no page was requested.
    pub total: Option<u64>,
}

/// The beginning of a list, or of a page of it, and the ids of its other items: they are read by id, a chunk at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkedList<T, I> {
    /// The first items, at most [`CHUNK`].
    pub first: Vec<T>,
    /// The ids of the items that follow, in the order of the list.
    pub rest: Vec<I>,
    /// Number of items on all pages; `None` if no page was requested.
    pub total: Option<u64>,
}

impl<T, I> ChunkedList<T, I> {
    /// Converts the ids.
    #[must_use]
    pub fn map_rest<J>(self, id: impl Fn(I) -> J) -> ChunkedList<T, J> {
        ChunkedList {
            first: self.first,
            rest: self.rest.into_iter().map(id).collect(),
            total: self.total,
        }
    }
}

impl<T, I> From<Page<T>> for ChunkedList<T, I> {
    fn from(page: Page<T>) -> Self {
        Self {
            first: page.items,
            rest: Vec::new(),
            total: page.total,
        }
    }
}

/// Maximum number of items of a list that are read at once.
pub const CHUNK: u32 = 200;

/// Returns the beginning of a page, or of the whole list.
pub(crate) fn first_chunk(page: Option<LimitOffset>) -> LimitOffset {
    page.map_or(
        LimitOffset {
            limit: CHUNK,
            offset: 0,
        },
        |page| LimitOffset {
            limit: page.limit.min(CHUNK),
            ..page
        },
    )
}

/// Returns whether items may follow those of the first chunk.
pub(crate) fn may_continue<T>(first: &[T], page: Option<LimitOffset>) -> bool {
    first.len() >= CHUNK as usize && page.is_none_or(|page| page.limit > CHUNK)
}

/// Returns the ids of a page that are not in its first chunk, of the ids of the whole list. The list may have changed
/// between the two queries, so the ids are compared.
pub(crate) fn following<I: Copy + Eq + Hash>(
    first: impl IntoIterator<Item = I>,
    ids: Vec<I>,
    page: Option<LimitOffset>,
) -> Vec<I> {
    let first: HashSet<I> = first.into_iter().collect();
    let (offset, limit) = page.map_or((0, usize::MAX), |page| {
        (
            usize::try_from(page.offset).unwrap_or(usize::MAX),
            page.limit as usize,
        )
    });
    ids.into_iter()
        .skip(offset)
        .take(limit)
        .filter(|id| !first.contains(id))
        .collect()
}

/// Sorts items by the order of their ids in `ids`.
pub(crate) fn in_order_of<T, I: Copy + Eq + Hash>(ids: &[I], found: &mut [T], id: impl Fn(&T) -> I) {
    let places: HashMap<I, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    found.sort_by_key(|item| places.get(&id(item)).copied());
}

/// The direction of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Greatest first.
    Descending,
}

/// Search terms, all of which must match, in any case. The terms and the searched text are folded, so that both
/// databases find the same rows in every script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search(Vec<String>);

impl Search {
    /// Maximum length of a search in characters, before and after folding. It bounds the time that a database spends
    /// for each searched character: that time may grow with the length of the words.
    pub const MAX_LENGTH: usize = 100;

    /// Maximum number of words.
    pub const MAX_WORDS: usize = 32;

    /// Splits text at white space and commas; text in double or single quotes stays together. Words after the first
    /// [`MAX_WORDS`](Self::MAX_WORDS) are left out, because each is a condition of the query, and databases limit how
    /// deep conditions nest. So are characters of folded words after the first [`MAX_LENGTH`](Self::MAX_LENGTH);
    /// callers refuse a longer text.
    ///
    /// ```
    /// use mycars_application::lists::Search;
    ///
    /// let words: Vec<_> = Search::parse("Golf, \"two  words\" ÖL").words().map(str::to_owned).collect();
    /// assert_eq!(words, ["golf", "two  words", "öl"]);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let is_paired = |quote: &char| text.matches(*quote).count() > 1;
        // Quotes are counted here and not at each quote, so that a text of quotes takes no longer than any other.
        let quotes: Vec<char> = ['"', '\''].into_iter().filter(is_paired).collect();
        let mut words = Vec::new();
        let mut word = String::new();
        let mut quote = None;
        for c in text.chars() {
            match quote {
                Some(end) if c == end => quote = None,
                None if word.is_empty() && quotes.contains(&c) => quote = Some(c),
                None if is_space(c) || c == ',' => words.push(std::mem::take(&mut word)),
                _ => word.push(c),
            }
        }
        words.push(word);
        let mut left = Self::MAX_LENGTH;
        let shortened = |word: String| {
            let word: String = fold(&word).chars().take(left).collect();
            left -= word.chars().count();
            word
        };
        Self(
            words
                .into_iter()
                .map(shortened)
                .filter(|word| !word.is_empty())
                .take(Self::MAX_WORDS)
                .collect(),
        )
    }

    /// Returns the words, folded by [`fold`].
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Selects cars. By default all of them, the newest first. Exact filters compare including case; filters that are
/// `None` match everything.
///
/// ```
/// use mycars_application::lists::{CarOrder, CarQuery, Direction, LimitOffset, Search};
///
/// // Golfs since 2020, the least driven first, the second ten.
/// let query = CarQuery {
///     search: Search::parse("golf"),
///     year_min: Some(2020),
///     ordering: vec![(CarOrder::Mileage, Direction::Ascending), (CarOrder::Brand, Direction::Ascending)],
///     page: Some(LimitOffset { limit: 10, offset: 10 }),
///     ..CarQuery::default()
/// };
/// assert_eq!(query.search.words().collect::<Vec<_>>(), ["golf"]);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CarQuery {
    /// Words that must all be found in brand, model, plate, vehicle identification number or notes.
    pub search: Search,
    /// Only cars of this user. Used only if the cars of all users are listed.
    pub owner: Option<UserId>,
    /// This brand.
    pub brand: Option<String>,
    /// This model.
    pub model: Option<String>,
    /// This colour.
    pub color: Option<String>,
    /// This licence plate.
    pub license: Option<String>,
    /// This vehicle identification number.
    pub vin: Option<String>,
    /// Minimum year, inclusive.
    pub year_min: Option<i64>,
    /// Maximum year, inclusive.
    pub year_max: Option<i64>,
    /// Minimum mileage in kilometres, inclusive.
    pub mileage_min: Option<i64>,
    /// Maximum mileage in kilometres, inclusive.
    pub mileage_max: Option<i64>,
    /// Orders, the first first; ties are newest first, then by descending id.
    pub ordering: Vec<(CarOrder, Direction)>,
    /// The page; all items if `None`.
    pub page: Option<LimitOffset>,
}

/// Orders of cars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarOrder {
    /// Time of creation.
    CreatedAt,
    /// Time of the last change.
    UpdatedAt,
    /// Year.
    Year,
    /// Mileage.
    Mileage,
    /// The brand.
    Brand,
    /// The model.
    Model,
    /// Licence plate.
    License,
}

/// Selects users. By default all of them, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserQuery {
    /// Words that must all be found in username, e-mail address, names or phone number.
    pub search: Search,
    /// This role.
    pub role: Option<Role>,
    /// Active users, or inactive ones.
    pub is_active: Option<bool>,
    /// Orders, the first first; ties are by id.
    pub ordering: Vec<(UserOrder, Direction)>,
    /// The page; all items if `None`.
    pub page: Option<LimitOffset>,
}

/// Orders of users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserOrder {
    /// The username.
    Username,
    /// The e-mail address.
    Email,
    /// Time of registration.
    DateJoined,
    /// Time of the last login; users who never logged in are smallest.
    LastLogin,
}

/// Number of users with the same role and activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserCount {
    /// The role.
    pub role: Role,
    /// Whether they are active.
    pub is_active: bool,
    /// The number.
    pub count: u64,
}

/// Selects entries of the audit log. By default all of them, the newest first: by descending number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Words that must all be found in the names of the object or the author.
    pub search: Search,
    /// This action.
    pub action: Option<Action>,
    /// About this type of object.
    pub object_type: Option<ObjectType>,
    /// About the object with this id.
    pub object_id: Option<String>,
    /// About objects that this user owned at the time.
    pub owner: Option<UserId>,
    /// By this author.
    pub actor: Option<UserId>,
    /// From this time on.
    pub since: Option<DateTime<Utc>>,
    /// Before this time.
    pub until: Option<DateTime<Utc>>,
    /// Whether the oldest come first.
    pub oldest_first: bool,
    /// The page; all items if `None`.
    pub page: Option<LimitOffset>,
}

/// Number of entries of the audit log with the same action and type of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryCount {
    /// The action.
    pub action: Action,
    /// The type of object.
    pub object_type: ObjectType,
    /// The number.
    pub count: u64,
}

/// Selects refresh tokens. [`at`](Self::at) makes the default: all of them, the newest first.
///
/// ```
/// use mycars_application::{lists::{TokenQuery, TokenState}, mocks::samples};
///
/// let live = TokenQuery { state: Some(TokenState::Live), ..TokenQuery::at(samples::now()) };
/// assert_eq!(live.page, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenQuery {
    /// The time for deciding whether a token has expired.
    pub now: DateTime<Utc>,
    /// Words that must all be found in the `jti` or in the searched fields of the owner. A `jti` is expected to be
    /// ASCII, as ours and Django's are: stores may treat the case of other letters differently.
    pub search: Search,
    /// In this state.
    pub state: Option<TokenState>,
    /// Of this user.
    pub user: Option<UserId>,
    /// Of the login whose first token has this `jti`.
    pub family: Option<String>,
    /// Orders, the first first; ties are newest first.
    pub ordering: Vec<(TokenOrder, Direction)>,
    /// The page; all items if `None`.
    pub page: Option<LimitOffset>,
}

impl TokenQuery {
    /// Selects all tokens, with their states at this time.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self {
            now,
            search: Search::default(),
            state: None,
            user: None,
            family: None,
            ordering: Vec::new(),
            page: None,
        }
    }
}

/// The state of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// Valid.
    Live,
    /// Revoked before it expired.
    Revoked,
    /// Expired without being revoked.
    Expired,
}

impl TokenState {
    /// All states, in the order of the panel.
    pub const ALL: [Self; 3] = [Self::Live, Self::Revoked, Self::Expired];
}

/// Orders of refresh tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOrder {
    /// Time of issue.
    IssuedAt,
    /// Time of expiry.
    ExpiresAt,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Search::parse(text).words().map(str::to_owned).collect()
    }

    #[test]
    fn first_chunk_is_within_the_page() {
        let chunk = |page| {
            let LimitOffset { limit, offset } = first_chunk(page);
            (limit, offset)
        };
        let page = |limit, offset| Some(LimitOffset { limit, offset });
        assert_eq!(chunk(None), (CHUNK, 0));
        assert_eq!(chunk(page(20, 40)), (20, 40));
        assert_eq!(chunk(page(1000, 40)), (CHUNK, 40));
        let full = [(); CHUNK as usize];
        assert!(may_continue(&full, None) && may_continue(&full, page(CHUNK + 1, 0)));
        assert!(!may_continue(&full, page(CHUNK, 0)) && !may_continue(&full[1..], None));
    }

    #[test]
    fn following_ids_are_those_of_the_page_without_the_first() {
        let ids: Vec<i64> = (1..=10).collect();
        let page = |limit, offset| Some(LimitOffset { limit, offset });
        assert_eq!(following([1, 2], ids.clone(), None), ids[2..]);
        assert_eq!(following([3, 4], ids.clone(), page(5, 2)), [5, 6, 7]);
        assert_eq!(following([11, 1], ids.clone(), None), ids[1..], "one was added");
        assert_eq!(following([1], ids, page(5, u64::MAX)), [0_i64; 0]);
    }

    #[test]
    fn search_is_split_at_space_and_commas_and_folded() {
        assert_eq!(words(" Golf  plus,ÉLAN "), ["golf", "plus", "élan"]);
        assert_eq!(words(" , "), Vec::<String>::new());
    }

    #[test]
    fn quoted_words_stay_together_and_a_lone_quote_is_text() {
        assert_eq!(words("\"two words\" three"), ["two words", "three"]);
        assert_eq!(words("'a b'"), ["a b"]);
        assert_eq!(words("\"never closed"), ["\"never", "closed"]);
        assert_eq!(words("rock'n'roll"), ["rock'n'roll"]);
    }

    #[test]
    fn search_uses_only_the_first_words() {
        let typed: Vec<String> = (10..50).map(|number| number.to_string()).collect();
        assert_eq!(words(&typed.join(" , ")), typed[..Search::MAX_WORDS]);
    }

    #[test]
    fn search_uses_only_the_first_folded_characters() {
        let long = "a".repeat(Search::MAX_LENGTH + 1);
        assert_eq!(words(&long), [&long[1..]]);
        assert_eq!(words(&format!("\u{df} {long}")), ["ss", &long[3..]]);
        // One character that folds to 18.
        let sum: usize = words("\u{fdfa} \u{fdfa}\u{fdfa} \u{fdfa}\u{fdfa}\u{fdfa}\u{fdfa}")
            .iter()
            .map(|word| word.chars().count())
            .sum();
        assert_eq!(sum, Search::MAX_LENGTH);
    }

    #[test]
    fn search_of_many_quotes_is_parsed_in_linear_time() {
        // Looking for each quote in the whole text would take hours.
        assert_eq!(words(&"''".repeat(2_000_000)), Vec::<String>::new());
    }
}
