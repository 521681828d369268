//! The query of a URL: filters, search, ordering and pages, as Django REST framework and django-filter read them
//! (wire contract, section 7).

mod history;
mod moment;

use mycars_application::lists::{
    CarOrder, CarQuery, Direction, LimitOffset, Page, Search, UserOrder, UserQuery,
};
use mycars_domain::{Field, Role, Violation, strip};
use serde::Serialize;

pub(crate) use self::history::{ACTIONS, HISTORY, HISTORY_OF_CAR, OBJECT_TYPES};
use crate::{
    error::ApiError,
    messages,
    request::{
        body::number::{python_int, python_numeric, typed_digits},
        urlencoded,
    },
};

/// Settings of lists.
#[derive(Debug, Clone, Copy)]
pub struct ListSettings {
    /// Number of items on a page if the client sends no limit; `None` returns the whole list.
    pub page_size: Option<u32>,
    /// Maximum number of items on a page.
    pub max_page_size: u32,
}

impl Default for ListSettings {
    fn default() -> Self {
        Self {
            page_size: None,
            max_page_size: 1000,
        }
    }
}

/// Number of items on a page of the browsable API, for lists that the API returns whole.
pub(crate) const BROWSER_PAGE_SIZE: u32 = 100;

impl ListSettings {
    /// Returns these settings with [`BROWSER_PAGE_SIZE`] as the page size.
    pub(crate) fn for_browsers(self) -> Self {
        Self {
            page_size: Some(BROWSER_PAGE_SIZE),
            ..self
        }
    }
}

/// The search, filters and orderings of a list, from which its page's forms and the documents are made.
#[derive(Debug)]
pub(crate) struct ListSpec {
    /// Names of the fields that `?search=` covers; empty if the list has no search.
    pub(crate) searched: &'static str,
    pub(crate) filters: &'static [FilterSpec],
    /// The names that `?ordering=` accepts.
    pub(crate) orderings: &'static [&'static str],
    /// Number of items on a page if neither the client nor a setting sets it; `None` returns the whole list.
    pub(crate) page_size: Option<u32>,
    /// Name of the file as which the list is returned as CSV; `None` if it is not.
    pub(crate) csv: Option<&'static str>,
}

/// One filter.
#[derive(Debug)]
pub(crate) struct FilterSpec {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) kind: FilterKind,
    /// The value that applies if the filter is left out.
    pub(crate) default: Option<&'static str>,
}

/// The type of a filter's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterKind {
    Text,
    Number,
    /// A date, or a date and time.
    Moment,
    /// One of these values.
    Choice(&'static [&'static str]),
}

const fn filter(name: &'static str, label: &'static str, kind: FilterKind) -> FilterSpec {
    FilterSpec {
        name,
        label,
        kind,
        default: None,
    }
}

/// Lists of cars.
pub(crate) static CARS: ListSpec = ListSpec {
    searched: "brand, model, license, VIN and notes",
    filters: &[
        filter("brand", "Brand", FilterKind::Text),
        filter("model", "Model", FilterKind::Text),
        filter("year", "Year", FilterKind::Number),
        filter("year_min", "Year from", FilterKind::Number),
        filter("year_max", "Year to", FilterKind::Number),
        filter("color", "Color", FilterKind::Text),
        filter("license", "License", FilterKind::Text),
        filter("vin", "VIN", FilterKind::Text),
        filter("mileage_min", "Mileage from", FilterKind::Number),
        filter("mileage_max", "Mileage to", FilterKind::Number),
    ],
    orderings: &[
        "created_at",
        "updated_at",
        "year",
        "mileage",
        "brand",
        "model",
        "license",
    ],
    page_size: None,
    csv: Some("cars.csv"),
};

