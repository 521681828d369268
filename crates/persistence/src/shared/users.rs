//! The table of users. Compiled once for each database.
#![expect(clippy::ref_option_ref, reason = "Diesel's derives generate such types")]

use chrono::{DateTime, Utc};
use diesel::{
    dsl::{case_when, count_star, sql},
    prelude::*,
    result::Error::{DeserializationError, NotFound},
    select,
    sql_types::{Bool, Text},
};
use mycars_application::{
    lists::{Direction, LimitOffset, UserCount, UserOrder, UserQuery},
    ports::{StoreError, UserRepository},
};
use mycars_domain::{
    Car, CarId, EmailState, NewUser, PreviousEmail, Role, User, UserId, fold,
    values::{Address, Email, FirstName, LastName, PasswordHash, Phone, Username},
};

use super::{
    Conn, DB, cars,
    schema::{cars as car_table, users},
    store::{IDS_AT_ONCE, Unit, contains_nul, count_of, kept_key, paged, same, search_key, where_all},
};

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(DB))]
pub(super) struct Row {
    id: i64,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    role: String,
    phone: Option<String>,
    address: Option<String>,
    is_active: bool,
    is_superuser: bool,
    password: String,
    logins_ended_at: Option<DateTime<Utc>>,
    access_ended_at: Option<DateTime<Utc>>,
    email_verified_at: Option<DateTime<Utc>>,
    pending_email: Option<String>,
    previous_email: Option<String>,
    email_replaced_at: Option<DateTime<Utc>>,
    date_joined: DateTime<Utc>,
    last_login: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl TryFrom<Row> for User {
    type Error = diesel::result::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        let role = Role::parse(&row.role)
            .map_err(|_| DeserializationError(format!("there is no role `{}`", row.role).into()))?;
        let previous = row.previous_email.zip(row.email_replaced_at);
        Ok(Self {
            id: UserId(row.id),
            username: Username::from_storage(row.username),
            email: Email::from_storage(row.email),
            email_state: EmailState {
                verified_at: row.email_verified_at,
                pending: row.pending_email.map(Email::from_storage),
                previous: previous.map(|(email, replaced_at)| PreviousEmail {
                    email: Email::from_storage(email),
                    replaced_at,
                }),
            },
            first_name: FirstName::from_storage(row.first_name),
            last_name: LastName::from_storage(row.last_name),
            role,
            phone: row.phone.map(Phone::from_storage),
            address: row.address.map(Address::from_storage),
            is_active: row.is_active,
            is_superuser: row.is_superuser,
            password: PasswordHash::from_storage(row.password),
            logins_ended_at: row.logins_ended_at,
            access_ended_at: row.access_ended_at,
            date_joined: row.date_joined,
            last_login: row.last_login,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

/// The columns of a user except the id and the unique keys.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = users, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct Values<'a> {
    username: &'a str,
    email: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    role: &'static str,
    phone: Option<&'a str>,
    address: Option<&'a str>,
    is_active: bool,
    is_superuser: bool,
    password: &'a str,
    search_key: String,
    logins_ended_at: Option<DateTime<Utc>>,
    access_ended_at: Option<DateTime<Utc>>,
    email_verified_at: Option<DateTime<Utc>>,
    pending_email: Option<&'a str>,
    previous_email: Option<&'a str>,
    previous_email_key: Option<String>,
    email_replaced_at: Option<DateTime<Utc>>,
    date_joined: DateTime<Utc>,
    last_login: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Returns whether the holders include a user other than `except`.
fn is_others(holders: &[i64], except: Option<UserId>) -> bool {
    holders.iter().any(|id| except != Some(UserId(*id)))
}

/// Returns the search key of a user: username, e-mail address, first and last name, and the phone number.
pub(super) fn searched([username, email, first_name, last_name]: [&str; 4], phone: Option<&str>) -> String {
    search_key(&[username, email, first_name, last_name, phone.unwrap_or_default()])
}

/// Builds the values of a new or stored user. The fields that differ between the two are passed.
macro_rules! values {
    ($user:ident, $($field:ident: $value:expr),+) => {
        Values {
            username: $user.username.as_str(),
            email: $user.email.as_str(),
            first_name: $user.first_name.as_str(),
            last_name: $user.last_name.as_str(),
            role: $user.role.as_str(),
            phone: $user.phone.as_ref().map(Phone::as_str),
            address: $user.address.as_ref().map(Address::as_str),
            is_active: $user.is_active,
            is_superuser: $user.is_superuser,
            password: $user.password.reveal(),
            search_key: searched(
                [
                    $user.username.as_str(),
                    $user.email.as_str(),
                    $user.first_name.as_str(),
                    $user.last_name.as_str(),
                ],
                $user.phone.as_ref().map(Phone::as_str),
            ),
            created_at: $user.created_at,
            $($field: $value),+
        }
    };
}

impl<'a> From<&'a NewUser> for Values<'a> {
    fn from(user: &'a NewUser) -> Self {
        values! {
            user,
            logins_ended_at: None,
            access_ended_at: None,
            email_verified_at: user.email_verified_at,
            pending_email: None,
            previous_email: None,
            previous_email_key: None,
            email_replaced_at: None,
            date_joined: user.created_at,
            last_login: None,
            updated_at: user.created_at
        }
    }
}

impl<'a> From<&'a User> for Values<'a> {
    fn from(user: &'a User) -> Self {
        let previous = user.email_state.previous.as_ref();
        values! {
            user,
            logins_ended_at: user.logins_ended_at,
            access_ended_at: user.access_ended_at,
            email_verified_at: user.email_state.verified_at,
            pending_email: user.email_state.pending.as_ref().map(Email::as_str),
            previous_email: previous.map(|previous| previous.email.as_str()),
            previous_email_key: previous.map(|previous| previous.email.key()),
            email_replaced_at: previous.map(|previous| previous.replaced_at),
            date_joined: user.date_joined,
            last_login: user.last_login,
            updated_at: user.updated_at
        }
    }
}

type Condition<'a> = Box<dyn BoxableExpression<users::table, DB, SqlType = Bool> + 'a>;

/// Returns the conditions of a query.
fn conditions(query: &UserQuery) -> Vec<Condition<'_>> {
    if query.search.words().any(contains_nul) {
        return vec![Box::new(false.into_sql::<Bool>())];
    }
    let mut all: Vec<Condition<'_>> = Vec::new();
    for word in query.search.words() {
        all.push(Box::new(contains!(users::search_key, word)));
    }
    if let Some(role) = query.role {
        all.push(Box::new(users::role.eq(role.as_str())));
    }
    if let Some(is_active) = query.is_active {
        all.push(Box::new(users::is_active.eq(is_active)));
    }
    all
}

/// Returns the users that match a query, without its page.
fn filtered(query: &UserQuery) -> users::BoxedQuery<'_, DB> {
    where_all!(users::table, conditions(query))
}

