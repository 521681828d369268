//! The queries on Django's tables. Ids and times become texts of the same form on both databases.

use super::shape::{BLACKLISTED, OUTSTANDING, Shape, Table, USERS};

/// The kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Postgres,
    Sqlite,
}

impl Dialect {
    /// Returns the query of all columns of all tables.
    pub(super) fn columns(self) -> &'static str {
        match self {
            Self::Postgres => {
                "SELECT table_name::text AS in_table, column_name::text AS name, data_type::text AS data_type
                 FROM information_schema.columns
                 WHERE table_schema::name = current_schema()"
            }
            Self::Sqlite => {
                "SELECT m.name AS in_table, c.name AS name, c.type AS data_type
                 FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'"
            }
        }
    }

    /// Returns an expression for a time in UTC.
    fn time(self, alias: &str, table: &Table, column: &str) -> String {
        let value = format!("{alias}.{}", quoted(column));
        match self {
            _ if !table.has(column) => "NULL".into(),
            Self::Sqlite => format!("CAST({value} AS TEXT)"),
            Self::Postgres => {
                let utc = if table.is_zoned(column) {
                    format!("{value} AT TIME ZONE 'UTC'")
                } else {
                    value
                };
                format!("to_char({utc}, 'YYYY-MM-DD HH24:MI:SS.US')")
            }
        }
    }
}

/// Returns an expression for a column as text; NULL if it does not exist.
fn text(alias: &str, table: Option<&Table>, column: &str) -> String {
    if table.is_some_and(|table| table.has(column)) {
        format!("CAST({alias}.{} AS TEXT)", quoted(column))
    } else {
        "CAST(NULL AS TEXT)".into()
    }
}

/// Returns an expression for a flag as `0` or `1`.
fn flag(alias: &str, column: &str) -> String {
    format!("CAST(CAST({alias}.{column} AS INTEGER) AS TEXT)")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns a text as a literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

pub(super) fn count(table: &str) -> String {
    format!("SELECT count(*) AS number FROM {}", quoted(table))
}

pub(super) fn id_after_last(table: &str) -> String {
    format!(
        "SELECT CAST(coalesce(max(id), 0) + 1 AS BIGINT) AS number FROM {}",
        quoted(table)
    )
}

/// Returns the query of the name of a table's sequence in PostgreSQL.
pub(super) fn sequence(table: &str) -> String {
    format!(
        "SELECT pg_get_serial_sequence({}, 'id') AS name",
        literal(&quoted(table))
    )
}

/// Returns the query of a sequence's next value. `name` is quoted already.
pub(super) fn next_of_sequence(name: &str) -> String {
    format!("SELECT last_value + CAST(is_called AS int) AS number FROM {name}")
}

pub(super) fn next_of_sqlite_sequence(table: &str) -> String {
    format!(
        "SELECT CAST(seq + 1 AS BIGINT) AS number FROM sqlite_sequence WHERE name = {}",
        literal(table)
    )
}

/// Returns the query of users with their profiles.
pub(super) fn users(dialect: Dialect, shape: &Shape, after: i64, at_most: u32) -> String {
    let user = |column| text("u", Some(&shape.users), column);
    let profile = |column| text("p", shape.profile.as_ref(), column);
    let time = |column| dialect.time("u", &shape.users, column);
    let profile_time = |column| match &shape.profile {
        Some(table) => dialect.time("p", table, column),
        None => "NULL".into(),
    };
    let columns = [
        ("username", user("username")),
        ("email", user("email")),
        ("first_name", user("first_name")),
        ("last_name", user("last_name")),
        ("password", user("password")),
        ("is_active", flag("u", "is_active")),
        ("is_staff", flag("u", "is_staff")),
        ("is_superuser", flag("u", "is_superuser")),
        ("date_joined", time("date_joined")),
        ("last_login", time("last_login")),
        ("role", profile("role")),
        ("phone", profile("phone")),
        ("address", profile("address")),
        ("created_at", profile_time("created_at")),
        ("updated_at", profile_time("updated_at")),
    ];
    let join = shape.profile.as_ref().map_or(String::new(), |profile| {
        format!("LEFT JOIN {} p ON p.user_id = u.id", quoted(&profile.name))
    });
    select(&columns, "u", &format!("{USERS} u {join}"), after, at_most)
}

/// Returns the query of cars with their details.
pub(super) fn cars(dialect: Dialect, shape: &Shape, after: i64, at_most: u32) -> String {
    let column = |column| {
        if shape.cars.has(column) {
            text("c", Some(&shape.cars), column)
        } else {
            text("d", shape.details.as_ref(), column)
        }
    };
    let time = |column| dialect.time("c", &shape.cars, column);
    let columns = [
        ("owner", column("owner_id")),
        ("brand", column("brand")),
        ("model", column("model")),
        ("year", column("year")),
        ("color", column("color")),
        ("license", column("license")),
        ("vin", column("vin")),
        ("mileage", column("mileage")),
        ("image", column("image")),
        ("notes", column("notes")),
        ("created_at", time("created_at")),
        ("updated_at", time("updated_at")),
    ];
    let join = shape.details.as_ref().map_or(String::new(), |details| {
        format!("LEFT JOIN {} d ON d.id = c.car_details_id", quoted(&details.name))
    });
    let tables = format!("{} c {join}", quoted(&shape.cars.name));
    select(&columns, "c", &tables, after, at_most)
}

/// Returns the query of refresh tokens.
pub(super) fn tokens(
    dialect: Dialect,
    [outstanding, blacklisted]: &[Table; 2],
    after: i64,
    at_most: u32,
) -> String {
    let columns = [
        ("jti", text("o", Some(outstanding), "jti")),
        ("user_id", text("o", Some(outstanding), "user_id")),
        ("created_at", dialect.time("o", outstanding, "created_at")),
        ("expires_at", dialect.time("o", outstanding, "expires_at")),
        ("blacklisted_at", dialect.time("b", blacklisted, "blacklisted_at")),
    ];
    let tables = format!("{OUTSTANDING} o LEFT JOIN {BLACKLISTED} b ON b.token_id = o.id");
    select(&columns, "o", &tables, after, at_most)
}

fn select<const N: usize>(
    columns: &[(&str, String); N],
    alias: &str,
    tables: &str,
    after: i64,
    at_most: u32,
) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, expression)| format!("{expression} AS {name}"))
        .collect();
    format!(
        "SELECT CAST({alias}.id AS BIGINT) AS id, {} FROM {tables} WHERE {alias}.id > {after} ORDER BY {alias}.id \
         LIMIT {at_most}",
        columns.join(", ")
    )
}
