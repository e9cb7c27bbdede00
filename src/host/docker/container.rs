//! One node's container: how it is described to the engine, and what is put into it before it
//! starts.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;

use bollard::body_full;
use bollard::models::{
    ContainerCreateBody, ContainerStateStatusEnum, EndpointIpamConfig, EndpointSettings,
    HealthConfig, HostConfig, Mount, MountType, MountVolumeOptions, NetworkingConfig, PortBinding,
    RestartPolicy, RestartPolicyNameEnum,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, DownloadFromContainerOptionsBuilder,
    RemoveContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use futures_util::StreamExt;

use super::found::find;
use super::image::Image;
use super::{DockerError, Engine};
use crate::host::node_conf::{self, Contents};
use crate::host::spec::{ClusterSpec, Labels, MadeBy, NodeSpec};
use crate::host::tarball::{Owner, Tarball, first_file, first_owner};

/// How long a server may take to shut down: it waits up to 10 s for its replicas
/// (`shutdown-timeout`, 7.0) and then writes to disk, while Docker kills after 10 s by default.
const STOP_SECONDS: i64 = 30;
/// `/etc/passwd` and `nodes.conf` are a few KiB (a thousand nodes, 200); what is larger is neither.
const FILE_LIMIT: usize = 1 << 20;

/// Creates the container of a node, which does not run yet; in the place of one that never ran.
pub(super) async fn create(
    engine: &Engine,
    spec: &ClusterSpec,
    node: &NodeSpec,
    image: &Image,
    ip: Ipv4Addr,
) -> Result<(), DockerError> {
    let name = spec.container_name(node);
    let try_once = || async {
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let body = describe(spec, node, image, ip);
        let asked = engine.docker.create_container(Some(options), body);
        engine.ask(format!("create container {name}"), asked).await
    };
    match try_once().await {
        Err(DockerError::Refused { status: 409, .. }) => {
            match found(engine, spec, &name).await? {
                // A launch that was cut off may have left the engine starting it by itself.
                Some(ContainerStateStatusEnum::RUNNING) => Ok(()),
                Some(ContainerStateStatusEnum::CREATED) => {
                    remove(engine, &name).await?;
                    try_once().await.map(|_| ())
                }
                _ => Err(DockerError::NameTaken {
                    kind: "container",
                    name: name.clone(),
                }),
            }
        }
        other => other.map(|_| ()),
    }
}

/// In what state a container of this cluster by that name is; `None` when it is not this cluster's.
async fn found(
    engine: &Engine,
    spec: &ClusterSpec,
    name: &str,
) -> Result<Option<ContainerStateStatusEnum>, DockerError> {
    let asked = engine.docker.inspect_container(name, None);
    let there = engine
        .ask(format!("look at container {name}"), asked)
        .await?;
    let labels = there.config.and_then(|config| config.labels);
    let is_ours = labels.is_some_and(|labels| labels.get(Labels::CLUSTER) == Some(&spec.name));
    let status = there.state.and_then(|state| state.status);
    Ok(status.filter(|_| is_ours))
}

/// Removes a container that never ran.
async fn remove(engine: &Engine, name: &str) -> Result<(), DockerError> {
    // Its volume has a name and so stays; one without a name would go with the container.
    let options = RemoveContainerOptionsBuilder::new().v(true).build();
    let asked = engine.docker.remove_container(name, Some(options));
    engine.ask(format!("remove container {name}"), asked).await
}

fn describe(
    spec: &ClusterSpec,
    node: &NodeSpec,
    image: &Image,
    ip: Ipv4Addr,
) -> ContainerCreateBody {
    let inside = format!("{}/tcp", node.port);
    let command = image.server.iter().cloned();
    ContainerCreateBody {
        hostname: Some(node.name.clone()),
        image: Some(image.name.clone()),
        cmd: Some(command.chain([node_conf::CONF.to_owned()]).collect()),
        exposed_ports: Some(vec![inside]),
        labels: Some(labels(spec, node)),
        healthcheck: Some(health(spec, node)),
        stop_timeout: Some(STOP_SECONDS),
        host_config: Some(host_config(spec, node)),
        networking_config: Some(networking(spec, node, ip)),
        ..ContainerCreateBody::default()
    }
}

/// Ours, and those by which `docker compose -p NAME ps|down` knows a project without its file.
/// Compose shows only what carries a hash of its description, whatever it is.
fn labels(spec: &ClusterSpec, node: &NodeSpec) -> HashMap<String, String> {
    let mut labels = spec.node_labels(node, MadeBy::Create);
    for (name, value) in [
        ("project", spec.name.as_str()),
        ("service", node.name.as_str()),
        ("container-number", "1"),
        ("oneoff", "False"),
        ("config-hash", "goodcache"),
    ] {
        labels.insert(format!("com.docker.compose.{name}"), value.to_owned());
    }
    labels.into_iter().collect()
}

fn health(spec: &ClusterSpec, node: &NodeSpec) -> HealthConfig {
    let seconds = |n: i64| Some(n * 1_000_000_000);
    HealthConfig {
        test: Some(vec![
            "CMD-SHELL".to_owned(),
            node_conf::health_command(node.port, spec.is_tls, spec.health_user.as_deref()),
        ]),
        interval: seconds(5),
        timeout: seconds(3),
        retries: Some(3),
        start_period: seconds(10),
        ..HealthConfig::default()
    }
}

fn host_config(spec: &ClusterSpec, node: &NodeSpec) -> HostConfig {
    let binding = PortBinding {
        host_ip: Some(spec.bind.to_string()),
        host_port: Some(node.port.to_string()),
    };
    let volume_labels = spec
        .node_labels(node, MadeBy::Create)
        .into_iter()
        .chain([
            ("com.docker.compose.project".to_owned(), spec.name.clone()),
            ("com.docker.compose.volume".to_owned(), node.name.clone()),
        ])
        .collect();
    HostConfig {
        port_bindings: Some(HashMap::from([(
            format!("{}/tcp", node.port),
            Some(vec![binding]),
        )])),
        // The engine makes the volume together with the container, so none is left without one.
        mounts: Some(vec![Mount {
            target: Some("/data".to_owned()),
            source: Some(spec.volume_name(node)),
            typ: Some(MountType::VOLUME),
            volume_options: Some(MountVolumeOptions {
                labels: Some(volume_labels),
                ..MountVolumeOptions::default()
            }),
            ..Mount::default()
        }]),
        network_mode: Some(spec.network_name()),
        restart_policy: Some(restart_policy(spec)),
        ..HostConfig::default()
    }
}

/// A node comes back after a reboot or a crash, but not after it was stopped or killed on purpose.
/// Without an append-only file it must not: a master that is back before its replica is promoted
/// comes back empty, and has its replica throw its copy away.
fn restart_policy(spec: &ClusterSpec) -> RestartPolicy {
    let name = if spec.is_aof {
        RestartPolicyNameEnum::UNLESS_STOPPED
    } else {
        RestartPolicyNameEnum::NO
    };
    RestartPolicy {
        name: Some(name),
        ..RestartPolicy::default()
    }
}

fn networking(spec: &ClusterSpec, node: &NodeSpec, ip: Ipv4Addr) -> NetworkingConfig {
    let endpoint = EndpointSettings {
        aliases: Some(vec![node.name.clone()]),
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: Some(ip.to_string()),
            ..EndpointIpamConfig::default()
        }),
        ..EndpointSettings::default()
    };
    NetworkingConfig {
        endpoints_config: Some(HashMap::from([(spec.network_name(), endpoint)])),
    }
}

