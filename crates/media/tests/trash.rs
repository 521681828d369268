//! The trash of the image store, in temporary folders.
#![expect(clippy::unwrap_used, reason = "a failed helper fails its test")]

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
};

use chrono::NaiveDate;
use mycars_application::ports::ImageStore;
use mycars_domain::values::ImagePath;
use mycars_media::FileImageStore;
use tempfile::TempDir;

const DAY: &str = "2026-11-26";

struct World {
    folder: TempDir,
    store: FileImageStore,
}

impl World {
    /// Creates a store with the picture `cars/a.jpg`, in a folder with a secret.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("secret"), "secret").unwrap();
        let store = FileImageStore::new(folder.path().join("media"));
        store.put(&path("a.jpg"), b"one").unwrap();
        Self { folder, store }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("media")
    }

    fn cars(&self) -> PathBuf {
        self.root().join("cars")
    }

    fn trash(&self) -> PathBuf {
        self.root().join("trash")
    }

    fn trash_of_day(&self) -> PathBuf {
        self.trash().join(DAY)
    }

    fn restore(&self, name: &str) -> Result<bool, String> {
        let restored = self.store.restore_from_trash(&path(name), day(DAY));
        restored.map_err(|error| std::error::Error::source(&error).unwrap().to_string())
    }

    fn move_to_trash(&self, name: &str) -> Result<bool, String> {
        let moved = self.store.move_to_trash(&path(name), day(DAY));
        moved.map_err(|error| std::error::Error::source(&error).unwrap().to_string())
    }

    /// Returns the days, names and sizes of the files in the trash.
    fn listed(&self) -> Vec<(String, String, u64)> {
        let listed = self.store.list_trash().unwrap().into_iter();
        let mut listed: Vec<_> = listed
            .map(|image| (image.day.to_string(), image.path.to_string(), image.bytes))
            .collect();
        listed.sort();
        listed
    }

    fn assert_secret_is_untouched(&self) {
        let secret = self.folder.path().join("secret");
        assert_eq!(fs::read_to_string(secret).unwrap(), "secret");
    }
}

fn path(name: &str) -> ImagePath {
    ImagePath::from_storage(format!("cars/{name}"))
}

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn write(folder: &Path, name: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), "one").unwrap();
}

fn text(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok()
}

#[test]
fn moved_picture_is_in_the_trash_of_the_day_alone() {
    let world = World::new();
    let modified = fs::metadata(world.cars().join("a.jpg"))
        .unwrap()
        .modified()
        .unwrap();
    world.move_to_trash("a.jpg").unwrap();
    assert!(world.store.open(&path("a.jpg")).unwrap().is_none());
    assert_eq!(world.store.list().unwrap(), []);
    assert_eq!(world.listed(), [(DAY.into(), "cars/a.jpg".into(), 3)]);
    let trashed = world.trash_of_day().join("a.jpg");
    assert_eq!(text(&trashed).unwrap(), "one");
    assert_eq!(fs::metadata(&trashed).unwrap().modified().unwrap(), modified);
    let usage = world.store.usage().unwrap();
    assert_eq!((usage.count, usage.bytes), (0, 0));

    fs::rename(trashed, world.cars().join("a.jpg")).unwrap();
    assert!(world.store.open(&path("a.jpg")).unwrap().is_some());
}

#[test]
fn restored_picture_is_at_its_path_alone() {
    for has_folder in [true, false] {
        let world = World::new();
        assert_eq!(world.move_to_trash("a.jpg"), Ok(true));
        if !has_folder {
            fs::remove_dir(world.cars()).unwrap();
        }
        assert_eq!(world.restore("a.jpg"), Ok(true));
        assert!(world.store.open(&path("a.jpg")).unwrap().is_some());
        assert_eq!(world.listed(), []);
        assert!(!world.trash_of_day().exists());
        assert_eq!(world.restore("a.jpg"), Ok(true), "there is nothing to restore");
    }
}

#[test]
fn restore_never_overwrites_a_picture() {
    let world = World::new();
    write(&world.trash_of_day(), "a.jpg");
    fs::write(world.trash_of_day().join("a.jpg"), "two").unwrap();
    assert_eq!(world.restore("a.jpg"), Ok(false));
    assert_eq!(text(&world.cars().join("a.jpg")).unwrap(), "one");
    assert_eq!(text(&world.trash_of_day().join("a.jpg")).unwrap(), "two");
}