/// The list of users.
pub(crate) static USERS: ListSpec = ListSpec {
    searched: "username, e-mail address, names and phone",
    filters: &[
        FilterSpec {
            default: Some("client"),
            ..filter("role", "Role", FilterKind::Choice(&["client", "admin", "all"]))
        },
        filter("is_active", "Active", FilterKind::Choice(&["true", "false"])),
    ],
    orderings: &["username", "email", "date_joined", "last_login"],
    page_size: None,
    csv: None,
};

/// The parameters of a query. The last of several with one name counts. A value that is not UTF-8 is `None`.
pub(crate) struct Query {
    parameters: Vec<(String, Option<String>)>,
    /// Whether its numbers were typed into a form.
    is_typed: bool,
}

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        Self {
            parameters: urlencoded::parameters(query).collect(),
            is_typed: false,
        }
    }

    /// Parses a query whose numbers were typed into a form: ambiguous numbers are refused.
    pub(crate) fn typed(query: &str) -> Self {
        Self {
            is_typed: true,
            ..Self::parse(query)
        }
    }

    /// Returns the last value under a name, stripped. Blank values count as left out.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let value = strip(self.last(name)?.as_deref()?);
        (!value.is_empty()).then_some(value)
    }

    fn last(&self, name: &str) -> Option<&Option<String>> {
        let last = self.parameters.iter().rev().find(|(known, _)| known == name);
        last.map(|(_, value)| value)
    }

    /// Returns the requested page. An invalid limit counts as left out, and so does an offset without a limit.
    pub(crate) fn page(&self, settings: ListSettings) -> Option<LimitOffset> {
        let limit = self.limit().or(settings.page_size)?;
        Some(self.page_of(limit, settings))
    }

    /// Returns whether the client requests a page.
    pub(crate) fn has_limit(&self) -> bool {
        self.limit().is_some()
    }

    /// Returns the requested number of items on a page.
    fn limit(&self) -> Option<u32> {
        let limit = python_int(self.text("limit")?)?;
        (limit > 0).then(|| u32::try_from(limit).unwrap_or(u32::MAX))
    }

    /// Returns the page of `limit` items.
    fn page_of(&self, limit: u32, settings: ListSettings) -> LimitOffset {
        LimitOffset {
            limit: limit.min(settings.max_page_size),
            offset: self.offset(),
        }
    }

    /// Returns the number of items before the page; 0 if it is invalid.
    pub(crate) fn offset(&self) -> u64 {
        let offset = self.text("offset").and_then(python_int);
        offset.and_then(|offset| offset.try_into().ok()).unwrap_or(0)
    }

    /// Reads the filters, ordering and page of a list of cars.
    pub(crate) fn cars(&self, settings: ListSettings) -> Result<CarQuery, ApiError> {
        self.read(|reader| {
            let year = reader.number("year");
            let (min, max) = (year.map(Number::up), year.map(Number::down));
            CarQuery {
                owner: None,
                search: reader.search(),
                brand: reader.text("brand"),
                model: reader.text("model"),
                color: reader.text("color"),
                license: reader.text("license"),
                vin: reader.text("vin"),
                year_min: min.max(reader.number("year_min").map(Number::up)),
                year_max: least(max, reader.number("year_max").map(Number::down)),
                mileage_min: reader.number("mileage_min").map(Number::up),
                mileage_max: reader.number("mileage_max").map(Number::down),
                ordering: self.ordering(car_order),
                page: self.page(settings),
            }
        })
    }

    /// Reads the filters, ordering and page of a list of users: clients, unless `role` says otherwise.
    pub(crate) fn users(&self, settings: ListSettings) -> Result<UserQuery, ApiError> {
        self.read(|reader| UserQuery {
            search: reader.search(),
            role: reader.role(),
            is_active: reader.boolean("is_active"),
            ordering: self.ordering(user_order),
            page: self.page(settings),
        })
    }

    /// Reads a parameter that is true or false; false if it is left out.
    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, ApiError> {
        self.read(|reader| reader.boolean(name).unwrap_or(false))
    }

    /// Reads the search words.
    pub(crate) fn search(&self) -> Result<Search, ApiError> {
        self.read(Reader::search)
    }

    /// Reads the orderings. Unknown names are ignored.
    pub(crate) fn ordering<T>(&self, order: impl Fn(&str) -> Option<T>) -> Vec<(T, Direction)> {
        let names = self.text("ordering").unwrap_or("").split(',').map(strip);
        let orders = names.filter_map(|name| match name.strip_prefix('-') {
            Some(name) => Some((order(name)?, Direction::Descending)),
            None => Some((order(name)?, Direction::Ascending)),
        });
        // There are fewer names than this limit.
        orders.take(16).collect()
    }

    /// Returns the last value under a name as it was sent, or "". Values that are not UTF-8 are left out.
    pub(crate) fn raw(&self, name: &str) -> &str {
        let mut named = self.parameters.iter().rev().filter(|(known, _)| known == name);
        named.find_map(|(_, value)| value.as_deref()).unwrap_or("")
    }

    /// Returns all parameters but these, without values that are not UTF-8.
    pub(crate) fn without(&self, names: &[&str]) -> Vec<(String, String)> {
        let others = self
            .parameters
            .iter()
            .filter(|(name, _)| !names.contains(&name.as_str()));
        others
            .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
            .collect()
    }

    /// Serializes the query without the parameters `removed` and with `added`.
    pub(crate) fn changed(&self, removed: &[&str], added: Option<(&str, &str)>) -> String {
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(self.without(removed))
            .extend_pairs(added)
            .finish()
    }

    /// Returns the URL of another page: the same query with another offset, its parameters sorted by name.
    fn link(&self, url: &str, limit: u32, offset: u64) -> String {
        let mut parameters = self.without(&["limit", "offset"]);
        parameters.push(("limit".to_owned(), limit.to_string()));
        if offset > 0 {
            parameters.push(("offset".to_owned(), offset.to_string()));
        }
        parameters.sort_by(|one, other| one.0.cmp(&other.0));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        format!("{url}?{query}")
    }

    /// Reads parameters, and reports all errors at once.
    fn read<'a, T>(&'a self, read: impl FnOnce(&mut Reader<'a>) -> T) -> Result<T, ApiError> {
        let mut reader = Reader {
            query: self,
            errors: Vec::new(),
        };
        let result = read(&mut reader);
        if reader.errors.is_empty() {
            Ok(result)
        } else {
            Err(ApiError::Parameters(reader.errors))
        }
    }
}

