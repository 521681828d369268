//! The definition of queries on rows in memory: which rows, in which order, and which page.
//!
//! Stores in memory and fakes in tests use it. Stores on databases have their own queries; the store contract
//! compares the results.

use std::{
    borrow::Borrow,
    cmp::Ordering::{self, Equal},
};

use chrono::{DateTime, Utc};
use mycars_domain::{
    Car, User, UserId,
    audit::{Entry, NewEntry},
    fold,
    values::{Color, Notes, Phone, Vin},
};

use super::{
    CarOrder, CarQuery, Direction, HistoryQuery, LimitOffset, Search, TokenOrder, TokenQuery, TokenState,
    UserOrder, UserQuery,
};
use crate::ports::{ListedToken, RefreshToken};

impl Search {
    /// Returns whether each of the words is in one of these fields, in any case.
    ///
    /// The fields are searched as lines of one text, so that no word is found across two fields, unless it contains a
    /// line break.
    ///
    /// ```
    /// use mycars_application::lists::Search;
    ///
    /// let fields = ["VW", "Golf Élan", "B-ÖA 1"];
    /// assert!(Search::parse("golf öa").finds(&fields));
    /// assert!(!Search::parse("golf polo").finds(&fields), "each word must be found");
    /// assert!(!Search::parse("'vw golf'").finds(&fields), "and in one field");
    /// assert!(Search::parse("").finds(&fields), "no word narrows nothing");
    /// ```
    #[must_use]
    pub fn finds(&self, fields: &[&str]) -> bool {
        self.finds_in(&[searchable(fields)])
    }

    /// Returns whether each of the words is in one of these folded texts.
    fn finds_in(&self, texts: &[String]) -> bool {
        self.words()
            .all(|word| texts.iter().any(|text| text.contains(word)))
    }
}

impl CarQuery {
    /// Returns those of these cars, given in any order, that match the query: of `owner`, or of all users if it is
    /// `None`.
    ///
    /// `user` returns the user with an id: if the cars of several users are searched, words are also looked for in the
    /// fields of their owners. Ties are newest first, then by descending id; among the cars of all users by descending
    /// id alone.
    ///
    /// ```
    /// use mycars_application::{lists::{CarOrder, CarQuery, Direction, Search}, mocks::samples};
    /// use mycars_domain::{Car, CarId, values::Mileage};
    ///
    /// let new = Car { id: CarId(11), mileage: Mileage::from_storage(5), ..samples::car() };
    /// let driven = Car { id: CarId(12), mileage: Mileage::from_storage(900), ..samples::car() };
    /// let ann = samples::user();
    /// let query = CarQuery {
    ///     search: Search::parse("camry ann"),
    ///     ordering: vec![(CarOrder::Mileage, Direction::Descending)],
    ///     ..CarQuery::default()
    /// };
    /// assert_eq!(query.select(None, [&new, &driven], |id| (id == ann.id).then_some(&ann)), [&driven, &new]);
    /// assert!(query.select(Some(ann.id), [&new, &driven], |_| None).is_empty(), "a search in one owner's cars does not cover the owner");
    /// ```
    pub fn select<'u, C: Borrow<Car>>(
        &self,
        owner: Option<UserId>,
        cars: impl IntoIterator<Item = C>,
        user: impl Fn(UserId) -> Option<&'u User>,
    ) -> Vec<C> {
        let only = owner.or(self.owner);
        let is_asked_for = |car: &Car| {
            let person = if only.is_none() { user(car.owner) } else { None };
            only.is_none_or(|only| car.owner == only)
                && self.lets_through(car)
                && self
                    .search
                    .finds_in(&[text_of_car(car), person.map_or_else(String::new, text_of_user)])
        };
        let ties = |one: &Car, other: &Car| match owner {
            Some(_) => (other.created_at, other.id).cmp(&(one.created_at, one.id)),
            None => other.id.cmp(&one.id),
        };
        let compare = |one: &Car, other: &Car| {
            by(&self.ordering, |order| order.compare(one, other)).then_with(|| ties(one, other))
        };
        page_of(cars, is_asked_for, compare, self.page)
    }

    /// Returns whether a car matches the filters.
    fn lets_through(&self, car: &Car) -> bool {
        is(self.brand.as_ref(), Some(car.brand.as_str()))
            && is(self.model.as_ref(), Some(car.model.as_str()))
            && is(self.color.as_ref(), car.color.as_ref().map(Color::as_str))
            && is(self.license.as_ref(), Some(car.license.as_str()))
            && is(self.vin.as_ref(), car.vin.as_ref().map(Vin::as_str))
            && is_within(car.year.get(), self.year_min, self.year_max)
            && is_within(car.mileage.get(), self.mileage_min, self.mileage_max)
    }
}

