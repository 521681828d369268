//! Queries of the audit log.

use mycars_application::lists::{Direction, HistoryQuery, LimitOffset};
use mycars_domain::{
    UserId,
    audit::{Action, ObjectType},
};

use super::{FilterKind, ListSettings, ListSpec, Number, Query, Reader, filter, moment::Moment, no_choice};
use crate::error::ApiError;

/// Number of entries on a page if neither the client nor a setting sets it. Other lists are returned whole then, as by
/// the Django service. The audit log has no counterpart there and grows without limit.
const PAGE_SIZE: u32 = 100;

/// The actions, by their names in the API.
pub(crate) const ACTIONS: &[&str] = &["created", "changed", "deleted", "revoked", "erased"];

/// The types of objects, by their names in the API.
pub(crate) const OBJECT_TYPES: &[&str] = &["user", "car", "refresh_token", "audit_log"];

/// The audit log.
pub(crate) static HISTORY: ListSpec = ListSpec {
    searched: "the names of objects and actors",
    filters: &[
        filter("action", "Action", FilterKind::Choice(ACTIONS)),
        filter("object_type", "Object type", FilterKind::Choice(OBJECT_TYPES)),
        filter("object_id", "Object id", FilterKind::Text),
        filter("actor", "Actor id", FilterKind::Number),
        filter("at_min", "From (UTC)", FilterKind::Moment),
        filter("at_max", "To (UTC)", FilterKind::Moment),
    ],
    orderings: &["at"],
    page_size: Some(PAGE_SIZE),
    csv: None,
};

/// The history of one car, which has pages only.
pub(crate) static HISTORY_OF_CAR: ListSpec = ListSpec {
    searched: "",
    filters: &[],
    orderings: &[],
    page_size: Some(PAGE_SIZE),
    csv: None,
};

impl Query {
    /// Reads the filters, ordering and page of the audit log. There is always a page.
    pub(crate) fn history(&self, settings: ListSettings) -> Result<HistoryQuery, ApiError> {
        self.read(|reader| HistoryQuery {
            search: reader.search(),
            action: reader.choice("action", Action::named),
            object_type: reader.choice("object_type", ObjectType::named),
            object_id: reader.text("object_id"),
            owner: None,
            actor: reader.number("actor").map(user_id),
            since: reader.moment("at_min").map(Moment::start),
            until: reader.moment("at_max").map(Moment::end),
            oldest_first: matches!(self.ordering(order)[..], [((), Direction::Ascending), ..]),
            page: Some(self.history_page(settings)),
        })
    }

    /// Returns the requested page of a history.
    pub(crate) fn history_page(&self, settings: ListSettings) -> LimitOffset {
        let limit = self.limit().or(settings.page_size).unwrap_or(PAGE_SIZE);
        self.page_of(limit, settings)
    }
}

/// Accepts the only ordering.
fn order(name: &str) -> Option<()> {
    (name == "at").then_some(())
}

/// Returns a number as an id. A fraction becomes an id that no user has.
fn user_id(number: Number) -> UserId {
    UserId(if number.up() == number.down() {
        number.up()
    } else {
        i64::MAX
    })
}

