//! The files of the server's certificate and key.

use std::{io, path::PathBuf};

/// The files of a certificate and its key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and the certificate authority.
    pub certificate: PathBuf,
    /// The private key of the server's certificate.
    pub key: PathBuf,
}

/// The reason why the server has no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error(
        "`{}` can't be read: {error}; correct the setting in [server.tls], or let the user of the server read the file",
        file.display()
    )]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// A file holds something else, or has an algorithm that is not supported.
    #[error("`{}` can't be used: {problem}", file.display())]
    Unusable {
        /// The file.
        file: PathBuf,
        /// The reason.
        problem: String,
    },
    /// The key is another one than that of the certificate.
    #[error(
        "the key in `{}` is not that of the first certificate in `{}`: name two files that were issued together",
        .0.key.display(), .0.certificate.display()
    )]
    Mismatch(TlsFiles),
    /// The feature `tls` is off.
    #[error(
        "this build has no TLS: build with the feature `tls`, or unset MYCARS__SERVER__TLS__CERTIFICATE_FILE and \
         MYCARS__SERVER__TLS__KEY_FILE"
    )]
    NotBuilt,
}
