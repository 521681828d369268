//! Permits to read private pictures.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use mycars_domain::values::ImagePath;

use crate::{App, ports::Signer};

/// Number of seconds for which permits are the same, so that browsers can keep the pictures. They are valid for at least
/// as long.
const HOUR: i64 = 60 * 60;

/// A permit to read one picture for one or two hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// The time at which it expires, in seconds since 1970.
    pub expires: i64,
    /// The signature of the path and the time.
    pub signature: String,
}

/// Issues the permits in one response.
#[derive(Clone)]
pub struct Permits(Option<(Arc<dyn Signer>, i64)>);

impl Permits {
    /// Issues no permits, for documents that are kept longer than a permit is valid.
    pub const NONE: Self = Self(None);

    /// Issues permits of the current hour, if pictures are private.
    #[must_use]
    pub fn new(app: &App) -> Self {
        let expires = (app.now().timestamp().div_euclid(HOUR) + 2) * HOUR;
        Self(app.image_signer.clone().map(|signer| (signer, expires)))
    }

    /// Returns the permit to read a picture; `None` if none is needed.
    #[must_use]
    pub fn issue(&self, path: &ImagePath) -> Option<Permit> {
        let (signer, expires) = self.0.as_ref()?;
        Some(Permit {
            expires: *expires,
            signature: signer.sign(&text(path, *expires)),
        })
    }
}

/// Returns whether a picture may be read with a permit, or without one.
pub(super) fn is_permitted(app: &App, path: &ImagePath, permit: Option<&Permit>) -> bool {
    let Some(signer) = &app.image_signer else {
        return true;
    };
    permit.is_some_and(|permit| {
        is_valid_at(permit, app.now()) && signer.verify(&text(path, permit.expires), &permit.signature)
    })
}

fn is_valid_at(permit: &Permit, now: DateTime<Utc>) -> bool {
    now.timestamp() < permit.expires
}

/// Returns the signed text. Its first line differs from those of all other signed texts.
fn text(path: &ImagePath, expires: i64) -> String {
    format!("picture\n{expires}\n{path}")
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::mocks::{FixedClock, Mocks};

    /// Signs a text by itself.
    struct Plain;

    impl Signer for Plain {
        fn sign(&self, text: &str) -> String {
            text.to_owned()
        }

        fn verify(&self, text: &str, signature: &str) -> bool {
            text == signature
        }
    }

    fn app_at(time: &str) -> App {
        let now: DateTime<Utc> = time.parse().unwrap();
        App {
            clock: Arc::new(FixedClock(now)),
            image_signer: Some(Arc::new(Plain)),
            ..Mocks::new().into_app().0
        }
    }

    fn path(text: &str) -> ImagePath {
        ImagePath::from_storage(text.into())
    }

    #[test]
    fn public_picture_needs_no_permit() {
        let app = Mocks::new().into_app().0;
        assert_eq!(Permits::new(&app).issue(&path("cars/a.jpg")), None);
        assert!(is_permitted(&app, &path("cars/a.jpg"), None));
    }

    #[test]
    fn permit_is_the_same_for_an_hour() {
        let issued = |time| Permits::new(&app_at(time)).issue(&path("cars/a.jpg")).unwrap();
        let first = issued("2026-11-27T10:00:00Z");
        assert_eq!(first, issued("2026-11-27T10:59:59.999Z"));
        assert_ne!(first, issued("2026-11-27T11:00:00Z"));
    }

    #[test]
    fn permit_is_valid_until_it_expires() {
        let issued_at = app_at("2026-11-27T10:59:59Z");
        let permit = Permits::new(&issued_at).issue(&path("cars/a.jpg"));
        for (time, expected) in [
            ("2026-11-27T10:59:59Z", true),
            ("2026-11-27T11:59:59.999Z", true),
            ("2026-11-27T12:00:00Z", false),
        ] {
            let is_permitted = is_permitted(&app_at(time), &path("cars/a.jpg"), permit.as_ref());
            assert_eq!(is_permitted, expected, "{time}");
        }
    }

    #[test]
    fn changed_permit_is_refused() {
        let app = app_at("2026-11-27T10:00:00Z");
        let permit = Permits::new(&app).issue(&path("cars/a.jpg")).unwrap();
        let later = Permit {
            expires: permit.expires + TimeDelta::hours(1).num_seconds(),
            ..permit.clone()
        };
        assert!(!is_permitted(&app, &path("cars/a.jpg"), None));
        assert!(!is_permitted(&app, &path("cars/a.jpg"), Some(&later)));
        assert!(!is_permitted(&app, &path("cars/b.jpg"), Some(&permit)));
        assert!(is_permitted(&app, &path("cars/a.jpg"), Some(&permit)));
    }
}
