//! TLS to a node: trust, client certificate, server name. One provider (ring) for the whole program.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};
use sha2::{Digest, Sha256};
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
    /// Whether certificates are verified.
    pub(super) is_verifying: bool,
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
            is_verifying: !settings.is_insecure,
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

/// What went wrong in TLS, in an operator's words; `None` when the error is not TLS's.
pub(super) fn words(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    Some(match error {
        rustls::Error::InvalidCertificate(why) => certificate_words(why),
        rustls::Error::AlertReceived(alert) => alert_words(*alert),
        rustls::Error::InvalidMessage(_) => {
            "what answers there does not speak TLS (leave --tls out for a plain server)".into()
        }
        other => other.to_string(),
    })
}

/// Why we do not take the server's certificate.
fn certificate_words(why: &CertificateError) -> String {
    match why {
        CertificateError::UnknownIssuer => {
            "its certificate was signed by an authority that is not \
             trusted here (name the authority with --cacert)"
                .into()
        }
        // An authority that was made anew under its old name.
        CertificateError::BadSignature => "its certificate was signed by another authority of the \
             name that is trusted here (name the new one with --cacert)"
            .into(),
        CertificateError::NotValidForName => "its certificate is for another name".into(),
        CertificateError::NotValidForNameContext {
            expected,
            presented,
        } => format!(
            "its certificate is not for '{}' but for {} (ask for that name with --sni)",
            expected.to_str(),
            name_list(presented)
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet (compare the clocks)".into()
        }
        CertificateError::Revoked => "its certificate was revoked".into(),
        other => format!("its certificate is not acceptable: {other}"),
    }
}

/// `DnsName("a.example")` and the like, without the library's wrapping.
fn name_list(presented: &[String]) -> String {
    let bare = |name: &String| {
        let quoted = name.split('"').nth(1);
        let inner = quoted.or_else(|| name.split(['(', ')']).nth(1));
        inner.unwrap_or(name).to_owned()
    };
    match presented {
        [] => "no name at all".into(),
        names => names.iter().map(bare).collect::<Vec<_>>().join(", "),
    }
}

/// Why the server does not take us.
fn alert_words(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "the server demands a client certificate (give --cert and --key)".into()
        }
        // Before TLS 1.3 there was no alert of its own for a missing certificate.
        AlertDescription::HandshakeFailure => {
            "the server broke off the handshake; it may demand a client certificate (--cert and \
             --key)"
                .into()
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::DecryptError => {
            "the server does not accept the client certificate".into()
        }
        AlertDescription::CertificateExpired => {
            "the server finds the client certificate expired".into()
        }
        AlertDescription::ProtocolVersion => "the server and we share no TLS version".into(),
        AlertDescription::UnrecognisedName => {
            "the server does not know the name that was asked for (see --sni)".into()
        }
        other => format!("the server broke off with the alert {other:?}"),
    }
}

/// SHA-256 of the first, which is the server's own.
pub(super) fn digest_of(chain: Option<&[CertificateDer<'_>]>) -> Option<[u8; 32]> {
    let own = chain?.first()?;
    Some(Sha256::digest(own.as_ref()).into())
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