impl CarOrder {
    fn compare(self, one: &Car, other: &Car) -> Ordering {
        match self {
            Self::CreatedAt => one.created_at.cmp(&other.created_at),
            Self::UpdatedAt => one.updated_at.cmp(&other.updated_at),
            Self::Year => one.year.cmp(&other.year),
            Self::Mileage => one.mileage.cmp(&other.mileage),
            Self::Brand => one.brand.as_str().cmp(other.brand.as_str()),
            Self::Model => one.model.as_str().cmp(other.model.as_str()),
            Self::License => one.license.as_str().cmp(other.license.as_str()),
        }
    }
}

impl UserQuery {
    /// Returns those of these users, given in any order, that match the query. Ties are by id.
    ///
    /// ```
    /// use mycars_application::{lists::{Direction, UserOrder, UserQuery}, mocks::samples};
    /// use mycars_domain::{User, UserId};
    ///
    /// let ann = samples::user();
    /// let once = User { id: UserId(2), last_login: Some(samples::now()), ..samples::user() };
    /// let gone = User { id: UserId(3), is_active: false, ..samples::user() };
    /// let query = UserQuery {
    ///     is_active: Some(true),
    ///     ordering: vec![(UserOrder::LastLogin, Direction::Ascending)],
    ///     ..UserQuery::default()
    /// };
    /// assert_eq!(query.select([&once, &gone, &ann]), [&ann, &once], "users who never logged in come first");
    /// ```
    pub fn select<U: Borrow<User>>(&self, users: impl IntoIterator<Item = U>) -> Vec<U> {
        let is_asked_for = |user: &User| {
            self.role.is_none_or(|role| user.role == role)
                && self.is_active.is_none_or(|is_active| user.is_active == is_active)
                && self.search.finds_in(&[text_of_user(user)])
        };
        let compare = |one: &User, other: &User| {
            by(&self.ordering, |order| order.compare(one, other)).then_with(|| one.id.cmp(&other.id))
        };
        page_of(users, is_asked_for, compare, self.page)
    }
}

impl UserOrder {
    fn compare(self, one: &User, other: &User) -> Ordering {
        match self {
            Self::Username => one.username.as_str().cmp(other.username.as_str()),
            Self::Email => one.email.as_str().cmp(other.email.as_str()),
            Self::DateJoined => one.date_joined.cmp(&other.date_joined),
            Self::LastLogin => one.last_login.cmp(&other.last_login),
        }
    }
}

impl HistoryQuery {
    /// Returns those of these entries, given in any order, that match the query.
    ///
    /// ```
    /// # use mycars_domain::audit::{Author, NewEntry, Object};
    /// use mycars_application::{lists::HistoryQuery, mocks::samples};
    /// use mycars_domain::audit::{Action, Entry};
    ///
    /// # let entry = |action| NewEntry {
    /// #     at: samples::now(), action, object: Object::car(&samples::car()),
    /// #     author: Author { id: None, name: "ann".into() }, origin: samples::origin(), changes: vec![],
    /// # };
    /// let created = Entry { id: 1, entry: entry(Action::Created) };
    /// let deleted = Entry { id: 2, entry: entry(Action::Deleted) };
    /// assert_eq!(HistoryQuery::default().select([&created, &deleted]), [&deleted, &created]);
    ///
    /// let query = HistoryQuery { action: Some(Action::Created), ..HistoryQuery::default() };
    /// assert_eq!(query.select([&created, &deleted]), [&created]);
    /// ```
    pub fn select<E: Borrow<Entry>>(&self, entries: impl IntoIterator<Item = E>) -> Vec<E> {
        let is_asked_for = |kept: &Entry| self.lets_through(&kept.entry);
        let compare = |one: &Entry, other: &Entry| {
            let oldest_first = one.id.cmp(&other.id);
            if self.oldest_first {
                oldest_first
            } else {
                oldest_first.reverse()
            }
        };
        page_of(entries, is_asked_for, compare, self.page)
    }

