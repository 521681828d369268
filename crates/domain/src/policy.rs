//! Permissions on cars and users, as one table, read from top to bottom.
//!
//! Each use-case calls [`check`] before anything else, without exceptions: start-up tasks and the command line call
//! it as [`Actor::System`].

use crate::{Actor, KeyRights, Rank, UserId};

/// An action: a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Action {
    /// Register an account for the caller.
    Register,
    /// Grant the admin role.
    GrantAdminRole,
    /// Read the caller's account (wire contract, section 4).
    ReadProfile,
    /// Change the details of the caller's account.
    ChangeProfile,
    /// Change the caller's password, with the old password as proof.
    ChangePassword,
    /// End a login of the caller by revoking its refresh token.
    LogOut,
    /// List the logins of an account.
    ReadLogins,
    /// End a login of an account.
    EndLogin,
    /// List the API keys of an account.
    ReadKeys,
    /// Create an API key of the caller.
    CreateKey,
    /// End an API key of an account.
    EndKey,
    /// Export all data about the caller.
    ExportData,
    /// Delete the caller's account and its cars (wire contract, section 5).
    DeleteAccount,
    /// List the caller's cars (wire contract, section 5).
    ListCars,
    /// Add a car of the caller.
    CreateCar,
    /// Read a car of the caller.
    ReadCar,
    /// Change a car of the caller.
    ChangeCar,
    /// Delete a car of the caller.
    DeleteCar,
    /// List, read, add, change and delete the cars of any user (wire contract, section 6).
    ManageCars,
    /// List and read accounts as an admin.
    ReadUsers,
    /// Create an account for another user.
    CreateUser,
    /// Change the details of an account as an admin.
    ChangeUser,
    /// Set another user's password, without the old one.
    SetPassword,
    /// Deactivate a user.
    DeactivateUser,
    /// Revoke the admin role.
    DemoteUser,
    /// Delete an account and its cars.
    DeleteUser,
    /// End the logins of an account as an admin.
    EndLogins,
    /// Read the history of all accounts and cars.
    ReadHistory,
    /// Delete the refresh tokens that have expired.
    FlushTokens,
    /// Delete the pictures that no car refers to.
    SweepImages,
    /// Set a new password of the user that a link names.
    ResetPassword,
    /// Verify the e-mail address of the user that a link names, or put the old one back.
    VerifyEmail,
    /// Send the mails that are due.
    SendMail,
    /// Delete the browser sessions that have expired.
    ClearSessions,
    /// Delete the oldest entries of the audit log, or the addresses in them.
    PruneAuditLog,
    /// Back up, restore or copy all data.
    BackUp,
    /// Import all data of the Django system.
    ImportDjango,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 37] = [
        Self::Register,
        Self::GrantAdminRole,
        Self::ReadProfile,
        Self::ChangeProfile,
        Self::ChangePassword,
        Self::LogOut,
        Self::ReadLogins,
        Self::EndLogin,
        Self::ReadKeys,
        Self::CreateKey,
        Self::EndKey,
        Self::ExportData,
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
        Self::ResetPassword,
        Self::VerifyEmail,
        Self::SendMail,
        Self::ClearSessions,
        Self::PruneAuditLog,
        Self::BackUp,
        Self::ImportDjango,
    ];
}

/// The target of an action, as far as permissions depend on it.
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
    /// Returns the target of an action on new objects or on all objects: neither a car nor a user.
    pub const NOTHING: Self = Self {
        owner: None,
        rank: Rank::Client,
    };

    /// Returns the target for one car or all cars of this user. The rank of the owner makes no difference.
    #[must_use]
    pub fn car_of(owner: UserId) -> Self {
        Self {
            owner: Some(owner),
            rank: Rank::Client,
        }
    }

    /// Returns the target for the account of the user with this id and rank.
    #[must_use]
    pub fn user(id: UserId, rank: Rank) -> Self {
        Self {
            owner: Some(id),
            rank,
        }
    }
}

/// The reason why an action is denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Denied {
    /// The caller is not authenticated; after a login, the action might be allowed.
    #[error("the caller is not authenticated")]
    NotAuthenticated,
    /// The caller may not see the object, which is reported as if it did not exist.
    #[error("the object does not exist for the caller")]
    NotFound,
    /// The caller's rank is too low.
    #[error("the caller's rank is too low")]
    Forbidden,
    /// Users may not do this to themselves, so that the last admin cannot lock everyone out.
    #[error("users may not do this to themselves")]
    NotToOneself,
    /// Users change their own password with the old one as proof: [`Action::ChangePassword`].
    #[error("the old password is required")]
    OldPasswordRequired,
    /// No API key may do this, whatever its user may: a login is required.
    #[error("an API key may not do this: a login is required")]
    LoginRequired,
    /// The API key may only read.
    #[error("the API key may only read")]
    ReadOnlyKey,
    /// The access token of the request names no login. A use-case decides this; [`check`] never returns it.
    #[error("the access token names no login")]
    UnknownLogin,
    /// Only a superuser may do this to a superuser.
    #[error("only a superuser may do this to a superuser")]
    SuperusersOnly,
    /// No other superuser is active: without this one, superusers could no longer be managed. A use-case decides
    /// this, under a lock on all superusers; [`check`] never returns it.
    #[error("no other superuser is active")]
    LastSuperuser,
}

