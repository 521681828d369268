//! The rules for every store, on any database: one function for each, which panics if the given store breaks
//! the rule. Each needs a store without users.
//!
//! [`store_contract!`](crate::store_contract!) makes one test of each rule.

mod api_keys;
mod audit_log;
mod cars;
mod generated;
mod installation;
mod leases;
mod outbox;
mod rates;
mod refresh_tokens;
mod rows;
mod sessions;
mod transactions;
mod users;

pub use api_keys::*;
pub use audit_log::*;
pub use cars::*;
pub use generated::*;
pub use installation::*;
pub use leases::*;
pub use outbox::*;
pub use rates::*;
pub use refresh_tokens::*;
pub use rows::*;
pub use sessions::*;
pub use transactions::*;
pub use users::*;

use std::sync::Arc;

use mycars_application::ports::{Store, StoreError};
use mycars_domain::{Car, Field, NewCar, NewUser, User, values::Username};

use crate::samples;

/// The fixture of a test: a store without users, and all resources that must live as long as the store, such as the
/// database behind it.
pub trait Fixture {
    /// Returns the store.
    fn store(&self) -> Arc<dyn Store>;
}

impl Fixture for Arc<dyn Store> {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self)
    }
}

/// Generates one test for each rule. The argument is the name of a function that creates a [`Fixture`] for one test:
/// a store by itself, or a `TestDatabase`.
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
        $crate::rates_contract! { $fixture }
        $crate::store_contract! { $fixture:
            appended_entry_is_returned_unchanged
            entries_are_ordered_by_id_in_both_directions
            entry_filters_match_exactly
            entry_search_ignores_case
            entry_count_ignores_page
            entries_are_counted_by_action_and_object_type
            entries_are_found_by_many_ids
            oldest_entries_are_deleted_and_newest_stays
            texts_of_a_user_are_forgotten
            entries_of_a_user_are_read_in_pieces
            forgetting_is_rolled_back
            addresses_of_old_entries_are_forgotten
            entry_of_deleted_car_and_user_is_kept
            entry_is_rolled_back_with_its_change
            car_is_inserted_with_its_entry
            user_is_found_with_own_car_only
            car_update_stores_every_field
            inserted_car_is_returned_unchanged
            car_of_missing_owner_is_refused
            update_of_missing_car_is_an_error
            delete_of_car_is_idempotent
            plate_is_unique_ignoring_case
            plates_are_looked_up_with_their_owners
            many_cars_are_inserted_in_order_of_ids
            own_plate_is_not_taken
            cars_are_listed_newest_first_then_by_id
            car_search_ignores_case
            long_words_are_found_in_long_notes
            car_filters_match_exactly
            car_text_is_ordered_by_code_points
            car_count_ignores_page
            cars_of_user_are_locked_in_order_of_ids
            users_are_searched_filtered_and_ordered
            cars_of_all_owners_are_one_list
            search_in_all_cars_covers_owners
            brand_counts_are_ordered_by_frequency
            cars_are_found_by_many_ids
            cars_and_pictures_are_counted_by_owner
            cars_are_counted_with_plate_lookup
            picture_sizes_are_summed_by_owner
            car_versions_change_with_each_car
            delete_of_user_deletes_cars_and_keeps_tokens
            id_of_deleted_car_is_not_reused
            car_list_has_only_cars_of_owner
            blank_color_differs_from_unset
            identity_is_kept_once
            identity_of_rolled_back_write_is_not_kept
            concurrent_callers_get_one_identity
            first_take_stores_lease_that_is_due_later
            held_lease_is_refused_to_others_until_it_ends
            released_lease_is_due_after_interval
            concurrent_takers_get_lease_once
            whole_buckets_are_deleted
            concurrent_prunings_count_each_entry_once
            revoke_all_affects_live_tokens_of_user
            revoke_all_excepts_a_family
            revoked_family_has_its_first_token_and_no_other
            revocation_keeps_the_use_and_removes_the_device
            logins_are_listed_once_newest_first
            tokens_are_filtered_by_state_and_user
            token_search_covers_jti_and_owner
            tokens_are_ordered_and_paginated
            tokens_are_found_by_many_ids_with_owner_names
            revoked_token_has_reason
            recorded_token_is_returned_unchanged
            second_record_of_token_changes_nothing
            token_of_missing_user_is_refused
            expired_tokens_are_deleted_and_counted
            inserted_rows_are_listed_unchanged
            next_ids_follow_those_that_were_set
            inserted_identity_replaces_the_existing_one
            rows_that_differ_only_in_case_are_inserted
            snapshot_sees_one_moment
            inserted_key_is_returned_unchanged
            keys_are_listed_and_deleted_by_user
            key_hash_is_unique
            sessions_are_counted_by_user
            sessions_of_user_are_listed_last_used_first
            delete_all_sessions_excepts_one
            inserted_session_is_returned_unchanged
            expired_sessions_are_deleted_and_counted
            sessions_are_deleted_one_by_one_and_by_user
            committed_write_is_kept
            write_now_commits_or_rolls_back
            failed_statement_rolls_back_whole_write
            read_sees_only_committed_changes
            failed_write_is_rolled_back_and_returns_error
            panicking_write_is_rolled_back_and_unlocks
            concurrent_inserts_of_one_plate_succeed_once
            mails_are_due_in_order_of_time
            mail_is_postponed_once_for_each_attempt
            concurrent_claims_of_a_mail_succeed_once
            mails_of_deleted_user_are_deleted
            mail_is_rolled_back_with_its_change
            ping_of_running_database_succeeds
            concurrent_writers_lose_no_update
            user_ids_have_order_of_list
            users_are_counted_by_role_and_activity
            users_are_found_by_many_ids
            user_update_stores_every_field
            superusers_are_locked_in_order_of_ids
            concurrent_deletes_leave_one_superuser
            inserted_user_is_returned_unchanged
            update_of_missing_user_is_an_error
            own_username_and_email_are_not_taken
            find_by_username_is_case_sensitive
            find_in_any_case_ignores_case
            find_by_email_ignores_case
            email_is_unique_ignoring_case
            replaced_email_is_reserved_for_seven_days
            old_replaced_emails_are_forgotten
            username_is_unique_ignoring_case
            timestamps_are_kept_to_the_microsecond
            blank_phone_differs_from_unset
            generated_car_queries_match_reference
            generated_user_queries_match_reference
            generated_entry_queries_match_reference
            generated_token_queries_match_reference
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

/// Inserts a user, and returns it as stored.
fn keep_user(store: &dyn Store, user: &NewUser) -> User {
    insert_user(store, user).expect("the user can be stored")
}

fn insert_user(store: &dyn Store, user: &NewUser) -> Result<User, StoreError> {
    store.write(|unit| unit.users().insert(user))
}

/// Inserts a car, and returns it as stored.
fn keep_car(store: &dyn Store, car: &NewCar) -> Car {
    insert_car(store, car).expect("the car can be stored")
}

fn insert_car(store: &dyn Store, car: &NewCar) -> Result<Car, StoreError> {
    store.write(|unit| unit.cars().insert(car))
}

/// Inserts a user, as the owner of cars and tokens.
fn keep_owner(store: &dyn Store) -> User {
    keep_user(store, &samples::new_user("owner"))
}

/// Returns a user with a username that is not all ASCII.
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
    fn macro_lists_every_rule() {
        let macro_text = include_str!("store_contract.rs");
        let rules = [
            include_str!("store_contract/api_keys.rs"),
            include_str!("store_contract/audit_log.rs"),
            include_str!("store_contract/cars.rs"),
            include_str!("store_contract/installation.rs"),
            include_str!("store_contract/generated.rs"),
            include_str!("store_contract/leases.rs"),
            include_str!("store_contract/outbox.rs"),
            include_str!("store_contract/rates.rs"),
            include_str!("store_contract/refresh_tokens.rs"),
            include_str!("store_contract/rows.rs"),
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
                    "{rule} is missing in the macro"
                );
            }
        }
    }
}
