//! What the containers of a compose file run: plain shell, since the file must work with nothing but
//! the image.

use super::{Options, SETTINGS, address};
use crate::host::node_conf;
use crate::host::spec::ClusterSpec;

/// Compose replaces `$NAME`; a doubled sign is a plain one.
pub(super) fn escaped(script: &str) -> String {
    script.replace('$', "$$")
}

/// Writes the node's configuration, once, so that `CONFIG REWRITE` lasts, and becomes the server.
/// Lines in the variable [`SETTINGS`] come last, and so outweigh those before; when it changes, compose
/// makes the container anew, and the file with it.
/// Called with the port. It runs as root, since only root can read the secret; the image's own
/// entrypoint then changes to the server's user, to whom the files are given before.
pub(super) fn start_script(spec: &ClusterSpec, options: Options) -> String {
    let (folder, file) = (node_conf::FOLDER, node_conf::CONF);
    let settings = node_conf::shared(spec, options.has_password);
    let port = if options.is_tls {
        let lines = node_conf::TLS_LINES.iter();
        let lines: String = lines
            .map(|(name, value)| format!("{name} {value}\n"))
            .collect();
        format!("port 0\ntls-port $1\n{lines}")
    } else {
        "port $1\n".to_owned()
    };
    let password = password_lines(options);
    let certificates = if options.is_tls {
        format!("cp /tls/ca.crt /tls/node.crt /tls/node.key {folder}/\n")
    } else {
        String::new()
    };
    format!(
        "umask 077\n\
         mkdir -p {folder}\n\
         if [ ! -s {file} ]; then\n\
         cat > {file}.new <<END\n{port}END\n\
         cat >> {file}.new <<'END'\n{settings}END\n\
         {password}\
         if [ -n \"${{{SETTINGS}:-}}\" ]; then printf '%s\\n' \"${SETTINGS}\" >> {file}.new; fi\n\
         mv {file}.new {file}\nfi\n\
         {certificates}\
         chown -R redis {folder} 2>/dev/null || chown -R valkey {folder} 2>/dev/null || true\n\
         if command -v docker-entrypoint.sh >/dev/null; then\n  exec docker-entrypoint.sh {file}\nfi\n\
         exec redis-server {file}"
    )
}

fn password_lines(options: Options) -> String {
    if !options.has_password {
        return String::new();
    }
    // Read through $(...), since a last line without its line break would swallow the next one.
    let (file, copy) = (node_conf::CONF, node_conf::PASSWORD);
    format!(
        "password=$(head -n 1 /run/secrets/password)\n\
         printf '%s\\n' \"$password\" > {copy}\n\
         password=$(printf '%s\\n' \"$password\" | sed 's/[\\\\\"]/\\\\&/g')\n\
         printf 'requirepass \"%s\"\\nmasterauth \"%s\"\\n' \"$password\" \"$password\" >> {file}.new\n"
    )
}

/// Waits for every node, joins them unless they know each other already, and waits until each says
/// that the cluster is whole. Already escaped: the subnet is for compose to fill in.
pub(super) fn join_script(spec: &ClusterSpec, options: Options) -> String {
    let addresses: Vec<String> = spec
        .nodes
        .iter()
        .enumerate()
        .map(|(index, node)| format!("{}:{}", address(spec, index), node.port))
        .collect();
    let tls = if options.is_tls {
        " --tls --cacert /tls/ca.crt"
    } else {
        ""
    };
    let password = if options.has_password {
        "REDISCLI_AUTH=$(head -n 1 /run/secrets/password); export REDISCLI_AUTH\n"
    } else {
        ""
    };
    let script = format!(
        "{password}ask() {{ at=$1; shift; redis-cli{tls} -h \"${{at%:*}}\" -p \"${{at#*:}}\" \"$@\" 2>&1 || true; }}\n\
         await() {{\n  tries=0\n  until case $(ask \"$@\") in *$wanted*) true;; *) false;; esac; do\n    \
         tries=$((tries + 1))\n    if [ $tries -ge 60 ]; then echo \"$1 does not say $wanted: $(ask \"$@\")\"; exit 1; fi\n    \
         sleep 1\n  done\n}}\n\
         wanted=PONG; for node in $nodes; do await $node ping; done\n\
         first=${{nodes%% *}}\n\
         case $(ask $first cluster info) in\n  *cluster_known_nodes:1[!0-9]*) redis-cli{tls} --cluster create $nodes --cluster-replicas {} --cluster-yes;;\n  \
         *) echo 'the nodes know each other already';;\nesac\n\
         wanted=cluster_state:ok; for node in $nodes; do await $node cluster info; done\n\
         echo 'the cluster is whole'",
        options.replicas
    );
    format!("nodes=\"{}\"\n{}", addresses.join(" "), escaped(&script))
}