/// Appends a column to the order of a query.
fn then_by(
    found: users::BoxedQuery<'_, DB>,
    order: UserOrder,
    direction: Direction,
) -> users::BoxedQuery<'_, DB> {
    macro_rules! by {
        ($column:expr) => {
            match direction {
                Direction::Ascending => found.then_order_by($column.asc()),
                Direction::Descending => found.then_order_by($column.desc()),
            }
        };
    }
    match order {
        UserOrder::Username => by!(users::username),
        UserOrder::Email => by!(users::email),
        UserOrder::DateJoined => by!(users::date_joined),
        UserOrder::LastLogin => match direction {
            // The databases disagree about the position of NULL, so the query states it.
            Direction::Ascending => {
                found.then_order_by((users::last_login.is_not_null().asc(), users::last_login.asc()))
            }
            Direction::Descending => {
                found.then_order_by((users::last_login.is_not_null().desc(), users::last_login.desc()))
            }
        },
    }
}

/// Returns the users that match a query, in its order and without its page.
fn ordered(query: &UserQuery) -> users::BoxedQuery<'_, DB> {
    let mut found = filtered(query);
    for (order, direction) in &query.ordering {
        found = then_by(found, *order, *direction);
    }
    found.then_order_by(users::id.asc())
}

/// Returns whether a query finds all clients: the default list of the API.
fn is_all_clients(query: &UserQuery) -> bool {
    query.role == Some(Role::Client) && query.is_active.is_none() && query.search.words().next().is_none()
}

