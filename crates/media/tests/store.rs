//! The image store, in temporary folders.
#![expect(clippy::unwrap_used, reason = "a failed helper fails its test")]

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use mycars_application::ports::{ImageStore, StoredImage};
use mycars_domain::values::ImagePath;
use mycars_media::FileImageStore;
use mycars_testkit::image_store_contract::{IMPOSSIBLE, ImageFixture};
use proptest::prelude::*;
use tempfile::TempDir;

fn in_folder() -> ImageFixture {
    let folder = tempfile::tempdir().unwrap();
    ImageFixture {
        store: Arc::new(FileImageStore::new(folder.path().join("media"))),
        kept: Box::new(folder),
    }
}

mod contract {
    mycars_testkit::image_store_contract!(super::in_folder);
}

/// Returns a root that does not exist yet, in a folder with a secret, and the store below it.
fn store() -> (TempDir, FileImageStore) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    let store = FileImageStore::new(folder.path().join("data/media"));
    (folder, store)
}

fn cars(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("data/media/cars")
}

fn path(text: &str) -> ImagePath {
    ImagePath::from_storage(text.into())
}

fn content(store: &FileImageStore, text: &str) -> Option<String> {
    let mut file = store.open(&path(text)).unwrap()?;
    let mut content = String::new();
    file.read_to_string(&mut content).unwrap();
    Some(content)
}

