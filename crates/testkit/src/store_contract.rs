//! The rules that every store keeps, whatever the database behind it: one function for each, which panics if
//! the store it is given breaks the rule. Each wants a store without users.
//!
//! [`store_contract!`](crate::store_contract!) makes one test of each rule.

mod audit_log;
mod cars;
mod generated;
mod installation;
mod refresh_tokens;
mod sessions;
mod transactions;
mod users;

pub use audit_log::*;
pub use cars::*;
pub use generated::*;
pub use installation::*;
pub use refresh_tokens::*;
pub use sessions::*;
pub use transactions::*;
pub use users::*;

use std::sync::Arc;

use mycars_application::ports::{Store, StoreError};
use mycars_domain::{Car, Field, NewCar, NewUser, User, values::Username};

use crate::samples;

/// What a test of a rule begins with: a store without users, and whatever must live as long as it is used, such as
/// the database behind it.
pub trait Fixture {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;
}

impl Fixture for Arc<dyn Store> {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self)
    }
}

/// Makes one test of each rule that every store keeps. It is given the name of a function that makes a [`Fixture`]
/// for one test: a store by itself, or a `TestDatabase`.
///
/// ```
/// mod sqlite {
///     # #[cfg(feature = "databases")]
///     mycars_testkit::store_contract!(mycars_testkit::TestDatabase::sqlite);
/// }
/// ```
#[macro_export]
macro_rules! store_contract {
    ($fixture:path) => {
        $crate::store_contract! { $fixture:
            an_entry_is_kept_as_it_was_given
            entries_are_listed_newest_first_or_oldest_first
            entries_are_filtered_exactly
            entries_are_found_by_words_whatever_their_case
            entries_come_in_pages
            entries_are_counted_by_action_and_kind
            many_entries_are_kept_and_found_at_once
            the_oldest_entries_can_be_deleted
            an_entry_outlives_what_it_is_about_and_who_wrote_it
            a_change_and_its_entry_are_one
            a_car_can_be_changed_in_every_field
            a_car_is_kept_as_it_was_given
            a_car_of_nobody_has_lost_its_owner
            a_car_that_is_not_there_can_not_be_changed
            a_deleted_car_is_gone_and_deleting_it_again_does_nothing
            a_plate_is_unique_whatever_its_case
            a_plate_is_not_taken_by_its_own_car
            cars_are_listed_newest_first_and_by_id_among_equals
            cars_are_found_by_words_whatever_their_case
            cars_are_filtered_exactly
            cars_are_ordered_the_same_everywhere
            cars_come_in_pages
            a_users_cars_are_locked_together_and_pictures_are_found
            users_are_found_filtered_and_ordered_the_same_everywhere
            everybodys_cars_are_one_list
            everybodys_cars_are_found_by_their_owners_too
            brands_are_counted_the_most_frequent_first
            many_cars_are_found_at_once
            cars_and_pictures_are_counted_of_some_users_and_of_all
            cars_are_counted_with_the_look_up_of_a_plate
            sizes_of_pictures_are_kept_and_summed
            car_versions_of_users_are_those_of_their_cars
            a_deleted_user_takes_their_cars_along
            no_car_gets_the_id_of_another_one_that_was_deleted
            only_the_cars_of_their_owner_are_listed
            unset_and_blank_are_two_things_for_a_car
            identity_is_kept_once
            identity_of_undone_write_is_not_kept
            several_at_once_get_one_identity
            all_live_tokens_of_a_user_can_be_revoked
            tokens_are_listed_by_their_state_and_by_their_user
            tokens_are_found_by_their_jti_and_their_owner
            tokens_are_ordered_and_come_in_pages
            many_tokens_are_found_at_once_with_the_names_of_their_owners
            a_token_can_be_revoked
            a_token_is_kept_as_it_was_given
            a_token_is_recorded_once
            a_token_of_nobody_that_is_there_is_refused
            expired_tokens_are_deleted_and_counted
            sessions_are_counted_of_some_users
            a_session_is_kept_as_it_was_given
            expired_sessions_are_deleted_and_counted
            sessions_end_one_by_one_and_all_of_a_user
            a_committed_write_is_kept
            write_now_is_kept_or_undone
            a_failed_statement_undoes_the_whole_write
            a_read_sees_only_what_was_committed
            a_write_that_fails_is_undone_and_answers_its_own_error
            a_write_that_panics_is_undone_and_blocks_nobody
            fifty_at_once_get_one_plate_once
            it_gives_a_sign_of_life
            two_writers_at_once_lose_no_update
            users_are_numbered_as_they_are_listed
            users_are_counted_by_role_and_activity
            many_users_are_found_at_once
            a_user_can_be_changed_in_every_field
            superusers_are_locked_in_the_order_of_their_ids
            two_superusers_who_look_for_another_at_once_do_not_both_go
            a_user_is_kept_as_it_was_given
            a_user_who_is_not_there_can_not_be_changed
            a_username_and_an_email_are_not_taken_by_their_own_user
            a_username_finds_its_user_to_the_letter
            a_username_in_any_case_finds_its_user
            an_email_is_unique_whatever_its_case
            a_username_is_unique_whatever_its_case
            points_in_time_are_kept_to_the_microsecond
            unset_and_blank_are_two_things_for_a_user
            any_query_finds_the_cars_that_it_means
            any_query_finds_the_users_that_it_means
            any_query_finds_the_entries_that_it_means
            any_query_finds_the_tokens_that_it_means
        }
    };
    ($fixture:path: $($rule:ident)*) => {
        $(
            #[test]
            fn $rule() {
                let fixture = $fixture();
                $crate::store_contract::$rule(&*$crate::store_contract::Fixture::store(&fixture));
            }
        )*
    };
}

