//! A private authority for one cluster, and a certificate for each of its nodes.
//!
//! All lie in one folder that only its owner may enter: `ca.crt` is what clients are to trust, `ca.key`
//! never leaves the folder, and `NODE.pem` holds a node's key and certificate in one file, so that a
//! renewal puts both there at once. Files are written whole or not at all.

use std::io::Write;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// An authority is good for ten years, a node's certificate for one.
const AUTHORITY_DAYS: u64 = 3650;
/// How long a node's certificate is good, in days.
pub const NODE_DAYS: u64 = 365;
/// Certificates begin a day early: clocks differ.
const EARLY: Duration = Duration::from_secs(DAY_S);
const DAY_S: u64 = 86_400;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file.
    #[error("could not {what} {}: {why}", path.display())]
    File {
        /// `read` or `write`.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// The cause.
        why: String,
    },
    /// It could not be made.
    #[error("could not make a certificate for {of}: {why}")]
    Unmade {
        /// Whom.
        of: String,
        /// The cause.
        why: String,
    },
}

/// The folder of a cluster's authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    folder: PathBuf,
    cluster: String,
}

impl Authority {
    /// The one in that folder, made or yet to be made.
    pub fn of(folder: &Path, cluster: &str) -> Authority {
        Authority {
            folder: folder.to_owned(),
            cluster: cluster.to_owned(),
        }
    }

    /// What clients are to trust.
    pub fn trusted(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// A node's key and certificate.
    pub fn of_node(&self, node: &str) -> PathBuf {
        self.folder.join(format!("{node}.pem"))
    }

    /// Whether it was made.
    pub fn is_made(&self) -> bool {
        self.trusted().exists() && self.key().exists()
    }

    fn key(&self) -> PathBuf {
        self.folder.join("ca.key")
    }

    /// Makes what is not there yet: the authority, and a certificate for that node under those names.
    pub fn ensure(&self, node: &str, names: &[String]) -> Result<(), CertificateError> {
        if !self.is_made() {
            self.make()?;
        }
        match self.of_node(node).exists() {
            true => Ok(()),
            false => self.issue(node, names),
        }
    }

    /// Gives a node a new certificate and key.
    pub fn issue(&self, node: &str, names: &[String]) -> Result<(), CertificateError> {
        let fail = |why: String| CertificateError::Unmade {
            of: node.to_owned(),
            why,
        };
        let text = std::fs::read_to_string(self.key()).map_err(|error| CertificateError::File {
            what: "read",
            path: self.key(),
            why: error.to_string(),
        })?;
        let key = KeyPair::from_pem(&text).map_err(|error| fail(error.to_string()))?;
        let issuer = Issuer::new(self.params(), key);
        let mut params =
            CertificateParams::new(names.to_vec()).map_err(|error| fail(error.to_string()))?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, format!("{node} of {}", self.cluster));
        limit(&mut params, NODE_DAYS);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // A node is its peers' client as well.
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let own = KeyPair::generate().map_err(|error| fail(error.to_string()))?;
        let signed = params
            .signed_by(&own, &issuer)
            .map_err(|error| fail(error.to_string()))?;
        let both = format!("{}{}", own.serialize_pem(), signed.pem());
        write(&self.of_node(node), &both)
    }

    fn make(&self) -> Result<(), CertificateError> {
        let fail = |error: rcgen::Error| CertificateError::Unmade {
            of: self.cluster.clone(),
            why: error.to_string(),
        };
        let key = KeyPair::generate().map_err(fail)?;
        let signed = self.params().self_signed(&key).map_err(fail)?;
        make_folder(&self.folder)?;
        write(&self.key(), &key.serialize_pem())?;
        write(&self.trusted(), &signed.pem())
    }

    /// The authority's own; its name and key are what ties certificates to it.
    fn params(&self) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(
            DnType::CommonName,
            format!("goodcache authority of {}", self.cluster),
        );
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        limit(&mut params, AUTHORITY_DAYS);
        params
    }
}

/// The names under which a node of this machine is reached, and that other address.
pub fn names(reached_at: &str) -> Vec<String> {
    let mut names = vec![
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    let is_name = reached_at.parse::<IpAddr>().is_ok() || !reached_at.contains(':');
    if is_name && !names.iter().any(|name| name == reached_at) {
        names.push(reached_at.to_owned());
    }
    names
}

/// Year, month and day of a moment.
fn day_of(moment: SystemTime) -> (i32, u8, u8) {
    let text = humantime::format_rfc3339_seconds(moment).to_string();
    let number = |from: usize, to: usize| -> Option<i16> {
        text.get(from..to).and_then(|digits| digits.parse().ok())
    };
    let year = number(0, 4).map_or(2000, i32::from);
    let part = |from, to| {
        number(from, to)
            .and_then(|n| u8::try_from(n).ok())
            .unwrap_or(1)
    };
    (year, part(5, 7), part(8, 10))
}

/// From yesterday on for so many days.
fn limit(params: &mut CertificateParams, days: u64) {
    let now = SystemTime::now();
    let (year, month, day) = day_of(now.checked_sub(EARLY).unwrap_or(now));
    params.not_before = rcgen::date_time_ymd(year, month, day);
    let (year, month, day) = day_of(now + Duration::from_secs((days + 1) * DAY_S));
    params.not_after = rcgen::date_time_ymd(year, month, day);
}

fn make_folder(path: &Path) -> Result<(), CertificateError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| unwritten(path, &error))
}

/// Readable by its owner only.
fn write(path: &Path, text: &str) -> Result<(), CertificateError> {
    let write = || {
        let mut file = tempfile::Builder::new()
            .permissions(std::fs::Permissions::from_mode(0o600))
            .tempfile_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok::<(), std::io::Error>(())
    };
    write().map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> CertificateError {
    CertificateError::File {
        what: "write",
        path: path.to_owned(),
        why: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn the_system_s_own_openssl_finds_it_sound() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::of(&folder.path().join("tls"), "shop");
        authority.ensure("7001", &names("192.0.2.7")).unwrap();
        let pem = authority.of_node("7001");
        let first = std::fs::read(&pem).unwrap();
        authority.ensure("7001", &names("192.0.2.7")).unwrap();
        assert_eq!(std::fs::read(&pem).unwrap(), first, "what is there stays");
        authority.issue("7001", &names("192.0.2.7")).unwrap();
        assert_ne!(std::fs::read(&pem).unwrap(), first);
        for path in [&pem, &folder.path().join("tls/ca.key")] {
            assert_eq!(mode(path), 0o600, "{}", path.display());
        }
        assert_eq!(mode(&folder.path().join("tls")), 0o700);
        let verified = Command::new("openssl")
            .args([
                "verify",
                "-purpose",
                "sslserver",
                "-verify_ip",
                "192.0.2.7",
                "-CAfile",
            ])
            .args([&authority.trusted(), &pem])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success(), "{said}");
    }

    #[test]
    fn a_day_is_read_from_a_moment() {
        let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        assert_eq!(day_of(moment), (2023, 11, 14));
    }
}
