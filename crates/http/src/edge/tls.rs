//! TLS in the server itself: its certificate, which can be replaced while it runs, and handshakes.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
    sync::{Arc, PoisonError, RwLock},
};

use chrono::{DateTime, NaiveDateTime, Utc};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, ServerConnection,
    SignatureScheme, StreamOwned,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::edge::{
    sockets::Stream,
    tls_files::{TlsError, TlsFiles},
};

/// The only protocol that clients may choose: the limits of connections are those of HTTP/1.1.
const PROTOCOL: &[u8] = b"http/1.1";

/// TLS with the server's certificate, from version 1.2 on.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    files: TlsFiles,
}

/// The certificate and key of new connections.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl Current {
    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

impl Tls {
    /// Reads the certificate and the key.
    ///
    /// # Errors
    /// If a file can't be read or used, or if the key is not that of the certificate.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let current = Arc::new(Current(RwLock::new(read(&files, &provider)?)));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&files.certificate, &error))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&current) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self {
            config: Arc::new(config),
            current,
            files,
        })
    }

    /// Reads the files again, for new connections. If that fails, the former certificate stays.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn reload(&self) -> Result<(), TlsError> {
        let new = read(&self.files, self.config.crypto_provider())?;
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Returns the end of the certificate's validity; `None` if it is not in the form of RFC 5280.
    #[must_use]
    pub fn not_after(&self) -> Option<DateTime<Utc>> {
        not_after(self.current.get().end_entity_cert().ok()?)
    }

    /// Completes the handshake with a client.
    pub(crate) async fn accept<S: Stream>(&self, stream: S) -> io::Result<TlsStream<S>> {
        TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await
    }

    /// Returns a stream that completes the handshake with a client at its first use.
    pub(crate) fn accept_blocking<S: Read + Write>(&self, stream: S) -> io::Result<impl Read + Write> {
        let connection = ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        Ok(StreamOwned::new(connection, stream))
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
    let TlsFiles { certificate, key } = files;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&contents(certificate)?).collect();
    let chain = chain.map_err(|error| unusable(certificate, &error))?;
    if chain.is_empty() {
        return Err(unusable(certificate, &"it has no section `BEGIN CERTIFICATE`"));
    }
    let private_key = PrivateKeyDer::from_pem_slice(&contents(key)?).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            unusable(key, &"it has no section `BEGIN PRIVATE KEY` without a passphrase")
        }
        error => unusable(key, &error),
    })?;
    CertifiedKey::from_der(chain, private_key, provider)
        .map(Arc::new)
        .map_err(|error| match error {
            Error::InconsistentKeys(_) => TlsError::Mismatch(files.clone()),
            Error::InvalidCertificate(_) => unusable(certificate, &error),
            error => unusable(key, &error),
        })
}

fn contents(file: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(file).map_err(|error| TlsError::Unreadable {
        file: file.to_owned(),
        error,
    })
}

fn unusable(file: &Path, problem: &dyn std::fmt::Display) -> TlsError {
    TlsError::Unusable {
        file: file.to_owned(),
        problem: problem.to_string(),
    }
}

/// Returns the end of the validity of a certificate (RFC 5280, section 4.1).
fn not_after(certificate: &[u8]) -> Option<DateTime<Utc>> {
    /// The tag of the version, which is optional, and those of the two forms of time.
    const VERSION: u8 = 0xa0;
    const UTC_TIME: u8 = 0x17;
    const GENERALIZED_TIME: u8 = 0x18;

    let (_, certificate, _) = element(certificate)?;
    let (_, mut fields, _) = element(certificate)?;
    let mut next = || {
        let (tag, value, rest) = element(fields)?;
        fields = rest;
        Some((tag, value))
    };
    if next()?.0 == VERSION {
        next()?;
    }
    // Between the serial number and the validity are the signature's algorithm and the issuer.
    next()?;
    next()?;
    let (_, validity) = next()?;
    let (_, _, rest) = element(validity)?;
    let (tag, time, _) = element(rest)?;
    let time = str::from_utf8(time).ok()?;
    let time = match tag {
        UTC_TIME if time < "50" => format!("20{time}"),
        UTC_TIME => format!("19{time}"),
        GENERALIZED_TIME => time.to_owned(),
        _ => return None,
    };
    let time = NaiveDateTime::parse_from_str(&time, "%Y%m%d%H%M%SZ").ok()?;
    Some(time.and_utc())
}

