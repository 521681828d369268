//! `/api/me/export/`: all data about the caller as a zip file, which is sent while it is written.

use std::{fs::File, io::Read as _};

use actix_web::http::Method as HttpMethod;
use chrono::{DateTime, Utc};
use mycars_application::{
    App, Caller,
    accounts::{Export, Part},
    images::Permits,
    ports::{BoxError, Package},
};
use mycars_domain::{User, values::ImagePath};
use serde::Serialize;
use serde_json::json;

use super::{
    cars::{CarView, OwnerView},
    entry::EntryView,
    items::to_json,
    keys::KeyView,
    logins::LoginView,
    users::UserView,
};
use crate::{
    api::{
        endpoint::{
            Access, Download, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag,
        },
        items::Rest,
    },
    error::ApiError,
    request::{authentication::Credentials, negotiation::ZIP, pools::Pool, stream::Steps},
};

pub(crate) static EXPORT: Endpoint = Endpoint {
    path: "/api/me/export/",
    name: "Export",
    description: "All data about you as a zip file: your account, cars with their pictures and history, logins and API \
                  keys.",
    tag: Tag::Account,
    access: Access::Login,
    rate: RateClass::Export,
    list: None,
    operations: &[Operation::plain(
        "export_me",
        "Download all data about you",
        Method::Get,
        ResponseSpec::File(&ZIP),
        export,
    )],
};

/// Number of bytes of a picture that are read at once.
const PIECE: usize = 256 * 1024;

const README: &str = "\
This is a copy of the data that My Cars stores about you.

account.json   Your account.
cars.json      Your cars.
history.json   The history: changes of your account, your cars and your logins, and changes that you made, the oldest
               first. Data of other users is left out: they are called \"another user\", and their values are \"********\".
               Changes of a car are those from the time when it was yours.
logins.json    Your logins that have not ended: those of programs and those of browsers.
api_keys.json  Your API keys, without the keys themselves.
pictures/      The pictures of your cars, as they are stored. The field \"image\" of a car ends in the name of its file.

The fields have the names of the API, which the documentation at /api/docs/ describes. Times are in UTC.
Passwords, tokens and keys are not included: the server stores only values from which they can't be computed.
The data was read while this file was downloaded: a change during that time may be in one file and not in another.
";

fn export(request: &Request<'_>) -> Result<Reply, ApiError> {
    if request.context.is_page {
        let url = format!("{}{}", request.base_url, request.canonical_path());
        return Reply::ok(&json!({"download": format!("{url}?format={}", ZIP.format)}));
    }
    let (app, caller, user) = (request.app, request.caller, request.user()?);
    let credential = Credentials::All.sent(request.context)?;
    let now = app.clock.now();
    let mut steps = ExportSteps {
        export: Export::new(app, caller, credential.as_ref())?,
        package: app.packager.begin(now),
        owner: OwnerView::from(user),
        document: None,
        has_items: false,
        picture: None,
        is_over: false,
    };
    let first = if request.context.method == HttpMethod::HEAD {
        Vec::new()
    } else {
        steps.begin(app, caller)?
    };
    Ok(Reply {
        download: Some(Download {
            media_type: ZIP.media_type,
            file_name: file_name(user, now),
        }),
        rest: Some(Rest {
            step: Box::new(steps),
            end: Vec::new(),
        }),
        ..Reply::of_json(first)
    })
}

/// Returns the name of the file: with the username if that has only characters which every file system accepts, and else
/// with the id.
fn file_name(user: &User, now: DateTime<Utc>) -> String {
    let username = user.username.as_str();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let name = if username.bytes().all(is_plain) {
        username.to_owned()
    } else {
        user.id.to_string()
    };
    format!("mycars-export-{name}-{}.zip", now.date_naive())
}

/// Writes an export, a part at a time.
struct ExportSteps {
    export: Export,
    package: Box<dyn Package>,
    owner: OwnerView,
    /// The name of the list that is being written.
    document: Option<&'static str>,
    /// Whether that list has an item.
    has_items: bool,
    /// The picture that is being written.
    picture: Option<File>,
    is_over: bool,
}