fn car_order(name: &str) -> Option<CarOrder> {
    Some(match name {
        "created_at" => CarOrder::CreatedAt,
        "updated_at" => CarOrder::UpdatedAt,
        "year" => CarOrder::Year,
        "mileage" => CarOrder::Mileage,
        "brand" => CarOrder::Brand,
        "model" => CarOrder::Model,
        "license" => CarOrder::License,
        _ => return None,
    })
}

fn user_order(name: &str) -> Option<UserOrder> {
    Some(match name {
        "username" => UserOrder::Username,
        "email" => UserOrder::Email,
        "date_joined" => UserOrder::DateJoined,
        "last_login" => UserOrder::LastLogin,
        _ => return None,
    })
}

/// Reads parameters and collects their errors.
struct Reader<'a> {
    query: &'a Query,
    errors: Vec<(&'static str, String)>,
}

impl<'a> Reader<'a> {
    /// Reads a parameter that is not blank. One that is not UTF-8 is an error.
    fn get(&mut self, name: &'static str) -> Option<&'a str> {
        let query = self.query;
        if query.last(name) == Some(&None) {
            let message = "The text could not be decoded as UTF-8.";
            self.errors.push((name, message.into()));
        }
        query.text(name)
    }

    /// Reads text. Databases cannot store the null character.
    fn text(&mut self, name: &'static str) -> Option<String> {
        let text = self.get(name)?;
        if text.contains('\0') {
            self.errors
                .push((name, "Null characters are not allowed.".into()));
            return None;
        }
        Some(text.to_owned())
    }

    fn search(&mut self) -> Search {
        let Some(text) = self.text("search") else {
            return Search::default();
        };
        if text.chars().count() > Search::MAX_LENGTH {
            let message = format!("Ensure this value has at most {} characters.", Search::MAX_LENGTH);
            self.errors.push(("search", message));
            return Search::default();
        }
        Search::parse(&text)
    }

    fn number(&mut self, name: &'static str) -> Option<Number> {
        let text = self.get(name)?;
        let number = if self.query.is_typed {
            typed_digits(text).map(|digits| Number::parse(&digits))
        } else {
            Ok(Number::parse(text))
        };
        match number {
            Ok(Some(number)) => return Some(number),
            Err(violation @ Violation::AmbiguousNumber) => {
                self.errors
                    .push((name, messages::violation(Field::Mileage, &violation)));
            }
            Ok(None) | Err(_) => self.errors.push((name, "Enter a number.".into())),
        }
        None
    }

    fn boolean(&mut self, name: &'static str) -> Option<bool> {
        match self.get(name)?.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            other => {
                self.errors.push((name, no_choice(other)));
                None
            }
        }
    }

