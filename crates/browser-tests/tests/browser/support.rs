//! Runs the server and a browser, and provides the actions of users.

pub(crate) mod api;
pub(crate) mod attack;
pub(crate) mod axe;
pub(crate) mod cars;
pub(crate) mod driver;
pub(crate) mod panel;
pub(crate) mod server;
pub(crate) mod site;

pub(crate) use driver::Element;
pub(crate) use site::{CLIENT, PASSWORD, ROOT, Site};

use std::{
    env,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// Maximum time to wait for an expected event. Only failing tests wait so long.
pub(crate) const MAX_WAIT: Duration = Duration::from_mins(1);

/// Returns a path from an environment variable of `scripts/test-browser`.
#[track_caller]
pub(crate) fn named_path(variable: &str) -> PathBuf {
    let Some(path) = env::var_os(variable).map(PathBuf::from) else {
        panic!("{variable} is not set: run these tests with scripts/test-browser");
    };
    assert!(
        path.exists(),
        "{variable} names what is not there: {}",
        path.display()
    );
    path
}

/// Makes two tests of each function: one in a browser with scripts, one without. Each function is given a [`Site`] of
/// its own.
macro_rules! with_and_without_scripts {
    ($($test:ident),+ $(,)?) => {
        mod with_scripts {
            $(
                #[test]
                fn $test() {
                    super::$test(&crate::support::Site::open());
                }
            )+
        }

        mod without_scripts {
            $(
                #[test]
                fn $test() {
                    super::$test(&crate::support::Site::without_scripts());
                }
            )+
        }
    };
}
pub(crate) use with_and_without_scripts;

/// Polls until there is a result. Panics after a timeout.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + MAX_WAIT;
    loop {
        if let Some(answer) = poll() {
            return answer;
        }
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