    /// Returns whether an entry matches the search and the filters.
    fn lets_through(&self, entry: &NewEntry) -> bool {
        let object = &entry.object;
        self.action.is_none_or(|action| entry.action == action)
            && self.object_type.is_none_or(|kind| object.kind == kind)
            && is(self.object_id.as_ref(), Some(&object.id))
            && self.owner.is_none_or(|owner| object.owner == Some(owner))
            && self.actor.is_none_or(|actor| entry.author.id == Some(actor))
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
            && self.search.finds(&[&object.name, &entry.author.name])
    }
}

impl TokenQuery {
    /// Returns those of these numbered tokens, given in any order, that match the query. `user` returns the user
    /// with an id: words are also looked for in the fields of owners. Ties are newest first: by descending number.
    ///
    /// ```
    /// use chrono::TimeDelta;
    /// use mycars_application::{
    ///     lists::{Search, TokenQuery, TokenState}, mocks::samples, ports::RefreshToken,
    /// };
    ///
    /// let (now, ann) = (samples::now(), samples::user());
    /// let live = RefreshToken {
    ///     id: "0a1b".into(),
    ///     user: Some(ann.id),
    ///     issued_at: now,
    ///     expires_at: now + TimeDelta::days(1),
    ///     ..samples::refresh_token(None)
    /// };
    /// let expired = RefreshToken { expires_at: now, ..live.clone() };
    /// let query = TokenQuery {
    ///     search: Search::parse("ann"),
    ///     state: Some(TokenState::Live),
    ///     ..TokenQuery::at(now)
    /// };
    /// let found = query.select([(1, &live), (2, &expired)], |id| (id == ann.id).then_some(&ann));
    /// assert_eq!(found.len(), 1);
    /// assert_eq!((found[0].number, found[0].username.as_deref()), (1, Some("ann")));
    /// ```
    pub fn select<'t, 'u>(
        &self,
        tokens: impl IntoIterator<Item = (i64, &'t RefreshToken)>,
        user: impl Fn(UserId) -> Option<&'u User>,
    ) -> Vec<ListedToken> {
        let owner_of = |token: &RefreshToken| token.user.and_then(&user);
        let is_asked_for = |(_, token): &(i64, &RefreshToken)| {
            let owner = owner_of(token).map_or_else(String::new, text_of_user);
            self.state
                .is_none_or(|state| TokenState::of(token, self.now) == state)
                && self.user.is_none_or(|user| token.user == Some(user))
                && (self.family.as_ref()).is_none_or(|family| token.family().id == *family)
                && self.search.finds_in(&[searchable(&[&token.id]), owner])
        };
        let compare = |one: &(i64, &RefreshToken), other: &(i64, &RefreshToken)| {
            by(&self.ordering, |order| order.compare(one.1, other.1)).then_with(|| other.0.cmp(&one.0))
        };
        let found = page_of(tokens, is_asked_for, compare, self.page);
        let listed = |(number, token)| ListedToken {
            number,
            token: RefreshToken::clone(token),
            username: owner_of(token).map(|owner| owner.username.to_string()),
        };
        found.into_iter().map(listed).collect()
    }
}

impl TokenOrder {
    fn compare(self, one: &RefreshToken, other: &RefreshToken) -> Ordering {
        match self {
            Self::IssuedAt => one.issued_at.cmp(&other.issued_at),
            Self::ExpiresAt => one.expires_at.cmp(&other.expires_at),
        }
    }
}

impl TokenState {
    /// Returns the state of a token at a time. A token that expires at that time has expired.
    #[must_use]
    pub fn of(token: &RefreshToken, now: DateTime<Utc>) -> Self {
        match token.revoked {
            Some(_) => Self::Revoked,
            None if token.expires_at > now => Self::Live,
            None => Self::Expired,
        }
    }
}

/// Joins fields into one folded text.
fn searchable(fields: &[&str]) -> String {
    fold(&fields.join("\n"))
}

/// Returns the searched text of a car.
fn text_of_car(car: &Car) -> String {
    searchable(&[
        car.brand.as_str(),
        car.model.as_str(),
        car.license.as_str(),
        car.vin.as_ref().map_or("", Vin::as_str),
        car.notes.as_ref().map_or("", Notes::as_str),
    ])
}

/// Returns the searched text of a user.
fn text_of_user(user: &User) -> String {
    searchable(&[
        user.username.as_str(),
        user.email.as_str(),
        user.first_name.as_str(),
        user.last_name.as_str(),
        user.phone.as_ref().map_or("", Phone::as_str),
    ])
}

/// Returns whether a text equals the filter, or there is none.
fn is(wanted: Option<&String>, text: Option<&str>) -> bool {
    wanted.is_none_or(|wanted| text == Some(wanted))
}

/// Returns whether a number is within inclusive bounds.
fn is_within(number: i32, min: Option<i64>, max: Option<i64>) -> bool {
    let number = i64::from(number);
    min.is_none_or(|min| number >= min) && max.is_none_or(|max| number <= max)
}

/// Compares by the first order in which two rows differ.
fn by<O: Copy>(orders: &[(O, Direction)], compare: impl Fn(O) -> Ordering) -> Ordering {
    let directed = |&(order, direction): &(O, Direction)| match direction {
        Direction::Ascending => compare(order),
        Direction::Descending => compare(order).reverse(),
    };
    orders
        .iter()
        .map(directed)
        .find(|found| *found != Equal)
        .unwrap_or(Equal)
}

/// Filters and sorts rows, and returns a page of them.
fn page_of<T: Borrow<B>, B>(
    all: impl IntoIterator<Item = T>,
    is_asked_for: impl Fn(&B) -> bool,
    compare: impl Fn(&B, &B) -> Ordering,
    page: Option<LimitOffset>,
) -> Vec<T> {
    let mut found: Vec<T> = all
        .into_iter()
        .filter(|thing| is_asked_for(thing.borrow()))
        .collect();
    found.sort_by(|one, other| compare(one.borrow(), other.borrow()));
    let Some(LimitOffset { limit, offset }) = page else {
        return found;
    };
    let offset = usize::try_from(offset).unwrap_or(usize::MAX);
    found.into_iter().skip(offset).take(limit as usize).collect()
}

#[cfg(test)]
mod tests {
    use mycars_domain::{
        CarId,
        values::{Brand, LicensePlate, Username, Year},
    };

