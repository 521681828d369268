//! List one's own cars.

use mycars_domain::{Action, Actor, Car};

use super::{Error, owner};
use crate::App;

/// All cars of `actor`, newest first (wire contract, section 5).
///
/// # Errors
/// [`Error::Denied`] for nobody; [`Error::Store`].
pub fn list(app: &App, actor: &Actor) -> Result<Vec<Car>, Error> {
    let owner = owner(actor, Action::ListCars)?;
    app.store.read(|unit| Ok(unit.cars().list(owner)?))
}

#[cfg(test)]
mod tests {
    use mockall::predicate::eq;
    use mycars_domain::{Denied, Rank, UserId};

    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn nobody_has_no_cars() {
        let (app, store) = Mocks::new().into_app();
        assert!(matches!(
            list(&app, &Actor::Anonymous),
            Err(Error::Denied(Denied::NotAuthenticated))
        ));
        assert_eq!(store.reads(), 0);
    }

    #[test]
    fn one_sees_ones_own_cars_and_no_others_as_an_admin_too() {
        let mut mocks = Mocks::new();
        mocks
            .unit
            .cars
            .expect_list()
            .with(eq(UserId(2)))
            .once()
            .returning(|_| Ok(vec![samples::car()]));
        let (app, _) = mocks.into_app();
        let cars = list(&app, &samples::somebody_else(Rank::Superuser)).unwrap();
        assert_eq!(cars, [samples::car()]);
    }

    #[test]
    fn a_store_that_is_away_is_said_to_be_away() {
        let (app, _) = Mocks {
            store_is_away: true,
            ..Mocks::new()
        }
        .into_app();
        let failed = list(&app, &samples::user().actor());
        assert!(matches!(
            failed,
            Err(Error::Store(crate::ports::StoreError::Unavailable(_)))
        ));
    }
}
