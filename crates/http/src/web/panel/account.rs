//! The user's own password. Login and logout are pages of the browsable API.

use actix_web::http::StatusCode;
use mycars_application::{
    Input, Secret,
    accounts::{self, Credentials, PasswordChange, sessions},
};
use mycars_domain::{Field, Violation, Violations, strip, values::Password};

use super::{
    Answer, Context,
    forms::{self, PasswordPage},
    message::Message,
    render::{self, Frame},
};
use crate::{
    api::fields::{FieldKind, FieldSpec},
    error::ApiError,
    web::ui::{self, forms::FormData},
};

static FIELDS: [FieldSpec; 3] = [
    FieldSpec::required(Field::OldPassword, "Old password", FieldKind::Password),
    FieldSpec::required(Field::NewPassword, "New password", FieldKind::Password)
        .at_most(Password::MAX_LENGTH)
        .help("At least 8 characters; not a common password, not digits alone, not like your name."),
    FieldSpec::required(
        Field::PasswordConfirmation,
        "New password (again)",
        FieldKind::Password,
    )
    .at_most(Password::MAX_LENGTH),
];

#[expect(clippy::unnecessary_wraps, reason = "views return a result")]
pub(super) fn show(context: &Context<'_>) -> Result<Answer, ApiError> {
    let data = forms::filled(serde_json::Map::new());
    Ok(page(context, StatusCode::OK, &data))
}

/// Changes the password and logs this browser in again: a new password ends all logins.
pub(super) fn change(context: &Context<'_>) -> Result<Answer, ApiError> {
    let form = context.body.form(&FIELDS)?;
    let new_password = form.secret(Field::NewPassword);
    let again = form.secret(Field::PasswordConfirmation);
    let text = |input: &Input<Secret>| input.given().map(|secret| strip(secret.reveal()).to_owned());
    if text(&new_password) != text(&again) {
        let differ = Violations::one(Field::PasswordConfirmation, Violation::PasswordsDiffer);
        let data = forms::refused(context, &differ);
        return Ok(page(context, StatusCode::BAD_REQUEST, &data));
    }
    let change = PasswordChange {
        old_password: form.secret(Field::OldPassword),
        new_password: new_password.clone(),
    };
    if let Err(error) = accounts::change_password(context.app, context.caller, &change) {
        let error = error.into();
        context.request.commit_charges(&error);
        let data = forms::refused_by(context, error)?;
        return Ok(page(context, StatusCode::BAD_REQUEST, &data));
    }
    let credentials = Credentials {
        username: Input::Given(context.user.username.to_string()),
        password: new_password,
    };
    let login = sessions::log_in(context.app, &credentials, None, context.request.context.device())?;
    let message = Message::success("Your password was changed, and all your other logins were ended.");
    Ok(Answer::LoggedIn("/admin/".into(), message, login.key))
}

fn page(context: &Context<'_>, status: StatusCode, data: &FormData<'_>) -> Answer {
    let fieldset = forms::fieldset(
        data,
        "",
        &FIELDS,
        &[
            Field::OldPassword,
            Field::NewPassword,
            Field::PasswordConfirmation,
        ],
    );
    let html = ui::render(&PasswordPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(&[], "Change my password"),
        title: "Change my password".into(),
        lead: "It ends all your other logins.",
        username: context.user.username.as_str(),
        problems: forms::problems(std::slice::from_ref(&fieldset)),
        fields: fieldset.fields,
        action: context.path.to_owned(),
        back: "/admin/".into(),
    });
    Answer::Page(status, html)
}
