//! Mail as files.

use std::{fs, io, path::PathBuf};

use mycars_application::ports::{Letter, MailError, Mailer};

use crate::message::{Sender, message};

/// Writes each mail into a folder, as `ID.eml`, for development.
#[derive(Debug, Clone)]
pub struct FileMailer {
    folder: PathBuf,
    sender: Sender,
}

impl FileMailer {
    /// Returns a mailer for a folder, which the first mail creates.
    #[must_use]
    pub fn new(folder: PathBuf, sender: Sender) -> Self {
        Self { folder, sender }
    }
}

impl Mailer for FileMailer {
    fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let message = message(&self.sender, letter)?;
        let write = || -> io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            fs::write(
                self.folder.join(format!("{}.eml", letter.id)),
                message.formatted(),
            )
        };
        write().map_err(|error| MailError::Unavailable(error.into()))
    }
}
