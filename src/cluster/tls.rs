//! TLS to a node: trust, client certificate, server name. One provider (ring) for the whole program.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use x509_cert::der::Decode;

use super::credentials::TlsSettings;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read or holds nothing of use.
    #[error("could not read {what} from {}: {why}", path.display())]
    File {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// The cause.
        why: String,
    },
    /// A certificate without its key, or the other way round.
    #[error("a client certificate needs both --cert and --key")]
    Half,
    /// The system has no authorities to trust.
    #[error("no trusted authorities were found on this system; name some with --cacert")]
    NoRoots,
    /// They do not fit together.
    #[error("the TLS settings cannot be used: {0}")]
    Unusable(String),
}

/// A loaded configuration.
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    sni: Option<String>,
}

impl Tls {
    pub(super) fn load(settings: &TlsSettings) -> Result<Tls, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|e| TlsError::Unusable(e.to_string()))?;
        let builder = if settings.is_insecure {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(TrustAll(provider)))
        } else {
            builder.with_root_certificates(roots(settings.ca.as_deref())?)
        };
        let config = match (&settings.cert, &settings.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(certificates(cert)?, private_key(key)?)
                .map_err(|e| TlsError::Unusable(e.to_string()))?,
            _ => return Err(TlsError::Half),
        };
        Ok(Tls {
            config: Arc::new(config),
            sni: settings.sni.clone(),
        })
    }

    /// The name to ask for when dialling that host.
    pub(super) fn server_name(&self, host: &str) -> Result<ServerName<'static>, String> {
        let name = self.sni.as_deref().unwrap_or(host);
        ServerName::try_from(name.to_owned()).map_err(|_| format!("'{name}' is no server name"))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls(sni: {:?})", self.sni)
    }
}

/// When the first of these certificates stops being valid.
pub(super) fn first_end(chain: Option<&[CertificateDer<'_>]>) -> Option<SystemTime> {
    let end = |der: &CertificateDer<'_>| {
        let certificate = x509_cert::Certificate::from_der(der).ok()?;
        let validity = certificate.tbs_certificate().validity();
        Some(validity.not_after.to_system_time())
    };
    chain?.iter().filter_map(end).min()
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates(path)? {
                store
                    .add(certificate)
                    .map_err(|e| file_error("a certificate", path, e))?;
            }
        }
        None => {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if store.is_empty() {
                return Err(TlsError::NoRoots);
            }
        }
    }
    Ok(store)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|e| file_error("certificates", path, e))?;
    if found.is_empty() {
        return Err(file_error("certificates", path, "it holds none"));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|e| file_error("a private key", path, e))
}

fn file_error(what: &'static str, path: &Path, why: impl fmt::Display) -> TlsError {
    TlsError::File {
        what,
        path: path.to_owned(),
        why: why.to_string(),
    }
}

/// `--insecure`: any certificate will do; signatures are still checked, so the peer holds its key.
#[derive(Debug)]
struct TrustAll(Arc<CryptoProvider>);

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
