//! How the whole installation is doing, for admins.

use mycars_domain::{Action, Target, policy};

use crate::{
    App, Caller,
    lists::UserQuery,
    ports::{CarCount, ImageStoreError, ImageUsage},
    users::Error,
};

/// How the whole installation is doing.
#[derive(Debug)]
pub struct Status {
    /// How many users there are.
    pub users: u64,
    /// How many of them may log in.
    pub active_users: u64,
    /// How many cars there are, and how many have a picture.
    pub cars: CarCount,
    /// The room that pictures take, or why it can't be said.
    pub images: Result<ImageUsage, ImageStoreError>,
}

/// Reads how the installation is doing.
///
/// # Errors
/// [`Error::Denied`] for who is no admin; [`Error::Store`].
pub fn read(app: &App, caller: &Caller) -> Result<Status, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let (users, cars) = app.store.read(|unit| {
        let users = unit.users().counts(&UserQuery::default())?;
        Ok::<_, Error>((users, unit.cars().count_all()?))
    })?;
    Ok(Status {
        users: users.iter().map(|alike| alike.count).sum(),
        active_users: users
            .iter()
            .filter(|alike| alike.is_active)
            .map(|alike| alike.count)
            .sum(),
        cars,
        images: app.images.usage(),
    })
}
