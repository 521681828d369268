//! Rules about refresh tokens.

use chrono::TimeDelta;
use mycars_application::{
    lists::{
        Direction::{self, Ascending, Descending},
        LimitOffset, Search,
        TokenOrder::{self, ExpiresAt, IssuedAt},
        TokenQuery, TokenState,
    },
    ports::{Device, Family, ListedToken, RefreshToken, Revocation, Store, StoreError},
};
use mycars_domain::UserId;

use super::{asa, keep_owner, keep_user};
use crate::samples::{moment, new_user, refresh_token};

/// Every field of a token is stored, with and without a user or a revocation.
pub fn recorded_token_is_returned_unchanged(store: &dyn Store) {
    let user = keep_owner(store).id;
    let revocations = Revocation::ALL.map(Some);
    for revoked in revocations.into_iter().chain([None]) {
        for user in [None, Some(user)] {
            let id = format!("{revoked:?} {user:?}");
            let token = RefreshToken {
                id: id.clone(),
                user,
                issued_at: moment(123_456),
                expires_at: moment(999_999),
                revoked,
                revoked_at: revoked.map(|_| moment(2)),
                last_used_at: user.map(|_| moment(3)),
                family: user.map(|_| family("a")),
            };
            record(store, &token);
            assert_eq!(find(store, &id), Some(token));
        }
    }
    assert_eq!(find(store, "unknown"), None);
}

/// Recording a known token changes nothing, and is no error.
pub fn second_record_of_token_changes_nothing(store: &dyn Store) {
    let user = keep_owner(store).id;
    let token = RefreshToken {
        revoked: Some(Revocation::LoggedOut),
        ..refresh_token("a", user)
    };
    record(store, &token);
    record(
        store,
        &RefreshToken {
            revoked: None,
            user: None,
            expires_at: moment(0),
            ..token.clone()
        },
    );
    assert_eq!(find(store, "a"), Some(token));
}

/// A token cannot belong to a user that does not exist.
pub fn token_of_missing_user_is_refused(store: &dyn Store) {
    let missing = UserId(keep_owner(store).id.0 + 1);
    let outcome = store.write(|unit| unit.refresh_tokens().record(&refresh_token("a", missing)));
    assert!(matches!(outcome, Err(StoreError::OwnerGone)), "{outcome:?}");
}

/// A revocation stores the reason, and affects no other token.
pub fn revoked_token_has_reason(store: &dyn Store) {
    let user = keep_owner(store).id;
    let other = refresh_token("b", user);
    record(store, &refresh_token("a", user));
    record(store, &other);
    store
        .write(|unit| unit.refresh_tokens().revoke("a", Revocation::Rotated, moment(1)))
        .expect("the token can be revoked");
    let revoked = RefreshToken {
        revoked: Some(Revocation::Rotated),
        revoked_at: Some(moment(1)),
        ..refresh_token("a", user)
    };
    assert_eq!(find(store, "a"), Some(revoked));
    assert_eq!(find(store, "b"), Some(other));
}

/// Revoking all affects only the live tokens of that user, and returns their number.
pub fn revoke_all_affects_live_tokens_of_user(store: &dyn Store) {
    let user = keep_owner(store).id;
    let other = keep_user(store, &new_user("other")).id;
    record(store, &refresh_token("live 1", user));
    record(store, &refresh_token("live 2", user));
    record(
        store,
        &RefreshToken {
            revoked: Some(Revocation::LoggedOut),
            ..refresh_token("dead", user)
        },
    );
    record(store, &refresh_token("other", other));
    record(
        store,
        &RefreshToken {
            user: None,
            ..refresh_token("missing", user)
        },
    );
    let revoke_all = || {
        store
            .write(|unit| {
                unit.refresh_tokens()
                    .revoke_all_of(user, None, Revocation::PasswordChanged, moment(1))
            })
            .expect("the tokens can be revoked")
    };
    assert_eq!((revoke_all(), revoke_all()), (2, 0));
    for (id, why) in [
        ("live 1", Some(Revocation::PasswordChanged)),
        ("live 2", Some(Revocation::PasswordChanged)),
        ("dead", Some(Revocation::LoggedOut)),
        ("other", None),
        ("missing", None),
    ] {
        assert_eq!(find(store, id).expect("the token is there").revoked, why, "{id}");
    }
}

