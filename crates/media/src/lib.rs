//! Pictures: the adapter of the application's port that decodes and encodes them.
//!
//! - [`JpegProcessor`]: of an upload only the pixels, upright, as a JPEG.
#![warn(missing_docs)]

mod container;
mod processor;
mod upright;

pub use processor::JpegProcessor;