type Verdict = Result<(), Denied>;

const YES: Verdict = Ok(());
const LOGIN: Verdict = Err(Denied::NotAuthenticated);
const HIDDEN: Verdict = Err(Denied::NotFound);
const NO: Verdict = Err(Denied::Forbidden);
const NOT_SELF: Verdict = Err(Denied::NotToOneself);
const PROOF: Verdict = Err(Denied::OldPasswordRequired);
const SUPER: Verdict = Err(Denied::SuperusersOnly);

/// A row of the table. It has the decision for anonymous callers, for each rank about its own objects and about those
/// of others, and for an admin about another user with superuser rights; and the rights that an API key needs besides
/// those of its user. The program itself may do everything.
struct Row {
    anonymous: Verdict,
    client: [Verdict; 2],
    admin: [Verdict; 3],
    superuser: [Verdict; 2],
    key: Option<KeyRights>,
}

const READ: Option<KeyRights> = Some(KeyRights::Read);
const WRITE: Option<KeyRights> = Some(KeyRights::Write);
/// No key may do it: it would extend the rights of the key or its life, or change an account.
const NEVER: Option<KeyRights> = None;

#[rustfmt::skip]
#[expect(clippy::match_same_arms, reason = "a table has one row for each action")]
fn row(action: Action) -> Row {
    let (anonymous, client, admin, superuser, key) = match action {
        //                         anon.   client           admin                   superuser            key
        //                                 own     other    own       other  super  own       other
        Action::Register       => (YES,    [YES,    YES],   [YES,      YES,   YES],  [YES,      YES],           NEVER),
        Action::GrantAdminRole => (NO,     [NO,     NO],    [YES,      YES,   SUPER],[YES,      YES],           NEVER),
        Action::ReadProfile    => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN],        READ),
        Action::ChangeProfile  => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN],        NEVER),
        Action::ChangePassword => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN],        NEVER),
        Action::LogOut         => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN],        NEVER),
        Action::ReadLogins     => (LOGIN,  [YES,    HIDDEN],[YES,      YES,   YES],  [YES,      YES],           NEVER),
        Action::EndLogin       => (LOGIN,  [YES,    HIDDEN],[YES,      YES,   SUPER],[YES,      YES],           NEVER),
        Action::ReadKeys       => (LOGIN,  [YES,    HIDDEN],[YES,      YES,   YES],  [YES,      YES],           NEVER),
        Action::CreateKey      => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN],        NEVER),
        Action::EndKey         => (LOGIN,  [YES,    HIDDEN],[YES,      YES,   SUPER],[YES,      YES],           NEVER),
        Action::ExportData     => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN],        NEVER),
        Action::DeleteAccount  => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN],        NEVER),
        Action::ListCars       => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN],        READ),
        Action::CreateCar      => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN],        WRITE),
        Action::ReadCar        => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN],        READ),
        Action::ChangeCar      => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN],        WRITE),
        Action::DeleteCar      => (LOGIN,  [YES,    HIDDEN],[YES,      HIDDEN,HIDDEN],[YES,     HIDDEN],        WRITE),
        Action::ManageCars     => (LOGIN,  [NO,     NO],    [YES,      YES,   YES],  [YES,      YES],           READ),
        Action::ReadUsers      => (LOGIN,  [NO,     NO],    [YES,      YES,   YES],  [YES,      YES],           READ),
        Action::CreateUser     => (LOGIN,  [NO,     NO],    [YES,      YES,   YES],  [YES,      YES],           NEVER),
        Action::ChangeUser     => (LOGIN,  [NO,     NO],    [YES,      YES,   SUPER],[YES,      YES],           NEVER),
        Action::SetPassword    => (LOGIN,  [NO,     NO],    [PROOF,    YES,   SUPER],[PROOF,    YES],           NEVER),
        Action::DeactivateUser => (LOGIN,  [NO,     NO],    [NOT_SELF, YES,   SUPER],[NOT_SELF, YES],           NEVER),
        Action::DemoteUser     => (LOGIN,  [NO,     NO],    [NOT_SELF, YES,   SUPER],[NOT_SELF, YES],           NEVER),
        Action::DeleteUser     => (LOGIN,  [NO,     NO],    [NOT_SELF, YES,   SUPER],[NOT_SELF, YES],           NEVER),
        Action::EndLogins      => (LOGIN,  [NO,     NO],    [YES,      YES,   SUPER],[YES,      YES],           NEVER),
        Action::ReadHistory    => (LOGIN,  [NO,     NO],    [YES,      YES,   YES],  [YES,      YES],           READ),
        Action::FlushTokens    => (LOGIN,  [NO,     NO],    [NO,       NO,    NO],   [NO,       NO],            NEVER),
        Action::SweepImages    => (LOGIN,  [NO,     NO],    [NO,       NO,    NO],   [NO,       NO],            NEVER),
        Action::ResetPassword  => (YES,    [YES,    YES],   [YES,      YES,   YES],  [YES,      YES],           NEVER),
        Action::VerifyEmail    => (YES,    [YES,    YES],   [YES,      YES,   YES],  [YES,      YES],           NEVER),
        Action::SendMail       => (LOGIN,  [NO,     NO],    [NO,       NO,    NO],   [NO,       NO],            NEVER),
        Action::ClearSessions  => (LOGIN,  [NO,     NO],    [NO,       NO,    NO],   [NO,       NO],            NEVER),
        Action::PruneAuditLog  => (LOGIN,  [NO,     NO],    [NO,       NO,    NO],   [NO,       NO],            NEVER),
        Action::BackUp         => (LOGIN,  [NO,     NO],    [NO,       NO,    NO],   [NO,       NO],            NEVER),
        Action::ImportDjango   => (LOGIN,  [NO,     NO],    [NO,       NO,    NO],   [NO,       NO],            NEVER),
    };
    Row { anonymous, client, admin, superuser, key }
}