impl Steps for ExportSteps {
    fn next(&mut self, app: &App, caller: Option<&Caller>) -> Result<Option<Vec<u8>>, ApiError> {
        if self.is_over {
            return Ok(None);
        }
        let caller = caller.ok_or(ApiError::NoCredentials)?;
        if let Some(picture) = &mut self.picture {
            let mut piece = Vec::new();
            let read = picture.take(PIECE as u64).read_to_end(&mut piece);
            if read.map_err(unwritable)? == 0 {
                self.picture = None;
            }
            self.package.write(&piece).map_err(unwritable)?;
        } else if let Some(part) = self.export.next(app, caller)? {
            self.add(part)?;
        } else {
            self.end_list()?;
            self.package.finish().map_err(unwritable)?;
            self.is_over = true;
        }
        Ok(Some(self.package.take()))
    }

    /// Pictures may be on another machine.
    fn pool(&self) -> Pool {
        if self.export.is_at_pictures() {
            Pool::Media
        } else {
            Pool::Database
        }
    }
}

impl ExportSteps {
    /// Writes the description of the files and the account.
    fn begin(&mut self, app: &App, caller: &Caller) -> Result<Vec<u8>, ApiError> {
        self.add_file("README.txt", README.as_bytes())?;
        Ok(self.next(app, Some(caller))?.unwrap_or_default())
    }

    fn add(&mut self, part: Part) -> Result<(), ApiError> {
        match part {
            Part::Account(user) => self.add_file("account.json", &to_json(&UserView::from(&*user))?),
            Part::Cars(cars) => {
                let owner = std::mem::take(&mut self.owner);
                let view = |car| CarView::new(car, &owner, &Permits::NONE);
                let added = self.add_items("cars.json", cars.iter().map(view));
                self.owner = owner;
                added
            }
            Part::History(entries) => self.add_items("history.json", entries.iter().map(EntryView::whole)),
            Part::Logins(logins) => self.add_items("logins.json", logins.iter().map(LoginView::from)),
            Part::Keys(keys) => self.add_items("api_keys.json", keys.iter().map(KeyView::from)),
            Part::Picture(path, file) => self.add_picture(&path, file),
        }
    }

    fn add_file(&mut self, name: &str, content: &[u8]) -> Result<(), ApiError> {
        let begun = self.package.begin_file(name, true);
        begun
            .and_then(|()| self.package.write(content))
            .map_err(unwritable)
    }

    /// Appends items to a list, which begins with the first ones and ends with the next list.
    fn add_items(
        &mut self,
        document: &'static str,
        items: impl Iterator<Item = impl Serialize>,
    ) -> Result<(), ApiError> {
        let mut json = Vec::new();
        if self.document != Some(document) {
            self.end_list()?;
            self.package.begin_file(document, true).map_err(unwritable)?;
            self.document = Some(document);
            self.has_items = false;
            json.push(b'[');
        }
        for item in items {
            json.extend_from_slice(if self.has_items { b",\n" } else { b"\n" });
            self.has_items = true;
            serde_json::to_writer(&mut json, &item).map_err(unwritable)?;
        }
        self.package.write(&json).map_err(unwritable)
    }

    fn end_list(&mut self) -> Result<(), ApiError> {
        if self.document.take().is_some() {
            self.package.write(b"\n]\n").map_err(unwritable)?;
        }
        Ok(())
    }

    /// Begins a picture, unless the image store does not have it.
    fn add_picture(&mut self, path: &ImagePath, file: Option<File>) -> Result<(), ApiError> {
        self.end_list()?;
        if file.is_some() {
            let path = path.as_str();
            let name = format!("pictures/{}", path.strip_prefix("cars/").unwrap_or(path));
            self.package.begin_file(&name, false).map_err(unwritable)?;
        }
        self.picture = file;
        Ok(())
    }
}

