//! TLS on real servers: who is trusted, by which name, who must show a certificate, and what is said
//! when it fails.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use goodcache::cluster::{Access, Ask, TlsSettings};
use goodcache::model::{NodeAddr, Silence, Survey};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

use crate::core::{addr, detail, look};
use crate::support::{Certificates, Fleet, Server, Spec, until};

fn started(certificates: &Arc<Certificates>, args: &[&str]) -> Server {
    Server::start_with(Spec {
        tls: Some(certificates.clone()),
        ..Spec::with_args(args)
    })
}

/// Trusts the authority and shows the client's certificate.
fn full(certificates: &Certificates) -> TlsSettings {
    TlsSettings {
        ca: Some(certificates.path("ca.crt")),
        cert: Some(certificates.path("client.crt")),
        key: Some(certificates.path("client.key")),
        ..TlsSettings::default()
    }
}

fn look_at(seed: NodeAddr, settings: &TlsSettings) -> Survey {
    let access = Access::to([seed]).over_tls(settings).unwrap();
    look(&access, &Ask::default())
}

#[track_caller]
fn assert_fails(survey: &Survey, silence: Silence, words: &str) {
    assert_eq!(survey.nodes.len(), 1);
    let said = detail(&survey.nodes[0], silence);
    assert!(said.ends_with(words), "{said}");
}

#[track_caller]
fn assert_answers(survey: &Survey, nodes: usize) {
    assert_eq!(survey.answered().count(), nodes, "{:?}", survey.nodes);
    assert_eq!(survey.nodes.len(), nodes, "{:?}", survey.nodes);
}

#[test]
fn an_authority_is_trusted_or_not() {
    let certificates = Arc::new(Certificates::new());
    let server = started(&certificates, &[]);
    assert_answers(&look_at(addr(&server), &full(&certificates)), 1);
    // The support's authorities all have one name, as one that was made anew would.
    let anew = TlsSettings {
        ca: Some(Certificates::new().path("ca.crt")),
        ..full(&certificates)
    };
    assert!(
        Access::to([]).over_tls(&anew).is_err(),
        "its folder is gone"
    );
    let strangers = Certificates::new();
    let anew = TlsSettings {
        ca: Some(strangers.path("ca.crt")),
        ..anew
    };
    let survey = look_at(addr(&server), &anew);
    let words = "its certificate was signed by another authority of the name that is trusted here \
                 (name the new one with --cacert)";
    assert_fails(&survey, Silence::Tls, words);
    let (_dir, other) = certificate(&["127.0.0.1"], 2100);
    let settings = TlsSettings {
        ca: other.ca,
        ..full(&certificates)
    };
    let survey = look_at(addr(&server), &settings);
    let words = "its certificate was signed by an authority that is not trusted here (name the \
                 authority with --cacert)";
    assert_fails(&survey, Silence::Tls, words);
    let insecure = TlsSettings {
        is_insecure: true,
        ..settings
    };
    assert_answers(&look_at(addr(&server), &insecure), 1);
}

#[test]
fn a_client_certificate_that_is_demanded_is_missed_in_words() {
    let certificates = Arc::new(Certificates::new());
    let without = TlsSettings {
        ca: Some(certificates.path("ca.crt")),
        ..TlsSettings::default()
    };
    for protocol in ["TLSv1.2", "TLSv1.3"] {
        let server = started(&certificates, &["--tls-protocols", protocol]);
        assert_answers(&look_at(addr(&server), &full(&certificates)), 1);
        let survey = look_at(addr(&server), &without);
        let said = detail(&survey.nodes[0], Silence::Tls);
        assert!(said.contains("client certificate"), "{protocol}: {said}");
        assert!(said.contains("--cert and --key"), "{protocol}: {said}");
    }
    let easy = started(&certificates, &["--tls-auth-clients", "no"]);
    assert_answers(&look_at(addr(&easy), &without), 1);
    // One of another authority.
    let strangers = Certificates::new();
    let settings = TlsSettings {
        cert: Some(strangers.path("client.crt")),
        key: Some(strangers.path("client.key")),
        ..full(&certificates)
    };
    let server = started(&certificates, &[]);
    let survey = look_at(addr(&server), &settings);
    let said = detail(&survey.nodes[0], Silence::Tls);
    assert!(said.contains("client certificate"), "{said}");
}