/// Counts the clients as all users without the admins: SQLite counts whole pages, and PostgreSQL checks no condition.
/// The role is written into the statement, because an index with a condition is not used for an argument.
fn count_clients(conn: &mut Conn) -> QueryResult<i64> {
    let admins = users::table
        .filter(users::role.eq(sql::<Text>("'admin'")))
        .count()
        .single_value();
    let (all, admins): (Option<i64>, Option<i64>) =
        select((users::table.count().single_value(), admins)).get_result(conn)?;
    Ok(all.unwrap_or_default() - admins.unwrap_or_default())
}

/// Parses the role in a row.
fn role(name: &str) -> QueryResult<Role> {
    Role::parse(name).map_err(|_| DeserializationError(format!("there is no role `{name}`").into()))
}

impl UserRepository for Unit<'_> {
    fn find(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        self.query(|conn| {
            let row = users::table
                .find(id.0)
                .select(Row::as_select())
                .first(conn)
                .optional()?;
            row.map(User::try_from).transpose()
        })
    }

    fn find_with_car(&mut self, id: UserId, car: CarId) -> Result<Option<(User, Option<Car>)>, StoreError> {
        self.query(|conn| {
            let is_theirs = car_table::id.eq(car.0).and(car_table::owner_id.eq(users::id));
            let found: Option<(Row, Option<cars::Row>)> = users::table
                .left_join(car_table::table.on(is_theirs))
                .filter(users::id.eq(id.0))
                .select((Row::as_select(), Option::<cars::Row>::as_select()))
                .first(conn)
                .optional()?;
            let Some((user, car)) = found else {
                return Ok(None);
            };
            Ok(Some((User::try_from(user)?, car.map(Car::from))))
        })
    }

    fn find_for_update(&mut self, id: UserId) -> Result<Option<User>, StoreError> {
        self.query(|conn| {
            let query = for_update!(users::table.find(id.0).select(Row::as_select()));
            query.first(conn).optional()?.map(User::try_from).transpose()
        })
    }

    fn superusers_for_update(&mut self) -> Result<Vec<User>, StoreError> {
        self.query(|conn| {
            let superusers = users::table.filter(users::is_superuser).order(users::id);
            let rows = for_update!(superusers.select(Row::as_select())).load(conn)?;
            rows.into_iter().map(User::try_from).collect()
        })
    }

    fn find_by_username(&mut self, username: &str) -> Result<Option<User>, StoreError> {
        if contains_nul(username) {
            return Ok(None);
        }
        // The condition on the key lets the query use the index.
        self.query(|conn| {
            let row = users::table
                .filter(same!(users::username_key, username))
                .filter(users::username.eq(username))
                .select(Row::as_select())
                .first(conn)
                .optional()?;
            row.map(User::try_from).transpose()
        })
    }

    fn find_in_any_case(&mut self, username: &Username) -> Result<Option<User>, StoreError> {
        if contains_nul(username.as_str()) {
            return Ok(None);
        }
        self.query(|conn| {
            let row = users::table
                .filter(same!(users::username_key, username.as_str()))
                // If two users were stored before their keys became equal, the one with exactly this name comes
                // first.
                .order(users::username.eq(username.as_str()).desc())
                .select(Row::as_select())
                .first(conn)
                .optional()?;
            row.map(User::try_from).transpose()
        })
    }

    fn find_by_email(&mut self, email: &Email) -> Result<Option<User>, StoreError> {
        if contains_nul(email.as_str()) {
            return Ok(None);
        }
        self.query(|conn| {
            let row = users::table
                .filter(same!(users::email_key, email.as_str()))
                .order(users::id)
                .select(Row::as_select())
                .first(conn)
                .optional()?;
            row.map(User::try_from).transpose()
        })
    }

    fn username_is_taken(&mut self, username: &Username, except: Option<UserId>) -> Result<bool, StoreError> {
        let holders = self.query(|conn| {
            let same = users::table.filter(same!(users::username_key, username.as_str()));
            same.select(users::id).load(conn)
        })?;
        Ok(is_others(&holders, except))
    }

    fn email_is_taken(
        &mut self,
        email: &Email,
        except: Option<UserId>,
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let is_previous = users::previous_email_key.eq(email.key());
        let is_reserved = is_previous.and(users::email_replaced_at.gt(now - PreviousEmail::UNDO_WITHIN));
        let holders = self.query(|conn| {
            let same = users::table.filter(same!(users::email_key, email.as_str()).or(is_reserved));
            same.select(users::id).load(conn)
        })?;
        Ok(is_others(&holders, except))
    }

    fn insert(&mut self, user: &NewUser) -> Result<User, StoreError> {
        let keys = (
            users::username_key.eq(user.username.key()),
            users::email_key.eq(user.email.key()),
        );
        self.query(|conn| {
            diesel::insert_into(users::table)
                .values((Values::from(user), keys))
                .returning(Row::as_returning())
                .get_result(conn)?
                .try_into()
        })
    }

    fn update(&mut self, user: &User) -> Result<(), StoreError> {
        let keys = (
            kept_key!(users::username, users::username_key, user.username),
            kept_key!(users::email, users::email_key, user.email),
        );
        self.query(|conn| {
            match diesel::update(users::table.find(user.id.0))
                .set((Values::from(user), keys))
                .execute(conn)?
            {
                0 => Err(NotFound),
                _ => Ok(()),
            }
        })
    }

    fn forget_previous_emails(
        &mut self,
        replaced_by: DateTime<Utc>,
        at_most: u32,
    ) -> Result<usize, StoreError> {
        self.query(|conn| {
            let is_old = users::email_replaced_at.le(replaced_by);
            let old: Vec<i64> = users::table
                .filter(users::previous_email_key.is_not_null())
                .filter(is_old)
                .select(users::id)
                .limit(at_most.into())
                .load(conn)?;
            old.chunks(IDS_AT_ONCE).try_fold(0, |count, ids| {
                let old = users::table.filter(users::id.eq_any(ids)).filter(is_old);
                let forgotten = diesel::update(old).set((
                    users::previous_email.eq(None::<String>),
                    users::previous_email_key.eq(None::<String>),
                    users::email_replaced_at.eq(None::<DateTime<Utc>>),
                ));
                Ok(count + forgotten.execute(conn)?)
            })
        })
    }

    fn delete(&mut self, id: UserId) -> Result<(), StoreError> {
        self.query(|conn| diesel::delete(users::table.find(id.0)).execute(conn))?;
        Ok(())
    }

    fn list(&mut self, query: &UserQuery) -> Result<Vec<User>, StoreError> {
        self.query(|conn| {
            let rows = paged!(ordered(query), query.page)
                .select(Row::as_select())
                .load(conn)?;
            rows.into_iter().map(User::try_from).collect()
        })
    }

    fn count(&mut self, query: &UserQuery) -> Result<u64, StoreError> {
        if is_all_clients(query) {
            return self.query(count_clients).map(count_of);
        }
        self.query(|conn| filtered(query).count().get_result(conn))
            .map(count_of)
    }

    fn ids(&mut self, query: &UserQuery) -> Result<Vec<UserId>, StoreError> {
        let ids = self.query(|conn| ordered(query).select(users::id).load(conn))?;
        Ok(ids.into_iter().map(UserId).collect())
    }

    fn counts(&mut self, query: &UserQuery) -> Result<Vec<UserCount>, StoreError> {
        let aside = UserQuery {
            role: None,
            is_active: None,
            ..query.clone()
        };
        self.query(|conn| {
            let grouped = users::table.group_by((users::role, users::is_active)).select((
                users::role,
                users::is_active,
                count_star(),
            ));
            let rows: Vec<(String, bool, i64)> = where_all!(grouped, conditions(&aside)).load(conn)?;
            rows.into_iter()
                .map(|(name, is_active, count)| {
                    Ok(UserCount {
                        role: role(&name)?,
                        is_active,
                        count: count_of(count),
                    })
                })
                .collect()
        })
    }

    fn find_all(&mut self, ids: &[UserId]) -> Result<Vec<User>, StoreError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        self.query(|conn| {
            let mut users = Vec::with_capacity(ids.len());
            for ids in ids.chunks(IDS_AT_ONCE) {
                let rows = users::table
                    .filter(users::id.eq_any(ids))
                    .select(Row::as_select())
                    .load(conn)?;
                for row in rows {
                    users.push(row.try_into()?);
                }
            }
            Ok(users)
        })
    }
}
