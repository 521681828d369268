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

/// The name of the generated key's file in the data folder.
pub(crate) const FILE_NAME: &str = "secret_key";

/// Returns the key that signs tokens, with a warning if other users of the machine can read it. It is the key in the
/// settings. In `DEBUG` without one, the first call generates a key and stores it in the data folder.
///
/// # Errors
/// [`SettingsError::File`] if the key can't be read or generated, or is weak.
pub(crate) fn signing_key(settings: &Settings) -> Result<(Secret, Option<String>), SettingsError> {
    match &settings.secret_key {
        Some(key) => Ok((key.clone(), None)),
        None => kept_in(&settings.data_dir),
    }
}

/// Keeps a key from an archive in the data folder, unless the settings have a key or there is another file. Returns
/// whether tokens are then signed with this key.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn keep(settings: &Settings, key: &str) -> io::Result<bool> {
    if let Some(set) = &settings.secret_key {
        return Ok(set.reveal() == key);
    }
    let path = settings.data_dir.join(FILE_NAME);
    write_new(&path, key)?;
    Ok(fs::read_to_string(&path)?.trim() == key)
}

fn kept_in(data_dir: &Path) -> Result<(Secret, Option<String>), SettingsError> {
    let path = data_dir.join(FILE_NAME);
    let file = path.display().to_string();
    let unusable = |problem: String| SettingsError::File {
        file: file.clone(),
        problem,
    };

    let key =
        read_or_generate(&path).map_err(|error| unusable(format!("{error}; set SECRET_KEY instead")))?;
    if let Some(weakness) = weakness(&key) {
        return Err(unusable(format!(
            "it holds a weak key, {weakness}; delete the file, and the next start generates a key"
        )));
    }
    let mode = fs::metadata(&path)
        .map_err(|error| unusable(error.to_string()))?
        .permissions()
        .mode();
    let others_can_read = mode & 0o077 != 0;
    let warning = format!("{file} is readable by other users, who can sign tokens with it: chmod 600 {file}");
    Ok((Secret::new(key), others_can_read.then_some(warning)))
}

/// Creates the data folder, for its owner only, if it is missing.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn create_data_dir(data_dir: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data_dir)
}

fn read_or_generate(path: &Path) -> io::Result<String> {
    let key = match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            write_new(path, &SystemRandom.hex(32))?;
            fs::read_to_string(path)
        }
        read => read,
    }?;
    Ok(key.trim().to_owned())
}

/// Stores a key, unless there is one, or another process stores one first.
///
/// The key is written to a draft, which is then linked to the final name; that fails if the name exists. So the file
/// never holds half a key, even after a kill, and processes that start at the same time use the same key.
fn write_new(path: &Path, key: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        create_data_dir(folder)?;
    }
    let draft = path.with_extension(SystemRandom.hex(8));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    let linked = file
        .write_all(key.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
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
    fn generated_key_is_kept_for_its_owner_only() {
        let folder = TempDir::new().unwrap();
        let data_dir = folder.path().join("deep/data");
        let (key, warning) = kept_in(&data_dir).unwrap();

        assert_eq!(key.reveal().len(), 64);
        assert!(key.reveal().chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')));
        assert_eq!(warning, None);
        assert_eq!(mode(&data_dir), 0o700);
        assert_eq!(mode(&data_dir.join("secret_key")), 0o600);
        assert_eq!(kept_in(&data_dir).unwrap(), (key, None));
        // The draft is deleted.
        assert_eq!(fs::read_dir(&data_dir).unwrap().count(), 1);
    }

    #[test]
    fn generated_keys_of_two_folders_differ() {
        let [one, other] = [TempDir::new().unwrap(), TempDir::new().unwrap()];
        assert_ne!(kept_in(one.path()).unwrap(), kept_in(other.path()).unwrap());
    }

    #[test]
    fn concurrent_starts_use_the_same_key() {
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
    fn key_file_readable_by_others_is_a_warning() {
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
    fn space_around_kept_key_is_ignored() {
        let folder = TempDir::new().unwrap();
        let key = "b7c41f90e2a86d35c9f01e7a4d82b563";
        fs::write(folder.path().join("secret_key"), format!("{key}\n")).unwrap();
        assert_eq!(kept_in(folder.path()).unwrap().0.reveal(), key);
    }

    #[test]
    fn damaged_key_file_is_refused() {
        for text in ["", "\n", "0123456789abcdef"] {
            let folder = TempDir::new().unwrap();
            let path = folder.path().join("secret_key");
            fs::write(&path, text).unwrap();
            assert_eq!(
                kept_in(folder.path()).unwrap_err().to_string(),
                format!(
                    "{} can't be used: it holds a weak key, which has fewer than 32 characters; delete the file, \
                     and the next start generates a key",
                    path.display()
                )
            );
        }
    }

    #[test]
    fn unwritable_data_folder_error_suggests_secret_key() {
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
        let settings = settings(folder.path(), "b7c41f90e2a86d35c9f01e7a4d82b563");
        let (key, _) = signing_key(&settings).unwrap();
        assert_eq!(key.reveal(), "b7c41f90e2a86d35c9f01e7a4d82b563");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
