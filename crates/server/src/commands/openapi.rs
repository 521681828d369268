//! `mycars openapi`: print the OpenAPI document, the same that `/api/schema/` answers.

use mycars_http::openapi;

use super::CommandError;
use crate::{cli::DocumentFormat, console::Console};

pub(super) fn run(format: DocumentFormat, console: &mut dyn Console) -> Result<(), CommandError> {
    let document = match format {
        DocumentFormat::Json => openapi::json(),
        DocumentFormat::Yaml => openapi::yaml(),
    };
    let document = document.map_err(|error| CommandError::Refused(error.to_owned()))?;
    console.say(document.trim_end());
    Ok(())
}