/// A family has all tokens with its id, and the token whose id it is, even if that is recorded without a family.
pub fn revoked_family_has_its_first_token_and_no_other(store: &dyn Store) {
    let user = keep_owner(store).id;
    record(store, &refresh_token("a", user));
    record(store, &token_of("a", "a 2", user));
    record(store, &token_of("a", "a 3", user));
    record(store, &token_of("b", "b", user));
    record(store, &refresh_token("c", user));
    let write = |id: &str, why| {
        let revoked = store.write(|unit| unit.refresh_tokens().revoke(id, why, moment(1)));
        revoked.expect("the token can be revoked");
    };
    let has_ended = |family: &str| {
        let found = store.read(|unit| unit.refresh_tokens().family_has_ended(family));
        found.expect("the store answers")
    };
    write("a", Revocation::Rotated);
    assert_eq!(["a", "b", "c", "d"].map(has_ended), [false; 4]);
    let revoke = |family: &str| {
        let revoked = store.write(|unit| {
            unit.refresh_tokens()
                .revoke_family(family, Revocation::Reused, moment(1))
        });
        revoked.expect("the tokens can be revoked")
    };
    assert_eq!(["a", "a", "c", "d"].map(revoke), [2, 0, 1, 0]);
    assert_eq!(["a", "b", "c", "d"].map(has_ended), [true, false, true, false]);
    for (id, why) in [
        ("a", Some(Revocation::Rotated)),
        ("a 2", Some(Revocation::Reused)),
        ("a 3", Some(Revocation::Reused)),
        ("b", None),
        ("c", Some(Revocation::Reused)),
    ] {
        assert_eq!(find(store, id).expect("the token is there").revoked, why, "{id}");
    }
}

/// Tokens of the excepted family stay: those with its id, and its first token.
pub fn revoke_all_excepts_a_family(store: &dyn Store) {
    let user = keep_owner(store).id;
    for token in [
        refresh_token("a", user),
        token_of("a", "a 2", user),
        token_of("b", "b", user),
        token_of("b", "b 2", user),
        refresh_token("c", user),
    ] {
        record(store, &token);
    }
    let revoked = store.write(|unit| {
        unit.refresh_tokens()
            .revoke_all_of(user, Some("a"), Revocation::LoggedOut, moment(1))
    });
    assert_eq!(revoked.expect("the tokens can be revoked"), 3);
    for (id, is_live) in [
        ("a", true),
        ("a 2", true),
        ("b", false),
        ("b 2", false),
        ("c", false),
    ] {
        let token = find(store, id).expect("the token is there");
        assert_eq!(token.revoked.is_none(), is_live, "{id}");
    }
}

/// The use of a token is recorded, and a revocation removes its device.
pub fn revocation_keeps_the_use_and_removes_the_device(store: &dyn Store) {
    let user = keep_owner(store).id;
    let token = token_of("a", "a", user);
    record(store, &token);
    let touch = |id: &str| store.write(|unit| unit.refresh_tokens().touch(id, moment(5)));
    touch("a").expect("a use can be recorded");
    touch("b").expect("recording none does nothing");
    let seen = RefreshToken {
        last_used_at: Some(moment(5)),
        ..token
    };
    assert_eq!(find(store, "a"), Some(seen.clone()));
    let revoked = store.write(|unit| {
        unit.refresh_tokens()
            .revoke("a", Revocation::LoggedOut, moment(6))
    });
    revoked.expect("the token can be revoked");
    let expected = RefreshToken {
        revoked: Some(Revocation::LoggedOut),
        revoked_at: Some(moment(6)),
        family: Some(Family {
            device: Device::default(),
            ..family("a")
        }),
        ..seen
    };
    assert_eq!(find(store, "a"), Some(expected));
}

