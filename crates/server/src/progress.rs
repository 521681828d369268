//! Shows the progress of backups, restores, copies and imports on a terminal.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use mycars_application::{backup::Progress, django};

/// The form of the bar.
const TEMPLATE: &str = "{msg:8} {wide_bar} {human_pos} of {human_len}, {eta} left";

/// A progress bar on standard error. It shows nothing if that is not a terminal.
pub(crate) struct Bar {
    bar: ProgressBar,
    started: Instant,
}

impl Bar {
    pub(crate) fn new() -> Self {
        Self {
            bar: ProgressBar::no_length(),
            started: Instant::now(),
        }
    }

    pub(crate) fn show(&mut self, progress: Progress) {
        match progress {
            Progress::Images(count) => self.begin("Pictures", count),
            Progress::Rows(count) => self.begin("Rows", count),
            Progress::Done(count) => self.bar.inc(count),
        }
    }

    /// Shows the progress of an import from Django.
    pub(crate) fn show_import(&mut self, progress: django::Progress) {
        match progress {
            django::Progress::Check(count) => self.begin("Checking", count),
            django::Progress::Pictures(count) => self.begin("Pictures", count),
            django::Progress::Insert(count) => self.begin("Rows", count),
            django::Progress::Done(count) => self.bar.inc(count),
        }
    }

    fn begin(&mut self, what: &'static str, count: u64) {
        self.bar.finish_and_clear();
        let style = ProgressStyle::with_template(TEMPLATE);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar = ProgressBar::new(count).with_style(style).with_message(what);
    }

    /// Removes the bar, and returns the time since its start in seconds, as text.
    pub(crate) fn finish(self) -> String {
        self.bar.finish_and_clear();
        format!("{:.1} s", self.started.elapsed().as_secs_f64())
    }
}
