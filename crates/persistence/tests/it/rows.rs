//! What happens to rows that no port touches.

use mycars_application::ports::StoreError;
use mycars_testkit::{TestDatabase, samples};

#[test]
fn the_cars_of_a_deleted_user_go_and_their_tokens_stay() {
    for database in [TestDatabase::sqlite(), TestDatabase::postgres()] {
        let store = database.store();
        let (ann, eve) = store
            .write(|unit| {
                let ann = unit.users().insert(&samples::new_user("ann"))?.id;
                let eve = unit.users().insert(&samples::new_user("eve"))?.id;
                unit.cars().insert(&samples::new_car(ann, "B-AB 1"))?;
                unit.cars().insert(&samples::new_car(eve, "B-AB 2"))?;
                unit.refresh_tokens().record(&samples::refresh_token("a", ann))?;
                Ok::<_, StoreError>((ann, eve))
            })
            .unwrap();
        database.execute(&format!("DELETE FROM users WHERE id = {ann}"));
        let (anns, eves, token) = store
            .read(|unit| {
                let cars = unit.cars();
                let (anns, eves) = (cars.list(ann)?, cars.list(eve)?);
                Ok::<_, StoreError>((anns, eves, unit.refresh_tokens().find("a")?))
            })
            .unwrap();
        assert_eq!((anns.len(), eves.len()), (0, 1), "{}", database.url());
        assert_eq!(token.unwrap().user, None, "{}", database.url());
    }
}

#[test]
fn a_row_that_makes_no_sense_is_a_fault() {
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
fn the_databases_themselves_refuse_what_makes_no_sense() {
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
