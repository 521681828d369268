//! The place of TLS in a build without the feature `tls`.

use std::{
    convert::Infallible,
    future::Ready,
    io::{self, Read, Write},
};

use chrono::{DateTime, Utc};

use crate::edge::{
    sockets::Stream,
    tls_files::{TlsError, TlsFiles},
};

/// TLS, which this build does not have.
#[derive(Debug, Clone)]
pub struct Tls(Infallible);

impl Tls {
    /// Refuses the files.
    ///
    /// # Errors
    /// Always [`TlsError::NotBuilt`].
    pub fn load(_files: TlsFiles) -> Result<Self, TlsError> {
        Err(TlsError::NotBuilt)
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn reload(&self) -> Result<(), TlsError> {
        match self.0 {}
    }

    /// Never called.
    #[must_use]
    pub fn not_after(&self) -> Option<DateTime<Utc>> {
        match self.0 {}
    }

    pub(crate) fn accept<S: Stream>(&self, _stream: S) -> Ready<io::Result<S>> {
        match self.0 {}
    }

    pub(crate) fn accept_blocking<S: Read + Write>(&self, _stream: S) -> io::Result<S> {
        match self.0 {}
    }
}

/// Refuses the connection.
///
/// # Errors
/// Always: this build has no TLS.
pub fn connect_unverified<S: Read + Write>(_stream: S, _host: &str) -> io::Result<S> {
    Err(io::Error::other(TlsError::NotBuilt))
}