    fn role(&mut self) -> Option<Role> {
        match self.get("role") {
            None => Some(Role::Client),
            Some("all") => None,
            Some(name) => Role::parse(name)
                .map_err(|_| self.errors.push(("role", no_choice(name))))
                .ok(),
        }
    }
}

fn no_choice(value: &str) -> String {
    format!("Select a valid choice. {value} is not one of the available choices.")
}

/// A number in a query, which need not be whole.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Number(f64);

impl Number {
    /// Parses numbers like Python's `Decimal`: decimal digits of any script, and underscores anywhere.
    fn parse(text: &str) -> Option<Self> {
        let text = python_numeric(text).replace('_', "");
        // Rust parses "inf" and "nan" too.
        let is_plain = text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        is_plain.then(|| text.parse().ok()).flatten().map(Self)
    }

    /// Returns the least whole number that is not below it.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a bound beyond 64 bits is as good as their end"
    )]
    fn up(self) -> i64 {
        self.0.ceil() as i64
    }

    /// Returns the greatest whole number that is not above it.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a bound beyond 64 bits is as good as their end"
    )]
    fn down(self) -> i64 {
        self.0.floor() as i64
    }
}

fn least(one: Option<i64>, other: Option<i64>) -> Option<i64> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// A page in Django REST framework's envelope.
#[derive(Serialize)]
pub(crate) struct Envelope<T> {
    count: u64,
    next: Option<String>,
    previous: Option<String>,
    results: Vec<T>,
}

/// A list, in its envelope if a page was requested.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum ListView<T> {
    Page(Envelope<T>),
    Whole(Vec<T>),
}

