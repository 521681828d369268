//! Finds the tables of the app in the database of a Django project.
//!
//! The models exist in two shapes: cars with all columns and users with a profile, or cars whose brand, model, year and
//! color are in a table of details. Columns and tables that the API can do without are optional.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{QueryableByName, sql_types::Text};

/// Django's table of users.
pub(super) const USERS: &str = "auth_user";
/// The table of refresh tokens of `rest_framework_simplejwt.token_blacklist`.
pub(super) const OUTSTANDING: &str = "token_blacklist_outstandingtoken";
/// The table of those that are blacklisted.
pub(super) const BLACKLISTED: &str = "token_blacklist_blacklistedtoken";

/// The columns of [`USERS`] that are read.
const USER_COLUMNS: [&str; 11] = [
    "id",
    "username",
    "email",
    "first_name",
    "last_name",
    "password",
    "is_active",
    "is_staff",
    "is_superuser",
    "date_joined",
    "last_login",
];

/// The columns of a car that its details may hold.
const DETAILS: [&str; 3] = ["brand", "model", "year"];

/// A column of a table.
#[derive(QueryableByName)]
pub(super) struct Column {
    #[diesel(sql_type = Text)]
    pub(super) in_table: String,
    #[diesel(sql_type = Text)]
    pub(super) name: String,
    /// Only used for times in PostgreSQL.
    #[diesel(sql_type = Text)]
    pub(super) data_type: String,
}

/// A table, with the types of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: String,
    columns: BTreeMap<String, String>,
}

impl Table {
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    fn has_all(&self, columns: &[&str]) -> bool {
        columns.iter().all(|column| self.has(column))
    }

    /// Returns whether a column of PostgreSQL is a point in time. Otherwise, it is taken as a time in UTC.
    pub(super) fn is_zoned(&self, column: &str) -> bool {
        let data_type = self.columns.get(column);
        data_type.is_some_and(|data_type| data_type == "timestamp with time zone")
    }
}

/// All tables of a database.
pub(super) struct Tables(BTreeMap<String, Table>);

impl Tables {
    pub(super) fn new(columns: Vec<Column>) -> Self {
        let mut tables: BTreeMap<String, Table> = BTreeMap::new();
        for column in columns {
            let table = tables.entry(column.in_table.clone()).or_insert_with(|| Table {
                name: column.in_table,
                columns: BTreeMap::new(),
            });
            table.columns.insert(column.name, column.data_type);
        }
        Self(tables)
    }

    fn get(&self, name: &str) -> Option<&Table> {
        self.0.get(name)
    }

    /// Returns the labels of the apps with a table of cars.
    fn labels(&self) -> BTreeSet<&str> {
        let is_cars = |table: &&Table| table.has_all(&["id", "owner_id", "license"]);
        let cars = self.0.values().filter(is_cars);
        cars.filter_map(|table| table.name.strip_suffix("_car")).collect()
    }
}

/// The tables of the app.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) users: Table,
    pub(super) cars: Table,
    /// The table of details of cars, if they are in a table of their own.
    pub(super) details: Option<Table>,
    /// The table of profiles of users.
    pub(super) profile: Option<Table>,
    /// The two tables of simplejwt's blacklist, the refresh tokens and the blacklisted ones.
    pub(super) blacklist: Option<[Table; 2]>,
    /// Whether SQLite's table of the last ids exists.
    pub(super) has_sqlite_sequence: bool,
}

impl Shape {
    /// Finds the tables of the app with this label, or of the only one with cars.
    ///
    /// # Errors
    /// The problem and the remedy in one line.
    pub(super) fn find(tables: &Tables, label: Option<&str>) -> Result<Self, String> {
        let labels = tables.labels();
        let label = match label {
            Some(label) if labels.contains(label) => label,
            Some(label) => {
                return Err(format!(
                    "it has no table `{label}_car` with the columns id, owner_id and license; apps with cars: {}",
                    listed(&labels)
                ));
            }
            None if labels.len() == 1 => labels.first().copied().unwrap_or_default(),
            None if labels.is_empty() => {
                return Err("no table whose name ends with `_car` has the columns id, owner_id and license: name the \
                            database of the Django system"
                    .into());
            }
            None => {
                return Err(format!(
                    "several apps have cars: name one of {} with --app",
                    listed(&labels)
                ));
            }
        };
        Self::of_app(tables, label)
    }

