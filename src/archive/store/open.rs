//! From an address to a store: a folder, or a bucket with its settings from the environment.

use std::env;
use std::fmt;
use std::fs::DirBuilder;
use std::net::IpAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Name;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use super::error::StoreError;
use super::{Limits, Store};
use crate::archive::buffers::Buffers;

/// The variables that are looked at, by their beginnings.
const PREFIXES: [&str; 3] = ["AWS_", "AZURE_", "GOOGLE_"];

/// How to reach a store besides its address.
#[derive(Clone, Default)]
pub struct StoreOptions {
    /// `AWS_*`, `AZURE_*` and `GOOGLE_*` with their values: endpoint, region, keys.
    pub variables: Vec<(String, String)>,
    /// Let plain HTTP pass to other machines than this one.
    pub allow_http: bool,
    /// Deadlines and tries.
    pub limits: Limits,
}

impl StoreOptions {
    /// With the variables of this process; `AWS_ALLOW_HTTP=true` lets plain HTTP pass.
    pub fn from_env() -> StoreOptions {
        StoreOptions::of_variables(env_variables(""))
    }

    /// The same, but a variable that stands behind that prefix as well, such as
    /// `GOODCACHE_TO_AWS_REGION`, outweighs the plain one: a second store may be elsewhere.
    pub fn from_env_behind(prefix: &str) -> StoreOptions {
        let mut variables = env_variables(prefix);
        let plain = env_variables("").into_iter();
        let plain = plain.filter(|(name, _)| variables.iter().all(|(own, _)| own != name));
        variables.extend(plain.collect::<Vec<_>>());
        StoreOptions::of_variables(variables)
    }

    fn of_variables(variables: Vec<(String, String)>) -> StoreOptions {
        let allow_http = variables
            .iter()
            .any(|(name, value)| name == "AWS_ALLOW_HTTP" && value.eq_ignore_ascii_case("true"));
        StoreOptions {
            variables,
            allow_http,
            limits: Limits::default(),
        }
    }

    /// Those that one kind of store reads, by the names it knows them under, and whether one of
    /// them is a plain-HTTP endpoint that is let pass.
    fn of(&self, prefix: &str) -> Result<(Vec<(String, String)>, bool), StoreError> {
        let mut plain = false;
        let mut chosen = Vec::new();
        for (name, value) in &self.variables {
            let lower = name.to_ascii_lowercase();
            if !name.starts_with(prefix) || lower.ends_with("allow_http") {
                continue;
            }
            if lower.contains("endpoint") && value.to_ascii_lowercase().starts_with("http://") {
                if !self.allow_http && !is_loopback(value) {
                    return Err(StoreError::PlainHttp {
                        endpoint: value.clone(),
                    });
                }
                plain = true;
            }
            chosen.push((lower, value.clone()));
        }
        Ok((chosen, plain))
    }
}

/// The names alone: the values hold keys.
impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self
            .variables
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        f.debug_struct("StoreOptions")
            .field("variables", &names)
            .field("allow_http", &self.allow_http)
            .field("limits", &self.limits)
            .finish()
    }
}

/// Opens the store at an address. A folder that does not exist yet is made (0700) only when asked.
pub(super) fn open(url: &str, create: bool, options: &StoreOptions) -> Result<Store, StoreError> {
    match url.split_once("://") {
        None => folder(Path::new(url), create, options),
        Some(("file", path)) => folder(Path::new(path), create, options),
        Some((scheme @ ("s3" | "gs" | "az"), rest)) => bucket(url, scheme, rest, options),
        Some(_) => Err(bad(url, "only folders, s3://, gs:// and az:// are known")),
    }
}

/// A store that lives as long as this value: for tests, and to measure without a disk.
pub(super) fn memory(limits: Limits) -> Store {
    Store {
        inner: Arc::new(InMemory::new()),
        prefix: Name::default(),
        folder: None,
        place: "memory".to_owned(),
        limits,
        buffers: Buffers::default(),
    }
}

fn folder(path: &Path, create: bool, options: &StoreOptions) -> Result<Store, StoreError> {
    if path.as_os_str().is_empty() {
        return Err(bad("", "it is empty"));
    }
    let root: PathBuf = std::path::absolute(path)
        .map_err(|why| bad(&path.display().to_string(), &why.to_string()))?;
    let place = root.display().to_string();
    if create && !root.is_dir() {
        make_folder(&root, &place)?;
    }
    if !root.is_dir() {
        return Err(StoreError::NoFolder { place });
    }
    let inner = LocalFileSystem::new_with_prefix(&root)
        .map_err(|why| bad(&place, &why.to_string()))?
        .with_fsync(true)
        .with_automatic_cleanup(true);
    Ok(Store {
        inner: Arc::new(inner),
        prefix: Name::default(),
        folder: Some(root),
        place,
        limits: options.limits,
        buffers: Buffers::default(),
    })
}

fn make_folder(root: &Path, place: &str) -> Result<(), StoreError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(root)
        .map_err(|error| {
            let source = object_store::Error::Generic {
                store: "folder",
                source: Box::new(error),
            };
            let asked = super::error::Asked {
                what: "write",
                name: "the folder",
                place,
            };
            asked.failed(&source)
        })
}