    use super::*;
    use crate::mocks::samples;

    fn car(id: i64, owner: i64) -> Car {
        Car {
            id: CarId(id),
            owner: UserId(owner),
            license: LicensePlate::from_storage(format!("B {id}")),
            ..samples::car()
        }
    }

    fn ids(cars: &[&Car]) -> Vec<i64> {
        cars.iter().map(|car| car.id.0).collect()
    }

    #[test]
    fn words_are_found_in_any_case_and_within_one_field() {
        let finds = |words: &str| Search::parse(words).finds(&["Golf Élan", "100% ΟΔΟΣ_1", "a\nb"]);
        for found in ["", "golf", "ÉLAN 100%", "'golf élan'", "οδος", "_1", "'a\nb'"] {
            assert!(finds(found), "{found}");
        }
        for nothing in ["golf polo", "'élan 100%'", "élan100", "1%0", "g_lf", "elan"] {
            assert!(!finds(nothing), "{nothing}");
        }
    }

    #[test]
    fn ties_are_newest_first_for_one_owner_else_by_id() {
        let mut cars = [car(1, 1), car(2, 1), car(3, 2)];
        cars[0].created_at = samples::now();
        let all = CarQuery::default();
        assert_eq!(ids(&all.select(Some(UserId(1)), &cars, |_| None)), [1, 2]);
        assert_eq!(ids(&all.select(None, &cars, |_| None)), [3, 2, 1]);
        let of_one = CarQuery {
            owner: Some(UserId(1)),
            ..CarQuery::default()
        };
        assert_eq!(ids(&of_one.select(None, &cars, |_| None)), [2, 1]);
        let heeded_not = of_one.select(Some(UserId(2)), &cars, |_| None);
        assert_eq!(ids(&heeded_not), [3]);
    }

