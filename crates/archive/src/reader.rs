//! Verifies and reads archives.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read, Seek},
};

use data_encoding::HEXLOWER;
use mycars_application::ports::{
    ArchiveContents, ArchiveReader, BoxError, EachImage, EachRows, Row, Table, TableContents,
};
use serde::de::DeserializeOwned;
use sha2::Digest as _;
use zip::{CompressionMethod, ZipArchive, read::ZipFile, result::ZipError};

use crate::{
    layout::{Contents, FORMAT, Format, MAX_CONTENTS, MAX_IMAGE, MAX_LINE, Manifest, Member, Origin},
    records,
    seal::{self, Hashing},
};

/// Maximum number of rows that are passed on at once.
const ROWS_AT_ONCE: usize = 250;

/// Number of bytes of lines after which their rows are passed on.
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;

/// The reason why a file is refused as an archive.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file is not an archive, or not as it was written.
    #[error("the file is not a complete archive of My Cars, or it was changed or damaged: {0}")]
    Damaged(String),
    /// A newer version has written the archive.
    #[error("a newer version of My Cars has written the archive ({0}): restore it with that version")]
    Newer(String),
    /// The file could not be read.
    #[error("the archive could not be read")]
    Io(#[from] io::Error),
}

impl From<ZipError> for ArchiveError {
    fn from(error: ZipError) -> Self {
        match error {
            ZipError::Io(error) => error.into(),
            error => Self::Damaged(error.to_string()),
        }
    }
}

impl From<serde_json::Error> for ArchiveError {
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged(error.to_string())
    }
}

fn damaged<T>(problem: impl Into<String>) -> Result<T, ArchiveError> {
    Err(ArchiveError::Damaged(problem.into()))
}

/// An archive that was verified.
pub struct Archive<R> {
    zip: ZipArchive<BufReader<R>>,
    origin: Origin,
    contents: ArchiveContents,
    secret_key: Option<String>,
}

impl<R: Read + Seek> Archive<R> {
    /// Opens an archive and reads all of it: its seal and hashes must be right, it must contain what it states and
    /// nothing else, and each row must be one of a known table. `migrations` are those that this program knows.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn open(mut file: R, migrations: &[String]) -> Result<Self, ArchiveError> {
        if !seal::is_right(&mut file)? {
            return damaged("its seal is wrong");
        }
        let mut zip = ZipArchive::new(BufReader::new(file))?;
        if zip.has_duplicate_names() || zip.offset() != 0 {
            return damaged("its directory is wrong");
        }
        let manifest = read_manifest(&mut zip, migrations)?;
        let contents: Contents = serde_json::from_slice(&read_member(&mut zip, &Member::Contents)?)?;
        let mut archive = Self {
            zip,
            origin: Origin {
                version: manifest.version,
                database: manifest.database,
                migrations: manifest.migrations,
            },
            contents: ArchiveContents {
                created_at: manifest.created_at,
                tables: tables(&contents)?,
                images: contents.images,
                image_bytes: contents.image_bytes,
            },
            secret_key: None,
        };
        archive.verify(&contents)?;
        Ok(archive)
    }

    /// Returns the program and the database that the archive comes from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the key that signs tokens, if the archive has it.
    #[must_use]
    pub fn secret_key(&self) -> Option<&str> {
        self.secret_key.as_deref()
    }

    fn verify(&mut self, contents: &Contents) -> Result<(), ArchiveError> {
        let (mut images, mut image_bytes, mut tables, mut hashed) = (0, 0, 0, 0);
        for index in 0..self.zip.len() {
            let (member, file) = member(&mut self.zip, index)?;
            if member == Member::Contents {
                continue;
            }
            let name = member.name();
            let mut file = Hashing::new(file);
            match &member {
                Member::Rows(table) => {
                    verify_rows(&mut file, *table, self.contents.tables.get(table))?;
                    tables += 1;
                }
                Member::Image(_) => {
                    images += 1;
                    image_bytes += io::copy(&mut (&mut file).take(MAX_IMAGE + 1), &mut io::sink())?;
                }
                _ => {
                    let text = read_limited(&mut file, MAX_LINE)?;
                    if member == Member::SecretKey {
                        self.secret_key = String::from_utf8(text).ok();
                    }
                }
            }
            if contents.sha256.get(&name) != Some(&HEXLOWER.encode(&file.hash.finalize())) {
                return damaged(format!("the hash of `{name}` is wrong"));
            }
            hashed += 1;
        }
        let has_all =
            (images, image_bytes, tables) == (contents.images, contents.image_bytes, contents.tables.len());
        if !has_all || hashed != contents.sha256.len() {
            return damaged("members are missing");
        }
        Ok(())
    }
}

impl<R: Read + Seek> ArchiveReader for Archive<R> {
    fn contents(&self) -> &ArchiveContents {
        &self.contents
    }

    fn read_images(&mut self, each: &mut EachImage<'_>) -> Result<(), BoxError> {
        for index in 0..self.zip.len() {
            let (member, mut file) = member(&mut self.zip, index)?;
            if let Member::Image(path) = member {
                each(&path, &read_limited(&mut file, MAX_IMAGE)?)?;
            }
        }
        Ok(())
    }