fn bucket(
    url: &str,
    scheme: &str,
    rest: &str,
    options: &StoreOptions,
) -> Result<Store, StoreError> {
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    if bucket.is_empty() || bucket.contains(['@', ':', '?', '#']) {
        return Err(bad(url, "a bucket's name must follow ://"));
    }
    let prefix = Name::parse(prefix.trim_matches('/')).map_err(|why| bad(url, &why.to_string()))?;
    // The client's TLS takes the process's provider, and with none it panics. It is ring everywhere.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let inner = match scheme {
        "s3" => amazon(bucket, options),
        "gs" => google(bucket, options),
        _ => azure(bucket, options),
    }?
    .map_err(|why| bad(url, &why.to_string()))?;
    Ok(Store {
        inner,
        prefix,
        folder: None,
        place: url.trim_end_matches('/').to_owned(),
        limits: options.limits,
        buffers: Buffers::default(),
    })
}

type Built = Result<Result<Arc<dyn ObjectStore>, object_store::Error>, StoreError>;

fn amazon(bucket: &str, options: &StoreOptions) -> Built {
    let (variables, plain) = options.of("AWS_")?;
    let mut builder = AmazonS3Builder::new().with_client_options(client(options, plain));
    for (name, value) in variables {
        if let Ok(key) = name.parse() {
            builder = builder.with_config(key, value);
        }
    }
    let built = builder.with_bucket_name(bucket).with_retry(once()).build();
    Ok(built.map(|store| Arc::new(store) as Arc<dyn ObjectStore>))
}

fn google(bucket: &str, options: &StoreOptions) -> Built {
    let (variables, plain) = options.of("GOOGLE_")?;
    let mut builder = GoogleCloudStorageBuilder::new().with_client_options(client(options, plain));
    for (name, value) in variables {
        if let Ok(key) = name.parse() {
            builder = builder.with_config(key, value);
        }
    }
    let built = builder.with_bucket_name(bucket).with_retry(once()).build();
    Ok(built.map(|store| Arc::new(store) as Arc<dyn ObjectStore>))
}

fn azure(container: &str, options: &StoreOptions) -> Built {
    let (variables, plain) = options.of("AZURE_")?;
    let mut builder = MicrosoftAzureBuilder::new().with_client_options(client(options, plain));
    for (name, value) in variables {
        if let Ok(key) = name.parse() {
            builder = builder.with_config(key, value);
        }
    }
    let built = builder
        .with_container_name(container)
        .with_retry(once())
        .build();
    Ok(built.map(|store| Arc::new(store) as Arc<dyn ObjectStore>))
}

/// The deadline of a whole call is the store's; the client only must not end it before.
fn client(options: &StoreOptions, plain: bool) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(plain)
        .with_timeout_disabled()
        .with_connect_timeout(options.limits.connect)
}

/// Tries are counted in one place, [`Store`], for every kind of store.
fn once() -> RetryConfig {
    RetryConfig {
        max_retries: 0,
        ..RetryConfig::default()
    }
}

/// Those of this process that are looked at and stand behind that prefix, without it.
fn env_variables(prefix: &str) -> Vec<(String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value)))
        .filter(|(name, _)| PREFIXES.iter().any(|kind| name.starts_with(kind)))
        .collect()
}

fn is_loopback(endpoint: &str) -> bool {
    let authority = endpoint[7..].split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn bad(url: &str, why: &str) -> StoreError {
    StoreError::BadUrl {
        url: url.to_owned(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> StoreOptions {
        StoreOptions {
            variables: variables
                .iter()
                .map(|&(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            ..StoreOptions::default()
        }
    }

    #[test]
    fn plain_http_only_to_this_machine_or_when_asked() {
        for (endpoint, is_let) in [
            ("http://127.0.0.1:5000", true),
            ("http://localhost:9000/", true),
            ("http://[::1]:9000", true),
            ("https://minio.example.org", true),
            ("http://minio.example.org", false),
            ("http://127.0.0.1.example.org", false),
            ("http://127.0.0.1@example.org", false),
            ("HTTP://10.0.0.1", false),
        ] {
            for name in ["AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"] {
                let mut options = with(&[(name, endpoint)]);
                assert_eq!(options.of("AWS_").is_ok(), is_let, "{endpoint}");
                options.allow_http = true;
                assert!(options.of("AWS_").is_ok());
            }
        }
    }

    #[test]
    fn addresses() {
        let options = with(&[
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "very-secret"),
            ("AZURE_STORAGE_ACCOUNT_NAME", "name"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0"),
        ]);
        for url in [
            "s3://bucket",
            "s3://bucket/a/b/",
            "gs://bucket/a",
            "az://box/a",
        ] {
            let store = open(url, false, &options).unwrap();
            assert_eq!(store.place, url.trim_end_matches('/'));
        }
        for url in [
            "",
            "s3://",
            "s3:///a",
            "ftp://a/b",
            "s3://key@bucket/a",
            "r2://b",
        ] {
            let error = open(url, false, &options).unwrap_err();
            assert!(matches!(error, StoreError::BadUrl { .. }), "{url}: {error}");
        }
        assert!(!format!("{options:?}").contains("very-secret"));
    }

    #[test]
    fn a_folder_is_made_only_when_asked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let url = format!("file://{}", path.display());
        let options = StoreOptions::default();
        let error = open(&url, false, &options).unwrap_err();
        assert!(matches!(error, StoreError::NoFolder { .. }), "{error}");
        open(&url, true, &options).unwrap();
        open(path.to_str().unwrap(), false, &options).unwrap();
    }
}
