//! Pictures: the adapters of the application's ports that decode them, encode them and keep them.
//!
//! - [`JpegProcessor`]: of an upload only the pixels, upright, as a JPEG.
//! - [`FileImageStore`]: pictures as files in a folder.
#![warn(missing_docs)]

mod color;
mod container;
mod exif;
mod files;
mod formats;
mod processor;
mod store;
mod trash;
mod upright;

pub use processor::JpegProcessor;
pub use store::FileImageStore;
