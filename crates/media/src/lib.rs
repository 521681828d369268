//! Pictures: the adapters of the application's ports that decode, encode and store them.
//!
//! - [`JpegProcessor`]: converts an upload to an upright JPEG that holds its pixels alone.
//! - [`FileImageStore`]: stores pictures as files in a folder.
//! - [`S3ImageStore`]: stores pictures as objects in a bucket of an S3 store.
//! - [`FreeSpace`]: requires free space on the disks of folders.
#![warn(missing_docs)]

mod color;
mod container;
mod exif;
mod files;
mod formats;
mod memory;
mod names;
mod processor;
mod s3;
mod space;
mod store;
mod trash;
mod upright;
mod usage;

pub use processor::JpegProcessor;
pub use s3::{Delivery, S3Error, S3ImageStore, S3Settings};
pub use space::FreeSpace;
pub use store::FileImageStore;