/// Puts the configuration into a container that was never started: files that only the server's
/// user may read, so that neither `docker inspect` nor the process list shows the password.
pub(super) async fn furnish(
    engine: &Engine,
    spec: &ClusterSpec,
    node: &NodeSpec,
    image: &Image,
    contents: &Contents<'_>,
) -> Result<(), DockerError> {
    let container = spec.container_name(node);
    let owner = owner(engine, &container, image).await?;
    let conf = node_conf::file(spec, node, contents);
    let password = contents.probe().unwrap_or_default();
    let mut archive = Tarball::default()
        .folder(&format!("{}/", node_conf::FOLDER), owner)
        .file(node_conf::CONF, owner, conf.as_bytes())
        .file(node_conf::PASSWORD, owner, password.as_bytes());
    if let Some(users) = contents.users {
        archive = archive.file(node_conf::USERS, owner, users.file().as_bytes());
    }
    if let Some(authority) = contents.authority {
        let pem = authority.of_node(&node.port.to_string());
        archive = archive
            .file(node_conf::CERTIFICATE, owner, &here(&pem)?)
            .file(node_conf::TRUSTED, owner, &here(&authority.trusted())?);
    }
    upload(engine, &container, archive, "put the configuration into").await
}

/// A file of this machine.
fn here(path: &Path) -> Result<Vec<u8>, DockerError> {
    std::fs::read(path).map_err(|error| DockerError::Broken {
        what: format!("read {}", path.display()),
        why: error.to_string(),
    })
}