    fn read_rows(&mut self, table: Table, each: &mut EachRows<'_>) -> Result<(), BoxError> {
        let name = Member::Rows(table).name();
        if ADDED.contains(&table) && self.zip.index_for_name(&name).is_none() {
            return Ok(());
        }
        let mut file = self.zip.by_name(&name).map_err(ArchiveError::from)?;
        let mut rows = Vec::with_capacity(ROWS_AT_ONCE);
        let mut bytes = 0;
        for_each_row(&mut file, table, &mut |row, length| {
            rows.push(row);
            bytes += length;
            if rows.len() == ROWS_AT_ONCE || bytes >= BYTES_AT_ONCE {
                each(&rows)?;
                rows.clear();
                bytes = 0;
            }
            Ok::<_, BoxError>(())
        })?;
        each(&rows)
    }
}

/// Reads the manifest, and refuses one of a newer version.
fn read_manifest<R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    known: &[String],
) -> Result<Manifest, ArchiveError> {
    let text = read_member(zip, &Member::Manifest)?;
    let Format { format } = parse(&text)?;
    if format > FORMAT {
        return Err(ArchiveError::Newer(format!("its format is {format}")));
    }
    let manifest: Manifest = parse(&text)?;
    match manifest.migrations.iter().find(|name| !known.contains(name)) {
        Some(newer) => Err(ArchiveError::Newer(format!(
            "version {}, with {newer}",
            manifest.version
        ))),
        None => Ok(manifest),
    }
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, ArchiveError> {
    Ok(serde_json::from_slice(text)?)
}

/// The tables that archives of older versions do not have.
const ADDED: [Table; 1] = [Table::ApiKeys];

/// Returns the stated contents of all tables. Each archive has all tables that were known when it was written; those
/// that were added later are empty.
fn tables(contents: &Contents) -> Result<BTreeMap<Table, TableContents>, ArchiveError> {
    let mut tables = BTreeMap::new();
    for (name, record) in &contents.tables {
        let Some(table) = crate::layout::table_named(name) else {
            return Err(ArchiveError::Newer(format!("it has the table `{name}`")));
        };
        let contents = TableContents {
            rows: record.rows,
            next_id: record.next_id,
        };
        tables.insert(table, contents);
    }
    for table in ADDED {
        tables
            .entry(table)
            .or_insert(TableContents { rows: 0, next_id: 1 });
    }
    match Table::ALL.into_iter().find(|table| !tables.contains_key(table)) {
        Some(missing) => damaged(format!("the table `{}` is missing", missing.as_str())),
        None => Ok(tables),
    }
}

/// Returns a member by its number. Refuses links, folders, encryption and unknown names.
fn member<R: Read + Seek>(
    zip: &mut ZipArchive<R>,
    index: usize,
) -> Result<(Member, ZipFile<'_, R>), ArchiveError> {
    let file = zip.by_index(index)?;
    let name = file.name()?.into_owned();
    let Some(member) = Member::named(&name) else {
        return damaged(format!("it has the member `{name}`"));
    };
    check_kind(&member, &file)?;
    Ok((member, file))
}

/// Refuses a member that is no plain file. A picture must not be compressed, so that it is not larger than the archive.
fn check_kind<R: Read>(member: &Member, file: &ZipFile<'_, R>) -> Result<(), ArchiveError> {
    let method = if member.is_stored() {
        CompressionMethod::Stored
    } else {
        CompressionMethod::Deflated
    };
    if file.is_file() && !file.encrypted() && file.compression() == method {
        Ok(())
    } else {
        damaged(format!("the member `{}` is not a plain file", member.name()))
    }
}

fn read_member<R: Read + Seek>(zip: &mut ZipArchive<R>, member: &Member) -> Result<Vec<u8>, ArchiveError> {
    let mut file = zip.by_name(&member.name())?;
    check_kind(member, &file)?;
    let limit = if *member == Member::Contents {
        MAX_CONTENTS
    } else {
        MAX_LINE
    };
    read_limited(&mut file, limit)
}

fn read_limited(file: &mut impl Read, limit: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return damaged(format!("a member has more than {limit} bytes"));
    }
    Ok(bytes)
}

/// Checks that the rows are those that the archive states, in the order of their ids.
fn verify_rows(
    file: &mut impl Read,
    table: Table,
    expected: Option<&TableContents>,
) -> Result<(), ArchiveError> {
    let (mut count, mut last) = (0_u64, None);
    let problem = |problem: &str| damaged(format!("the table `{}` {problem}", table.as_str()));
    for_each_row(file, table, &mut |row, _| {
        if last.is_some_and(|last| last >= row.id()) {
            return problem("is not in the order of ids");
        }
        last = Some(row.id());
        count += 1;
        Ok(())
    })?;
    let Some(expected) = expected.filter(|expected| expected.rows == count) else {
        return problem("does not have the stated number of rows");
    };
    if table != Table::Installation && last.is_some_and(|last| last >= expected.next_id) {
        return problem("has an id that is not below the next one");
    }
    Ok(())
}

/// Calls `each` with the row and the length of each line of a member with rows.
fn for_each_row<E: From<ArchiveError>>(
    file: &mut impl Read,
    table: Table,
    each: &mut dyn FnMut(Row, usize) -> Result<(), E>,
) -> Result<(), E> {
    let mut lines = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut lines).take(MAX_LINE + 1).read_until(b'\n', &mut line);
        if read.map_err(ArchiveError::from)? == 0 {
            return Ok(());
        }
        if line.len() as u64 > MAX_LINE || line.pop() != Some(b'\n') {
            return Err(ArchiveError::Damaged("a row is too long, or cut off".into()).into());
        }
        each(
            records::read(table, &line).map_err(ArchiveError::from)?,
            line.len(),
        )?;
    }
}
