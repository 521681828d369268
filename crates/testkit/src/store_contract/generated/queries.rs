//! Generated queries: most find rows, and some contain values that no row has.

use mycars_application::lists::{
    CarOrder, CarQuery, Direction, HistoryQuery, LimitOffset, Search, TokenOrder, TokenQuery, TokenState,
    UserOrder, UserQuery,
};
use mycars_domain::{
    Role, User, UserId,
    audit::{Action, ObjectType},
};

use super::fixtures::{MILEAGES, TEXTS, YEARS, moment, user_id};
use crate::random::Random;

/// Returns a condition, with a chance of one in eight.
fn maybe<T>(random: &mut Random, make: impl FnOnce(&mut Random) -> T) -> Option<T> {
    random.percent(12).then(|| make(random))
}

/// Returns a text that some rows have, or one that no row can have.
fn text(random: &mut Random) -> String {
    let absent = ["missing's", "%", "\0"];
    let texts = if random.percent(80) { TEXTS } else { &absent };
    (*random.pick(texts)).to_owned()
}

/// Returns a part of a text, with its case changed or not.
fn piece(random: &mut Random) -> String {
    let letters: Vec<char> = text(random).chars().collect();
    let start = random.below(letters.len() + 1);
    let end = start + random.below(letters.len() - start + 1).min(4);
    let piece: String = letters[start..end].iter().collect();
    match random.below(3) {
        0 => piece.to_uppercase(),
        1 => piece.to_lowercase(),
        _ => piece,
    }
}

/// Returns up to three words, some in quotation marks.
fn search(random: &mut Random) -> Search {
    if random.percent(50) {
        return Search::default();
    }
    let words: Vec<String> = (0..=random.below(3))
        .map(|_| {
            let quote = *random.pick(&["", "\"", "'"]);
            format!("{quote}{}{quote}", piece(random))
        })
        .collect();
    Search::parse(&words.join(" "))
}

/// Returns up to three orders, which may repeat.
fn ordering<O: Copy>(random: &mut Random, orders: &[O]) -> Vec<(O, Direction)> {
    let directions = [Direction::Ascending, Direction::Descending];
    (0..random.below(4))
        .map(|_| (*random.pick(orders), *random.pick(&directions)))
        .collect()
}

/// Returns a page, with a chance of one half.
fn page(random: &mut Random) -> Option<LimitOffset> {
    random.percent(50).then(|| LimitOffset {
        limit: *random.pick(&[0, 1, 2, 5, 1000, u32::MAX]),
        offset: *random.pick(&[0, 0, 1, 3, 20, 1000, u64::MAX]),
    })
}

/// Returns a bound that equals a value, is one away from it, or is beyond the range of the column.
fn bound(random: &mut Random, values: &[i32]) -> i64 {
    match random.below(8) {
        0 => i64::MIN,
        1 => i64::MAX,
        _ => {
            let besides = [-1, 0, 0, 1];
            i64::from(*random.pick(values)) + random.pick(&besides)
        }
    }
}

/// Returns a user with cars, or an id that no user has.
fn owner(random: &mut Random, users: &[User]) -> UserId {
    let greatest = users.iter().map(|user| user.id.0).max();
    let missing = UserId(greatest.unwrap_or(0) + 1);
    if random.percent(90) {
        random.pick(&users[..8]).id
    } else {
        missing
    }
}

/// Returns the owner, the query, and the maximum number of brands.
pub(super) fn for_cars(random: &mut Random, users: &[User]) -> (Option<UserId>, CarQuery, u32) {
    let orders = [
        CarOrder::CreatedAt,
        CarOrder::UpdatedAt,
        CarOrder::Year,
        CarOrder::Mileage,
        CarOrder::Brand,
        CarOrder::Model,
        CarOrder::License,
    ];
    let query = CarQuery {
        search: search(random),
        owner: maybe(random, |random| owner(random, users)),
        brand: maybe(random, text),
        model: maybe(random, text),
        color: maybe(random, text),
        license: random.percent(3).then(|| text(random)),
        vin: maybe(random, text),
        year_min: maybe(random, |random| bound(random, YEARS)),
        year_max: maybe(random, |random| bound(random, YEARS)),
        mileage_min: maybe(random, |random| bound(random, MILEAGES)),
        mileage_max: maybe(random, |random| bound(random, MILEAGES)),
        ordering: ordering(random, &orders),
        page: page(random),
    };
    let owner = random.percent(30).then(|| owner(random, users));
    (owner, query, *random.pick(&[0, 1, 5, u32::MAX]))
}

/// Returns a query for users.
pub(super) fn for_users(random: &mut Random) -> UserQuery {
    let orders = [
        UserOrder::Username,
        UserOrder::Email,
        UserOrder::DateJoined,
        UserOrder::LastLogin,
    ];
    UserQuery {
        search: search(random),
        role: maybe(random, |random| *random.pick(&Role::ALL)),
        is_active: maybe(random, |random| random.percent(50)),
        ordering: ordering(random, &orders),
        page: page(random),
    }
}

/// Returns a query for audit entries.
pub(super) fn for_entries(random: &mut Random) -> HistoryQuery {
    HistoryQuery {
        search: search(random),
        action: maybe(random, |random| *random.pick(&Action::ALL)),
        object_type: maybe(random, |random| *random.pick(&ObjectType::ALL)),
        object_id: maybe(random, text),
        owner: maybe(random, user_id),
        actor: maybe(random, user_id),
        since: maybe(random, moment),
        until: maybe(random, moment),
        oldest_first: random.percent(50),
        page: page(random),
    }
}

/// Returns a query for refresh tokens.
pub(super) fn for_tokens(random: &mut Random, users: &[User]) -> TokenQuery {
    TokenQuery {
        search: search(random),
        state: maybe(random, |random| *random.pick(&TokenState::ALL)),
        user: maybe(random, |random| owner(random, users)),
        ordering: ordering(random, &[TokenOrder::IssuedAt, TokenOrder::ExpiresAt]),
        page: page(random),
        ..TokenQuery::at(moment(random))
    }
}