async fn upload(
    engine: &Engine,
    container: &str,
    archive: Tarball,
    what: &str,
) -> Result<(), DockerError> {
    let options = UploadToContainerOptionsBuilder::new().path("/").build();
    let body = body_full(archive.finish().into());
    let asked = engine
        .docker
        .upload_to_container(container, Some(options), body);
    engine.ask(format!("{what} {container}"), asked).await
}

/// Whom the server runs as: the image's user when it names one; else the entrypoint starts as root
/// and changes to `redis` or `valkey`. Root itself reads any file.
async fn owner(engine: &Engine, container: &str, image: &Image) -> Result<Owner, DockerError> {
    if let Some(owner) = numeric(&image.user) {
        return Ok(owner);
    }
    let passwd = read(engine, container, "/etc/passwd").await?;
    let user = image.user.split(':').next().unwrap_or_default();
    Ok(match user {
        "" => in_passwd(&passwd, &["redis", "valkey"]),
        user => in_passwd(&passwd, &[user]),
    })
}

/// `999` or `999:1000`.
fn numeric(user: &str) -> Option<Owner> {
    let (uid, gid) = user.split_once(':').unwrap_or((user, "0"));
    Some(Owner {
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
    })
}

fn in_passwd(passwd: &str, names: &[&str]) -> Owner {
    let entry = |line: &str| {
        let fields: Vec<&str> = line.split(':').collect();
        let is_one = fields.first().is_some_and(|name| names.contains(name));
        is_one
            .then(|| numeric(&format!("{}:{}", fields.get(2)?, fields.get(3)?)))
            .flatten()
    };
    passwd.lines().find_map(entry).unwrap_or_default()
}

/// Gives the health check of every node another password; the file keeps its owner. Nodes without such
/// a file have none to check with.
pub async fn change_password(
    engine: &Engine,
    cluster: &str,
    password: &str,
) -> Result<(), DockerError> {
    for node in find(engine, cluster).await?.nodes {
        replace(
            engine,
            &node.container,
            node_conf::PASSWORD,
            password.as_bytes(),
        )
        .await?;
    }
    Ok(())
}

/// Puts a node's new key and certificate where its server reads them; gives that path. `None` when no
/// container of the cluster has that port, or it has no certificate.
pub async fn change_certificate(
    engine: &Engine,
    cluster: &str,
    port: u16,
    pem: &Path,
) -> Result<Option<&'static str>, DockerError> {
    let found = find(engine, cluster).await?;
    let Some(node) = found.nodes.iter().find(|node| node.port == port) else {
        return Ok(None);
    };
    let is_there = replace(engine, &node.container, node_conf::CERTIFICATE, &here(pem)?).await?;
    Ok(is_there.then_some(node_conf::CERTIFICATE))
}

