//! Log a browser out.

use super::hash;
use crate::{App, ports::StoreError};

/// Ends the session with this key, if there is one.
///
/// # Errors
/// Those of the store.
pub fn log_out(app: &App, key: &str) -> Result<(), StoreError> {
    app.store.write(|unit| unit.sessions().delete(&hash(key)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::Mocks;

    #[test]
    fn log_out_deletes_the_session() {
        let mut mocks = Mocks::new();
        mocks
            .unit
            .sessions
            .expect_delete()
            .withf(|given| given == hash("key"))
            .once()
            .returning(|_| Ok(()));
        let (app, store) = mocks.into_app();
        log_out(&app, "key").unwrap();
        assert_eq!(store.commits(), 1);
    }
}
