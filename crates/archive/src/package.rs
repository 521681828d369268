//! Zip files that are sent while they are written.

use std::{
    io::{self, Write},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use mycars_application::ports::{BoxError, Package, Packager};
use zip::{ZipWriter, write::StreamWriter};

use crate::writer::{options, zip_time};

/// Makes zip files.
pub struct ZipPackager;

impl Packager for ZipPackager {
    fn begin(&self, at: DateTime<Utc>) -> Box<dyn Package> {
        let ready = Ready::default();
        Box::new(ZipPackage {
            zip: Some(ZipWriter::new_stream(ready.clone())),
            ready,
            modified: zip_time(at),
        })
    }
}

struct ZipPackage {
    /// `None` after the package is finished.
    zip: Option<ZipWriter<StreamWriter<Ready>>>,
    ready: Ready,
    modified: zip::DateTime,
}

/// The bytes that were written and not taken yet.
#[derive(Clone, Default)]
struct Ready(Arc<Mutex<Vec<u8>>>);

impl Ready {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Ready {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ZipPackage {
    fn zip(&mut self) -> io::Result<&mut ZipWriter<StreamWriter<Ready>>> {
        self.zip
            .as_mut()
            .ok_or_else(|| io::Error::other("the package is finished"))
    }
}

impl Package for ZipPackage {
    fn begin_file(&mut self, name: &str, compressible: bool) -> Result<(), BoxError> {
        let options = options(self.modified, compressible);
        Ok(self.zip()?.start_file(name, options)?)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BoxError> {
        Ok(self.zip()?.write_all(bytes)?)
    }

    fn finish(&mut self) -> Result<(), BoxError> {
        if let Some(zip) = self.zip.take() {
            zip.finish()?;
        }
        Ok(())
    }

    fn take(&mut self) -> Vec<u8> {
        mem::take(&mut *self.ready.bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use zip::ZipArchive;

    use super::*;

    fn content(zip: &mut ZipArchive<Cursor<Vec<u8>>>, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn taken_bytes_are_a_zip_file() {
        let mut package = ZipPackager.begin(DateTime::UNIX_EPOCH);
        let mut whole = Vec::new();
        package.begin_file("README.txt", true).unwrap();
        package.write("für Åsa\n".as_bytes()).unwrap();
        whole.extend(package.take());
        package.begin_file("empty.json", true).unwrap();
        package.begin_file("pictures/a.jpg", false).unwrap();
        package.write(b"one ").unwrap();
        whole.extend(package.take());
        package.write(b"picture").unwrap();
        whole.extend(package.take());
        assert!(
            ZipArchive::new(Cursor::new(whole.clone())).is_err(),
            "it is not finished"
        );
        package.finish().unwrap();
        whole.extend(package.take());
        assert!(package.take().is_empty() && package.write(b"more").is_err());

        let mut zip = ZipArchive::new(Cursor::new(whole)).unwrap();
        let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(names, ["README.txt", "empty.json", "pictures/a.jpg"]);
        assert_eq!(content(&mut zip, "README.txt"), "für Åsa\n".as_bytes());
        assert_eq!(content(&mut zip, "empty.json"), b"");
        assert_eq!(content(&mut zip, "pictures/a.jpg"), b"one picture");
    }

    /// Whatever the size of a file, the bytes in memory are those of the last piece.
    #[test]
    fn bytes_in_memory_do_not_grow_with_the_files() {
        const PIECE: usize = 1 << 16;
        let mut package = ZipPackager.begin(DateTime::UNIX_EPOCH);
        // Pseudorandom bytes, which can't be compressed.
        let mut state = 1_u64;
        let piece: Vec<u8> = (0..PIECE)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[0]
            })
            .collect();
        for compressible in [false, true] {
            package
                .begin_file(&compressible.to_string(), compressible)
                .unwrap();
            for _ in 0..200 {
                package.write(&piece).unwrap();
                let taken = package.take().len();
                assert!(taken < 3 * PIECE, "{taken}");
            }
        }
    }
}
