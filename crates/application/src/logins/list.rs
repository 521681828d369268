//! List the refresh tokens that are known.

use mycars_domain::{Action, Target, policy};

use crate::{
    App, Caller,
    lists::{Listed, TokenQuery, in_order_of},
    ports::ListedToken,
    users::Error,
};

/// The refresh tokens that `query` asks for, in a fixed number of queries however many there are.
///
/// # Errors
/// [`Error::Denied`] for who is no admin; [`Error::Store`].
pub fn list(app: &App, caller: &Caller, query: &TokenQuery) -> Result<Listed<ListedToken>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    app.store.read(|unit| {
        let total = match query.page {
            Some(_) => Some(unit.refresh_tokens().count(query)?),
            None => None,
        };
        Ok(Listed {
            items: unit.refresh_tokens().list(query)?,
            total,
        })
    })
}

/// How many refresh tokens `query` asks for, on all its pages.
///
/// # Errors
/// [`Error::Denied`] for who is no admin; [`Error::Store`].
pub fn count(app: &App, caller: &Caller, query: &TokenQuery) -> Result<u64, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    Ok(app.store.read(|unit| unit.refresh_tokens().count(query))?)
}

/// The numbers of all refresh tokens that `query` asks for, in its order, whatever its page.
///
/// # Errors
/// [`Error::Denied`] for who is no admin; [`Error::Store`].
pub fn numbers(app: &App, caller: &Caller, query: &TokenQuery) -> Result<Vec<i64>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    Ok(app.store.read(|unit| unit.refresh_tokens().numbers(query))?)
}

/// The refresh tokens that have these numbers, in their order; those that are gone are left out.
///
/// # Errors
/// [`Error::Denied`] for who is no admin; [`Error::Store`].
pub fn read_all(app: &App, caller: &Caller, numbers: &[i64]) -> Result<Vec<ListedToken>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let mut tokens = app.store.read(|unit| unit.refresh_tokens().find_all(numbers))?;
    in_order_of(numbers, &mut tokens, |token| token.number);
    Ok(tokens)
}