fn family(id: &str) -> Family {
    Family {
        id: id.into(),
        logged_in_at: moment(4),
        device: Device::new([192, 0, 2, 1].into(), Some("Fahrtenbuch/2 (für Åsa)")),
    }
}

fn token_of(of: &str, id: &str, user: UserId) -> RefreshToken {
    RefreshToken {
        family: Some(family(of)),
        ..refresh_token(id, user)
    }
}

/// A login is listed once, however many live tokens it has. Its first token may be recorded without a family.
pub fn logins_are_listed_once_newest_first(store: &dyn Store) {
    let ann = keep_user(store, &new_user("ann")).id;
    let eve = keep_user(store, &new_user("eve")).id;
    let now = moment(0) + TimeDelta::days(1);
    let live = |token: RefreshToken| RefreshToken {
        expires_at: now + TimeDelta::microseconds(1),
        ..token
    };
    let expired = RefreshToken {
        expires_at: now,
        ..token_of("expired", "expired", ann)
    };
    let revoked = live(RefreshToken {
        revoked: Some(Revocation::Rotated),
        ..token_of("b", "b", ann)
    });
    let mut tokens = vec![
        live(refresh_token("a", ann)),
        revoked,
        expired,
        live(token_of("b", "b 2", ann)),
        live(token_of("e", "e", eve)),
    ];
    tokens.extend((0..300).map(|number| live(token_of("a", &format!("a {number}"), ann))));
    tokens.push(live(refresh_token("c", ann)));
    let recorded = store.write(|unit| {
        let tokens = &mut tokens.iter();
        tokens.try_for_each(|token| unit.refresh_tokens().record(token))
    });
    recorded.expect("tokens can be recorded");
    let logins = |user| {
        let found = store.read(|unit| {
            let numbers = unit.refresh_tokens().logins_of(user, now)?;
            let mut tokens = unit.refresh_tokens().find_all(&numbers)?;
            assert!(numbers.is_sorted_by(|one, next| one > next), "{numbers:?}");
            tokens.sort_by_key(|listed| -listed.number);
            Ok::<_, StoreError>(tokens)
        });
        let found = found.expect("logins can be listed").into_iter();
        found.map(|listed| listed.token.id).collect::<Vec<_>>()
    };
    assert_eq!(logins(ann), ["c", "a 299", "b 2"]);
    assert_eq!(logins(eve), ["e"]);

    for (family, count) in [("a", 301), ("b", 2), ("c", 1), ("e", 1), ("none", 0)] {
        let query = TokenQuery {
            family: Some(family.into()),
            ..TokenQuery::at(now)
        };
        let counted = store.read(|unit| unit.refresh_tokens().count(&query));
        assert_eq!(counted.expect("tokens can be counted"), count, "{family}");
    }
}

/// A token has expired at its time of expiry.
pub fn expired_tokens_are_deleted_and_counted(store: &dyn Store) {
    let user = keep_owner(store).id;
    let now = moment(0) + TimeDelta::days(7);
    for (id, microseconds) in [
        ("long ago", -604_800_000_000),
        ("before", -1),
        ("now", 0),
        ("later", 1),
    ] {
        let expires_at = now + TimeDelta::microseconds(microseconds);
        record(
            store,
            &RefreshToken {
                expires_at,
                ..refresh_token(id, user)
            },
        );
    }
    let delete = || {
        store
            .write(|unit| unit.refresh_tokens().delete_expired(now, 2))
            .expect("the store answers")
    };
    assert_eq!([delete(), delete(), delete()], [2, 1, 0]);
    for (id, is_kept) in [
        ("long ago", false),
        ("before", false),
        ("now", false),
        ("later", true),
    ] {
        assert_eq!(find(store, id).is_some(), is_kept, "{id}");
    }
}

