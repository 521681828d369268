//! The ports and settings of the use-cases.

use std::sync::Arc;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use crate::{
    ports::{
        BackupStore, Clock, DiskSpace, ImageProcessor, ImageStore, Mailer, Packager, PasswordHasher, Random,
        Signer, Store, StoreError, TokenCodec,
    },
    quotas::Quotas,
};

/// The ports and settings of the use-cases. A program creates one at its start; cloning it clones pointers.
///
/// ```
/// use std::sync::Arc;
///
/// use chrono::TimeDelta;
/// use mycars_application::{App, SessionSettings, TokenSettings, ports::*, quotas::Quotas};
///
/// /// Wires adapters, which are independent of each other.
/// fn wire(
///     store: impl Store + 'static,
///     hasher: impl PasswordHasher + 'static,
///     tokens: impl TokenCodec + 'static,
///     (clock, random): (impl Clock + 'static, impl Random + 'static),
///     (image_processor, images): (impl ImageProcessor + 'static, impl ImageStore + 'static),
///     (disk_space, packager): (impl DiskSpace + 'static, impl Packager + 'static),
/// ) -> App {
///     App {
///         store: Arc::new(store),
///         hasher: Arc::new(hasher),
///         tokens: Arc::new(tokens),
///         clock: Arc::new(clock),
///         random: Arc::new(random),
///         image_processor: Arc::new(image_processor),
///         images: Arc::new(images),
///         image_signer: None,
///         disk_space: Arc::new(disk_space),
///         packager: Arc::new(packager),
///         token_settings: TokenSettings {
///             access_lifetime: TimeDelta::minutes(5),
///             ..TokenSettings::default()
///         },
///         session_settings: SessionSettings::default(),
///         max_image_bytes: 5 * 1024 * 1024,
///         quotas: Quotas::default(),
///         backups: None,
///         mail: None,
///     }
/// }
///
/// // A test takes the mocks, and replaces what it is about.
/// use mycars_application::mocks::{FixedClock, Mocks, samples};
///
/// let later = samples::now() + TimeDelta::days(1);
/// let app = App { clock: Arc::new(FixedClock(later)), ..Mocks::new().into_app().0 };
/// assert_eq!(app.clock.now(), later);
/// ```
#[derive(Clone)]
pub struct App {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Hashes passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Signs and reads tokens.
    pub tokens: Arc<dyn TokenCodec>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Source of unguessable texts.
    pub random: Arc<dyn Random>,
    /// Decodes uploads and encodes pictures.
    pub image_processor: Arc<dyn ImageProcessor>,
    /// The store of pictures.
    pub images: Arc<dyn ImageStore>,
    /// Signs the URLs of pictures, if pictures are private.
    pub image_signer: Option<Arc<dyn Signer>>,
    /// The free space of the disks.
    pub disk_space: Arc<dyn DiskSpace>,
    /// Makes the packages of exports.
    pub packager: Arc<dyn Packager>,
    /// Lifetimes of tokens.
    pub token_settings: TokenSettings,
    /// Lifetimes of sessions.
    pub session_settings: SessionSettings,
    /// Maximum size of an uploaded picture in bytes.
    pub max_image_bytes: u64,
    /// The quotas of each user.
    pub quotas: Quotas,
    /// The scheduled backups, unless they are turned off.
    pub backups: Option<BackupSettings>,
    /// Mail, unless it is turned off.
    pub mail: Option<MailSettings>,
}

impl App {
    /// Checks that the program can write: the database responds and is writable, and the disks have the required free
    /// space.
    ///
    /// # Errors
    /// Those of [`Store::ping`] and [`DiskSpace::check`].
    pub fn check_writable(&self) -> Result<(), StoreError> {
        self.store.ping()?;
        self.disk_space.check()
    }

    /// Returns whether users must verify their e-mail addresses.
    #[must_use]
    pub fn requires_verified_email(&self) -> bool {
        let mail = self.mail.as_ref();
        mail.is_some_and(|mail| mail.requires_verified_email)
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Returns the time of a change to a row that was last changed at `previous`: now, but always later than
    /// `previous`, so that the time identifies the version.
    #[must_use]
    pub fn now_after(&self, previous: DateTime<Utc>) -> DateTime<Utc> {
        self.now().max(previous + TimeDelta::microseconds(1))
    }

    /// Returns the calendar year in UTC, which limits the year of a car.
    pub(crate) fn current_year(&self) -> i32 {
        self.now().year()
    }
}

/// Lifetimes of tokens, and whether refresh tokens are rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSettings {
    /// Lifetime of an access token, in whole seconds.
    pub access_lifetime: TimeDelta,
    /// Lifetime of a refresh token, in whole seconds.
    pub refresh_lifetime: TimeDelta,
    /// Whether a refresh token is replaced at each use, so that it is valid once.
    pub rotate_refresh: bool,
    /// Time after its rotation in which a refresh token is still accepted, for clients that send it several times at
    /// once. Later, its use ends the login.
    pub reuse_grace: TimeDelta,
    /// Whether access tokens end with their login, and those of clients also when all logins of their user are ended,
    /// by a new password or a deactivation. With all logins, those of admins always end.
    pub access_dies_with_login: bool,
    /// Time after a login in which users may change their own e-mail address; `None` for no limit.
    pub email_change_within: Option<TimeDelta>,
}

impl Default for TokenSettings {
    /// 60 minutes, 1 day, no rotation, no limit for changes of e-mail addresses, and clients' access tokens are valid
    /// until they expire (wire contract, section 4).
    fn default() -> Self {
        Self {
            access_lifetime: TimeDelta::minutes(60),
            refresh_lifetime: TimeDelta::days(1),
            rotate_refresh: false,
            reuse_grace: TimeDelta::zero(),
            access_dies_with_login: false,
            email_change_within: None,
        }
    }
}

/// Scheduled backups.
#[derive(Clone)]
pub struct BackupSettings {
    /// The interval.
    pub every: TimeDelta,
    /// Number of backups that are kept; at least one.
    pub keep: usize,
    /// The store of backups.
    pub store: Arc<dyn BackupStore>,
}

/// The adapter for mail, and the links in mails.
#[derive(Clone)]
pub struct MailSettings {
    /// Sends mail.
    pub mailer: Arc<dyn Mailer>,
    /// The URL of the page that sets a new password. A token is appended to this and the other URLs.
    pub reset_url: String,
    /// The URL of the page that verifies an e-mail address.
    pub verification_url: String,
    /// The URL of the page that puts an old e-mail address back.
    pub undo_url: String,
    /// Whether users must verify their e-mail address before they can log in, and a new one before it replaces the old
    /// one.
    pub requires_verified_email: bool,
}

/// Lifetimes of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSettings {
    /// Maximum time without a request.
    pub idle: TimeDelta,
    /// Maximum time since the login.
    pub lifetime: TimeDelta,
}

impl Default for SessionSettings {
    /// One day without a request, two weeks since the login.
    fn default() -> Self {
        Self {
            idle: TimeDelta::days(1),
            lifetime: TimeDelta::days(14),
        }
    }
}
