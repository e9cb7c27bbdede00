//! `create --local --tls`: everything works by the name alone, and certificates are renewed while clients
//! go on connecting.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};

use crate::support::resp::dial;
use crate::support::{Home, Reply, Wire, free_ports};

const PASSWORD: &str = "PasswordOfTheShop";
const LIMIT: Duration = Duration::from_secs(15);

/// Connects as any client would that trusts that authority, logs in and writes nothing.
fn connect(ca: &Path, port: u16) -> io::Result<Wire> {
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(ca).map_err(io::Error::other)?;
    roots.add(authority).map_err(io::Error::other)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").map_err(io::Error::other)?;
    let session =
        rustls::ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    let stream = dial(&format!("127.0.0.1:{port}"), LIMIT)?;
    let mut wire = Wire::over(Box::new(rustls::StreamOwned::new(session, stream)));
    match wire.ask(&["AUTH", PASSWORD])? {
        Reply::Error(said) => Err(io::Error::other(said)),
        _ => Ok(wire),
    }
}

#[test]
fn a_local_cluster_over_tls_is_checked_backed_up_and_renewed_by_its_name() {
    let home = Home::new();
    home.file("password.txt", PASSWORD);
    let base = free_ports(3);
    let port = base.to_string();
    let create = [
        "create",
        "shop",
        "--local",
        "--tls",
        "--masters",
        "3",
        "--replicas",
        "0",
        "--base-port",
        &port,
        "--password-file",
        "password.txt",
        "--yes",
    ];
    home.goodcache(&create).run().expect(0);
    let folder = home.path().join("state/goodcache/tls/shop");
    for entry in fs::read_dir(&folder).unwrap().flatten() {
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", entry.path().display());
    }
    // Nothing in clear: neither on the port nor beside it.
    let plain =
        Wire::plain(&format!("127.0.0.1:{base}"), LIMIT).and_then(|mut wire| wire.ask(&["PING"]));
    assert!(plain.is_err(), "{plain:?}");
    let ca = folder.join("ca.crt");
    let mut wire = connect(&ca, base).unwrap();
    let settings = wire.ask(&["CONFIG", "GET", "tls-*"]).unwrap().to_string();
    for setting in ["tls-replication\nyes", "tls-cluster\nyes"] {
        assert!(settings.contains(setting), "{settings}");
    }

    let check = home
        .goodcache(&["check", "shop", "--sample", "0s", "-o", "json"])
        .run();
    assert_eq!(
        check.json()["report"]["cluster"]["nodes_answering"],
        3,
        "{}",
        check.stderr
    );
    home.goodcache(&["backup", "shop", "--repo", "backups"])
        .run()
        .expect(0);
    home.goodcache(&["tune", "shop", "--sample", "0s"])
        .run()
        .expect(0);

    // Clients go on connecting, and one that stays is not disturbed.
    let stop = Arc::new(AtomicBool::new(false));
    let client = {
        let (stop, ca) = (stop.clone(), ca.clone());
        thread::spawn(move || {
            let (mut faults, mut connected) = (Vec::new(), 0);
            while !stop.load(Ordering::Relaxed) {
                for port in base..base + 3 {
                    match connect(&ca, port) {
                        Ok(_) => connected += 1,
                        Err(error) => faults.push(error.to_string()),
                    }
                }
            }
            (faults, connected)
        })
    };
    let before: Vec<Vec<u8>> = (base..base + 3)
        .map(|port| fs::read(folder.join(format!("{port}.pem"))).unwrap())
        .collect();
    let begun = Instant::now();
    let plan = home
        .goodcache(&["create", "shop", "--renew-tls", "--dry-run"])
        .run()
        .expect(0);
    assert!(plan.stdout.contains("PLAN"), "{}", plan.stdout);
    let renewed = home
        .goodcache(&["create", "shop", "--renew-tls", "--yes", "-o", "json"])
        .run()
        .expect(0);
    assert_eq!(
        renewed.json()["report"]["renewed"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    stop.store(true, Ordering::Relaxed);
    refuses_to_renew_half_way(&home, &folder, base);
    let (faults, connected) = client.join().unwrap();
    assert_eq!(faults, Vec::<String>::new(), "in {:?}", begun.elapsed());
    assert!(connected >= 3, "{connected}");
    assert_eq!(wire.ask(&["PING"]).unwrap(), Reply::Simple("PONG".into()));
    for (port, before) in (base..base + 3).zip(before) {
        assert_ne!(
            fs::read(folder.join(format!("{port}.pem"))).unwrap(),
            before
        );
    }
    home.goodcache(&["check", "shop", "--sample", "0s", "--fail-on", "never"])
        .run()
        .expect(0);

    home.goodcache(&["destroy", "shop", "--confirm", "shop"])
        .run()
        .expect(0);
    assert!(!folder.exists(), "the authority went with the cluster");
}

/// One node does not let goodcache in: said before any certificate is made.
fn refuses_to_renew_half_way(home: &Home, folder: &Path, base: u16) {
    let before = fs::read(folder.join(format!("{base}.pem"))).unwrap();
    let wrong = home.file("wrong", "not the password\n");
    let args = ["create", "shop", "--renew-tls", "--yes", "--password-file"];
    let args = [&args[..], &[wrong.to_str().unwrap(), "--user", "nobody"]].concat();
    let refused = home.goodcache(&args).run().expect(4);
    assert!(refused.stderr.contains("next: "), "{}", refused.stderr);
    let now = fs::read(folder.join(format!("{base}.pem"))).unwrap();
    assert_eq!(now, before);
}

#[test]
fn certificates_that_goodcache_did_not_make_it_does_not_renew() {
    let home = Home::new();
    let port = free_ports(3).to_string();
    let args = [
        "create",
        "shop",
        "--local",
        "--tls",
        "--cacert",
        "other.crt",
        "--base-port",
        &port,
        "--yes",
    ];
    let refused = home.goodcache(&args).run().expect(2);
    assert!(refused.stderr.contains("--cacert"), "{}", refused.stderr);
    let args = [
        "create",
        "shop",
        "--local",
        "--masters",
        "3",
        "--replicas",
        "0",
        "--base-port",
        &port,
        "--yes",
    ];
    home.goodcache(&args).run().expect(0);
    home.goodcache(&["create", "shop", "--renew-tls", "--yes"])
        .run()
        .expect(5);
    home.goodcache(&["destroy", "shop", "--confirm", "shop"])
        .run()
        .expect(0);
}
