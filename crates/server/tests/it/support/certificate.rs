//! Certificates of servers, and clients that verify them.

use std::{fs, net::TcpStream, os::unix::fs::PermissionsExt as _, sync::Arc};

use chrono::{Datelike as _, TimeDelta};
use mycars_application::ports::Clock as _;
use mycars_security::SystemClock;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, crypto::ring, pki_types::CertificateDer,
};

use super::{Installation, PATIENCE};

/// A certificate for `localhost` that is its own authority.
pub(crate) struct Certificate {
    pem: String,
    der: CertificateDer<'static>,
    key: String,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        Self::expiring_in(60)
    }

    /// Returns a certificate that expires after so many whole days.
    pub(crate) fn expiring_in(days: i64) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let end = SystemClock.now() + TimeDelta::days(days);
        let number = |number: u32| u8::try_from(number).unwrap();
        params.not_after = date_time_ymd(end.year(), number(end.month()), number(end.day()));
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            der: certificate.der().clone(),
            key: key.serialize_pem(),
        }
    }

    /// Writes the files into the folder of an installation.
    pub(crate) fn install(&self, installation: &Installation) {
        fs::write(installation.path("certificate.pem"), &self.pem).unwrap();
        let key = installation.path("key.pem");
        fs::write(&key, &self.key).unwrap();
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Connects to a server, whose certificate must be this one.
    pub(crate) fn connect(&self, address: &str) -> StreamOwned<ClientConnection, TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let name = "localhost".try_into().unwrap();
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream)
    }
}