#[test]
fn restore_of_other_files_does_nothing() {
    let world = World::new();
    assert_eq!(world.restore("a.jpg"), Ok(true), "there is no trash");
    fs::create_dir_all(world.trash_of_day().join("folder.jpg")).unwrap();
    symlink("../../../secret", world.trash_of_day().join("link.jpg")).unwrap();
    for name in [
        "link.jpg",
        "folder.jpg",
        "missing.jpg",
        "../secret",
        "../../secret",
        "",
        "..",
    ] {
        assert_eq!(world.restore(name), Ok(true), "{name}");
    }
    assert_eq!(fs::read_dir(world.trash_of_day()).unwrap().count(), 2);
    world.assert_secret_is_untouched();

    let elsewhere = world.folder.path().join("elsewhere");
    fs::rename(world.trash(), &elsewhere).unwrap();
    write(&elsewhere.join(DAY), "b.jpg");
    symlink(&elsewhere, world.trash()).unwrap();
    assert!(world.restore("b.jpg").unwrap_err().contains("trash/2026-11-26"));
    assert!(elsewhere.join(DAY).join("b.jpg").exists());
}

#[test]
fn trash_is_for_its_owner_only_and_not_opened() {
    let world = World::new();
    world.move_to_trash("a.jpg").unwrap();
    for folder in [world.trash(), world.trash_of_day()] {
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o077, 0);
    }
    for text in [
        "trash/2026-11-26/a.jpg",
        "cars/../trash/2026-11-26/a.jpg",
        "cars/trash/2026-11-26/a.jpg",
    ] {
        let opened = world.store.open(&ImagePath::from_storage(text.into())).unwrap();
        assert!(opened.is_none(), "{text}");
    }
}

#[test]
fn move_never_overwrites_a_trashed_picture() {
    let world = World::new();
    write(&world.trash_of_day(), "a.jpg");
    fs::write(world.trash_of_day().join("a.jpg"), "two").unwrap();
    assert_eq!(world.move_to_trash("a.jpg"), Ok(false));
    assert_eq!(text(&world.cars().join("a.jpg")).unwrap(), "one");
    assert_eq!(text(&world.trash_of_day().join("a.jpg")).unwrap(), "two");
}

#[test]
fn move_of_anything_but_a_picture_does_nothing() {
    let world = World::new();
    symlink("../../secret", world.cars().join("link.jpg")).unwrap();
    symlink("nowhere", world.cars().join("dangling.jpg")).unwrap();
    fs::create_dir(world.cars().join("folder.jpg")).unwrap();
    for name in [
        "link.jpg",
        "dangling.jpg",
        "folder.jpg",
        "missing.jpg",
        "../secret",
        "../../secret",
        ".tmp-abc123",
        "",
        ".",
        "..",
    ] {
        world.move_to_trash(name).unwrap();
    }
    assert!(!world.trash().exists());
    assert_eq!(fs::read_dir(world.cars()).unwrap().count(), 4);
    world.assert_secret_is_untouched();

    let empty = FileImageStore::new(world.folder.path().join("nothing"));
    empty.move_to_trash(&path("a.jpg"), day(DAY)).unwrap();
    assert!(!world.folder.path().join("nothing").exists());
}

