//! Rows that were changed outside the ports.

use mycars_application::ports::StoreError;
use mycars_testkit::{TestDatabase, samples};

#[test]
fn invalid_row_is_a_fault() {
    let database = TestDatabase::sqlite();
    let store = database.store();
    let ann = store
        .write(|unit| unit.users().insert(&samples::new_user("ann")))
        .unwrap();
    database.execute("PRAGMA ignore_check_constraints = ON; UPDATE users SET role = 'boss'");
    let found = store.read(|unit| unit.users().find(ann.id));
    assert!(
        matches!(&found, Err(StoreError::Other(cause)) if cause.to_string().contains("boss")),
        "{found:?}"
    );
}

#[test]
fn constraints_refuse_invalid_rows() {
    for database in [TestDatabase::sqlite(), TestDatabase::postgres()] {
        let store = database.store();
        let car = store
            .write(|unit| {
                let ann = unit.users().insert(&samples::new_user("ann"))?;
                unit.cars().insert(&samples::new_car(ann.id, "B-AB 1"))
            })
            .unwrap();
        let mut car = mycars_domain::Car {
            mileage: mycars_domain::values::Mileage::from_storage(-1),
            ..car
        };
        let refused = store.write(|unit| unit.cars().update(&car));
        assert!(matches!(refused, Err(StoreError::Other(_))), "{refused:?}");
        car.mileage = mycars_domain::values::Mileage::from_storage(0);
        store.write(|unit| unit.cars().update(&car)).unwrap();
    }
}
