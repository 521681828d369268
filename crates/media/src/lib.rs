//! Pictures: the adapters of the application's ports that decode, encode and store them.
//!
//! - [`JpegProcessor`]: converts an upload to an upright JPEG that holds its pixels alone.
//! - [`FileImageStore`]: stores pictures as files in a folder.
//! - [`FreeSpace`]: requires free space on the disks of folders.
#![warn(missing_docs)]

mod color;
mod container;
mod exif;
mod files;
mod formats;
mod memory;
mod processor;
mod space;
mod store;
mod trash;
mod upright;

pub use processor::JpegProcessor;
pub use space::FreeSpace;
pub use store::FileImageStore;
