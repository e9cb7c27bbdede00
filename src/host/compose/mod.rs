//! The same cluster as a compose file, for those who keep their containers in files.
//!
//! What `create --write-compose` writes, and how the files in `compose/` are made. The file stands
//! for itself: `docker compose up` (v2, or docker-compose from 1.27) makes the nodes, and a service
//! that runs once joins them, with nothing but the shell and `redis-cli` of the same image. The
//! password is a file beside it, mounted as a secret: it is in no environment and no command line.

mod overlay;
mod script;
mod sidecar;

use serde::Serialize;
use serde_yaml::{Mapping, Value};
use sha2::{Digest, Sha256};

pub use self::overlay::overlay;
use self::script::{escaped, join_script, start_script};
pub use self::sidecar::{keys_file, passphrase_file, sidecar};
use super::node_conf;
use super::spec::{ClusterSpec, MadeBy, NodeSpec};

/// What the description of the nodes does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Replicas of each master.
    pub replicas: u16,
    /// Whether the nodes want a password, from the file that [`password_file`] names.
    pub has_password: bool,
    /// Whether the nodes speak TLS only, with the files `ca.crt`, `node.crt` and `node.key` from
    /// the folder `tls` beside the compose file.
    pub is_tls: bool,
}

/// The file beside the compose file that holds the password.
pub fn password_file(cluster: &str) -> String {
    format!("{cluster}.password")
}

#[derive(Serialize)]
struct File {
    #[serde(rename = "x-start")]
    start: String,
    services: Mapping,
    volumes: Mapping,
    networks: Networks,
    #[serde(skip_serializing_if = "Mapping::is_empty")]
    secrets: Mapping,
}

#[derive(Serialize)]
struct Networks {
    default: Network,
}

#[derive(Serialize)]
struct Network {
    ipam: Ipam,
    labels: Value,
}

#[derive(Serialize)]
struct Ipam {
    config: [Subnet; 1],
}

#[derive(Serialize)]
struct Subnet {
    subnet: String,
}

#[derive(Serialize)]
struct Labelled {
    labels: Value,
}

#[derive(Serialize, Default)]
struct Service {
    image: String,
    container_name: String,
    entrypoint: Vec<String>,
    command: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    depends_on: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ports: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    volumes: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tmpfs: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<String>,
    #[serde(skip_serializing_if = "Mapping::is_empty")]
    networks: Mapping,
    #[serde(skip_serializing_if = "Option::is_none")]
    healthcheck: Option<Health>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restart: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop_grace_period: Option<String>,
    #[serde(skip_serializing_if = "Value::is_null")]
    labels: Value,
}

#[derive(Serialize)]
struct Health {
    test: [String; 2],
    interval: String,
    timeout: String,
    retries: u8,
    start_period: String,
}

/// The variable of a node's container that holds further lines of its configuration.
const SETTINGS: &str = "GOODCACHE_SETTINGS";

/// The compose file.
pub fn compose(spec: &ClusterSpec, options: Options) -> Result<String, serde_yaml::Error> {
    let shared = serde_yaml::to_value(spec.shared_labels(MadeBy::Compose))?;
    let mut file = File {
        start: escaped(&start_script(spec, options)),
        services: Mapping::new(),
        volumes: Mapping::new(),
        networks: Networks {
            default: Network {
                ipam: Ipam {
                    config: [Subnet {
                        subnet: format!("{}.0/24", prefix(spec)),
                    }],
                },
                labels: shared.clone(),
            },
        },
        secrets: Mapping::new(),
    };
    for (index, node) in spec.nodes.iter().enumerate() {
        let labels = serde_yaml::to_value(spec.node_labels(node, MadeBy::Compose))?;
        let volume = serde_yaml::to_value(Labelled {
            labels: labels.clone(),
        })?;
        let service = node_service(spec, node, &address(spec, index), labels, options);
        file.services
            .insert(node.name.clone().into(), serde_yaml::to_value(service)?);
        file.volumes.insert(node.name.clone().into(), volume);
    }
    let join = join_service(spec, shared, options);
    file.services
        .insert("join".into(), serde_yaml::to_value(join)?);
    if options.has_password {
        let source = format!("./{}", password_file(&spec.name));
        let secret = Mapping::from_iter([("file".into(), source.into())]);
        file.secrets.insert("password".into(), secret.into());
    }
    Ok(header(spec, options) + &anchored(&serde_yaml::to_string(&file)?))
}