impl Reader<'_> {
    fn choice<T>(&mut self, name: &'static str, named: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.get(name)?;
        let choice = named(value);
        if choice.is_none() {
            self.errors.push((name, no_choice(value)));
        }
        choice
    }

    fn moment(&mut self, name: &'static str) -> Option<Moment> {
        let moment = Moment::parse(self.get(name)?);
        if moment.is_none() {
            self.errors.push((name, "Enter a valid date/time.".into()));
        }
        moment
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    fn history(query: &str) -> HistoryQuery {
        Query::parse(query).history(ListSettings::default()).unwrap()
    }

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn page(limit: u32, offset: u64) -> LimitOffset {
        LimitOffset { limit, offset }
    }

    #[test]
    fn history_always_has_a_page() {
        for (query, expected) in [
            ("", page(100, 0)),
            ("limit=0", page(100, 0)),
            ("limit=x&offset=x", page(100, 0)),
            ("offset=100", page(100, 100)),
            ("limit=7&offset=3", page(7, 3)),
            ("limit=99999", page(1000, 0)),
        ] {
            assert_eq!(history(query).page, Some(expected), "{query}");
        }
        let settings = |page_size, max_page_size| ListSettings {
            page_size,
            max_page_size,
        };
        let default = |settings| Query::parse("").history_page(settings).limit;
        assert_eq!(default(settings(Some(20), 1000)), 20);
        assert_eq!(default(settings(None, 50)), 50);
    }

    #[test]
    fn blank_and_unknown_filters_are_ignored() {
        let nothing = HistoryQuery {
            page: Some(page(100, 0)),
            ..HistoryQuery::default()
        };
        assert_eq!(history(""), nothing);
        assert_eq!(
            history(
                "action=&object_type=+&object_id=&actor=&at_min=&at_max=&search=&ordering=nonsense&owner=1"
            ),
            nothing
        );
    }

    #[test]
    fn all_filters_are_read() {
        let query = history(
            "action=revoked&object_type=refresh_token&object_id=4f1a&actor=7&at_min=2026-11-23&at_max=2026-11-24\
             &search=Golf,ann",
        );
        assert_eq!(query.action, Some(Action::Revoked));
        assert_eq!(query.object_type, Some(ObjectType::RefreshToken));
        assert_eq!(query.object_id.as_deref(), Some("4f1a"));
        assert_eq!(query.actor, Some(UserId(7)));
        assert_eq!(query.since, Some(time("2026-11-23T00:00:00Z")));
        assert_eq!(
            query.until,
            Some(time("2026-11-25T00:00:00Z")),
            "the day itself counts"
        );
        assert_eq!(query.search.words().collect::<Vec<_>>(), ["golf", "ann"]);
    }

    #[test]
    fn moment_is_included_at_both_ends() {
        let query = history("at_min=2026-11-24T10:00&at_max=2026-11-24T10:00");
        assert_eq!(query.since, Some(time("2026-11-24T10:00:00Z")));
        assert_eq!(query.until, Some(time("2026-11-24T10:00:00.000001Z")));
    }

    #[test]
    fn newest_come_first_unless_ordering_is_ascending() {
        for (query, oldest_first) in [
            ("", false),
            ("ordering=-at", false),
            ("ordering=at", true),
            ("ordering=id,at,-at", true),
            ("ordering=-at,at", false),
            ("ordering=action", false),
        ] {
            assert_eq!(history(query).oldest_first, oldest_first, "{query}");
        }
    }

    #[test]
    fn number_that_is_no_id_matches_no_user() {
        assert_eq!(history("actor=7.0").actor, Some(UserId(7)));
        for invalid in ["actor=7.5", "actor=1e300", "actor=99999999999999999999"] {
            assert_eq!(history(invalid).actor, Some(UserId(i64::MAX)), "{invalid}");
        }
    }

    #[test]
    fn all_invalid_parameters_are_reported_at_once() {
        let wrong = "action=burnt&object_type=Car&object_id=a%00&actor=me&at_min=today&at_max=2026-13-01";
        let Err(ApiError::Parameters(errors)) = Query::parse(wrong).history(ListSettings::default()) else {
            panic!("must be refused");
        };
        let no_choice =
            |value| format!("Select a valid choice. {value} is not one of the available choices.");
        assert_eq!(
            errors,
            [
                ("action", no_choice("burnt")),
                ("object_type", no_choice("Car")),
                ("object_id", "Null characters are not allowed.".to_owned()),
                ("actor", "Enter a number.".to_owned()),
                ("at_min", "Enter a valid date/time.".to_owned()),
                ("at_max", "Enter a valid date/time.".to_owned()),
            ]
        );
    }

    #[test]
    fn choices_are_all_actions_and_object_types() {
        let choices = |name: &str| {
            let spec = HISTORY.filters.iter().find(|filter| filter.name == name);
            match spec.map(|spec| spec.kind) {
                Some(FilterKind::Choice(choices)) => choices,
                _ => panic!("{name} must be a choice"),
            }
        };
        assert_eq!(choices("action"), Action::ALL.map(Action::as_str));
        assert_eq!(choices("object_type"), ObjectType::ALL.map(ObjectType::as_str));
    }
}