/// Each token is either live, revoked before it expired, or expired. It has expired at its time of expiry.
pub fn tokens_are_filtered_by_state_and_user(store: &dyn Store) {
    let ann = keep_user(store, &new_user("ann")).id;
    let eve = keep_user(store, &new_user("eve")).id;
    let now = moment(0) + TimeDelta::days(1);
    for (id, user, microseconds, revoked) in [
        ("a", ann, 1, None),
        ("b", ann, 0, None),
        ("c", ann, -1, None),
        ("d", ann, 1, Some(Revocation::LoggedOut)),
        ("e", ann, -1, Some(Revocation::Revoked)),
        ("f", eve, 1, None),
    ] {
        record(
            store,
            &RefreshToken {
                expires_at: now + TimeDelta::microseconds(microseconds),
                revoked,
                ..refresh_token(id, user)
            },
        );
    }
    let found = |state, user| {
        let query = TokenQuery {
            state,
            user,
            ..TokenQuery::at(now)
        };
        listed(store, &query)
    };
    assert_eq!(found(None, None), "fedcba");
    assert_eq!(found(Some(TokenState::Live), None), "fa");
    assert_eq!(found(Some(TokenState::Revoked), None), "ed");
    assert_eq!(found(Some(TokenState::Expired), None), "cb");
    assert_eq!(found(None, Some(eve)), "f");
    assert_eq!(found(Some(TokenState::Live), Some(ann)), "a");
    assert_eq!(found(None, Some(UserId(eve.0 + 1))), "");
}

/// A search covers a token's `jti` and its owner's searchable text, in any case; wildcards of LIKE have no meaning.
pub fn token_search_covers_jti_and_owner(store: &dyn Store) {
    let asa = keep_user(store, &asa()).id;
    let eve = keep_user(store, &new_user("eve_x")).id;
    for (id, user) in [("0a1b", Some(asa)), ("F00_D", Some(eve)), ("f00%d", None)] {
        record(
            store,
            &RefreshToken {
                user,
                ..refresh_token(id, eve)
            },
        );
    }
    let found = |words: &str| {
        let query = TokenQuery {
            search: Search::parse(words),
            ..TokenQuery::at(moment(0))
        };
        listed(store, &query)
    };
    for (words, ids) in [
        ("0A1", "0a1b"),
        ("ÅSA", "0a1b"),
        ("åsa 1b", "0a1b"),
        ("åsa f00", ""),
        ("eve_x@EXAMPLE", "F00_D"),
        ("f00", "f00%dF00_D"),
        ("F00_d", "F00_D"),
        ("f00%", "f00%d"),
        ("f__", ""),
        ("evexx", ""),
    ] {
        assert_eq!(found(words), ids, "{words}");
    }
}

/// Several orders apply in sequence, ties are newest first, and a page has at most `limit` tokens after the first
/// `offset`.
pub fn tokens_are_ordered_and_paginated(store: &dyn Store) {
    let user = keep_owner(store).id;
    for (id, issued, expires) in [("a", 2, 10), ("b", 1, 20), ("c", 3, 10), ("d", 2, 20)] {
        record(
            store,
            &RefreshToken {
                issued_at: moment(issued),
                expires_at: moment(expires),
                ..refresh_token(id, user)
            },
        );
    }
    let ordered = |ordering: &[(TokenOrder, Direction)]| {
        listed(
            store,
            &TokenQuery {
                ordering: ordering.to_vec(),
                ..TokenQuery::at(moment(0))
            },
        )
    };
    assert_eq!(ordered(&[(IssuedAt, Ascending)]), "bdac");
    assert_eq!(ordered(&[(IssuedAt, Descending)]), "cdab");
    assert_eq!(ordered(&[(ExpiresAt, Ascending)]), "cadb");
    assert_eq!(ordered(&[(ExpiresAt, Descending), (IssuedAt, Ascending)]), "bdac");
    let page = |limit, offset| {
        let query = TokenQuery {
            page: Some(LimitOffset { limit, offset }),
            ..TokenQuery::at(moment(0))
        };
        let (tokens, count) = store
            .read(|unit| {
                let tokens = unit.refresh_tokens();
                Ok::<_, StoreError>((tokens.list(&query)?, tokens.count(&query)?))
            })
            .expect("tokens can be listed");
        let ids: String = tokens.into_iter().map(|listed| listed.token.id).collect();
        (ids, count)
    };
    assert_eq!(page(2, 1), ("cb".into(), 4));
    assert_eq!(page(0, 0), (String::new(), 4));
    assert_eq!(page(2, u64::MAX), (String::new(), 4));
}

