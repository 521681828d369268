//! `mycars openapi`: print the OpenAPI document of `/api/schema/`, with a relative base URL.

use mycars_http::openapi;

use crate::{cli::DocumentFormat, console::Console, error::CommandError};

pub(super) fn run(format: DocumentFormat, console: &mut dyn Console) -> Result<(), CommandError> {
    let document = match format {
        DocumentFormat::Json => openapi::json(openapi::RELATIVE_SERVER),
        DocumentFormat::Yaml => openapi::yaml(openapi::RELATIVE_SERVER),
    };
    let document = document.map_err(CommandError::Refused)?;
    console.print(document.trim_end());
    Ok(())
}