/// Stands for the start script until the text is written.
const START: &str = "the start script";

/// The start script is the same on every node, and is written once: the writer of YAML knows no
/// anchors, so they are put into its text.
fn anchored(text: &str) -> String {
    text.replacen("x-start: |", "x-start: &start |", 1)
        .replace(&format!("- {START}\n"), "- *start\n")
}

fn header(spec: &ClusterSpec, options: Options) -> String {
    let name = &spec.name;
    let mut text = format!(
        "# The cluster {name}: {} nodes, replicas a master: {}. Written by goodcache.\n\
         #\n\
         #     docker compose -p {name} -f FILE up -d      make, start and join the nodes\n\
         #     docker compose -p {name} -f FILE logs join  how the joining went\n\
         #     docker compose -p {name} -f FILE down       remove the containers; -v: and the data\n\
         #\n\
         # Nodes keep their addresses, in a subnet that is free on most machines; choose another\n\
         # with GOODCACHE_SUBNET=10.1.2 (the first three numbers), and another image with\n\
         # GOODCACHE_IMAGE.\n",
        spec.nodes.len(),
        options.replicas
    );
    if options.has_password {
        text.push_str(&format!(
            "# The password must lie in {} beside this file: one line, mode 0600.\n",
            password_file(name)
        ));
    }
    if options.is_tls {
        text.push_str(
            "# The folder tls beside this file must hold ca.crt, node.crt and node.key; the\n\
             # certificate must be good for the name that clients use.\n",
        );
    }
    text
}

/// The first three numbers of the network: of the cluster's name, so that two clusters differ.
fn prefix(spec: &ClusterSpec) -> String {
    let digest = Sha256::digest(spec.name.as_bytes());
    let second = 100 + u16::from(digest[0]) % 100;
    format!("${{GOODCACHE_SUBNET:-10.{second}.{}}}", digest[1])
}

fn address(spec: &ClusterSpec, index: usize) -> String {
    format!("{}.{}", prefix(spec), index + 11)
}

fn node_service(
    spec: &ClusterSpec,
    node: &NodeSpec,
    address: &str,
    labels: Value,
    options: Options,
) -> Service {
    let endpoint = Mapping::from_iter([("ipv4_address".into(), address.into())]);
    let mut volumes = vec![format!("{}:/data", node.name)];
    volumes.extend(tls_mount(options));
    Service {
        image: image(spec),
        container_name: spec.container_name(node),
        entrypoint: shell(),
        command: vec![START.to_owned(), node.name.clone(), node.port.to_string()],
        ports: vec![published(spec, node)],
        volumes,
        secrets: secrets(options),
        networks: Mapping::from_iter([("default".into(), endpoint.into())]),
        healthcheck: Some(Health {
            test: [
                "CMD-SHELL".to_owned(),
                escaped(&node_conf::health_command(node.port, options.is_tls, None)),
            ],
            interval: "5s".to_owned(),
            timeout: "3s".to_owned(),
            retries: 3,
            start_period: "10s".to_owned(),
        }),
        // For the same reason as in containers that are made at once.
        restart: spec.is_aof.then(|| "unless-stopped".to_owned()),
        stop_grace_period: Some("30s".to_owned()),
        labels,
        ..Service::default()
    }
}

