//! A service that takes backups, as a file to lay over the cluster's own compose file.
//!
//! There is no registry to take goodcache from, so the program of the host is mounted into a plain
//! image. What says where the snapshots go comes from the environment of `docker compose`; secrets are
//! files beside the compose file.

use serde::Serialize;
use serde_yaml::Mapping;

use super::script::escaped;
use super::{Options, address, tls_mount};
use crate::host::spec::ClusterSpec;

/// The variables that are handed on to goodcache where they are set: where the store is. Its keys are
/// not among them, for `docker inspect` shows what a container's environment holds.
const HANDED_ON: [&str; 4] = [
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AWS_ALLOW_HTTP",
];

/// The file beside the compose file that holds the passphrase of the repository.
pub fn passphrase_file(cluster: &str) -> String {
    format!("{cluster}.passphrase")
}

/// The file beside the compose file that holds the keys of a bucket, as a shell reads them.
pub fn keys_file(cluster: &str) -> String {
    format!("{cluster}.keys")
}

#[derive(Serialize)]
struct File {
    services: Mapping,
    volumes: Mapping,
    secrets: Mapping,
}

#[derive(Serialize)]
struct Backup {
    image: String,
    container_name: String,
    entrypoint: [String; 2],
    command: [String; 1],
    environment: Vec<String>,
    depends_on: Mapping,
    volumes: Vec<String>,
    secrets: Vec<String>,
    restart: String,
    stop_grace_period: String,
}

/// The file that adds the service to the one that [`super::compose`] writes.
pub fn sidecar(spec: &ClusterSpec, options: Options) -> Result<String, serde_yaml::Error> {
    let service = serde_yaml::to_value(backup(spec, options))?;
    let secret = |file: String| Mapping::from_iter([("file".into(), format!("./{file}").into())]);
    let file = File {
        services: Mapping::from_iter([("backup".into(), service)]),
        volumes: ["backups", "backup-state"]
            .map(|name| (name.into(), Mapping::new().into()))
            .into_iter()
            .collect(),
        secrets: Mapping::from_iter([
            (
                "passphrase".into(),
                secret(passphrase_file(&spec.name)).into(),
            ),
            ("keys".into(), secret(keys_file(&spec.name)).into()),
        ]),
    };
    Ok(header(spec, options) + &serde_yaml::to_string(&file)?)
}

fn backup(spec: &ClusterSpec, options: Options) -> Backup {
    let after = [("condition".into(), "service_completed_successfully".into())];
    Backup {
        image: "${GOODCACHE_BACKUP_IMAGE:-debian:stable-slim}".to_owned(),
        container_name: format!("{}-backup", spec.name),
        entrypoint: ["sh".to_owned(), "-ec".to_owned()],
        command: [script(spec, options)],
        environment: environment(options),
        depends_on: Mapping::from_iter([("join".into(), Mapping::from_iter(after).into())]),
        volumes: volumes(options),
        secrets: secrets(options),
        restart: "unless-stopped".to_owned(),
        stop_grace_period: "60s".to_owned(),
    }
}

/// Names the cluster and its nodes, so that a snapshot bears the name and any node can be asked first.
fn script(spec: &ClusterSpec, options: Options) -> String {
    let nodes = spec.nodes.iter().enumerate();
    let nodes: Vec<String> = nodes
        .map(|(index, node)| format!("'{}:{}'", address(spec, index), node.port))
        .collect();
    let tls = if options.is_tls {
        // Nodes are reached at addresses of the containers' network, for which no certificate is good.
        ", tls: {ca: /tls/ca.crt, sni: '${GOODCACHE_BACKUP_SNI:-127.0.0.1}'}"
    } else {
        ""
    };
    let name = &spec.name;
    // The addresses hold a variable that compose replaces; all else is for the shell.
    format!(
        "cat > /tmp/goodcache.yaml <<'END'\n\
         clusters: {{{name}: {{nodes: [{}]{tls}}}}}\n\
         END\n{}",
        nodes.join(", "),
        escaped(&format!(
            "case \"$FOLLOW\" in\n\
             ''|no|false|0) set -- --every \"$EVERY\" ;;\n\
             *) set -- --follow --base-every \"$EVERY\" ;;\n\
             esac\n\
             set -a\n\
             . /run/secrets/keys\n\
             set +a\n\
             exec goodcache --config /tmp/goodcache.yaml backup {name} \"$@\" $KEEP\n"
        ))
    )
}

fn environment(options: Options) -> Vec<String> {
    let mut lines = vec![
        "EVERY=${GOODCACHE_BACKUP_EVERY:-24h}".to_owned(),
        "FOLLOW=${GOODCACHE_BACKUP_FOLLOW:-no}".to_owned(),
        "KEEP=${GOODCACHE_BACKUP_KEEP:---keep-last 3 --keep-daily 7 --keep-weekly 4 --keep-monthly 12}"
            .to_owned(),
        "GOODCACHE_REPO=${GOODCACHE_REPO:-/backups}".to_owned(),
        "GOODCACHE_PASSPHRASE_FILE=/run/secrets/passphrase".to_owned(),
        "XDG_STATE_HOME=/state".to_owned(),
    ];
    if options.has_password {
        lines.push("GOODCACHE_PASSWORD_FILE=/run/secrets/password".to_owned());
    }
    lines.extend(HANDED_ON.map(str::to_owned));
    lines
}

fn volumes(options: Options) -> Vec<String> {
    let mut mounts = vec![
        "${GOODCACHE_PROGRAM:-./goodcache}:/usr/local/bin/goodcache:ro".to_owned(),
        "/etc/ssl/certs:/etc/ssl/certs:ro".to_owned(),
        "backups:/backups".to_owned(),
        "backup-state:/state".to_owned(),
    ];
    mounts.extend(tls_mount(options));
    mounts
}

fn secrets(options: Options) -> Vec<String> {
    let names = [
        (true, "passphrase"),
        (true, "keys"),
        (options.has_password, "password"),
    ];
    let wanted = names.into_iter().filter(|(is_wanted, _)| *is_wanted);
    wanted.map(|(_, name)| name.to_owned()).collect()
}

fn header(spec: &ClusterSpec, options: Options) -> String {
    let name = &spec.name;
    let sni = if options.is_tls {
        "# GOODCACHE_BACKUP_SNI is the name that the nodes' certificate is good for (127.0.0.1).\n"
    } else {
        ""
    };
    format!(
        "# Backups of the cluster {name}, laid over its own file. Written by goodcache.\n\
         #\n\
         #     docker compose -p {name} -f FILE -f THIS_FILE up -d         with backups\n\
         #     docker compose -p {name} -f FILE -f THIS_FILE logs backup   how they went\n\
         #\n\
         # A snapshot every GOODCACHE_BACKUP_EVERY (24h); with GOODCACHE_BACKUP_FOLLOW=yes every write in\n\
         # between as well, so that any moment can be restored. GOODCACHE_BACKUP_KEEP says which stay. They go\n\
         # to the volume backups, or to GOODCACHE_REPO, a bucket. GOODCACHE_PROGRAM is the goodcache of this\n\
         # machine (./goodcache), which must run in the image GOODCACHE_BACKUP_IMAGE (debian:stable-slim).\n\
         # The passphrase must lie in {} beside this file: one line, mode 0600.\n\
         # A bucket's keys must lie in {}, mode 0600, lines such as AWS_SECRET_ACCESS_KEY='...' (AWS_*,\n\
         # AZURE_* or GOOGLE_*); without a bucket it is empty.\n{sni}",
        passphrase_file(name),
        keys_file(name),
    )
}
