//! The log on standard error, as text or JSON.

use std::io::{self, IsTerminal as _};

use tracing::{Dispatch, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, Registry, fmt, fmt::MakeWriter, layer::SubscriberExt as _, registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::settings::{Log, LogFormat, SettingsError};

/// The part of the log that makes traces, which are sent elsewhere.
pub(crate) type TraceLayer = Box<dyn Layer<Registry> + Send + Sync>;

/// Starts the log of this program and its libraries on standard error, and its traces. A log that was started before
/// stays.
///
/// # Errors
/// [`SettingsError::Wrong`] if the level is not valid.
pub(crate) fn start(log: &Log, traces: Option<TraceLayer>) -> Result<(), SettingsError> {
    let dispatch = dispatch(log, traces, io::stderr, io::stderr().is_terminal())?;
    // It fails only if a log was started before.
    let _ = dispatch.try_init();
    Ok(())
}

/// Directives that those of the settings override. The HTTP library logs an error for each malformed request, without
/// its address. Spans of traces are not part of the log.
const DEFAULT_DIRECTIVES: &str = "actix_http::h1::dispatcher=off,mycars::trace=off";

/// Parses a level or the directives of an `EnvFilter`, and adds the default directives; `None` if the text is neither.
pub(crate) fn filter(level: &str) -> Option<EnvFilter> {
    // `EnvFilter` takes a single word that is not a level for a module. It is more likely to be a mistyped level.
    let level = level.trim();
    let is_word = level.chars().all(char::is_alphanumeric);
    let is_level = !level.is_empty() && level.parse::<LevelFilter>().is_ok();
    if is_word && !is_level {
        return None;
    }
    EnvFilter::try_new(level).ok()?;
    EnvFilter::try_new(format!("{DEFAULT_DIRECTIVES},{level}")).ok()
}

/// Returns whether the directives log refused logins, which are warnings with the target of security events.
pub(crate) fn has_security_events(level: &str) -> bool {
    let Some(filter) = filter(level) else {
        return false;
    };
    let dispatch: Dispatch = fmt().with_env_filter(filter).into();
    tracing::dispatcher::with_default(
        &dispatch,
        || tracing::enabled!(target: "mycars::security", tracing::Level::WARN),
    )
}

fn dispatch<W>(
    log: &Log,
    traces: Option<TraceLayer>,
    writer: W,
    is_terminal: bool,
) -> Result<Dispatch, SettingsError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let filter = filter(&log.level).ok_or_else(|| SettingsError::Wrong {
        name: "log.level".to_owned(),
        held: format!("{:?}", log.level),
        expected: "a level".to_owned(),
    })?;
    let registry = tracing_subscriber::registry();
    Ok(match traces {
        // A filter of the whole log makes spans of traces free.
        None => registry.with(lines(log, writer, is_terminal)).with(filter).into(),
        Some(traces) => registry
            .with(traces)
            .with(lines(log, writer, is_terminal).with_filter(filter))
            .into(),
    })
}

/// Returns the part of the log that writes lines.
fn lines<S, W>(log: &Log, writer: W, is_terminal: bool) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = fmt::layer().with_writer(writer);
    match log.format {
        // The list would only repeat the current span.
        LogFormat::Json => layer.json().flatten_event(true).with_span_list(false).boxed(),
        LogFormat::Text => layer.with_ansi(is_terminal).boxed(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns the log of three events at different levels, and of the library's error about a malformed request.
    fn written(level: &str, format: LogFormat) -> String {
        let buffer = Buffer::default();
        let log = Log {
            level: level.to_owned(),
            format,
        };
        let writer = buffer.clone();
        let dispatch = dispatch(&log, None, move || writer.clone(), false).unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            tracing::debug!("a detail");
            tracing::info_span!("request", id = "a-1").in_scope(|| tracing::info!(car = 7, "some news"));
            tracing::error!("a failure");
            tracing::error!(target: "actix_http::h1::dispatcher", "stream error");
        });
        String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn text_format_in_file_has_no_colours() {
        let text = written("info", LogFormat::Text);
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(
            text.contains("INFO")
                && text.contains("request{id=\"a-1\"}: ")
                && text.contains("some news car=7"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn json_format_writes_one_object_per_line() {
        let text = written("info", LogFormat::Json);
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[0]["level"], "INFO");
        assert_eq!(lines[0]["message"], "some news");
        assert_eq!(lines[0]["car"], 7);
        assert_eq!(lines[0]["span"]["id"], "a-1");
        assert_eq!(lines[0].get("spans"), None);
        assert_eq!(lines[1]["level"], "ERROR");
    }

    #[test]
    fn level_selects_logged_events() {
        for (level, lines) in [
            ("off", 0),
            ("error", 1),
            ("INFO", 2),
            ("debug", 3),
            ("mycars::logging=debug", 3),
            ("error,mycars=info", 2),
            ("info,actix_http::h1::dispatcher=error", 3),
            ("off,actix_http::h1::dispatcher=trace", 1),
        ] {
            assert_eq!(written(level, LogFormat::Text).lines().count(), lines, "{level}");
        }
    }

    #[test]
    fn invalid_level_or_directive_is_refused() {
        for level in [
            "",
            " ",
            "inof",
            "verbose",
            "mycars=loud",
            "info,mycars=loud",
            "[",
            "info,a=b=c",
        ] {
            assert!(filter(level).is_none(), "{level}");
        }
        let log = Log {
            level: "inof".to_owned(),
            format: LogFormat::Text,
        };
        let error = dispatch(&log, None, io::stderr, false).unwrap_err();
        assert_eq!(error.to_string(), "log.level is \"inof\", but should be a level");
    }
}