#[test]
fn move_into_linked_trash_is_refused() {
    for is_day in [false, true] {
        let world = World::new();
        let elsewhere = world.folder.path().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        if is_day {
            fs::create_dir(world.trash()).unwrap();
            symlink(&elsewhere, world.trash_of_day()).unwrap();
        } else {
            symlink(&elsewhere, world.trash()).unwrap();
        }
        let error = world.move_to_trash("a.jpg").unwrap_err();
        assert!(error.contains("trash/2026-11-26"), "{error}");
        assert!(world.cars().join("a.jpg").exists());
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn picture_on_another_file_system_is_moved_too() {
    // On most machines, this is another file system than that of temporary files.
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let world = World::new();
    fs::rename(world.cars(), world.folder.path().join("old")).unwrap();
    symlink(elsewhere.path(), world.cars()).unwrap();
    write(elsewhere.path(), "b.jpg");
    let modified = fs::metadata(elsewhere.path().join("b.jpg"))
        .unwrap()
        .modified()
        .unwrap();
    world.move_to_trash("b.jpg").unwrap();
    assert!(!elsewhere.path().join("b.jpg").exists());
    let trashed = world.trash_of_day().join("b.jpg");
    assert_eq!(text(&trashed).unwrap(), "one");
    assert_eq!(fs::metadata(&trashed).unwrap().modified().unwrap(), modified);

    write(elsewhere.path(), "b.jpg");
    assert_eq!(world.move_to_trash("b.jpg"), Ok(false));
    assert_eq!(world.restore("b.jpg"), Ok(false));
    assert!(elsewhere.path().join("b.jpg").exists() && trashed.exists());
    fs::remove_file(elsewhere.path().join("b.jpg")).unwrap();
    assert_eq!(world.restore("b.jpg"), Ok(true));
    let restored = fs::metadata(elsewhere.path().join("b.jpg")).unwrap();
    assert_eq!(restored.modified().unwrap(), modified);
    assert!(!world.trash_of_day().exists());
}

#[test]
fn only_pictures_below_days_are_listed() {
    let world = World::new();
    assert_eq!(world.listed(), []);
    let trash = world.trash();
    for (folder, name) in [
        ("2026-11-26", "a.jpg"),
        ("2020-02-29", "b.jpg"),
        ("2020-02-30", "c.jpg"),
        ("2026-1-05", "d.jpg"),
        ("2026-11-26 ", "e.jpg"),
        ("+2026-11-26", "f.jpg"),
        ("notes", "g.jpg"),
        (".", "h.jpg"),
        ("2026-11-26/deeper", "i.jpg"),
        ("2026-11-26", ".hidden"),
        ("2026-11-26", "a b"),
    ] {
        write(&trash.join(folder), name);
    }
    symlink(trash.join("notes"), trash.join("2019-01-01")).unwrap();
    symlink("../../../secret", trash.join("2026-11-26/link.jpg")).unwrap();
    assert_eq!(
        world.listed(),
        [
            ("2020-02-29".into(), "cars/b.jpg".into(), 3),
            (DAY.into(), "cars/a.jpg".into(), 3)
        ]
    );

    fs::rename(&trash, world.folder.path().join("elsewhere")).unwrap();
    symlink("../elsewhere", &trash).unwrap();
    assert_eq!(world.listed(), [], "a link is no trash");
}

#[test]
fn deleting_the_last_trashed_picture_removes_its_folder() {
    let world = World::new();
    write(&world.trash_of_day(), "a.jpg");
    write(&world.trash_of_day(), "b.jpg");
    write(&world.trash().join("2026-11-25"), "notes.txt");
    write(&world.trash().join("2026-11-25"), "a.jpg");
    let delete = |date: &str, name: &str| world.store.delete_from_trash(&path(name), day(date)).unwrap();
    delete(DAY, "a.jpg");
    delete(DAY, "a.jpg");
    assert!(world.trash_of_day().exists());
    delete(DAY, "b.jpg");
    assert!(!world.trash_of_day().exists());
    delete(DAY, "b.jpg");
    delete("2026-11-25", "a.jpg");
    assert!(world.trash().join("2026-11-25/notes.txt").exists());
    assert!(world.cars().join("a.jpg").exists());
}

#[test]
fn deleting_from_linked_trash_deletes_nothing() {
    for is_day in [false, true] {
        let world = World::new();
        let elsewhere = world.folder.path().join("elsewhere");
        if is_day {
            write(&elsewhere, "a.jpg");
            fs::create_dir(world.trash()).unwrap();
            symlink(&elsewhere, world.trash_of_day()).unwrap();
        } else {
            write(&elsewhere.join(DAY), "a.jpg");
            symlink(&elsewhere, world.trash()).unwrap();
        }
        assert!(world.store.delete_from_trash(&path("a.jpg"), day(DAY)).is_err());
        assert!(world.trash_of_day().join("a.jpg").exists());
    }
}

#[test]
fn deleting_a_trashed_link_keeps_its_target() {
    let world = World::new();
    write(&world.trash_of_day(), "b.jpg");
    symlink("../../../secret", world.trash_of_day().join("a.jpg")).unwrap();
    world.store.delete_from_trash(&path("a.jpg"), day(DAY)).unwrap();
    for name in ["../secret", "../../secret", "..", ""] {
        world.store.delete_from_trash(&path(name), day(DAY)).unwrap();
    }
    world.assert_secret_is_untouched();
    assert!(world.trash_of_day().join("b.jpg").exists());
}

#[test]
fn sweeps_at_once_move_each_picture_once() {
    let world = World::new();
    let names: Vec<String> = (0..50).map(|number| format!("{number}.jpg")).collect();
    for name in &names {
        world.store.put(&path(name), name.as_bytes()).unwrap();
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for name in &names {
                    world.move_to_trash(name).unwrap();
                }
            });
        }
    });
    for name in &names {
        assert_eq!(text(&world.trash_of_day().join(name)).unwrap(), *name);
        assert!(!world.cars().join(name).exists());
    }
}
