//! What lists can be asked for: filters, search, ordering and pages, from fixed sets (wire contract, section 7).
//!
//! With the feature `reference`, each query has its meaning as a function `select`: of all rows in memory, it returns
//! those that the query asks for, in order, and the page of them. Fakes of ports and the contract of all stores use it.
//! A store on a database answers the same by queries of its own.

#[cfg(feature = "reference")]
mod reference;

use std::{collections::HashMap, hash::Hash};

use chrono::{DateTime, Utc};
use mycars_domain::{
    Role, UserId,
    audit::{Action, ObjectType},
    fold, is_space,
};

/// So many items, after so many others. Bounds are for the adapter to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitOffset {
    /// How many items there are at most.
    pub limit: u32,
    /// How many items come before.
    pub offset: u64,
}

/// A list, or a page of it, in the order that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// How many there are on all pages; `None` where no page was asked for.
    pub total: Option<u64>,
}

/// Puts what was found into the order in which it was asked for.
pub(crate) fn in_order_of<T, I: Copy + Eq + Hash>(ids: &[I], found: &mut [T], id: impl Fn(&T) -> I) {
    let places: HashMap<I, usize> = ids.iter().enumerate().map(|(place, id)| (*id, place)).collect();
    found.sort_by_key(|item| places.get(&id(item)).copied());
}

/// Which way a list is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The least first.
    Ascending,
    /// The greatest first.
    Descending,
}

/// Text to search for, as words that must all be found, whatever their case. What is searched is folded as the words
/// are, so that both databases find the same in every script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search(Vec<String>);

impl Search {
    /// How many words are searched for at most.
    pub const MAX_WORDS: usize = 32;

    /// Splits what somebody typed at white space and commas; what stands in double or single quotes stays
    /// together. Words after the first [`MAX_WORDS`](Self::MAX_WORDS) are left out, because each is a condition of
    /// its own in the query, and databases don't nest conditions without end. How long the text may be is for the
    /// caller to say.
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
        // Counted here and not at each quote, so that a text of quotes takes no longer than any other.
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
        Self(
            words
                .into_iter()
                .map(|word| fold(&word))
                .filter(|word| !word.is_empty())
                .take(Self::MAX_WORDS)
                .collect(),
        )
    }

    /// The words, folded as [`fold`] folds.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// Which cars, in which order. The default is all of them, the newest first. What is asked for exactly is compared to
/// the letter, case included; what was left out narrows nothing.
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
    /// Only this user's. Heeded only where everybody's are listed.
    pub owner: Option<UserId>,
    /// Exactly this brand.
    pub brand: Option<String>,
    /// Exactly this model.
    pub model: Option<String>,
    /// Exactly this colour.
    pub color: Option<String>,
    /// Exactly this plate.
    pub license: Option<String>,
    /// Exactly this vehicle identification number.
    pub vin: Option<String>,
    /// Not built before this year.
    pub year_min: Option<i64>,
    /// Not built after this year.
    pub year_max: Option<i64>,
    /// Driven at least so far, in kilometres.
    pub mileage_min: Option<i64>,
    /// Driven at most so far, in kilometres.
    pub mileage_max: Option<i64>,
    /// What to order by first, second and so on; ties are newest first, then by descending id.
    pub ordering: Vec<(CarOrder, Direction)>,
    /// Which page; everything if `None`.
    pub page: Option<LimitOffset>,
}

/// What cars can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarOrder {
    /// When it was first kept.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// When it was built.
    Year,
    /// How far it has been driven.
    Mileage,
    /// Who built it.
    Brand,
    /// Which car of its brand it is.
    Model,
    /// Its plate.
    License,
}

/// Which users, in which order. The default is all of them, by id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserQuery {
    /// Words that must all be found in username, e-mail address, names or phone number.
    pub search: Search,
    /// Exactly this role.
    pub role: Option<Role>,
    /// Only those who may log in, or only those who may not.
    pub is_active: Option<bool>,
    /// What to order by first, second and so on; ties are by id.
    pub ordering: Vec<(UserOrder, Direction)>,
    /// Which page; everything if `None`.
    pub page: Option<LimitOffset>,
}

/// What users can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserOrder {
    /// The username.
    Username,
    /// The e-mail address.
    Email,
    /// When they came.
    DateJoined,
    /// When they last logged in; who never did comes before everybody else.
    LastLogin,
}

