//! Apps with a store and pictures in memory, and archives in memory.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Seek as _, Write},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use memory_store::MemoryStore;
use mycars_application::{
    App, Caller,
    backup::{self, Backup, Restore},
    mocks::{MockImageStore, Mocks, samples},
    ports::{ArchiveWriter, Store, StoredImage},
};
use mycars_archive::{Archive, ArchiveError, Origin, Output, Writer};
use mycars_domain::values::ImagePath;
use mycars_testkit::{random::Random, store_contract::Rows};

/// Pictures by their paths. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Pictures(pub(crate) Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Pictures {
    pub(crate) fn of(pictures: &[(&str, &[u8])]) -> Self {
        let pictures = pictures
            .iter()
            .map(|(path, content)| ((*path).to_owned(), content.to_vec()));
        Self(Arc::new(Mutex::new(pictures.collect())))
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.lock().unwrap().clone()
    }

    fn store(&self) -> MockImageStore {
        let mut store = MockImageStore::new();
        let this = self.clone();
        store.expect_list().returning(move || {
            let images = this.all().into_iter().map(|(path, content)| StoredImage {
                path: ImagePath::from_storage(path),
                bytes: content.len() as u64,
                modified: SystemTime::UNIX_EPOCH,
            });
            Ok(images.collect())
        });
        let this = self.clone();
        store.expect_open().returning(move |path| {
            let Some(content) = this.all().get(path.as_str()).cloned() else {
                return Ok(None);
            };
            let mut file = tempfile::tempfile()?;
            file.write_all(&content)?;
            file.rewind()?;
            Ok(Some(file))
        });
        let this = self.clone();
        store.expect_put().returning(move |path, content| {
            this.0.lock().unwrap().insert(path.to_string(), content.to_vec());
            Ok(())
        });
        store.expect_owner().returning(|| Ok(None));
        store.expect_set_owner().returning(|_, _| Ok(()));
        store
    }
}

/// Returns an app with this store and these pictures.
pub(crate) fn app(store: Arc<dyn Store>, pictures: &Pictures) -> App {
    App {
        store,
        images: Arc::new(pictures.store()),
        ..Mocks::default().into_app().0
    }
}

pub(crate) fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(std::time::Duration::from_secs(10)))
}

pub(crate) fn origin() -> Origin {
    Origin {
        version: "1.2.3".into(),
        database: "a test".into(),
        migrations: vec!["first".into(), "second".into()],
    }
}

/// Bytes in memory, which the test keeps. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Bytes {
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Bytes {
    fn complete(self) -> io::Result<()> {
        Ok(())
    }
}

/// Backs an app up into memory.
pub(crate) fn back_up(app: &App) -> (Vec<u8>, Backup) {
    let bytes = Bytes::default();
    let mut writer = Writer::new(bytes.clone(), &origin(), None, samples::now()).unwrap();
    let backup = backup::back_up(app, &Caller::system(), &mut writer, &mut |_| {}).unwrap();
    (bytes.take(), backup)
}

pub(crate) fn open(bytes: &[u8]) -> Result<Archive<Cursor<&[u8]>>, ArchiveError> {
    Archive::open(Cursor::new(bytes), &origin().migrations)
}

/// Restores an archive into an app.
pub(crate) fn restore(app: &App, bytes: &[u8]) -> Result<(), backup::Error> {
    let mut archive = open(bytes).unwrap();
    let caller = Caller::system();
    backup::restore(app, &caller, &mut archive, Restore::Real, &mut |_| {})
}

/// Returns a small archive with rows of all tables and two pictures.
pub(crate) fn small_archive() -> (Rows, Vec<u8>) {
    let rows = (0..1000)
        .map(|seed| Rows::generate(&mut Random::new(seed, 0)))
        .find(|rows| {
            mycars_application::ports::Table::ALL
                .iter()
                .all(|table| !rows.of(*table).is_empty())
        })
        .unwrap();
    let store = memory();
    rows.insert_into(&*store);
    let pictures = Pictures::of(&[("cars/one.jpg", b"one"), ("cars/two.jpg", b"two")]);
    let (bytes, _) = back_up(&app(store, &pictures));
    (rows, bytes)
}

/// Writes an archive with one picture and without rows, by other means than a backup.
pub(crate) fn with_writer(write: impl FnOnce(&mut dyn ArchiveWriter)) -> Vec<u8> {
    let bytes = Bytes::default();
    let mut writer = Writer::new(bytes.clone(), &origin(), None, samples::now()).unwrap();
    write(&mut writer);
    drop(writer);
    bytes.take()
}
