//! Nodes in containers, on the real engine: each test makes a project of its own, on ports that were
//! free, and takes it away again whatever happens.

mod compose;
mod create;
mod drill;
mod evidence;
mod failover;
mod launch;
mod rotate;
mod secured;
mod sentinel;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use goodcache::host::{ClusterSpec, Labels};

const IMAGE: &str = "goodcache-test/redis:local";
const PASSWORD: &str = "s3cret \"quoted\" \\ pass";

/// A project of one test. Removed when dropped, with the docker command, so that what this crate
/// fails to remove does not stay.
struct Project {
    spec: ClusterSpec,
}

impl Project {
    /// With the image made first: without an engine there is nothing to test.
    fn new(test: &str, nodes: u16) -> Project {
        let made = Command::new("sh").arg("tests/image.sh").output().unwrap();
        assert!(
            made.status.success(),
            "these tests need a Docker Engine: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        let name = format!("gct-{test}-{}", std::process::id());
        let mut spec = ClusterSpec::new(&name, IMAGE, nodes, 7001);
        for (node, port) in spec.nodes.iter_mut().zip(free_ports(nodes)) {
            node.port = port;
        }
        Project { spec }
    }

    fn name(&self) -> &str {
        &self.spec.name
    }

    fn label(&self) -> String {
        format!("label={}={}", Labels::CLUSTER, self.name())
    }

    /// Everything on the engine that carries this project's label.
    fn leftovers(&self) -> Vec<String> {
        let label = self.label();
        let lists = [
            docker(&["ps", "-aq", "--filter", &label]),
            docker(&["volume", "ls", "-q", "--filter", &label]),
            docker(&["network", "ls", "-q", "--filter", &label]),
        ];
        let ids = lists.iter().flat_map(|list| list.lines());
        ids.map(str::to_owned).collect()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let label = self.label();
        for (list, rm) in [
            (vec!["ps", "-aq"], vec!["rm", "-fv"]),
            (vec!["volume", "ls", "-q"], vec!["volume", "rm", "-f"]),
            (vec!["network", "ls", "-q"], vec!["network", "rm"]),
        ] {
            let mut list = list;
            list.extend(["--filter", &label]);
            for id in docker(&list).lines() {
                let mut rm = rm.clone();
                rm.push(id);
                run("docker", &rm);
            }
        }
    }
}

/// Ports that are free now: above those of the servers that other tests start, and below the range
/// of outgoing connections.
fn free_ports(count: u16) -> Vec<u16> {
    let start = 23_000 + (std::process::id() as u16).wrapping_mul(37) % 9_000;
    let ports: Vec<u16> = (start..32_000)
        .chain(23_000..start)
        .filter(|&port| TcpListener::bind(("127.0.0.1", port)).is_ok())
        .take(usize::from(count))
        .collect();
    assert_eq!(ports.len(), usize::from(count));
    ports
}

fn run(program: &str, args: &[&str]) -> Output {
    Command::new(program).args(args).output().unwrap()
}

/// What a docker command says; it must succeed.
fn docker(args: &[&str]) -> String {
    let output = run("docker", args);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "docker {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    said
}

/// What redis-cli says of a node's published port.
fn redis(port: u16, password: Option<&str>, args: &[&str]) -> String {
    let mut command = Command::new("redis-cli");
    command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    if let Some(password) = password {
        command.env("REDISCLI_AUTH", password);
    }
    let output = command.args(args).output().unwrap();
    let both = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Waits until it holds; fails with what it last said.
fn eventually<T: std::fmt::Debug>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        match look() {
            Ok(value) => return value,
            Err(last) => assert!(Instant::now() < end, "{what}: {last}"),
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until each of these nodes says that all slots are served.
fn await_whole(ports: impl Iterator<Item = u16>, password: Option<&str>) {
    for port in ports {
        eventually("the cluster is whole", || {
            let info = redis(port, password, &["cluster", "info"]);
            let is_whole = info.contains("cluster_state:ok") && info.contains("slots_ok:16384");
            if is_whole { Ok(()) } else { Err(info) }
        });
    }
}

/// An authority of our own, and a certificate for loopback that the nodes share.
fn write_certificates(dir: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    std::fs::create_dir(dir).unwrap();
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // With the name that both get by default, the leaf would look as if it had signed itself.
    ca.distinguished_name.push(DnType::CommonName, "authority");
    let ca_cert = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let cert = CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    std::fs::write(dir.join("ca.crt"), ca_cert.pem()).unwrap();
    std::fs::write(dir.join("node.crt"), cert.pem()).unwrap();
    std::fs::write(dir.join("node.key"), key.serialize_pem()).unwrap();
}