    fn of_app(tables: &Tables, label: &str) -> Result<Self, String> {
        let Some(cars) = tables.get(&format!("{label}_car")).cloned() else {
            return Err(format!("it has no table `{label}_car`"));
        };
        let users = tables
            .get(USERS)
            .filter(|table| table.has_all(&USER_COLUMNS))
            .ok_or(
                "it has no table `auth_user` with Django's columns; other models of users are not supported",
            )?;
        let details = tables.get(&format!("{label}_cardetails"));
        let details = details.filter(|table| table.has_all(&DETAILS) && cars.has("car_details_id"));
        if details.is_none() && !cars.has_all(&DETAILS) {
            return Err(format!(
                "neither `{label}_car` nor `{label}_cardetails` has the columns brand, model and year"
            ));
        }
        let profile = tables.get(&format!("{label}_userprofile"));
        Ok(Self {
            users: users.clone(),
            details: details.filter(|_| !cars.has_all(&DETAILS)).cloned(),
            cars,
            profile: profile.filter(|table| table.has("user_id")).cloned(),
            blacklist: tables
                .get(OUTSTANDING)
                .zip(tables.get(BLACKLISTED))
                .map(|(outstanding, blacklisted)| [outstanding.clone(), blacklisted.clone()]),
            has_sqlite_sequence: tables.get("sqlite_sequence").is_some(),
        })
    }

    /// Returns whether cars or their details have a column.
    pub(super) fn has_car_column(&self, column: &str) -> bool {
        self.cars.has(column) || self.details.as_ref().is_some_and(|table| table.has(column))
    }
}

fn listed(labels: &BTreeSet<&str>) -> String {
    if labels.is_empty() {
        return "none".into();
    }
    labels.iter().copied().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAR: &str = "id owner_id license";

    fn tables(tables: &[(&str, &str)]) -> Tables {
        let columns = tables.iter().flat_map(|(table, columns)| {
            columns.split(' ').map(|column| Column {
                in_table: (*table).to_owned(),
                name: column.to_owned(),
                data_type: String::new(),
            })
        });
        let users = USER_COLUMNS.map(|column| Column {
            in_table: USERS.to_owned(),
            name: column.to_owned(),
            data_type: String::new(),
        });
        Tables::new(columns.chain(users).collect())
    }

    #[test]
    fn flat_cars_are_found_with_their_profiles() {
        let flat = format!("{CAR} brand model year vin");
        let found = tables(&[
            ("garage_car", &flat),
            ("garage_userprofile", "id user_id role"),
            ("other_userprofile", "id user_id role"),
        ]);
        let shape = Shape::find(&found, None).unwrap();
        assert_eq!((shape.cars.name.as_str(), &shape.details), ("garage_car", &None));
        assert_eq!(shape.profile.as_ref().unwrap().name, "garage_userprofile");
        assert!(shape.has_car_column("vin") && !shape.has_car_column("notes") && shape.blacklist.is_none());
    }

    #[test]
    fn details_of_cars_are_found_without_profiles() {
        let cars = format!("{CAR} car_details_id");
        let found = tables(&[
            ("backend_car", &cars),
            ("backend_cardetails", "id brand model year color"),
            (OUTSTANDING, "id"),
            (BLACKLISTED, "id"),
        ]);
        let shape = Shape::find(&found, None).unwrap();
        assert_eq!(shape.details.as_ref().unwrap().name, "backend_cardetails");
        assert!(shape.profile.is_none() && shape.has_car_column("color") && shape.blacklist.is_some());
    }

    #[test]
    fn app_is_chosen_if_several_have_cars() {
        let flat = format!("{CAR} brand model year");
        let found = tables(&[("a_car", &flat), ("b_car", &flat), ("c_car", "id")]);
        let problem = Shape::find(&found, None).unwrap_err();
        assert_eq!(problem, "several apps have cars: name one of a, b with --app");
        assert_eq!(Shape::find(&found, Some("b")).unwrap().cars.name, "b_car");
        let problem = Shape::find(&found, Some("c")).unwrap_err();
        assert!(
            problem.contains("`c_car`") && problem.ends_with("apps with cars: a, b"),
            "{problem}"
        );
    }

    #[test]
    fn other_databases_are_refused_with_a_remedy() {
        let problem = Shape::find(&tables(&[("cars", CAR)]), None).unwrap_err();
        assert!(
            problem.contains("name the database of the Django system"),
            "{problem}"
        );
        let problem = Shape::find(&tables(&[("a_car", CAR)]), None).unwrap_err();
        assert!(
            problem.contains("neither `a_car` nor `a_cardetails`"),
            "{problem}"
        );
    }
}