    #[test]
    fn owners_are_searched_if_there_are_several() {
        let (ann, cars) = (samples::user(), [car(1, 1), car(2, 2)]);
        let search = CarQuery {
            search: Search::parse("ANN camry"),
            ..CarQuery::default()
        };
        let of_ann = CarQuery {
            owner: Some(ann.id),
            ..search.clone()
        };
        let user = |id| (id == ann.id).then_some(&ann);
        assert_eq!(ids(&search.select(None, &cars, user)), [1]);
        assert_eq!(ids(&search.select(Some(ann.id), &cars, user)), []);
        assert_eq!(ids(&of_ann.select(None, &cars, user)), []);
    }

    #[test]
    fn filters_are_exact_and_bounds_inclusive() {
        let golf = Car {
            brand: Brand::from_storage("VW".into()),
            year: Year::from_storage(2020),
            ..car(1, 1)
        };
        let finds = |ask: fn(&mut CarQuery)| {
            let mut query = CarQuery::default();
            ask(&mut query);
            !query.select(None, [&golf], |_| None).is_empty()
        };
        assert!(finds(|query| query.brand = Some("VW".into())));
        assert!(!finds(|query| query.brand = Some("vw".into())));
        assert!(!finds(|query| query.color = Some(String::new())), "it has none");
        assert!(finds(
            |query| (query.year_min, query.year_max) = (Some(2020), Some(2020))
        ));
        assert!(!finds(|query| query.year_min = Some(2021)));
        assert!(finds(|query| query.mileage_min = Some(i64::MIN)));
        assert!(!finds(|query| query.mileage_min = Some(i64::MAX)));
    }

    #[test]
    fn orders_apply_in_turn_and_text_by_code_points() {
        let user = |id, name: &str, last_login| User {
            id: UserId(id),
            username: Username::from_storage(name.into()),
            last_login,
            ..samples::user()
        };
        let now = Some(samples::now());
        let users = [
            user(1, "a", now),
            user(2, "Z", now),
            user(3, "ä", now),
            user(4, "b", None),
        ];
        let ordered = |ordering: &[(UserOrder, Direction)]| {
            let query = UserQuery {
                ordering: ordering.to_vec(),
                ..UserQuery::default()
            };
            let found = query.select(&users).into_iter();
            found.map(|user| user.username.as_str()).collect::<String>()
        };
        let login = |direction| (UserOrder::LastLogin, direction);
        let name = (UserOrder::Username, Direction::Ascending);
        assert_eq!(ordered(&[]), "aZäb");
        assert_eq!(ordered(&[name]), "Zabä");
        assert_eq!(ordered(&[login(Direction::Ascending)]), "baZä");
        assert_eq!(ordered(&[login(Direction::Descending), name]), "Zaäb");
    }

    #[test]
    fn page_beyond_the_end_is_empty() {
        let cars: Vec<Car> = (1..=5).map(|id| car(id, 1)).collect();
        let page = |limit, offset| {
            let query = CarQuery {
                page: Some(LimitOffset { limit, offset }),
                ..CarQuery::default()
            };
            ids(&query.select(None, &cars, |_| None))
        };
        assert_eq!(page(2, 1), [4, 3]);
        assert_eq!(page(u32::MAX, 4), [1]);
        for (limit, offset) in [(0, 0), (2, 5), (2, u64::MAX)] {
            assert_eq!(page(limit, offset), []);
        }
    }

    #[test]
    fn token_that_expires_now_is_expired_unless_revoked() {
        let now = samples::now();
        let state = |seconds, revoked| {
            let token = RefreshToken {
                id: "a".into(),
                user: None,
                issued_at: now,
                expires_at: now + chrono::TimeDelta::seconds(seconds),
                revoked,
                ..samples::refresh_token(revoked)
            };
            TokenState::of(&token, now)
        };
        assert_eq!(state(1, None), TokenState::Live);
        assert_eq!(state(0, None), TokenState::Expired);
        for seconds in [-1, 1] {
            assert_eq!(
                state(seconds, Some(crate::ports::Revocation::Rotated)),
                TokenState::Revoked
            );
        }
    }
}