/// How many users are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserCount {
    /// Their role.
    pub role: Role,
    /// Whether they may log in.
    pub is_active: bool,
    /// How many they are.
    pub count: u64,
}

/// Which entries of the audit log, in which order. The default is all of them, the newest first: by descending number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Words that must all be found in the name of what an entry is about or of who did it.
    pub search: Search,
    /// Exactly this action.
    pub action: Option<Action>,
    /// About this kind of thing.
    pub object_type: Option<ObjectType>,
    /// About what has this id.
    pub object_id: Option<String>,
    /// About what was this user's.
    pub owner: Option<UserId>,
    /// Done by this user.
    pub actor: Option<UserId>,
    /// Not before this point in time.
    pub since: Option<DateTime<Utc>>,
    /// Before this point in time.
    pub until: Option<DateTime<Utc>>,
    /// Whether the oldest come first, and not the newest.
    pub oldest_first: bool,
    /// Which page; everything if `None`.
    pub page: Option<LimitOffset>,
}

/// How many entries of the audit log are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistoryCount {
    /// What was done.
    pub action: Action,
    /// To what kind of thing.
    pub object_type: ObjectType,
    /// How many they are.
    pub count: u64,
}

/// Which refresh tokens, in which order. [`at`](Self::at) makes the default: all of them, the newest first.
///
/// ```
/// use mycars_application::{lists::{TokenQuery, TokenState}, mocks::samples};
///
/// let live = TokenQuery { state: Some(TokenState::Live), ..TokenQuery::at(samples::now()) };
/// assert_eq!(live.page, None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenQuery {
    /// The time at which a token is expired or not.
    pub now: DateTime<Utc>,
    /// Words that must all be found in its `jti` or in what is searched of its owner. A `jti` is expected to be ASCII, as
    /// ours and Django's are: whether other letters are found in another case than their own, is for the store to say.
    pub search: Search,
    /// Only those in this state.
    pub state: Option<TokenState>,
    /// Only those of this user.
    pub user: Option<UserId>,
    /// What to order by first, second and so on; ties are newest first.
    pub ordering: Vec<(TokenOrder, Direction)>,
    /// Which page; everything if `None`.
    pub page: Option<LimitOffset>,
}

impl TokenQuery {
    /// All tokens, as they are at a point in time.
    #[must_use]
    pub fn at(now: DateTime<Utc>) -> Self {
        Self {
            now,
            search: Search::default(),
            state: None,
            user: None,
            ordering: Vec::new(),
            page: None,
        }
    }
}

/// Whether a refresh token can still be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenState {
    /// It can.
    Live,
    /// It was ended before its time.
    Revoked,
    /// Its time is over, and nobody ended it before.
    Expired,
}

impl TokenState {
    /// Every state, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Live, Self::Revoked, Self::Expired];
}

/// What refresh tokens can be ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenOrder {
    /// When it was issued.
    IssuedAt,
    /// When it expires.
    ExpiresAt,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        Search::parse(text).words().map(str::to_owned).collect()
    }

    #[test]
    fn words_are_split_at_space_and_commas_and_folded() {
        assert_eq!(words(" Golf  plus,ÉLAN "), ["golf", "plus", "élan"]);
        assert_eq!(words(" , "), Vec::<String>::new());
    }

    #[test]
    fn quotes_keep_words_together_and_a_lone_quote_is_text() {
        assert_eq!(words("\"two words\" three"), ["two words", "three"]);
        assert_eq!(words("'a b'"), ["a b"]);
        assert_eq!(words("\"never closed"), ["\"never", "closed"]);
        assert_eq!(words("rock'n'roll"), ["rock'n'roll"]);
    }

    #[test]
    fn only_the_first_words_count() {
        let typed: Vec<String> = (0..40).map(|number| format!("word{number}")).collect();
        assert_eq!(words(&typed.join(" , ")), typed[..Search::MAX_WORDS]);
    }

    #[test]
    fn a_text_of_quotes_takes_no_longer_than_any_other() {
        // If each quote were looked for in the whole text, this test would take hours.
        assert_eq!(words(&"''".repeat(2_000_000)), Vec::<String>::new());
    }
}
