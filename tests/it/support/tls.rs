//! Certificates made on the spot: an authority, a server's for 127.0.0.1 and localhost, a client's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tempfile::TempDir;

use super::resp::{Wire, dial};

/// A folder of PEM files: `ca.crt`, `server.crt`, `server.key`, `client.crt`, `client.key`.
pub struct Certificates(TempDir);

impl Certificates {
    /// Makes them anew.
    pub fn new() -> Certificates {
        let dir = TempDir::new().unwrap();
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = named("goodcache test authority", &[]);
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_cert = ca.self_signed(&ca_key).unwrap();
        fs::write(dir.path().join("ca.crt"), ca_cert.pem()).unwrap();
        let issuer = Issuer::new(ca, ca_key);
        for (name, hosts) in [("server", &["127.0.0.1", "localhost"][..]), ("client", &[])] {
            let key = KeyPair::generate().unwrap();
            let cert = named(name, hosts).signed_by(&key, &issuer).unwrap();
            fs::write(dir.path().join(format!("{name}.crt")), cert.pem()).unwrap();
            fs::write(dir.path().join(format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        Certificates(dir)
    }

    /// Where one of them is.
    pub fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// What makes a server speak TLS and nothing else on that port.
    pub fn server_args(&self, port: u16) -> Vec<String> {
        [
            ("--port", "0".to_owned()),
            ("--tls-port", port.to_string()),
            ("--tls-cluster", "yes".to_owned()),
            ("--tls-replication", "yes".to_owned()),
            ("--tls-ca-cert-file", shown(&self.path("ca.crt"))),
            ("--tls-cert-file", shown(&self.path("server.crt"))),
            ("--tls-key-file", shown(&self.path("server.key"))),
        ]
        .into_iter()
        .flat_map(|(name, value)| [name.to_owned(), value])
        .collect()
    }

    /// Connects with the client's certificate.
    pub fn connect(&self, addr: &str, limit: Duration) -> io::Result<Wire> {
        let mut roots = rustls::RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.path("ca.crt")).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_file(self.path("client.crt")).unwrap()],
                PrivateKeyDer::from_pem_file(self.path("client.key")).unwrap(),
            )
            .unwrap();
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = rustls::StreamOwned::new(session, dial(addr, limit)?);
        Ok(Wire::over(Box::new(stream)))
    }
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn shown(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