/// Keeps a new user and answers them.
fn keep_user(store: &dyn Store, user: &NewUser) -> User {
    insert_user(store, user).expect("the user can be kept")
}

fn insert_user(store: &dyn Store, user: &NewUser) -> Result<User, StoreError> {
    store.write(|unit| unit.users().insert(user))
}

/// Keeps a new car and answers it.
fn keep_car(store: &dyn Store, car: &NewCar) -> Car {
    insert_car(store, car).expect("the car can be kept")
}

fn insert_car(store: &dyn Store, car: &NewCar) -> Result<Car, StoreError> {
    store.write(|unit| unit.cars().insert(car))
}

/// Some user whom cars and tokens can belong to.
fn keep_owner(store: &dyn Store) -> User {
    keep_user(store, &samples::new_user("owner"))
}

/// Somebody whose username is not all ASCII.
fn asa() -> NewUser {
    NewUser {
        username: Username::from_storage("Åsa".into()),
        ..samples::new_user("asa")
    }
}

#[track_caller]
fn assert_taken<T: std::fmt::Debug>(outcome: Result<T, StoreError>, expected: Field) {
    match outcome {
        Err(StoreError::Taken(field)) if field == expected => {}
        other => panic!("{expected:?} should be taken: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_rule_is_forgotten() {
        let macro_text = include_str!("store_contract.rs");
        let rules = [
            include_str!("store_contract/audit_log.rs"),
            include_str!("store_contract/cars.rs"),
            include_str!("store_contract/installation.rs"),
            include_str!("store_contract/generated.rs"),
            include_str!("store_contract/refresh_tokens.rs"),
            include_str!("store_contract/sessions.rs"),
            include_str!("store_contract/transactions.rs"),
            include_str!("store_contract/users.rs"),
        ];
        for line in rules.iter().flat_map(|file| file.lines()) {
            if let Some(rule) = line
                .strip_prefix("pub fn ")
                .and_then(|line| line.split('(').next())
            {
                assert!(
                    macro_text.contains(&format!("            {rule}\n")),
                    "{rule} is no test"
                );
            }
        }
    }
}
