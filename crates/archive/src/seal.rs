//! The seal: the last bytes of an archive, with the SHA-256 of all bytes before.

use std::{
    io::{self, Read, Seek, SeekFrom, Write},
    mem,
};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// The first bytes of the seal.
const PREFIX: &str = "sha256:";
/// The length of a seal in bytes.
pub(crate) const LENGTH: usize = PREFIX.len() + 64;

/// Passes bytes on except the last ones, which the seal replaces.
pub(crate) struct Sealing<W> {
    inner: W,
    hash: Sha256,
    /// The last bytes, which are not passed on yet.
    held: Vec<u8>,
}

impl<W: Write> Sealing<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            held: Vec::new(),
        }
    }

    /// Writes the seal in the place of the last bytes.
    pub(crate) fn seal(mut self) -> io::Result<W> {
        self.inner.write_all(seal(&self.hash.finalize()).as_bytes())?;
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut pass = mem::take(&mut self.held);
        pass.extend_from_slice(bytes);
        self.held = pass.split_off(pass.len().saturating_sub(LENGTH));
        self.hash.update(&pass);
        self.inner.write_all(&pass)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Returns whether a file ends in the right seal.
pub(crate) fn is_right(file: &mut (impl Read + Seek)) -> io::Result<bool> {
    let length = file.seek(SeekFrom::End(0))?;
    let Some(sealed) = length.checked_sub(LENGTH as u64) else {
        return Ok(false);
    };
    file.rewind()?;
    let mut hashing = Hashing::new(&mut *file);
    io::copy(&mut (&mut hashing).take(sealed), &mut io::sink())?;
    let hash = hashing.hash.finalize();
    let mut found = Vec::new();
    file.take(LENGTH as u64).read_to_end(&mut found)?;
    file.rewind()?;
    Ok(found == seal(&hash).as_bytes())
}

/// Computes the hash of all that is read.
pub(crate) struct Hashing<R> {
    inner: R,
    pub(crate) hash: Sha256,
}

impl<R> Hashing<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
        }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hash.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

fn seal(hash: &[u8]) -> String {
    format!("{PREFIX}{}", HEXLOWER.encode(hash))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn sealed(pieces: &[&[u8]]) -> Vec<u8> {
        let mut sealing = Sealing::new(Vec::new());
        for piece in pieces {
            sealing.write_all(piece).unwrap();
        }
        sealing.write_all(&[b' '; LENGTH]).unwrap();
        sealing.seal().unwrap()
    }

    #[test]
    fn seal_replaces_the_last_bytes() {
        let long = [7; 1000];
        for pieces in [&[][..], &[&b"a"[..]], &[&long[..], b"", b"b", &long]] {
            let file = sealed(pieces);
            assert_eq!(file[..file.len() - LENGTH], pieces.concat());
            assert!(is_right(&mut Cursor::new(file)).unwrap());
        }
    }

    #[test]
    fn changed_or_cut_file_has_no_seal() {
        let whole = sealed(&[b"some content"]);
        for position in 0..whole.len() {
            let mut file = whole.clone();
            file[position] ^= 1;
            assert!(!is_right(&mut Cursor::new(file)).unwrap(), "{position}");
            assert!(!is_right(&mut Cursor::new(&whole[..position])).unwrap());
        }
    }
}
