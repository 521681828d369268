//! `mycars media move`: move the pictures to another place.

use mycars_application::{
    Caller,
    images::{Copied, Originals, copy_to},
};

use crate::{
    cli::Media,
    console::Console,
    error::CommandError,
    progress::Bar,
    settings::{MediaRoot, Settings},
    wiring,
};

pub(super) fn run(
    settings: &Settings,
    command: &Media,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let Media::Move { to, delete } = command;
    let target = MediaRoot::parse(to).flatten();
    let target = target
        .ok_or_else(|| CommandError::Refused(format!("`{to}` is neither a folder nor s3://BUCKET/PREFIX")))?;
    let source = &settings.media.root;
    if target == *source {
        return Err(CommandError::Refused(format!(
            "the pictures are in `{source}` already"
        )));
    }
    let store = wiring::images(settings, &target)?;
    let app = wiring::app(settings)?;
    // Requests have priority.
    mycars_http::lower_priority();
    let originals = if *delete {
        Originals::Delete
    } else {
        Originals::Keep
    };
    let mut bar = Bar::new();
    let mut show = |step| bar.show(step);
    let copied = copy_to(&app, &Caller::system(), &*store, originals, &mut show)?;
    let Copied {
        images,
        bytes,
        present,
    } = copied;
    console.print(&format!(
        "{verb} {images} pictures ({bytes} bytes) from `{source}` to `{target}` in {took}; {present} of them were there \
         already. {then}set MYCARS__MEDIA__ROOT={target} and start the server.",
        verb = if *delete { "Moved" } else { "Copied" },
        took = bar.finish(),
        then = if *delete {
            "Now "
        } else {
            "If the server runs, stop it and run this again, so that no new picture is missing; then "
        },
    ));
    Ok(())
}
