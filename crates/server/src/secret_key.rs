//! The key that signs tokens: the one in the settings, or one that is generated and kept in the data folder.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use mycars_application::ports::Random as _;
use mycars_security::SystemRandom;

use crate::settings::{Secret, Settings, SettingsError, weakness};

/// Where a key that was made is kept, in the data folder.
const FILE_NAME: &str = "secret_key";

/// Returns the key that signs tokens, with a warning if other users of the machine can read it. It is the key in the
/// settings. While debugging without one, the first call generates a key and keeps it in the data folder.
///
/// # Errors
/// [`SettingsError::File`] if the key can't be read or generated, or is weak.
pub(crate) fn signing_key(settings: &Settings) -> Result<(Secret, Option<String>), SettingsError> {
    match &settings.secret_key {
        Some(key) => Ok((key.clone(), None)),
        None => kept_in(&settings.data_dir),
    }
}

fn kept_in(data_dir: &Path) -> Result<(Secret, Option<String>), SettingsError> {
    let path = data_dir.join(FILE_NAME);
    let file = path.display().to_string();
    let unusable = |problem: String| SettingsError::File {
        file: file.clone(),
        problem,
    };

    let key = read_or_make(&path).map_err(|error| unusable(format!("{error}; set SECRET_KEY instead")))?;
    if let Some(weakness) = weakness(&key) {
        return Err(unusable(format!(
            "its key is weak, {weakness}; remove the file to have a new one made"
        )));
    }
    let mode = fs::metadata(&path)
        .map_err(|error| unusable(error.to_string()))?
        .permissions()
        .mode();
    let others_can_read = mode & 0o077 != 0;
    let warning = format!("{file} can be read by others, who can then sign tokens: chmod 600 {file}");
    Ok((Secret::new(key), others_can_read.then_some(warning)))
}

/// Creates the data folder, for its owner only, if it is missing.
///
/// # Errors
/// The operating system's.
pub(crate) fn create_data_dir(data_dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir)
}

fn read_or_make(path: &Path) -> io::Result<String> {
    let key = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path)?;
            fs::read_to_string(path)
        }
        read => read,
    }?;
    Ok(key.trim().to_owned())
}

/// Makes a key, unless somebody else is faster.
///
/// It is written under another name and then linked to its own, which fails if that is taken: so nobody ever
/// reads half a key, not even after a kill, and all who start at once end with the same one.
fn make(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create_data_dir(folder)?;
    }
    let draft = path.with_extension(SystemRandom.hex(8));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    let made = file
        .write_all(SystemRandom.hex(32).as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use tempfile::TempDir;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_key_is_made_once_and_kept_for_its_owner_only() {
        let folder = TempDir::new().unwrap();
        let data_dir = folder.path().join("deep/data");
        let (key, warning) = kept_in(&data_dir).unwrap();

        assert_eq!(key.reveal().len(), 64);
        assert!(key.reveal().chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')));
        assert_eq!(warning, None);
        assert_eq!(mode(&data_dir), 0o700);
        assert_eq!(mode(&data_dir.join("secret_key")), 0o600);
        assert_eq!(kept_in(&data_dir).unwrap(), (key, None));
        // Nothing else is left behind.
        assert_eq!(fs::read_dir(&data_dir).unwrap().count(), 1);
    }

    #[test]
    fn two_folders_have_two_keys() {
        let [one, other] = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        assert_ne!(kept_in(one.path()).unwrap(), kept_in(other.path()).unwrap());
    }

    #[test]
    fn all_who_start_at_once_have_the_same_key() {
        let folder = TempDir::new().unwrap();
        let barrier = Barrier::new(16);
        let start = || {
            barrier.wait();
            kept_in(folder.path()).unwrap().0
        };
        let keys: Vec<Secret> = thread::scope(|scope| {
            let threads: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_key_that_others_can_read_is_warned_about() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("secret_key");
        let (key, _) = kept_in(folder.path()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();

        let (same_key, warning) = kept_in(folder.path()).unwrap();
        assert_eq!(same_key, key);
        assert!(
            warning
                .unwrap()
                .ends_with(&format!("chmod 600 {}", path.display()))
        );
    }

    #[test]
    fn space_around_a_kept_key_is_no_part_of_it() {
        let folder = TempDir::new().unwrap();
        let key = "0123456789abcdef0123456789abcdef";
        fs::write(folder.path().join("secret_key"), format!("{key}\n")).unwrap();
        assert_eq!(kept_in(folder.path()).unwrap().0.reveal(), key);
    }

    #[test]
    fn a_kept_key_that_is_damaged_is_not_used() {
        for text in ["", "\n", "0123456789abcdef"] {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("secret_key");
            fs::write(&path, text).unwrap();
            assert_eq!(
                kept_in(folder.path()).unwrap_err().to_string(),
                format!(
                    "{} can't be used: its key is weak, one of fewer than 32 characters; remove the file to have \
                     a new one made",
                    path.display()
                )
            );
        }
    }

    #[test]
    fn where_no_key_can_be_kept_one_is_to_be_set() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let error = kept_in(&folder.path().join("file/data")).unwrap_err().to_string();
        assert!(error.contains("file/data/secret_key can't be used: "), "{error}");
        assert!(error.ends_with("; set SECRET_KEY instead"), "{error}");
    }

    fn settings(folder: &Path, key: &str) -> Settings {
        let debug = ("DEBUG".to_owned(), "true".to_owned());
        let key = ("SECRET_KEY".to_owned(), key.to_owned());
        Settings::load(&[debug, key].into(), folder).unwrap()
    }

    #[test]
    fn signing_key_without_setting_is_kept_in_data_folder() {
        let folder = TempDir::new().unwrap();
        let settings = settings(folder.path(), "");
        // Loading the settings writes nothing.
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        let (key, warning) = signing_key(&settings).unwrap();
        let kept = fs::read_to_string(folder.path().join("data/secret_key")).unwrap();
        assert_eq!(key.reveal(), kept);
        assert_eq!(warning, None);
        assert_eq!(signing_key(&settings).unwrap().0, key);
    }

    #[test]
    fn signing_key_with_setting_writes_no_file() {
        let folder = TempDir::new().unwrap();
        let settings = settings(folder.path(), "0123456789abcdef0123456789abcdef");
        let (key, _) = signing_key(&settings).unwrap();
        assert_eq!(key.reveal(), "0123456789abcdef0123456789abcdef");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