fn join_service(spec: &ClusterSpec, labels: Value, options: Options) -> Service {
    Service {
        image: image(spec),
        container_name: format!("{}-join", spec.name),
        entrypoint: shell(),
        command: vec![join_script(spec, options)],
        depends_on: spec.nodes.iter().map(|node| node.name.clone()).collect(),
        volumes: tls_mount(options).into_iter().collect(),
        // The official images declare a volume here; without this, `down` would leave it behind.
        tmpfs: vec!["/data".to_owned()],
        secrets: secrets(options),
        labels,
        ..Service::default()
    }
}

/// The image, which can be another without a change of the file.
fn image(spec: &ClusterSpec) -> String {
    format!("${{GOODCACHE_IMAGE:-{}}}", spec.image)
}

fn shell() -> Vec<String> {
    vec!["sh".to_owned(), "-ec".to_owned()]
}

fn tls_mount(options: Options) -> Option<String> {
    options.is_tls.then(|| "./tls:/tls:ro".to_owned())
}

fn secrets(options: Options) -> Vec<String> {
    let name = options.has_password.then(|| "password".to_owned());
    name.into_iter().collect()
}

fn published(spec: &ClusterSpec, node: &NodeSpec) -> String {
    let port = node.port;
    if spec.bind.is_ipv6() {
        format!("[{}]:{port}:{port}", spec.bind)
    } else {
        format!("{}:{port}:{port}", spec.bind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goodbooks(has_password: bool, is_tls: bool) -> (ClusterSpec, Options) {
        let spec = ClusterSpec::new("goodbooks", "redis:7-alpine", 6, 7001);
        let options = Options {
            replicas: 1,
            has_password,
            is_tls,
        };
        (spec, options)
    }

    fn written(has_password: bool, is_tls: bool) -> String {
        let (spec, options) = goodbooks(has_password, is_tls);
        compose(&spec, options).unwrap()
    }

    fn backed_up(has_password: bool, is_tls: bool) -> String {
        let (spec, options) = goodbooks(has_password, is_tls);
        sidecar(&spec, options).unwrap()
    }

    /// The files that come with the sources; written anew when `GOODCACHE_WRITE` is set.
    #[test]
    fn the_ready_files_are_not_stale() {
        for (file, text) in [
            ("compose/goodbooks.yaml", written(false, false)),
            ("compose/goodbooks-tls.yaml", written(true, true)),
            ("compose/goodbooks-backup.yaml", backed_up(false, false)),
            ("compose/goodbooks-tls-backup.yaml", backed_up(true, true)),
        ] {
            if std::env::var_os("GOODCACHE_WRITE").is_some() {
                std::fs::write(file, &text).unwrap();
            }
            let there = std::fs::read_to_string(file).unwrap_or_default();
            assert!(
                there == text,
                "{file} is stale; write it anew: GOODCACHE_WRITE=1 cargo nextest run ready_files"
            );
        }
    }

    #[test]
    fn every_node_has_a_port_a_volume_and_an_address_that_stays() {
        let file: Value = serde_yaml::from_str(&written(false, false)).unwrap();
        let node = &file["services"]["redis-6"];
        assert_eq!(node["ports"][0], "127.0.0.1:7006:7006");
        assert_eq!(node["volumes"][0], "redis-6:/data");
        let ip = node["networks"]["default"]["ipv4_address"]
            .as_str()
            .unwrap();
        assert!(ip.ends_with("}.16"), "{ip}");
        assert_eq!(node["labels"]["io.goodcache.made-by"], "compose");
        assert!(file["volumes"]["redis-6"].is_mapping());
    }

    #[test]
    fn only_a_cluster_with_a_password_has_a_secret() {
        assert!(!written(false, false).contains("secrets"));
        let file: Value = serde_yaml::from_str(&written(true, false)).unwrap();
        assert_eq!(file["secrets"]["password"]["file"], "./goodbooks.password");
        assert_eq!(file["services"]["join"]["secrets"][0], "password");
    }

    #[test]
    fn over_tls_there_is_no_plain_port() {
        let text = written(true, true);
        assert!(text.contains("port 0\n") && text.contains("tls-port $$1\n"));
        assert!(text.contains("./tls:/tls:ro"));
    }
}