impl<T> ListView<T> {
    /// `url` is the list's URL without its query.
    pub(crate) fn new(listed: Page<T>, page: Option<LimitOffset>, query: &Query, url: &str) -> Self {
        let (Some(count), Some(LimitOffset { limit, offset })) = (listed.total, page) else {
            return Self::Whole(listed.items);
        };
        let after = offset.saturating_add(limit.into());
        Self::Page(Envelope {
            count,
            next: (after < count).then(|| query.link(url, limit, after)),
            previous: (offset > 0).then(|| query.link(url, limit, offset.saturating_sub(limit.into()))),
            results: listed.items,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> Option<(u32, u64)> {
        Query::parse(query)
            .page(ListSettings::default())
            .map(|page| (page.limit, page.offset))
    }

    fn cars(query: &str) -> CarQuery {
        Query::parse(query).cars(ListSettings::default()).unwrap()
    }

    fn errors(query: &str) -> Vec<(&'static str, String)> {
        match Query::parse(query).cars(ListSettings::default()) {
            Err(ApiError::Parameters(errors)) => errors,
            other => panic!("must be refused: {:?}", other.map(|_| ())),
        }
    }

    #[test]
    fn page_without_valid_limit_is_none() {
        assert_eq!(page("limit=2&offset=4"), Some((2, 4)));
        assert_eq!(page("limit=2"), Some((2, 0)));
        assert_eq!(page("limit=2&offset=abc"), Some((2, 0)));
        assert_eq!(page("limit=2&offset=-1"), Some((2, 0)));
        assert_eq!(page("limit=5000"), Some((1000, 0)));
        assert_eq!(page("limit=99999999999"), Some((1000, 0)));
        for none in ["", "offset=3", "limit=0", "limit=-2", "limit=abc", "limit="] {
            assert_eq!(page(none), None, "{none}");
        }
        let with_default = ListSettings {
            page_size: Some(20),
            max_page_size: 50,
        };
        assert_eq!(Query::parse("").page(with_default).unwrap().limit, 20);
    }

    #[test]
    fn parameters_not_in_utf8_are_refused() {
        let message = "The text could not be decoded as UTF-8.";
        for name in [
            "search",
            "brand",
            "model",
            "year",
            "year_min",
            "year_max",
            "color",
            "license",
            "vin",
            "mileage_min",
            "mileage_max",
        ] {
            for value in ["%FF", "M%FCller", "%C3", "a%ED%A0%80", "%C3%BC%80"] {
                let errors = errors(&format!("{name}=ok&{name}={value}"));
                assert_eq!(errors, [(name, message.to_owned())], "{name}={value}");
            }
        }
        let users = Query::parse("role=%FF&is_active=%FF&search=%FF").users(ListSettings::default());
        assert!(matches!(users, Err(ApiError::Parameters(errors)) if errors.len() == 3));
    }

    #[test]
    fn parameters_in_utf8_are_read_escaped_and_raw() {
        for query in [
            "brand=M%C3%BCller",
            "brand=Müller",
            "brand=%FF&brand=M%c3%bcller",
            "x=%FF&brand=Müller&%FF=1",
        ] {
            assert_eq!(cars(query).brand.as_deref(), Some("Müller"), "{query}");
        }
        assert_eq!(page("limit=%FF&offset=%FF&ordering=%FF"), None);
    }

    #[test]
    fn blank_and_unknown_filters_are_ignored() {
        assert_eq!(
            cars("brand=&year=&unknown=1&ordering=nonsense,"),
            CarQuery::default()
        );
    }

    #[test]
    fn year_sets_both_bounds_and_a_fraction_matches_none() {
        let query = cars("year=2003&year_min=2000");
        assert_eq!((query.year_min, query.year_max), (Some(2003), Some(2003)));
        let query = cars("year=2003.5");
        assert_eq!((query.year_min, query.year_max), (Some(2004), Some(2003)));
        let query = cars("mileage_min=1e300&mileage_max=-1e300");
        assert_eq!(
            (query.mileage_min, query.mileage_max),
            (Some(i64::MAX), Some(i64::MIN))
        );
    }

    #[test]
    fn digits_of_all_scripts_are_numbers() {
        let query = cars("year=٢٠٢٠&mileage_min=１_０００&mileage_max=+२०००.५");
        assert_eq!((query.year_min, query.year_max), (Some(2020), Some(2020)));
        assert_eq!((query.mileage_min, query.mileage_max), (Some(1000), Some(2000)));
        assert_eq!(page("limit=٢&offset=%1f４%c2%a0"), Some((2, 4)));
        assert_eq!(page("limit=1_0&offset=%2B1"), Some((10, 1)));
        for wrong in ["year=²", "year=1,000", "year=2%200", "year=_", "year=％"] {
            assert_eq!(errors(wrong), [("year", "Enter a number.".to_owned())], "{wrong}");
        }
    }

    #[test]
    fn typed_numbers_with_ambiguous_separators_are_refused() {
        let typed = |query: &str| Query::typed(query).cars(ListSettings::default());
        assert_eq!(
            typed("mileage_min=125'000&year=٢٠٢٠").unwrap().mileage_min,
            Some(125_000)
        );
        let Err(ApiError::Parameters(errors)) = typed("mileage_min=125.000&mileage_max=12,5&year=x") else {
            panic!("must be refused");
        };
        let ambiguous = messages::violation(Field::Mileage, &Violation::AmbiguousNumber);
        assert_eq!(
            errors,
            [
                ("year", "Enter a number.".to_owned()),
                ("mileage_min", ambiguous.clone()),
                ("mileage_max", ambiguous),
            ]
        );
    }

    #[test]
    fn all_invalid_parameters_are_reported_at_once() {
        assert_eq!(
            errors("year_min=x&mileage_max=nan&brand=a%00"),
            [
                ("brand", "Null characters are not allowed.".to_owned()),
                ("year_min", "Enter a number.".to_owned()),
                ("mileage_max", "Enter a number.".to_owned()),
            ]
        );
    }

    #[test]
    fn search_over_100_characters_is_refused_in_every_list() {
        let long = format!("search={}", "\u{f6}+".repeat(51));
        let message = "Ensure this value has at most 100 characters.";
        let expected = [("search", message.to_owned())];
        let lists = ListSettings::default();
        let query = Query::parse(&long);
        for refused in [
            query.cars(lists).err(),
            query.users(lists).err(),
            query.history(lists).err(),
            query.search().err(),
        ] {
            assert!(
                matches!(&refused, Some(ApiError::Parameters(errors)) if *errors == expected),
                "{refused:?}"
            );
        }
        let longest = "\u{f6}".repeat(100);
        let search = cars(&format!("search={longest}")).search;
        assert_eq!(search.words().collect::<Vec<_>>(), [longest]);
    }

    #[test]
    fn orderings_apply_in_their_order() {
        assert_eq!(
            cars("ordering=-year, brand,nonsense").ordering,
            [
                (CarOrder::Year, Direction::Descending),
                (CarOrder::Brand, Direction::Ascending)
            ]
        );
    }

    #[test]
    fn users_are_clients_unless_role_says_otherwise() {
        let role = |query: &str| Query::parse(query).users(ListSettings::default()).unwrap().role;
        assert_eq!(role(""), Some(Role::Client));
        assert_eq!(role("role=admin"), Some(Role::Admin));
        assert_eq!(role("role=all"), None);
        let Err(ApiError::Parameters(errors)) =
            Query::parse("role=boss&is_active=maybe").users(ListSettings::default())
        else {
            panic!("must be refused");
        };
        assert_eq!(
            errors[0],
            (
                "role",
                "Select a valid choice. boss is not one of the available choices.".to_owned()
            )
        );
        assert_eq!(errors[1].0, "is_active");
    }

    #[test]
    fn page_links_keep_the_query_and_end_at_both_ends() {
        let links = |query: &str, total| {
            let query = Query::parse(query);
            let listed = Page {
                items: vec![1],
                total: Some(total),
            };
            match ListView::new(
                listed,
                query.page(ListSettings::default()),
                &query,
                "http://h/api/cars/",
            ) {
                ListView::Page(page) => (page.next, page.previous),
                ListView::Whole(_) => panic!("must be a page"),
            }
        };
        let url = |query: &str| Some(format!("http://h/api/cars/?{query}"));
        assert_eq!(
            links("limit=2&offset=2&color=Red", 5),
            (url("color=Red&limit=2&offset=4"), url("color=Red&limit=2"))
        );
        assert_eq!(
            links("limit=2&offset=1", 5),
            (url("limit=2&offset=3"), url("limit=2"))
        );
        assert_eq!(links("limit=2&offset=4", 5), (None, url("limit=2&offset=2")));
        assert_eq!(links("limit=2&offset=50", 5), (None, url("limit=2&offset=48")));
        assert_eq!(links("limit=10", 5), (None, None));
    }
}
