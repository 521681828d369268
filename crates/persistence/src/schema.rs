//! The schema of the tables for Diesel.

/// Declares the tables. The type of timestamps is the only column type that differs between the databases.
macro_rules! schema {
    ($Time:ident) => {
        diesel::table! {
            users (id) {
                id -> BigInt,
                username -> Text,
                username_key -> Text,
                email -> Text,
                email_key -> Text,
                first_name -> Text,
                last_name -> Text,
                role -> Text,
                phone -> Nullable<Text>,
                address -> Nullable<Text>,
                is_active -> Bool,
                is_superuser -> Bool,
                password -> Text,
                search_key -> Text,
                logins_ended_at -> Nullable<$Time>,
                access_ended_at -> Nullable<$Time>,
                email_verified_at -> Nullable<$Time>,
                pending_email -> Nullable<Text>,
                previous_email -> Nullable<Text>,
                previous_email_key -> Nullable<Text>,
                email_replaced_at -> Nullable<$Time>,
                date_joined -> $Time,
                last_login -> Nullable<$Time>,
                created_at -> $Time,
                updated_at -> $Time,
            }
        }

        diesel::table! {
            cars (id) {
                id -> BigInt,
                owner_id -> BigInt,
                brand -> Text,
                model -> Text,
                year -> Integer,
                color -> Nullable<Text>,
                license -> Text,
                license_key -> Text,
                vin -> Nullable<Text>,
                mileage -> Integer,
                image -> Nullable<Text>,
                image_bytes -> Nullable<BigInt>,
                notes -> Nullable<Text>,
                search_key -> Text,
                created_at -> $Time,
                updated_at -> $Time,
            }
        }

        diesel::table! {
            refresh_tokens (id) {
                id -> BigInt,
                jti -> Text,
                user_id -> Nullable<BigInt>,
                issued_at -> $Time,
                expires_at -> $Time,
                revoked_at -> Nullable<$Time>,
                revocation -> Nullable<Text>,
                family -> Nullable<Text>,
                logged_in_at -> Nullable<$Time>,
                last_used_at -> Nullable<$Time>,
                address -> Nullable<Text>,
                program -> Nullable<Text>,
            }
        }

        diesel::table! {
            audit_log (id) {
                id -> BigInt,
                at -> $Time,
                action -> Text,
                object_type -> Text,
                object_id -> Text,
                object_name -> Text,
                owner_id -> Nullable<BigInt>,
                actor_id -> Nullable<BigInt>,
                actor_name -> Text,
                channel -> Text,
                request_id -> Nullable<Text>,
                address -> Nullable<Text>,
                changes -> Text,
                search_key -> Text,
            }
        }

        diesel::table! {
            audit_log_pruning (number) {
                number -> BigInt,
                below -> BigInt,
            }
        }

        diesel::table! {
            audit_log_erasure (number) {
                number -> BigInt,
                user_id -> BigInt,
            }
        }

        diesel::table! {
            audit_log_addresses (number) {
                number -> BigInt,
                forgotten_below -> BigInt,
            }
        }

        diesel::table! {
            sessions (id) {
                id -> BigInt,
                key_hash -> Text,
                user_id -> BigInt,
                created_at -> $Time,
                last_seen_at -> $Time,
                address -> Nullable<Text>,
                program -> Nullable<Text>,
            }
        }

        diesel::table! {
            api_keys (id) {
                id -> BigInt,
                owner_id -> BigInt,
                name -> Text,
                prefix -> Text,
                key_hash -> Text,
                rights -> Text,
                created_at -> $Time,
                expires_at -> Nullable<$Time>,
                last_used_at -> Nullable<$Time>,
            }
        }

        diesel::table! {
            outbox (id) {
                id -> BigInt,
                kind -> Text,
                user_id -> Nullable<BigInt>,
                recipient -> Nullable<Text>,
                created_at -> $Time,
                due_at -> $Time,
                tries -> Integer,
            }
        }

        diesel::table! {
            installation (number) {
                number -> BigInt,
                id -> Text,
                created_at -> $Time,
            }
        }

        diesel::table! {
            leases (name) {
                name -> Text,
                holder -> Text,
                held_until -> $Time,
                due_at -> $Time,
            }
        }

        diesel::table! {
            rate_buckets (key) {
                key -> Text,
                whole_at -> BigInt,
            }
        }

        diesel::table! {
            contracts (migration) {
                migration -> Text,
            }
        }

        // Cars and tokens are also queried together with their users.
        diesel::allow_tables_to_appear_in_same_query!(users, cars, refresh_tokens);
    };
}
