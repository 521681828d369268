//! Writes archives.

use std::{
    collections::BTreeMap,
    io::{self, BufWriter, Read, Write},
};

use chrono::{DateTime, Datelike as _, Timelike as _, Utc};
use data_encoding::HEXLOWER;
use mycars_application::ports::{ArchiveContents, ArchiveWriter, BoxError, Row, Table};
use mycars_domain::values::ImagePath;
use sha2::{Digest as _, Sha256};
use zip::{
    CompressionMethod, ZipWriter,
    write::{SimpleFileOptions, StreamWriter},
};

use crate::{
    Output,
    layout::{Contents, FORMAT, MAX_IMAGE, MAX_LINE, Manifest, Member, Origin, TableRecord, is_image_path},
    records,
    seal::{LENGTH, Sealing},
};

/// Compression level of rows: at the fastest, they take about a tenth of their size.
const LEVEL: i64 = 1;
/// Size of the buffer before the seal, in bytes.
const BUFFER: usize = 1 << 16;

type Zip<W> = ZipWriter<StreamWriter<BufWriter<Sealing<W>>>>;

/// Writes an archive in one pass. A writer that is dropped before it has finished leaves no archive.
pub struct Writer<W: Output> {
    /// `None` after the archive is finished.
    zip: Option<Zip<W>>,
    modified: zip::DateTime,
    member: Member,
    hash: Sha256,
    /// The hashes of the finished members, by name.
    hashes: BTreeMap<String, String>,
    line: Vec<u8>,
}

impl<W: Output> Writer<W> {
    /// Begins an archive.
    ///
    /// # Errors
    /// Those of writing.
    pub fn new(
        output: W,
        origin: &Origin,
        secret_key: Option<&str>,
        created_at: DateTime<Utc>,
    ) -> Result<Self, BoxError> {
        let mut zip = ZipWriter::new_stream(BufWriter::with_capacity(BUFFER, Sealing::new(output)));
        zip.set_raw_comment(Box::new([b' '; LENGTH]))?;
        let mut writer = Self {
            zip: Some(zip),
            modified: zip_time(created_at),
            member: Member::Manifest,
            hash: Sha256::new(),
            hashes: BTreeMap::new(),
            line: Vec::new(),
        };
        let manifest = Manifest {
            format: FORMAT,
            version: origin.version.clone(),
            database: origin.database.clone(),
            migrations: origin.migrations.clone(),
            created_at,
        };
        writer.begin(Member::Manifest)?;
        writer.write(&serde_json::to_vec_pretty(&manifest)?)?;
        writer.end();
        if let Some(key) = secret_key {
            writer.begin(Member::SecretKey)?;
            writer.write(key.as_bytes())?;
            writer.end();
        }
        Ok(writer)
    }

    fn zip(&mut self) -> io::Result<&mut Zip<W>> {
        self.zip
            .as_mut()
            .ok_or_else(|| io::Error::other("the archive is finished"))
    }

    fn begin(&mut self, member: Member) -> Result<(), BoxError> {
        let options = options(self.modified, !member.is_stored());
        self.zip()?.start_file(member.name(), options)?;
        self.member = member;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.zip()?.write_all(bytes)
    }

    /// Notes the hash of the member that was begun last.
    fn end(&mut self) {
        let hash = HEXLOWER.encode(&self.hash.finalize_reset());
        self.hashes.insert(self.member.name(), hash);
    }

    fn end_rows(&mut self) {
        if let Member::Rows(_) = self.member {
            self.end();
        }
    }
}

impl<W: Output> ArchiveWriter for Writer<W> {
    fn add_image(&mut self, path: &ImagePath, content: &mut dyn Read) -> Result<u64, BoxError> {
        if !is_image_path(path.as_str()) {
            return Err(format!("a picture has the name `{path}`: rename it").into());
        }
        self.begin(Member::Image(path.clone()))?;
        let mut bytes = 0;
        let mut piece = vec![0; BUFFER];
        loop {
            let length = content.read(&mut piece)?;
            if length == 0 {
                self.end();
                return Ok(bytes);
            }
            bytes += length as u64;
            if bytes > MAX_IMAGE {
                return Err(format!("the picture `{path}` has more than {MAX_IMAGE} bytes").into());
            }
            self.write(piece.get(..length).unwrap_or_default())?;
        }
    }

    fn begin_table(&mut self, table: Table) -> Result<(), BoxError> {
        self.end_rows();
        self.begin(Member::Rows(table))
    }

    fn add_rows(&mut self, rows: &[Row]) -> Result<(), BoxError> {
        let mut line = std::mem::take(&mut self.line);
        for row in rows {
            line.clear();
            records::write(row, &mut line)?;
            line.push(b'\n');
            if line.len() as u64 > MAX_LINE {
                let (table, id) = (row.table().as_str(), row.id());
                return Err(format!("the row {id} in {table} has more than {MAX_LINE} bytes").into());
            }
            self.write(&line)?;
        }
        self.line = line;
        Ok(())
    }

    fn finish(&mut self, contents: &ArchiveContents) -> Result<(), BoxError> {
        self.end_rows();
        let tables = contents.tables.iter().map(|(table, contents)| {
            let record = TableRecord {
                rows: contents.rows,
                next_id: contents.next_id,
            };
            (table.as_str().to_owned(), record)
        });
        let contents = Contents {
            tables: tables.collect(),
            images: contents.images,
            image_bytes: contents.image_bytes,
            sha256: std::mem::take(&mut self.hashes),
        };
        self.begin(Member::Contents)?;
        self.write(&serde_json::to_vec_pretty(&contents)?)?;
        let Some(zip) = self.zip.take() else {
            return Ok(());
        };
        let buffered = zip.finish()?.into_inner();
        let sealing = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
        Ok(sealing.seal()?.complete()?)
    }
}

/// Returns the options of a member with this time. Members that are not compressed have less than 4 GiB.
pub(crate) fn options(modified: zip::DateTime, is_compressed: bool) -> SimpleFileOptions {
    let options = SimpleFileOptions::default()
        .unix_permissions(0o600)
        .last_modified_time(modified);
    if is_compressed {
        options
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(LEVEL))
            .large_file(true)
    } else {
        options.compression_method(CompressionMethod::Stored)
    }
}

/// Returns a time for the members, which zip files keep to two seconds.
pub(crate) fn zip_time(at: DateTime<Utc>) -> zip::DateTime {
    let small = |number: u32| u8::try_from(number).unwrap_or(0);
    zip::DateTime::from_date_and_time(
        u16::try_from(at.year()).unwrap_or(0),
        small(at.month()),
        small(at.day()),
        small(at.hour()),
        small(at.minute()),
        small(at.second()),
    )
    .unwrap_or_default()
}