fn unwritable(error: impl Into<BoxError>) -> ApiError {
    ApiError::Internal(error.into())
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};

    use mycars_application::mocks::{Mocks, samples};
    use mycars_domain::{Car, UserId, values::Username};
    use serde_json::Value;

    use super::*;

    #[test]
    fn file_name_has_only_plain_characters() {
        let named = |username: &str| {
            let user = User {
                id: UserId(17),
                username: Username::from_storage(username.into()),
                ..samples::user()
            };
            file_name(&user, samples::now())
        };
        assert_eq!(named("ann_lee-2.x"), "mycars-export-ann_lee-2.x-2026-11-23.zip");
        for username in ["ann@work", "Åsa", "a\"b", "a/b", "ann+1"] {
            assert_eq!(named(username), "mycars-export-17-2026-11-23.zip");
        }
    }

    /// Returns mocks with Ann, her car with a picture of this size, and an API key.
    fn mocks(picture: usize) -> Mocks {
        let mut mocks = Mocks::new().with_user_read(samples::user());
        let unit = &mut mocks.unit;
        unit.cars
            .expect_ids()
            .returning(|_, _| Ok(vec![samples::car().id]));
        unit.cars.expect_find_all().returning(|_| {
            Ok(vec![Car {
                image: Some(ImagePath::from_storage("cars/a.jpg".into())),
                ..samples::car()
            }])
        });
        unit.audit_log
            .expect_list_of_user()
            .returning(|_, _, _| Ok(vec![]));
        unit.refresh_tokens
            .expect_logins_of()
            .returning(|_, _| Ok(vec![]));
        unit.refresh_tokens.expect_find_all().returning(|_| Ok(vec![]));
        unit.sessions.expect_list_of().returning(|_, _, _, _| Ok(vec![]));
        unit.api_keys
            .expect_list_of()
            .returning(|_| Ok(vec![samples::api_key(), samples::api_key()]));
        mocks.images.expect_open().returning(move |_| {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&vec![b'x'; picture]).unwrap();
            file.rewind().unwrap();
            Ok(Some(file))
        });
        mocks
    }

    fn steps(app: &App) -> ExportSteps {
        ExportSteps {
            export: Export::new(app, &samples::ann(), None).unwrap(),
            package: app.packager.begin(samples::now()),
            owner: OwnerView::from(&samples::user()),
            document: None,
            has_items: false,
            picture: None,
            is_over: false,
        }
    }

    #[test]
    fn documents_have_the_fields_of_the_api() {
        let (app, _) = mocks(4).into_app();
        let mut steps = steps(&app);
        let mut package = steps.begin(&app, &samples::ann()).unwrap();
        while let Some(piece) = steps.next(&app, Some(&samples::ann())).unwrap() {
            package.extend(piece);
        }
        let package = String::from_utf8(package).unwrap();
        let (readme, rest) = package.split_once("\naccount.json\n").unwrap();
        assert!(readme.starts_with("\nREADME.txt\n") && readme.contains("api_keys.json"));
        let (account, rest) = rest.split_once("\ncars.json\n").unwrap();
        let (cars, rest) = rest.split_once("\nhistory.json\n").unwrap();
        let (history, rest) = rest.split_once("\nlogins.json\n").unwrap();
        let (logins, rest) = rest.split_once("\napi_keys.json\n").unwrap();
        let (keys, rest) = rest.split_once("\npictures/a.jpg\n").unwrap();
        assert_eq!(rest, "xxxx\n\n");
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        assert_eq!(json(account)["username"], "ann");
        assert_eq!(json(cars)[0]["image"], "/media/cars/a.jpg");
        assert_eq!((json(history), json(logins)), (json!([]), json!([])));
        assert_eq!(json(keys).as_array().unwrap().len(), 2);
        assert!(!package.contains("hash"), "{package}");
    }

    #[test]
    fn pieces_of_a_large_picture_are_bounded_and_made_on_their_own_pool() {
        let (app, _) = mocks(3 * PIECE + 1).into_app();
        let mut steps = steps(&app);
        steps.begin(&app, &samples::ann()).unwrap();
        let mut sizes = Vec::new();
        loop {
            let pool = steps.pool();
            let Some(piece) = steps.next(&app, Some(&samples::ann())).unwrap() else {
                break;
            };
            assert!(piece.len() < 2 * PIECE, "{}", piece.len());
            if pool == Pool::Media {
                sizes.push(piece.len());
            }
        }
        assert_eq!(sizes[1..5], [PIECE, PIECE, PIECE, 1]);
    }

    #[test]
    fn export_ends_with_the_rights_of_its_user() {
        let (app, _) = mocks(4).into_app();
        let mut steps = steps(&app);
        steps.begin(&app, &samples::ann()).unwrap();
        let refused = steps.next(&app, None);
        assert!(matches!(refused, Err(ApiError::NoCredentials)));
        assert!(steps.next(&app, Some(&samples::admin())).is_err());
    }
}