fn names(folder: &Path) -> Vec<String> {
    let name = |entry: io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

fn touch(file: &Path, time: SystemTime) {
    File::options()
        .write(true)
        .open(file)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

/// Returns three successive times.
fn hour() -> [SystemTime; 3] {
    [1_000, 2_000, 3_000].map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Returns the text of the cause of the port's error.
fn cause(error: impl std::error::Error) -> String {
    error.source().unwrap().to_string()
}

#[test]
fn file_is_writable_by_its_owner_and_readable_by_all() {
    let (folder, store) = store();
    store.put(&path("cars/a.jpg"), b"one").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    // The umask of the user that runs the tests may be stricter.
    assert_eq!(mode(&cars(&folder)) & !0o755, 0);
    assert_eq!(mode(&cars(&folder)) & 0o700, 0o700);
    assert_eq!(mode(&cars(&folder).join("a.jpg")) & !0o644, 0);
    assert_eq!(mode(&cars(&folder).join("a.jpg")) & 0o600, 0o600);
}

#[test]
fn put_leaves_only_the_picture_in_the_folder() {
    let (folder, store) = store();
    store.put(&path("cars/a.jpg"), b"one").unwrap();
    assert_eq!(names(&cars(&folder)), ["a.jpg"]);
}

/// A log that a test can read.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the log lines that `work` writes.
fn logged(work: impl FnOnce()) -> String {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    let text = log.0.lock().unwrap().clone();
    String::from_utf8(text).unwrap()
}

#[test]
fn failed_delete_is_logged_with_its_cause() {
    let (folder, store) = store();
    // The mode of a folder would not stop root, and tests are often run by root.
    fs::create_dir_all(cars(&folder).join("a.jpg")).unwrap();
    let log = logged(|| assert!(store.delete(&path("cars/a.jpg")).is_err()));
    assert!(log.contains("WARN") && log.contains("cars/a.jpg"), "{log}");
    assert!(
        log.contains("Is a directory") || log.contains("not permitted"),
        "{log}"
    );
}

#[test]
fn list_error_names_path_and_cause() {
    let (folder, store) = store();
    fs::create_dir_all(folder.path().join("data/media")).unwrap();
    fs::write(cars(&folder), "no folder").unwrap();
    let error = cause(store.list().unwrap_err());
    assert!(
        error.contains("data/media/cars") && error.contains("Not a directory"),
        "{error}"
    );
}

#[test]
fn delete_of_a_missing_picture_succeeds() {
    let (_folder, store) = store();
    assert_eq!(logged(|| store.delete(&path("cars/a.jpg")).unwrap()), "");
}

#[test]
fn path_outside_the_folder_is_no_picture() {
    let (folder, store) = store();
    store.put(&path("cars/a.jpg"), b"one").unwrap();
    let long = format!("cars/{}", "a".repeat(256));
    let absolute = folder.path().join("secret").to_str().unwrap().to_owned();
    for text in IMPOSSIBLE.into_iter().chain([long.as_str(), absolute.as_str()]) {
        assert!(store.open(&path(text)).unwrap().is_none(), "{text:?}");
        assert!(store.put(&path(text), b"evil").is_err(), "{text:?}");
        store.delete(&path(text)).unwrap();
    }
    assert_eq!(names(folder.path()), ["data", "secret"]);
    assert_eq!(names(&cars(&folder)), ["a.jpg"]);
}

#[test]
fn other_than_a_regular_file_is_no_picture() {
    let (folder, store) = store();
    store.put(&path("cars/a.jpg"), b"one").unwrap();
    fs::create_dir(cars(&folder).join("folder.jpg")).unwrap();
    symlink("../../../secret", cars(&folder).join("link.jpg")).unwrap();
    symlink("a.jpg", cars(&folder).join("near.jpg")).unwrap();
    symlink("nowhere", cars(&folder).join("dangling.jpg")).unwrap();
    for name in ["folder", "link", "near", "dangling"] {
        assert_eq!(content(&store, &format!("cars/{name}.jpg")), None, "{name}");
    }
    let listed: Vec<_> = store
        .list()
        .unwrap()
        .into_iter()
        .map(|image| image.path)
        .collect();
    assert_eq!(listed, [path("cars/a.jpg")]);
}

#[test]
fn media_root_may_be_a_symbolic_link() {
    let (folder, store) = store();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("data/media")).unwrap();
    symlink(elsewhere.path(), cars(&folder)).unwrap();
    store.put(&path("cars/a.jpg"), b"one").unwrap();
    assert_eq!(content(&store, "cars/a.jpg").unwrap(), "one");
}

#[test]
fn open_of_a_pipe_does_not_block() {
    let (folder, store) = store();
    fs::create_dir_all(cars(&folder)).unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(cars(&folder).join("a.jpg"))
        .status()
        .unwrap();
    assert!(made.success());
    assert_eq!(content(&store, "cars/a.jpg"), None);
}

#[test]
fn new_store_is_empty() {
    let (folder, store) = store();
    assert_eq!(store.list().unwrap(), []);
    assert_eq!(content(&store, "cars/a.jpg"), None);
    assert_eq!(names(folder.path()), ["secret"]);
}

#[test]
fn list_returns_pictures_with_size_and_time() {
    let (folder, store) = store();
    let [earlier, then, _] = hour();
    for (name, content, time) in [("a.jpg", "one", earlier), ("b.jpg", "three", then)] {
        store
            .put(&path(&format!("cars/{name}")), content.as_bytes())
            .unwrap();
        touch(&cars(&folder).join(name), time);
    }
    fs::write(cars(&folder).join(".tmp-abc123"), "half").unwrap();
    fs::write(cars(&folder).join("a b"), "no name of a picture").unwrap();
    fs::create_dir_all(folder.path().join("data/media/trash/2026-11-26")).unwrap();
    let mut listed = store.list().unwrap();
    listed.sort_by_key(|image| image.path.to_string());
    let stored = |name: &str, bytes, modified| StoredImage {
        path: path(name),
        bytes,
        modified,
    };
    assert_eq!(
        listed,
        [stored("cars/a.jpg", 3, earlier), stored("cars/b.jpg", 5, then)]
    );
    assert_eq!(
        names(&cars(&folder)),
        [".tmp-abc123", "a b", "a.jpg", "b.jpg"],
        "listing changes nothing"
    );
}

#[test]
fn delete_unfinished_deletes_only_old_temporary_files() {
    let (folder, store) = store();
    let [earlier, then, later] = hour();
    let root = folder.path().join("data/media");
    let folders = [root.clone(), cars(&folder), root.join("trash/2026-11-26")];
    for folder in &folders {
        fs::create_dir_all(folder).unwrap();
        for (name, time) in [
            (".tmp-Old123", earlier),
            (".tmp-New123", later),
            (".tmp-Just12", then),
            (".tmp-", earlier),
            (".tmp-toolong", earlier),
            (".tmp-a.b.c1", earlier),
            (".tmp-täst1", earlier),
            ("x.tmp-Old123", earlier),
            (".keep", earlier),
            ("a b", earlier),
            ("a.jpg", earlier),
        ] {
            fs::write(folder.join(name), "half").unwrap();
            touch(&folder.join(name), time);
        }
        fs::create_dir(folder.join(".tmp-Folder")).unwrap();
        symlink("../../secret", folder.join(".tmp-Linked")).unwrap();
    }
    store.delete_unfinished(then).unwrap();
    for folder in &folders {
        let names = names(folder);
        assert!(!names.contains(&".tmp-Old123".to_owned()), "{names:?}");
        let others = names
            .iter()
            .filter(|name| !["cars", "trash"].contains(&name.as_str()));
        assert_eq!(others.count(), 12, "{names:?}");
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("secret")).unwrap(),
        "secret"
    );
}

#[test]
fn owner_is_stored_until_it_is_overwritten() {
    let (folder, store) = store();
    assert_eq!(store.owner().unwrap(), None);
    assert!(!folder.path().join("data").exists());
    store.set_owner("one", false).unwrap();
    assert_eq!(store.owner().unwrap(), Some("one".into()));
    store.set_owner("two", false).unwrap();
    assert_eq!(store.owner().unwrap(), Some("one".into()));
    store.set_owner("two", true).unwrap();
    assert_eq!(store.owner().unwrap(), Some("two".into()));
    assert_eq!(names(&folder.path().join("data/media")), [".mycars-database"]);
}

#[test]
fn concurrent_owners_leave_one_complete_owner() {
    let (folder, store) = store();
    let ids: Vec<String> = (0..8).map(|number| number.to_string().repeat(32)).collect();
    std::thread::scope(|scope| {
        for id in &ids {
            scope.spawn(|| store.set_owner(id, false).unwrap());
        }
    });
    assert!(ids.contains(&store.owner().unwrap().unwrap()));
    assert_eq!(names(&folder.path().join("data/media")), [".mycars-database"]);
}

#[test]
fn damaged_owner_is_another_owner() {
    let (folder, store) = store();
    let root = folder.path().join("data/media");
    let file = root.join(".mycars-database");
    fs::create_dir_all(&root).unwrap();
    for (content, expected) in [
        (&b""[..], ""),
        (b" \n", ""),
        (b"one\r\n", "one"),
        (b"\xff", "\u{fffd}"),
    ] {
        fs::write(&file, content).unwrap();
        assert_eq!(store.owner().unwrap().as_deref(), Some(expected));
    }
    fs::write(&file, "x".repeat(1 << 20)).unwrap();
    assert_eq!(store.owner().unwrap().unwrap().len(), 1024);
    fs::remove_file(&file).unwrap();

    symlink("../../secret", &file).unwrap();
    assert_eq!(store.owner().unwrap().as_deref(), Some(""));
    store.set_owner("one", false).unwrap();
    assert_eq!(store.owner().unwrap().as_deref(), Some(""));
    store.set_owner("one", true).unwrap();
    assert_eq!(store.owner().unwrap().as_deref(), Some("one"));
    assert_eq!(
        fs::read_to_string(folder.path().join("secret")).unwrap(),
        "secret"
    );

    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(store.owner().unwrap().as_deref(), Some(""));
    let error = cause(store.set_owner("one", true).unwrap_err());
    assert!(error.contains(".mycars-database"), "{error}");
}

#[test]
fn concurrent_uploads_are_independent() {
    let (folder, store) = store();
    let put = |number: usize| store.put(&path(&format!("cars/{number}.jpg")), b"one");
    let same = || store.put(&path("cars/same.jpg"), b"one").is_ok();
    let won = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|number| {
                scope.spawn(move || {
                    put(number).unwrap();
                    same()
                })
            })
            .collect();
        writers
            .into_iter()
            .map(|writer| writer.join().unwrap())
            .filter(|won| *won)
            .count()
    });
    assert_eq!(won, 1);
    assert_eq!(names(&cars(&folder)).len(), 9);
}

