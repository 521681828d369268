//! Generated rows of all tables, for tests of backups and copies.

use std::{collections::BTreeMap, net::IpAddr};

use mycars_application::ports::{
    ApiKey, Device, Family, Installation, RefreshToken, Revocation, Row, Session, Store, StoreError, Table,
};
use mycars_domain::{
    Car, CarId, EmailState, Field, KeyRights, PreviousEmail, User, UserId,
    audit::{Change, Channel, Entry, NewEntry, Origin, Value},
    values::{Address, Email, ImagePath, PasswordHash},
};

use super::fixtures::{maybe, moment, new_car, new_entry, new_user, text};
use crate::random::Random;

/// All rows of a store, and the next id of each table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The rows, in the order of the tables and their ids.
    pub rows: Vec<Row>,
    /// The next ids.
    pub next_ids: BTreeMap<Table, i64>,
}

impl Rows {
    /// Generates rows of all tables, with gaps between their ids, and with a few of each kind or none.
    pub fn generate(random: &mut Random) -> Self {
        let mut rows = Vec::new();
        if random.percent(80) {
            rows.push(Row::Installation(Installation {
                id: format!("installation {}", random.number()),
                created_at: moment(random),
            }));
        }
        let users = ids(random, 12);
        for id in &users {
            rows.push(Row::User(user(random, *id)));
        }
        let owners: Vec<UserId> = users.iter().copied().map(UserId).collect();
        let most = |most: usize| if owners.is_empty() { 0 } else { most };
        for id in ids(random, most(20)) {
            let owner = *random.pick(&owners);
            rows.push(car(random, owner, id));
        }
        for number in ids(random, 20) {
            rows.push(token(random, &owners, number));
        }
        for number in ids(random, most(8)) {
            rows.push(Row::Session {
                number,
                session: Session {
                    key_hash: format!("{:064x}", random.number()),
                    user: *random.pick(&owners),
                    created_at: moment(random),
                    last_seen_at: moment(random),
                    device: device(random),
                },
            });
        }
        for id in ids(random, most(8)) {
            rows.push(Row::ApiKey(ApiKey {
                id,
                owner: *random.pick(&owners),
                name: text(random),
                prefix: format!("mck_{id}"),
                key_hash: format!("{:064x}", random.number()),
                rights: *random.pick(&KeyRights::ALL),
                created_at: moment(random),
                expires_at: maybe(random, moment),
                last_used_at: maybe(random, moment),
            }));
        }
        for id in ids(random, 30) {
            rows.push(Row::Entry(entry(random, id)));
        }
        let next_ids = Table::ALL.map(|table| {
            let of_table = rows.iter().filter(|row| row.table() == table);
            let last = of_table.map(Row::id).max().unwrap_or(0);
            let gap = match table {
                Table::Installation | Table::AuditLog => 0,
                _ => random.below(4),
            };
            (table, last + 1 + i64::try_from(gap).expect("it is small"))
        });
        Self {
            rows,
            next_ids: next_ids.into(),
        }
        .with_identity()
    }

    /// The table of the identity has no next id.
    fn with_identity(mut self) -> Self {
        self.next_ids.remove(&Table::Installation);
        self
    }

    /// Returns the rows of a table.
    pub fn of(&self, table: Table) -> Vec<Row> {
        let rows = self.rows.iter().filter(|row| row.table() == table);
        rows.cloned().collect()
    }

    /// Inserts the rows into an empty store.
    pub fn insert_into(&self, store: &dyn Store) {
        let inserted = store.write(|unit| {
            for table in Table::ALL {
                unit.rows().insert(&self.of(table))?;
            }
            for (table, id) in &self.next_ids {
                unit.rows().set_next_id(*table, *id)?;
            }
            Ok::<_, StoreError>(())
        });
        inserted.expect("the rows can be inserted");
    }

