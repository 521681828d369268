//! What every use-case works with.

use std::sync::Arc;

use chrono::{DateTime, Datelike as _, TimeDelta, Utc};

use crate::ports::{Clock, ImageProcessor, ImageStore, PasswordHasher, Random, Store, TokenCodec};

/// The ports that the use-cases work with, and what was set about them. Made once, when a program starts; cloning it
/// clones pointers.
///
/// ```
/// use std::sync::Arc;
///
/// use chrono::TimeDelta;
/// use mycars_application::{App, SessionSettings, TokenSettings, ports::*};
///
/// /// Wires adapters, which know nothing of each other.
/// fn wire(
///     store: impl Store + 'static,
///     hasher: impl PasswordHasher + 'static,
///     tokens: impl TokenCodec + 'static,
///     (clock, random): (impl Clock + 'static, impl Random + 'static),
///     (image_processor, images): (impl ImageProcessor + 'static, impl ImageStore + 'static),
/// ) -> App {
///     App {
///         store: Arc::new(store),
///         hasher: Arc::new(hasher),
///         tokens: Arc::new(tokens),
///         clock: Arc::new(clock),
///         random: Arc::new(random),
///         image_processor: Arc::new(image_processor),
///         images: Arc::new(images),
///         token_settings: TokenSettings {
///             access_lifetime: TimeDelta::minutes(5),
///             ..TokenSettings::default()
///         },
///         session_settings: SessionSettings::default(),
///         max_image_bytes: 5 * 1024 * 1024,
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
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Hashes passwords.
    pub hasher: Arc<dyn PasswordHasher>,
    /// Signs and reads tokens.
    pub tokens: Arc<dyn TokenCodec>,
    /// Says what time it is.
    pub clock: Arc<dyn Clock>,
    /// Makes what nobody can guess.
    pub random: Arc<dyn Random>,
    /// Makes pictures fit to be kept.
    pub image_processor: Arc<dyn ImageProcessor>,
    /// Where pictures are kept.
    pub images: Arc<dyn ImageStore>,
    /// How long tokens live.
    pub token_settings: TokenSettings,
    /// How long browsers stay logged in.
    pub session_settings: SessionSettings,
    /// How many bytes an uploaded picture may have at most.
    pub max_image_bytes: u64,
}

impl App {
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// The time of a change to something that was last changed at `previous`: now, but always later than that, so
    /// that the time of the last change tells one version from the next.
    #[must_use]
    pub fn now_after(&self, previous: DateTime<Utc>) -> DateTime<Utc> {
        self.now().max(previous + TimeDelta::microseconds(1))
    }

    /// The calendar year in UTC, which bounds the year of a car.
    pub(crate) fn current_year(&self) -> i32 {
        self.now().year()
    }
}

/// How long tokens live, and whether a refresh token can be used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSettings {
    /// How long an access token lives, in whole seconds as it is written.
    pub access_lifetime: TimeDelta,
    /// How long a refresh token lives, in whole seconds as it is written.
    pub refresh_lifetime: TimeDelta,
    /// Whether a refresh token is replaced at each use, and so is good once.
    pub rotate_refresh: bool,
}

impl Default for TokenSettings {
    /// 60 minutes, 1 day, no rotation (wire contract, section 4).
    fn default() -> Self {
        Self {
            access_lifetime: TimeDelta::minutes(60),
            refresh_lifetime: TimeDelta::days(1),
            rotate_refresh: false,
        }
    }
}

/// How long browsers stay logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionSettings {
    /// How long without a request.
    pub idle: TimeDelta,
    /// How long at all.
    pub lifetime: TimeDelta,
}

impl Default for SessionSettings {
    /// A day without a request, two weeks at all.
    fn default() -> Self {
        Self {
            idle: TimeDelta::days(1),
            lifetime: TimeDelta::days(14),
        }
    }
}