/// Writes a file of a container anew, for its owner; whether it was there.
async fn replace(
    engine: &Engine,
    container: &str,
    path: &str,
    content: &[u8],
) -> Result<bool, DockerError> {
    let there = fetch(engine, container, path).await?;
    let Some(owner) = first_owner(&there) else {
        return Ok(false);
    };
    let archive = Tarball::default().file(path, owner, content);
    upload(engine, container, archive, &format!("write {path} in")).await?;
    Ok(true)
}

/// A small text file of a container; empty when there is none.
pub(super) async fn read(
    engine: &Engine,
    container: &str,
    path: &str,
) -> Result<String, DockerError> {
    let archive = fetch(engine, container, path).await?;
    let content = first_file(&archive).unwrap_or_default();
    Ok(String::from_utf8_lossy(content).into_owned())
}

/// A small file of a container as an archive; empty when there is none.
async fn fetch(engine: &Engine, container: &str, path: &str) -> Result<Vec<u8>, DockerError> {
    let options = DownloadFromContainerOptionsBuilder::new()
        .path(path)
        .build();
    let mut pieces = engine
        .docker
        .download_from_container(container, Some(options));
    let collect = async {
        let mut archive = Vec::new();
        while let Some(piece) = pieces.next().await {
            archive.extend_from_slice(&piece?);
            if archive.len() > FILE_LIMIT {
                break;
            }
        }
        Ok(archive)
    };
    let what = format!("read {path} in {container}");
    match engine.ask(what, collect).await {
        Err(error) if error.is_not_found() => Ok(Vec::new()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(server: Option<&str>) -> ContainerCreateBody {
        let spec = ClusterSpec::new("shop", "redis:7", 2, 7001);
        let image = Image {
            name: "redis:7".into(),
            user: String::new(),
            server: server.map(Into::into),
        };
        describe(&spec, &spec.nodes[1], &image, Ipv4Addr::new(10, 0, 0, 3))
    }

    #[test]
    fn the_port_inside_is_the_port_outside_and_on_loopback() {
        let bindings = described(None).host_config.unwrap().port_bindings.unwrap();
        let binding = &bindings["7002/tcp"].as_ref().unwrap()[0];
        assert_eq!(binding.host_ip.as_deref(), Some("127.0.0.1"));
        assert_eq!(binding.host_port.as_deref(), Some("7002"));
        assert_eq!(bindings.len(), 1, "the bus port is not published");
    }

    #[test]
    fn an_entrypoint_gets_the_file_alone() {
        assert_eq!(described(None).cmd.unwrap(), [node_conf::CONF]);
        assert_eq!(
            described(Some("valkey-server")).cmd.unwrap(),
            ["valkey-server", node_conf::CONF]
        );
    }

    #[test]
    fn without_an_append_only_file_a_crashed_node_stays_down() {
        let mut spec = ClusterSpec::new("shop", "redis:7", 1, 7001);
        let policy = |spec: &ClusterSpec| restart_policy(spec).name.unwrap();
        assert_eq!(policy(&spec), RestartPolicyNameEnum::UNLESS_STOPPED);
        spec.is_aof = false;
        assert_eq!(policy(&spec), RestartPolicyNameEnum::NO);
    }

    #[test]
    fn who_owns_the_files() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nredis:x:999:1000::/data:/bin/sh\n";
        let owner = |uid, gid| Owner { uid, gid };
        assert_eq!(in_passwd(passwd, &["redis", "valkey"]), owner(999, 1000));
        assert_eq!(in_passwd("nonsense", &["redis"]), owner(0, 0));
        assert_eq!(numeric("1001"), Some(owner(1001, 0)));
        assert_eq!(numeric("1001:7"), Some(owner(1001, 7)));
        assert_eq!(numeric("redis"), None);
        assert_eq!(numeric(""), None);
    }
}
