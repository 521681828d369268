//! The store contract on both databases.

mod sqlite {
    mycars_testkit::store_contract!(mycars_testkit::TestDatabase::sqlite);
}

mod postgres {
    mycars_testkit::store_contract!(mycars_testkit::TestDatabase::postgres);
}

mod postgres_behind_pgbouncer {
    mycars_testkit::store_contract!(mycars_testkit::TestDatabase::postgres_behind_pgbouncer);
}