proptest! {
    #[test]
    fn arbitrary_path_never_leaves_the_folder(text in r"(cars)?[/.\\a\PC]{0,12}") {
        let (folder, store) = store();
        let put = store.put(&path(&text), b"one");
        prop_assert_eq!(put.is_ok(), store.open(&path(&text)).unwrap().is_some());
        if put.is_ok() {
            prop_assert_eq!(names(&cars(&folder)), [&text["cars/".len()..]]);
        }
        store.delete(&path(&text)).unwrap();
        prop_assert_eq!(fs::read_to_string(folder.path().join("secret")).unwrap(), "secret");
    }
}

#[test]
fn usage_counts_pictures_and_their_bytes_alone() {
    let (folder, store) = store();
    let before_the_first = store.clone().usage().unwrap();
    assert_eq!((before_the_first.count, before_the_first.bytes), (0, 0));
    assert!(before_the_first.free_bytes.is_some_and(|free| free > 0));

    // Another store, because a store caches its count.
    let store = FileImageStore::new(folder.path().join("data/media"));
    store.put(&path("cars/a.jpg"), b"12345").unwrap();
    store.put(&path("cars/b.jpg"), b"123").unwrap();
    fs::write(cars(&folder).join(".tmp-half"), "half written").unwrap();
    fs::create_dir(cars(&folder).join("folder")).unwrap();
    symlink(folder.path().join("secret"), cars(&folder).join("link.jpg")).unwrap();
    let usage = store.usage().unwrap();
    assert_eq!((usage.count, usage.bytes), (2, 8));
    store.delete(&path("cars/a.jpg")).unwrap();
    assert_eq!(store.usage().unwrap(), usage, "it is not counted anew each time");
}
