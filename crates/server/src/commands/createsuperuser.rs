//! `mycars createsuperuser`: create a superuser, as Django's command does.

use mycars_application::{
    App, Caller,
    accounts::{self, NewSuperuser},
};
use mycars_domain::{
    Field, password, strip,
    values::{Email, FirstName, LastName, Password, Username},
};

use super::passwords;
use crate::{
    cli::CreateSuperuser,
    console::Console,
    error::{CommandError, describe},
};

/// An environment variable by its name.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

pub(super) fn run(
    app: &App,
    given: &CreateSuperuser,
    variable: Variable<'_>,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let superuser = if given.noinput {
        from_options(app, given, variable, console)?
    } else if console.is_interactive() {
        from_prompts(app, given, console)?
    } else {
        console.print(
            "Superuser creation skipped due to not running in a TTY. Use --noinput with --username and --email, \
             and the password in MYCARS_SUPERUSER_PASSWORD.",
        );
        return Ok(());
    };
    accounts::create_superuser(app, &Caller::system(), superuser)?;
    console.print("Superuser created successfully.");
    Ok(())
}

/// Takes the values from options and variables. A missing or invalid value ends the command. As in Django, the password
/// is not validated.
fn from_options(
    app: &App,
    given: &CreateSuperuser,
    variable: Variable<'_>,
    console: &mut dyn Console,
) -> Result<NewSuperuser, CommandError> {
    let from_environment = |name: &str| {
        let of = |prefix: &str| variable(&format!("{prefix}_SUPERUSER_{name}"));
        of("MYCARS").or_else(|| of("DJANGO"))
    };
    let required = |option: &str, value: &Option<String>, name: &str| {
        value
            .clone()
            .or_else(|| from_environment(name))
            .ok_or_else(|| CommandError::Refused(format!("You must use --{option} with --noinput.")))
    };
    let username = accounts::check_username(
        app,
        &Caller::system(),
        &required("username", &given.username, "USERNAME")?,
    )?;
    let email = accounts::check_email(app, &Caller::system(), &required("email", &given.email, "EMAIL")?)?;
    let (first_name, last_name) = names(
        given
            .first_name
            .clone()
            .or_else(|| from_environment("FIRST_NAME"))
            .as_deref(),
        given
            .last_name
            .clone()
            .or_else(|| from_environment("LAST_NAME"))
            .as_deref(),
    )?;
    let password = match from_environment("PASSWORD") {
        Some(text) => Some(
            Password::parse(&text)
                .map_err(|violations| CommandError::invalid(Field::Password, &violations))?,
        ),
        None => None,
    };
    if password.is_none() {
        console.print_error(&format!(
            "No password is set: {username} can't log in until `mycars changepassword {username}` sets one."
        ));
    }
    Ok(NewSuperuser {
        username,
        email,
        first_name,
        last_name,
        password,
    })
}

/// Asks for missing values, and again for invalid ones.
fn from_prompts(
    app: &App,
    given: &CreateSuperuser,
    console: &mut dyn Console,
) -> Result<NewSuperuser, CommandError> {
    let username: Username = ask_until_valid(console, "Username: ", given.username.as_deref(), |text| {
        accounts::check_username(app, &Caller::system(), text)
    })?;
    let email: Email = ask_until_valid(console, "Email address: ", given.email.as_deref(), |text| {
        accounts::check_email(app, &Caller::system(), text)
    })?;
    let (first_name, last_name) = names(given.first_name.as_deref(), given.last_name.as_deref())?;
    let owner = password::Owner {
        username: username.as_str(),
        first_name: first_name.as_str(),
        last_name: last_name.as_str(),
        email: email.as_str(),
    };
    let password = ask_password(console, &owner)?;
    Ok(NewSuperuser {
        username,
        email,
        first_name,
        last_name,
        password: Some(password),
    })
}

fn ask_until_valid<T>(
    console: &mut dyn Console,
    question: &str,
    given: Option<&str>,
    check: impl Fn(&str) -> Result<T, accounts::Error>,
) -> Result<T, CommandError> {
    let mut answer = match given {
        Some(given) => given.to_owned(),
        None => console.ask(question)?,
    };
    loop {
        match check(&answer) {
            Err(accounts::Error::Invalid(violations)) => {
                for (field, violations) in violations.iter() {
                    console.print_error(&format!("Error: {}", describe(field, violations)));
                }
            }
            checked => return Ok(checked?),
        }
        answer = console.ask(question)?;
    }
}

/// Parses both names, which are optional.
fn names(first: Option<&str>, last: Option<&str>) -> Result<(FirstName, LastName), CommandError> {
    let first = match first.filter(|text| !strip(text).is_empty()) {
        Some(text) => FirstName::parse(text)
            .map_err(|violations| CommandError::invalid(Field::FirstName, &violations))?,
        None => FirstName::default(),
    };
    let last = match last.filter(|text| !strip(text).is_empty()) {
        Some(text) => {
            LastName::parse(text).map_err(|violations| CommandError::invalid(Field::LastName, &violations))?
        }
        None => LastName::default(),
    };
    Ok((first, last))
}

fn ask_password(console: &mut dyn Console, owner: &password::Owner<'_>) -> Result<Password, CommandError> {
    loop {
        let passwords::Asked::Password(password) = passwords::ask(console)? else {
            continue;
        };
        let violations = password::check_chosen(&password, owner);
        if violations.is_empty() {
            return Ok(password);
        }
        for violation in &violations {
            console.print_error(&describe(Field::Password, std::slice::from_ref(violation)));
        }
        let answer = console.ask("Bypass password validation and create user anyway? [y/N]: ")?;
        if answer.eq_ignore_ascii_case("y") {
            return Ok(password);
        }
    }
}