/// Checks whether `actor` may do `action` to `target` (wire contract, sections 4 to 6). An object without an owner
/// counts as one of another user.
///
/// # Errors
/// [`Denied`], the reason.
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
        Actor::Key { id, rank, rights } => {
            check_rights(row.key, rights)?;
            check(&Actor::User { id, rank }, action, target)
        }
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

/// Checks whether an API key has the rights that `action` needs, without its user's: [`Action::ManageCars`] stands for
/// several actions with cars of other users, for which the action itself decides about the key.
///
/// # Errors
/// [`Denied::LoginRequired`], [`Denied::ReadOnlyKey`].
pub fn check_key(actor: &Actor, action: Action) -> Result<(), Denied> {
    match *actor {
        Actor::Key { rights, .. } => check_rights(row(action).key, rights),
        Actor::Anonymous | Actor::User { .. } | Actor::System => YES,
    }
}

fn check_rights(needed: Option<KeyRights>, rights: KeyRights) -> Verdict {
    match (needed, rights) {
        (None, _) => Err(Denied::LoginRequired),
        (WRITE, KeyRights::Read) => Err(Denied::ReadOnlyKey),
        _ => YES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: UserId = UserId(1);
    const OTHER: UserId = UserId(2);

    /// The whole table again, written by hand from the wire contract, one word for each cell, so that every change of
    /// a cell fails a test. The last column has the rights that an API key needs.
    const EXPECTED: &str = "
        Register       | yes   | yes yes    | yes yes yes          | yes yes       | never
        GrantAdminRole | no    | no no      | yes yes super        | yes yes       | never
        ReadProfile    | login | yes hidden | yes hidden hidden    | yes hidden    | read
        ChangeProfile  | login | yes hidden | yes hidden hidden    | yes hidden    | never
        ChangePassword | login | yes hidden | yes hidden hidden    | yes hidden    | never
        LogOut         | login | yes hidden | yes hidden hidden    | yes hidden    | never
        ReadLogins     | login | yes hidden | yes yes yes          | yes yes       | never
        EndLogin       | login | yes hidden | yes yes super        | yes yes       | never
        ReadKeys       | login | yes hidden | yes yes yes          | yes yes       | never
        CreateKey      | login | yes hidden | yes hidden hidden    | yes hidden    | never
        EndKey         | login | yes hidden | yes yes super        | yes yes       | never
        ExportData     | login | yes hidden | yes hidden hidden    | yes hidden    | never
        DeleteAccount  | login | yes hidden | yes hidden hidden    | yes hidden    | never
        ListCars       | login | yes hidden | yes hidden hidden    | yes hidden    | read
        CreateCar      | login | yes hidden | yes hidden hidden    | yes hidden    | write
        ReadCar        | login | yes hidden | yes hidden hidden    | yes hidden    | read
        ChangeCar      | login | yes hidden | yes hidden hidden    | yes hidden    | write
        DeleteCar      | login | yes hidden | yes hidden hidden    | yes hidden    | write
        ManageCars     | login | no no      | yes yes yes          | yes yes       | read
        ReadUsers      | login | no no      | yes yes yes          | yes yes       | read
        CreateUser     | login | no no      | yes yes yes          | yes yes       | never
        ChangeUser     | login | no no      | yes yes super        | yes yes       | never
        SetPassword    | login | no no      | proof yes super      | proof yes     | never
        DeactivateUser | login | no no      | notself yes super    | notself yes   | never
        DemoteUser     | login | no no      | notself yes super    | notself yes   | never
        DeleteUser     | login | no no      | notself yes super    | notself yes   | never
        EndLogins      | login | no no      | yes yes super        | yes yes       | never
        ReadHistory    | login | no no      | yes yes yes          | yes yes       | read
        FlushTokens    | login | no no      | no no no             | no no         | never
        SweepImages    | login | no no      | no no no             | no no         | never
        ResetPassword  | yes   | yes yes    | yes yes yes          | yes yes       | never
        VerifyEmail    | yes   | yes yes    | yes yes yes          | yes yes       | never
        SendMail       | login | no no      | no no no             | no no         | never
        ClearSessions  | login | no no      | no no no             | no no         | never
        PruneAuditLog  | login | no no      | no no no             | no no         | never
        BackUp         | login | no no      | no no no             | no no         | never
        ImportDjango   | login | no no      | no no no             | no no         | never
    ";

    fn word(verdict: Verdict) -> &'static str {
        match verdict {
            Ok(()) => "yes",
            Err(Denied::NotAuthenticated) => "login",
            Err(Denied::NotFound) => "hidden",
            Err(Denied::Forbidden) => "no",
            Err(Denied::NotToOneself) => "notself",
            Err(Denied::OldPasswordRequired) => "proof",
            Err(Denied::SuperusersOnly) => "super",
            Err(Denied::LastSuperuser) => "last",
            Err(Denied::LoginRequired) => "never",
            Err(Denied::ReadOnlyKey) => "write",
            Err(Denied::UnknownLogin) => "unknown",
        }
    }

    fn cells(action: Action) -> String {
        let user = |rank| Actor::User { id: ME, rank };
        let ask = |actor: &Actor, target| word(check(actor, action, target));
        let own = Target::user(ME, Rank::Client);
        let other = Target::user(OTHER, Rank::Client);
        let superuser = Target::user(OTHER, Rank::Superuser);
        format!(
            "{action:?} | {} | {} {} | {} {} {} | {} {} | {}",
            ask(&Actor::Anonymous, other),
            ask(&user(Rank::Client), own),
            ask(&user(Rank::Client), other),
            ask(&user(Rank::Admin), own),
            ask(&user(Rank::Admin), other),
            ask(&user(Rank::Admin), superuser),
            ask(&user(Rank::Superuser), own),
            ask(&user(Rank::Superuser), other),
            key(action),
        )
    }

    /// Returns the rights that a key needs, or `never`. With them, a key may do what its user may.
    fn key(action: Action) -> &'static str {
        let targets = [
            Target::user(ME, Rank::Client),
            Target::user(OTHER, Rank::Client),
            Target::user(OTHER, Rank::Superuser),
        ];
        for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
            for target in targets {
                let asked = |rights| {
                    let key = Actor::Key { id: ME, rank, rights };
                    check(&key, action, target)
                };
                let user = check(&Actor::User { id: ME, rank }, action, target);
                match row(action).key {
                    Some(needed) => assert_eq!(asked(needed), user, "{action:?}"),
                    None => assert_eq!(asked(KeyRights::Write), Err(Denied::LoginRequired), "{action:?}"),
                }
            }
        }
        let client = |rights| Actor::Key {
            id: ME,
            rank: Rank::Client,
            rights,
        };
        match check(&client(KeyRights::Read), action, targets[0]) {
            Err(Denied::LoginRequired) => "never",
            Err(Denied::ReadOnlyKey) => "write",
            _ => "read",
        }
    }

    #[test]
    fn every_cell_of_the_table_is_as_in_the_contract() {
        let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let expected: Vec<String> = EXPECTED.trim().lines().map(squeeze).collect();
        let actual: Vec<String> = Action::ALL.into_iter().map(cells).collect();
        assert_eq!(actual, expected);
    }

    #[test]
    fn system_may_do_everything() {
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
    fn target_without_an_owner_is_not_ones_own() {
        let client = Actor::User {
            id: ME,
            rank: Rank::Client,
        };
        assert_eq!(check(&client, Action::ListCars, Target::NOTHING), HIDDEN);
    }

    #[test]
    fn admin_may_manage_a_superusers_cars() {
        let admin = Actor::User {
            id: ME,
            rank: Rank::Admin,
        };
        assert_eq!(check(&admin, Action::ManageCars, Target::car_of(OTHER)), YES);
    }
}
