//! Who may do what to which car or user: one table, read from top to bottom.
//!
//! A use-case asks [`check`] before it does anything. There is no way around it: start-up tasks and the
//! command line ask as [`Actor::System`].

use crate::{Actor, Rank, UserId};

/// Something that can be done: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Action {
    /// Make an account for oneself.
    Register,
    /// Give somebody the role of an admin.
    GrantAdminRole,
    /// Read an account through one's own page (wire contract, section 4).
    ReadProfile,
    /// Change the details of an account through one's own page.
    ChangeProfile,
    /// Change a password by proving the old one.
    ChangePassword,
    /// End a login by giving up its refresh token.
    LogOut,
    /// Delete one's own account and its cars (wire contract, section 5).
    DeleteAccount,
    /// List the cars of one person (wire contract, section 5).
    ListCars,
    /// Add a car to one's own.
    CreateCar,
    /// Read a car among one's own.
    ReadCar,
    /// Change a car among one's own.
    ChangeCar,
    /// Delete a car among one's own.
    DeleteCar,
    /// List, read, add, change and delete the cars of whomever (wire contract, section 6).
    ManageCars,
    /// List and read accounts as an admin.
    ReadUsers,
    /// Make an account for somebody.
    CreateUser,
    /// Change the details of an account as an admin.
    ChangeUser,
    /// Set a password without proving the old one.
    SetPassword,
    /// Keep somebody from logging in.
    DeactivateUser,
    /// Take the role of an admin from somebody.
    DemoteUser,
    /// Delete an account and its cars.
    DeleteUser,
    /// End the logins of an account as an admin.
    EndLogins,
    /// Read what became of everybody's accounts and cars.
    ReadHistory,
    /// Forget the refresh tokens that have expired.
    FlushTokens,
    /// Delete the pictures that no car has.
    SweepImages,
    /// Forget the sessions of browsers whose time is over.
    ClearSessions,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 25] = [
        Self::Register,
        Self::GrantAdminRole,
        Self::ReadProfile,
        Self::ChangeProfile,
        Self::ChangePassword,
        Self::LogOut,
        Self::DeleteAccount,
        Self::ListCars,
        Self::CreateCar,
        Self::ReadCar,
        Self::ChangeCar,
        Self::DeleteCar,
        Self::ManageCars,
        Self::ReadUsers,
        Self::CreateUser,
        Self::ChangeUser,
        Self::SetPassword,
        Self::DeactivateUser,
        Self::DemoteUser,
        Self::DeleteUser,
        Self::EndLogins,
        Self::ReadHistory,
        Self::FlushTokens,
        Self::SweepImages,
        Self::ClearSessions,
    ];
}

/// What something is done to, as far as rights go.
///
/// ```
/// use mycars_domain::{Action, Actor, Denied, Rank, Target, UserId, policy};
///
/// let admin = Actor::User { id: UserId(1), rank: Rank::Admin };
/// let delete = |target| policy::check(&admin, Action::DeleteUser, target);
/// assert_eq!(delete(Target::user(UserId(2), Rank::Client)), Ok(()));
/// assert_eq!(delete(Target::user(UserId(2), Rank::Superuser)), Err(Denied::SuperusersOnly));
/// assert_eq!(delete(Target::user(UserId(1), Rank::Admin)), Err(Denied::NotToOneself));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    owner: Option<UserId>,
    rank: Rank,
}

impl Target {
    /// No car and no user: the action is about something new, or about all of them.
    pub const NOTHING: Self = Self {
        owner: None,
        rank: Rank::Client,
    };

    /// A car, or all cars, of this user, whose rank makes no difference.
    #[must_use]
    pub fn car_of(owner: UserId) -> Self {
        Self {
            owner: Some(owner),
            rank: Rank::Client,
        }
    }

    /// The account of the user with this id, who has this rank.
    #[must_use]
    pub fn user(id: UserId, rank: Rank) -> Self {
        Self {
            owner: Some(id),
            rank,
        }
    }
}

/// Why something may not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Denied {
    /// Nobody knows who asks; it might be allowed after a login.
    #[error("who asks is not known")]
    NotAuthenticated,
    /// What one may not see does not exist for one.
    #[error("there is no such thing for who asks")]
    NotFound,
    /// The rank of who asks does not reach this far.
    #[error("the rank of who asks does not reach this far")]
    Forbidden,
    /// Nobody may do this to themselves, lest the last admin lock everybody out.
    #[error("nobody may do this to themselves")]
    NotToOneself,
    /// Only a superuser may do this to a superuser.
    #[error("only a superuser may do this to a superuser")]
    SuperusersOnly,
    /// No other superuser is active: without this one, no user could manage superusers. A use-case decides this, under
    /// a lock on all superusers; [`check`] never returns it.
    #[error("no other superuser is active")]
    LastSuperuser,
}