    /// Reads all rows of a store, a few at a time.
    pub fn of_store(store: &dyn Store) -> Self {
        let read = store.snapshot(|unit| {
            let (mut rows, mut next_ids) = (Vec::new(), BTreeMap::new());
            for table in Table::ALL {
                let mut after = i64::MIN;
                loop {
                    let some = unit.rows().list(table, after, 7)?;
                    let Some(last) = some.last() else { break };
                    after = last.id();
                    rows.extend(some);
                }
                next_ids.insert(table, unit.rows().next_id(table)?);
            }
            Ok::<_, StoreError>(Self { rows, next_ids }.with_identity())
        });
        read.expect("the rows can be read")
    }
}

/// Returns at most `at_most` growing ids with gaps.
fn ids(random: &mut Random, at_most: usize) -> Vec<i64> {
    let count = random.below(at_most + 1);
    let mut last = 0;
    let mut next = || {
        last += 1 + i64::try_from(random.below(3)).expect("it is small");
        last
    };
    (0..count).map(|_| next()).collect()
}

fn user(random: &mut Random, id: i64) -> User {
    let number = usize::try_from(id).expect("it is positive");
    User {
        address: maybe(random, |random| Address::from_storage(text(random))),
        is_superuser: random.percent(20),
        password: PasswordHash::from_storage(format!("hash {}", text(random))),
        logins_ended_at: maybe(random, moment),
        access_ended_at: maybe(random, moment),
        email_state: EmailState {
            verified_at: maybe(random, moment),
            pending: maybe(random, |random| Email::from_storage(text(random))),
            previous: maybe(random, |random| PreviousEmail {
                email: Email::from_storage(text(random)),
                replaced_at: moment(random),
            }),
        },
        date_joined: moment(random),
        last_login: maybe(random, moment),
        updated_at: moment(random),
        ..new_user(random, number).with_id(UserId(id))
    }
}

fn car(random: &mut Random, owner: UserId, id: i64) -> Row {
    let number = usize::try_from(id).expect("it is positive");
    let image = maybe(random, |_| {
        ImagePath::from_storage(format!("cars/car_{id}_ab.jpg"))
    });
    let image_bytes = image.as_ref().and(maybe(random, |random| random.number() >> 1));
    let car = Car {
        owner,
        image,
        updated_at: moment(random),
        ..new_car(random, owner, number).with_id(CarId(id))
    };
    Row::Car { car, image_bytes }
}

fn token(random: &mut Random, users: &[UserId], number: i64) -> Row {
    let revoked = maybe(random, |random| *random.pick(&Revocation::ALL));
    let has_user = !users.is_empty() && random.percent(80);
    Row::RefreshToken {
        number,
        token: RefreshToken {
            id: format!("token {number}"),
            user: has_user.then(|| *random.pick(users)),
            issued_at: moment(random),
            expires_at: moment(random),
            revoked,
            revoked_at: revoked.and(maybe(random, moment)),
            last_used_at: maybe(random, moment),
            family: maybe(random, |random| Family {
                id: format!("token {}", random.below(5)),
                logged_in_at: moment(random),
                device: device(random),
            }),
        },
    }
}

fn device(random: &mut Random) -> Device {
    Device {
        address: maybe(random, address),
        program: maybe(random, text),
    }
}

fn address(random: &mut Random) -> IpAddr {
    let addresses = ["192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1"];
    random.pick(&addresses).parse().expect("it is an address")
}

fn entry(random: &mut Random, id: i64) -> Entry {
    let changes = (0..random.below(4)).map(|_| Change {
        field: *random.pick(&Field::ALL),
        before: value(random),
        after: value(random),
    });
    let changes = changes.collect();
    Entry {
        id,
        entry: NewEntry {
            origin: Origin {
                channel: *random.pick(&[Channel::Api, Channel::Panel, Channel::CommandLine]),
                request_id: maybe(random, text),
                address: maybe(random, address),
            },
            changes,
            ..new_entry(random)
        },
    }
}

fn value(random: &mut Random) -> Value {
    match random.below(6) {
        0 => Value::Nothing,
        1 => Value::Text(text(random)),
        2 => Value::Number(*random.pick(&[i64::MIN, -1, 0, i64::MAX])),
        3 => Value::Flag(random.percent(50)),
        4 => Value::Excerpt {
            text: text(random),
            length: random.number() >> 1,
            sha256: format!("{:064x}", random.number()),
        },
        _ => Value::Hidden,
    }
}