#[test]
fn tls_and_plain_do_not_mix_and_say_so() {
    let certificates = Arc::new(Certificates::new());
    let server = started(&certificates, &[]);
    let access = Access::to([addr(&server)]);
    let survey = look(&access, &Ask::default());
    let said = detail(&survey.nodes[0], Silence::Closed);
    assert!(said.contains("closed the connection"), "{said}");

    let plain = Server::start();
    let survey = look_at(addr(&plain), &full(&certificates));
    let words = "it answers without TLS (leave --tls out for a plain server)";
    assert_fails(&survey, Silence::Tls, words);
    // A frozen one is not taken for a plain one.
    server.pause();
    let survey = look_at(addr(&server), &full(&certificates));
    server.resume();
    detail(&survey.nodes[0], Silence::Timeout);
}

/// A folder with a server certificate for `names` that ends on that day, and its authority.
fn certificate(names: &[&str], year: i32) -> (TempDir, TlsSettings) {
    let dir = TempDir::new().unwrap();
    let key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.distinguished_name.push(DnType::CommonName, "authority");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = ca.self_signed(&key).unwrap();
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    let own = KeyPair::generate().unwrap();
    let issuer = Issuer::new(ca, key);
    let signed = params.signed_by(&own, &issuer).unwrap();
    for (file, text) in [
        ("ca.crt", authority.pem()),
        ("server.crt", signed.pem()),
        ("server.key", own.serialize_pem()),
    ] {
        std::fs::write(dir.path().join(file), text).unwrap();
    }
    let settings = TlsSettings {
        ca: Some(dir.path().join("ca.crt")),
        ..TlsSettings::default()
    };
    (dir, settings)
}

/// A server with that certificate on a TLS port beside its plain one, which is 2 below.
fn beside(dir: &TempDir) -> (Server, NodeAddr) {
    let path = |file: &str| -> String {
        let path: PathBuf = dir.path().join(file);
        path.to_str().unwrap().to_owned()
    };
    let tls = crate::support::server::free_port();
    let server = Server::start_with(Spec::with_args(&[
        "--tls-port",
        &tls.to_string(),
        "--tls-auth-clients",
        "no",
        "--tls-ca-cert-file",
        &path("ca.crt"),
        "--tls-cert-file",
        &path("server.crt"),
        "--tls-key-file",
        &path("server.key"),
    ]));
    (server, NodeAddr::new("127.0.0.1", tls))
}

#[test]
fn the_wrong_name_is_told_and_healed_by_sni() {
    let (dir, settings) = certificate(&["redis.shop.example"], 2100);
    let (_server, addr) = beside(&dir);
    let survey = look_at(addr.clone(), &settings);
    let words = "its certificate is not for '127.0.0.1' but for redis.shop.example (ask for that \
                 name with --sni)";
    assert_fails(&survey, Silence::Tls, words);
    let healed = TlsSettings {
        sni: Some("redis.shop.example".into()),
        ..settings
    };
    assert_answers(&look_at(addr, &healed), 1);
}

#[test]
fn an_expired_certificate_is_refused_and_its_age_is_known() {
    let (dir, settings) = certificate(&["127.0.0.1"], 2001);
    let (_server, addr) = beside(&dir);
    let survey = look_at(addr.clone(), &settings);
    assert_fails(&survey, Silence::Tls, "its certificate has expired");
    let insecure = TlsSettings {
        is_insecure: true,
        ..settings
    };
    let survey = look_at(addr, &insecure);
    let days = survey.nodes[0].facts().unwrap().certificate_days_left;
    assert!(days.unwrap() < -9000, "{days:?}");

    let (dir, settings) = certificate(&["127.0.0.1"], 2100);
    let (_server, addr) = beside(&dir);
    let survey = look_at(addr, &settings);
    let days = survey.nodes[0].facts().unwrap().certificate_days_left;
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    // 2100-01-01 is 4,102,444,800 s after the epoch.
    let expected = i64::try_from((4_102_444_800 - now) / 86_400).unwrap();
    assert_eq!(days, Some(expected));
}

#[test]
fn a_cluster_that_speaks_tls_throughout_is_found_from_one_seed() {
    let certificates = Arc::new(Certificates::new());
    let fleet = Fleet::start_with(3, |_| Spec {
        tls: Some(certificates.clone()),
        ..Spec::default()
    });
    for other in [1, 2] {
        let port = fleet[other].port().to_string();
        fleet[0].cli(&["CLUSTER", "MEET", "127.0.0.1", &port]);
    }
    until("they know each other", Duration::from_secs(20), || {
        fleet.iter().all(|server| {
            let nodes = server.cli(&["CLUSTER", "NODES"]);
            nodes.lines().count() == 3 && !nodes.contains("handshake")
        })
    });
    let survey = look_at(addr(&fleet[1]), &full(&certificates));
    assert_answers(&survey, 3);
    for (_, facts) in survey.answered() {
        assert!(facts.certificate_days_left.is_some());
    }
}