type Verdict = Result<(), Denied>;

const YES: Verdict = Ok(());
const LOGIN: Verdict = Err(Denied::NotAuthenticated);
const HIDDEN: Verdict = Err(Denied::NotFound);
const NO: Verdict = Err(Denied::Forbidden);
const NOT_SELF: Verdict = Err(Denied::NotToOneself);
const SUPER: Verdict = Err(Denied::SuperusersOnly);

/// A row of the table: what is said to nobody, to each rank about what is theirs and what is somebody
/// else's, and to an admin about another person who is a superuser. The program itself may do everything.
struct Row {
    anonymous: Verdict,
    client: [Verdict; 2],
    admin: [Verdict; 3],
    superuser: [Verdict; 2],
}

#[rustfmt::skip]
#[expect(clippy::match_same_arms, reason = "a table has one row for each action")]
fn row(action: Action) -> Row {
    let (anonymous, client, admin, superuser) = match action {
        //                         nobody  client           admin                   superuser
        //                                 own     other    own       other  super  own       other
        Action::Register       => (YES,    [YES,    YES],   [YES,      YES,   YES],  [YES,      YES]),
        Action::GrantAdminRole => (NO,     [NO,     NO],    [YES,      YES,   SUPER],[YES,      YES]),
        Action::ReadProfile    => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN]),
        Action::ChangeProfile  => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN]),
        Action::ChangePassword => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN]),
        Action::LogOut         => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN]),
        Action::DeleteAccount  => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN]),
        Action::ListCars       => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN]),
        Action::CreateCar      => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN]),
        Action::ReadCar        => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN]),
        Action::ChangeCar      => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN]),
        Action::DeleteCar      => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN]),
        Action::ManageCars     => (LOGIN,  [NO,     NO],    [YES,      YES,   YES],  [YES,      YES]),
        Action::ReadUsers      => (LOGIN,  [NO,     NO],    [YES,      YES,   YES],  [YES,      YES]),
        Action::CreateUser     => (LOGIN,  [NO,     NO],    [YES,      YES,   YES],  [YES,      YES]),
        Action::ChangeUser     => (LOGIN,  [NO,     NO],    [YES,      YES,   SUPER],[YES,      YES]),
        Action::SetPassword    => (LOGIN,  [NO,     NO],    [YES,      YES,   SUPER],[YES,      YES]),
        Action::DeactivateUser => (LOGIN,  [NO,     NO],    [NOT_SELF, YES,   SUPER],[NOT_SELF, YES]),
        Action::DemoteUser     => (LOGIN,  [NO,     NO],    [NOT_SELF, YES,   SUPER],[NOT_SELF, YES]),
        Action::DeleteUser     => (LOGIN,  [NO,     NO],    [NOT_SELF, YES,   SUPER],[NOT_SELF, YES]),
        Action::EndLogins      => (LOGIN,  [NO,     NO],    [YES,      YES,   SUPER],[YES,      YES]),
        Action::ReadHistory    => (LOGIN,  [NO,     NO],    [YES,      YES,   YES],  [YES,      YES]),
        Action::FlushTokens    => (LOGIN,  [NO,     NO],    [NO,       NO,    NO],   [NO,       NO]),
        Action::SweepImages    => (LOGIN,  [NO,     NO],    [NO,       NO,    NO],   [NO,       NO]),
        Action::ClearSessions  => (LOGIN,  [NO,     NO],    [NO,       NO,    NO],   [NO,       NO]),
    };
    Row { anonymous, client, admin, superuser }
}

