//! Parts that the pages of the browsable API and of the panel share.

pub(crate) mod assets;
pub(crate) mod bidi;
pub(crate) mod entries;
pub(crate) mod forms;
pub(crate) mod links;
pub(crate) mod lists;
pub(crate) mod text;

use askama::Template;

/// Renders a template.
pub(crate) fn render(template: &impl Template) -> String {
    // Writing to a string fails only if the `Display` of a value does, and no value's does here.
    template.render().unwrap_or_default()
}