/// Tokens are found by any number of ids, with all fields, and with the name of the owner while the user exists.
pub fn tokens_are_found_by_many_ids_with_owner_names(store: &dyn Store) {
    let ann = keep_user(store, &new_user("Ann")).id;
    let eve = keep_user(store, &new_user("eve")).id;
    let gone = keep_user(store, &new_user("gone")).id;
    let mut tokens: Vec<(RefreshToken, Option<&str>)> = (0..1100)
        .map(|number| (refresh_token(&format!("{number:04}"), ann), Some("Ann")))
        .collect();
    tokens.push((refresh_token("x", eve), Some("eve")));
    tokens.push((refresh_token("y", gone), None));
    store
        .write(|unit| {
            for (token, _) in &tokens {
                unit.refresh_tokens().record(token)?;
            }
            unit.users().delete(gone)
        })
        .expect("tokens can be recorded");
    tokens.last_mut().expect("there is one").0.user = None;
    let (numbers, listed, mut found, none) = store
        .read(|unit| {
            let repository = unit.refresh_tokens();
            let all = TokenQuery::at(moment(0));
            let mut numbers = repository.numbers(&all)?;
            let listed = repository.list(&all)?;
            numbers.push(numbers[0] + 1);
            let found = repository.find_all(&numbers)?;
            Ok::<_, StoreError>((numbers, listed, found, repository.find_all(&[])?))
        })
        .expect("tokens can be found");
    assert_eq!(none, []);
    found.sort_by_key(|token| -token.number);
    assert_eq!(found, listed);
    let expected: Vec<ListedToken> = tokens
        .into_iter()
        .rev()
        .zip(numbers)
        .map(|((token, username), number)| ListedToken {
            number,
            token,
            username: username.map(str::to_owned),
        })
        .collect();
    assert_eq!(listed, expected);
}

/// Returns the ids of the tokens that a query finds, joined. Checks that `count` and `ids` agree with them.
fn listed(store: &dyn Store, query: &TokenQuery) -> String {
    let (listed, count, numbers) = store
        .read(|unit| {
            let tokens = unit.refresh_tokens();
            Ok::<_, StoreError>((tokens.list(query)?, tokens.count(query)?, tokens.numbers(query)?))
        })
        .expect("tokens can be listed");
    let expected: Vec<i64> = listed.iter().map(|token| token.number).collect();
    assert_eq!((count, &numbers), (listed.len() as u64, &expected), "{query:?}");
    listed.into_iter().map(|listed| listed.token.id).collect()
}

fn record(store: &dyn Store, token: &RefreshToken) {
    store
        .write(|unit| unit.refresh_tokens().record(token))
        .expect("the token can be recorded");
}

fn find(store: &dyn Store, id: &str) -> Option<RefreshToken> {
    let (found, locked) = store
        .write(|unit| {
            let tokens = unit.refresh_tokens();
            Ok::<_, StoreError>((tokens.find(id)?, tokens.find_for_update(id)?))
        })
        .expect("the store answers");
    assert_eq!(found, locked);
    found
}