/// Whether `actor` may do `action` to `target` (wire contract, sections 4 to 6). What is nobody's counts as somebody
/// else's.
///
/// # Errors
/// [`Denied`] says why not.
///
/// ```
/// use mycars_domain::{Action, Actor, Denied, Rank, Target, UserId, policy};
///
/// let ann = Actor::User { id: UserId(1), rank: Rank::Client };
/// assert_eq!(policy::check(&ann, Action::ReadCar, Target::car_of(UserId(1))), Ok(()));
/// assert_eq!(policy::check(&ann, Action::ReadCar, Target::car_of(UserId(2))), Err(Denied::NotFound));
/// ```
pub fn check(actor: &Actor, action: Action, target: Target) -> Result<(), Denied> {
    let row = row(action);
    match *actor {
        Actor::System => YES,
        Actor::Anonymous => row.anonymous,
        Actor::User { id, rank } => {
            let own = target.owner == Some(id);
            match rank {
                Rank::Client => row.client[usize::from(!own)],
                Rank::Admin if own => row.admin[0],
                Rank::Admin if target.rank == Rank::Superuser => row.admin[2],
                Rank::Admin => row.admin[1],
                Rank::Superuser => row.superuser[usize::from(!own)],
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: UserId = UserId(1);
    const OTHER: UserId = UserId(2);

    /// The whole table once more, written by hand from the wire contract as one word a cell, so that no cell
    /// changes unnoticed.
    const EXPECTED: &str = "
        Register       | yes   | yes yes    | yes yes yes          | yes yes
        GrantAdminRole | no    | no no      | yes yes super        | yes yes
        ReadProfile    | login | yes hidden | yes hidden hidden    | yes hidden
        ChangeProfile  | login | yes hidden | yes hidden hidden    | yes hidden
        ChangePassword | login | yes hidden | yes hidden hidden    | yes hidden
        LogOut         | login | yes hidden | yes hidden hidden    | yes hidden
        DeleteAccount  | login | yes hidden | yes hidden hidden    | yes hidden
        ListCars       | login | yes hidden | yes hidden hidden    | yes hidden
        CreateCar      | login | yes hidden | yes hidden hidden    | yes hidden
        ReadCar        | login | yes hidden | yes hidden hidden    | yes hidden
        ChangeCar      | login | yes hidden | yes hidden hidden    | yes hidden
        DeleteCar      | login | yes hidden | yes hidden hidden    | yes hidden
        ManageCars     | login | no no      | yes yes yes          | yes yes
        ReadUsers      | login | no no      | yes yes yes          | yes yes
        CreateUser     | login | no no      | yes yes yes          | yes yes
        ChangeUser     | login | no no      | yes yes super        | yes yes
        SetPassword    | login | no no      | yes yes super        | yes yes
        DeactivateUser | login | no no      | notself yes super    | notself yes
        DemoteUser     | login | no no      | notself yes super    | notself yes
        DeleteUser     | login | no no      | notself yes super    | notself yes
        EndLogins      | login | no no      | yes yes super        | yes yes
        ReadHistory    | login | no no      | yes yes yes          | yes yes
        FlushTokens    | login | no no      | no no no             | no no
        SweepImages    | login | no no      | no no no             | no no
        ClearSessions  | login | no no      | no no no             | no no
    ";

    fn word(verdict: Verdict) -> &'static str {
        match verdict {
            Ok(()) => "yes",
            Err(Denied::NotAuthenticated) => "login",
            Err(Denied::NotFound) => "hidden",
            Err(Denied::Forbidden) => "no",
            Err(Denied::NotToOneself) => "notself",
            Err(Denied::SuperusersOnly) => "super",
            Err(Denied::LastSuperuser) => "last",
        }
    }

    fn cells(action: Action) -> String {
        let user = |rank| Actor::User { id: ME, rank };
        let ask = |actor: &Actor, target| word(check(actor, action, target));
        let own = Target::user(ME, Rank::Client);
        let other = Target::user(OTHER, Rank::Client);
        let superuser = Target::user(OTHER, Rank::Superuser);
        format!(
            "{action:?} | {} | {} {} | {} {} {} | {} {}",
            ask(&Actor::Anonymous, other),
            ask(&user(Rank::Client), own),
            ask(&user(Rank::Client), other),
            ask(&user(Rank::Admin), own),
            ask(&user(Rank::Admin), other),
            ask(&user(Rank::Admin), superuser),
            ask(&user(Rank::Superuser), own),
            ask(&user(Rank::Superuser), other),
        )
    }

    #[test]
    fn every_cell_of_the_table_is_as_the_contract_says() {
        let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let expected: Vec<String> = EXPECTED.trim().lines().map(squeeze).collect();
        let actual: Vec<String> = Action::ALL.into_iter().map(cells).collect();
        assert_eq!(actual, expected);
    }

    #[test]
    fn the_program_itself_may_do_everything_to_everybody() {
        for action in Action::ALL {
            for target in [
                Target::NOTHING,
                Target::car_of(ME),
                Target::user(ME, Rank::Superuser),
            ] {
                assert_eq!(check(&Actor::System, action, target), Ok(()), "{action:?}");
            }
        }
    }

    #[test]
    fn what_is_nobodys_is_not_ones_own() {
        let client = Actor::User {
            id: ME,
            rank: Rank::Client,
        };
        assert_eq!(check(&client, Action::ListCars, Target::NOTHING), HIDDEN);
    }

    #[test]
    fn a_superusers_cars_are_an_admins_to_manage() {
        let admin = Actor::User {
            id: ME,
            rank: Rank::Admin,
        };
        assert_eq!(check(&admin, Action::ManageCars, Target::car_of(OTHER)), YES);
    }
}