/// Splits the first element off DER: returns its tag, its value, and the rest.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    const LONG: u8 = 0x80;

    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < LONG {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & !LONG))?;
        let length = bytes.iter().try_fold(0_usize, |length, byte| {
            length.checked_mul(256)?.checked_add(usize::from(*byte))
        });
        (length?, rest)
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

/// Returns a stream to a server that completes the handshake at its first use, and accepts any certificate: for requests
/// that hold no secret, such as a health check by an address that the certificate does not name.
///
/// # Errors
/// If the host is neither a name nor an address.
pub fn connect_unverified<S: Read + Write>(stream: S, host: &str) -> io::Result<impl Read + Write> {
    let provider = Arc::new(ring::default_provider());
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host).map_err(io::Error::other)?;
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
        .with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(connection, stream))
}

/// Accepts any certificate whose key the server has.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use tempfile::TempDir;

    use super::*;

    fn key() -> KeyPair {
        KeyPair::generate().unwrap()
    }

    /// Returns a certificate for `localhost` with this end of its validity.
    fn certificate(key: &KeyPair, (year, month, day): (i32, u8, u8)) -> rcgen::Certificate {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, month, day);
        params.self_signed(key).unwrap()
    }

    fn files(folder: &TempDir, certificate: &str, key: &str) -> TlsFiles {
        let files = TlsFiles {
            certificate: folder.path().join("certificate.pem"),
            key: folder.path().join("key.pem"),
        };
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        files
    }

    /// Returns TLS with a new certificate.
    pub(crate) fn tls() -> Tls {
        let (folder, key) = (TempDir::new().unwrap(), key());
        let certificate = certificate(&key, (2100, 1, 1)).pem();
        Tls::load(files(&folder, &certificate, &key.serialize_pem())).unwrap()
    }

    fn refusal(certificate: &str, key: &str) -> String {
        let folder = TempDir::new().unwrap();
        let error = Tls::load(files(&folder, certificate, key)).unwrap_err();
        error.to_string().replace(folder.path().to_str().unwrap(), "")
    }

    #[test]
    fn end_of_validity_is_read_in_both_forms() {
        let key = key();
        for (year, month, day) in [
            (2026, 12, 11),
            (1999, 1, 31),
            (2049, 12, 31),
            (2050, 1, 1),
            (2345, 6, 7),
        ] {
            let certificate = certificate(&key, (year, month, day));
            let read = not_after(certificate.der()).unwrap();
            let expected = format!("{year}-{month:02}-{day:02} 00:00:00 UTC");
            assert_eq!(read.to_string(), expected);
        }
    }

    #[test]
    fn truncated_certificate_has_no_end_of_validity() {
        let key = key();
        let certificate = certificate(&key, (2100, 1, 1));
        let der = certificate.der();
        assert!((0..der.len()).all(|length| not_after(&der[..length]).is_none()));
    }

    #[test]
    fn unusable_files_are_refused_with_advice() {
        let (one, other) = (key(), key());
        let certificate = certificate(&one, (2100, 1, 1)).pem();
        let key = one.serialize_pem();
        for (certificate, key, expected) in [
            (
                &*certificate,
                &*other.serialize_pem(),
                ["key.pem", "issued together"],
            ),
            (&*key, &*key, ["certificate.pem", "BEGIN CERTIFICATE"]),
            (&*certificate, &*certificate, ["key.pem", "BEGIN PRIVATE KEY"]),
            ("", &*key, ["certificate.pem", "BEGIN CERTIFICATE"]),
            (
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                &*key,
                ["certificate.pem", "can't be used"],
            ),
        ] {
            let refusal = refusal(certificate, key);
            for part in expected {
                assert!(refusal.contains(part), "{part}: {refusal}");
            }
            assert_eq!(refusal.lines().count(), 1, "{refusal}");
        }
    }

    #[test]
    fn failed_reload_keeps_the_certificate() {
        let (folder, key) = (TempDir::new().unwrap(), key());
        let first = certificate(&key, (2100, 1, 1)).pem();
        let tls = Tls::load(files(&folder, &first, &key.serialize_pem())).unwrap();
        files(&folder, "", &key.serialize_pem());
        assert!(tls.reload().is_err());
        assert_eq!(tls.not_after().unwrap().to_string(), "2100-01-01 00:00:00 UTC");
        let second = certificate(&key, (2101, 1, 1)).pem();
        files(&folder, &second, &key.serialize_pem());
        tls.reload().unwrap();
        assert_eq!(tls.not_after().unwrap().to_string(), "2101-01-01 00:00:00 UTC");
    }
}