#[cfg(test)]
mod tests {
    use mycars_application::mocks::Mocks;
    use mycars_domain::{NewUser, values::PasswordHash};

    use super::*;
    use crate::console::Script;

    fn no_variables(_: &str) -> Option<String> {
        None
    }

    /// Returns mocks in which the username `taken` is taken, and which insert one user that `is_expected`.
    fn mocks(is_expected: impl Fn(&NewUser) -> bool + Send + 'static) -> Mocks {
        let mut mocks = mocks_without_insert().expect_user_insert(is_expected);
        let hasher = &mut mocks.hasher;
        hasher
            .expect_hash()
            .returning(|password| Ok(PasswordHash::from_storage(password.reveal().into())));
        mocks
    }

    fn mocks_without_insert() -> Mocks {
        let mut mocks = Mocks::new();
        let users = &mut mocks.unit.users;
        users
            .expect_username_is_taken()
            .returning(|username, _| Ok(username.as_str() == "taken"));
        users.expect_email_is_taken().returning(|_, _, _| Ok(false));
        mocks
    }

    /// Returns the options of the superuser `root`.
    fn root() -> CreateSuperuser {
        CreateSuperuser {
            username: Some("root".into()),
            email: Some("root@example.com".into()),
            ..CreateSuperuser::default()
        }
    }

    #[test]
    fn invalid_or_taken_value_is_asked_again() {
        let mocks = mocks(|user| {
            user.username.as_str() == "root" && user.is_superuser && user.password.reveal() == "Meadow-x-55"
        });
        let (app, store) = mocks.into_app();
        let mut script = Script::of(&[
            "two words",
            "taken",
            "",
            "root",
            "nonsense",
            "root@example.com",
            "Meadow-x-55",
            "different",
            " ",
            " ",
            "Meadow-x-55",
            "Meadow-x-55",
        ]);
        run(&app, &CreateSuperuser::default(), &no_variables, &mut script).unwrap();
        assert_eq!(store.commits(), 1);
        insta::assert_snapshot!(script.output.join("\n"));
    }

    #[test]
    fn weak_password_is_set_after_confirmation() {
        let (app, _) = mocks(|user| user.password.reveal() == "admin").into_app();
        let mut script = Script::of(&["root", "root", "n", "admin", "admin", "Y"]);
        run(&app, &root(), &no_variables, &mut script).unwrap();
        insta::assert_snapshot!(script.output.join("\n"));
    }

    #[test]
    fn createsuperuser_without_terminal_is_skipped() {
        let (app, store) = Mocks::new().into_app();
        let mut script = Script {
            has_no_terminal: true,
            ..Script::default()
        };
        run(&app, &CreateSuperuser::default(), &no_variables, &mut script).unwrap();
        assert!(script.output[0].starts_with("Superuser creation skipped due to not running in a TTY."));
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn createsuperuser_at_end_of_input_is_cancelled() {
        let (app, store) = mocks_without_insert().into_app();
        let cancelled = run(
            &app,
            &CreateSuperuser::default(),
            &no_variables,
            &mut Script::of(&["root"]),
        );
        assert_eq!(cancelled.unwrap_err().to_string(), "Operation cancelled.");
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn noinput_takes_options_and_variables() {
        let mocks = mocks(|user| {
            user.username.as_str() == "root"
                && user.email.as_str() == "root@example.com"
                && user.first_name.as_str() == "Ruth"
                && user.last_name.as_str().is_empty()
                && user.password.reveal() == "admin"
        });
        let (app, _) = mocks.into_app();
        let given = CreateSuperuser {
            username: Some("root".into()),
            first_name: Some("Ruth".into()),
            noinput: true,
            ..CreateSuperuser::default()
        };
        let variable = |name: &str| match name {
            "DJANGO_SUPERUSER_PASSWORD" => Some("admin".into()),
            "MYCARS_SUPERUSER_EMAIL" => Some("root@example.com".into()),
            _ => None,
        };
        let mut script = Script::default();
        run(&app, &given, &variable, &mut script).unwrap();
        assert_eq!(script.output, ["Superuser created successfully."]);
    }

    #[test]
    fn noinput_with_missing_or_invalid_value_is_refused() {
        let refused = |username: Option<&str>, email: Option<&str>| {
            let (app, _) = mocks_without_insert().into_app();
            let given = CreateSuperuser {
                username: username.map(Into::into),
                email: email.map(Into::into),
                noinput: true,
                ..CreateSuperuser::default()
            };
            run(&app, &given, &no_variables, &mut Script::default())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(refused(None, None), "You must use --username with --noinput.");
        assert_eq!(
            refused(Some("root"), None),
            "You must use --email with --noinput."
        );
        assert_eq!(
            refused(Some("taken"), None),
            "username: A user with that username already exists."
        );
        assert_eq!(
            refused(Some("root"), Some("x")),
            "email: Enter a valid email address."
        );
    }

    #[test]
    fn noinput_without_password_sets_unusable_password() {
        let (app, _) = mocks(|user| user.password == PasswordHash::unusable()).into_app();
        let given = CreateSuperuser {
            noinput: true,
            ..root()
        };
        let mut script = Script::default();
        run(&app, &given, &no_variables, &mut script).unwrap();
        assert!(
            script.output[0].contains("changepassword root"),
            "{:?}",
            script.output
        );
    }
}
