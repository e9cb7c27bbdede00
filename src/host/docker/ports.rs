//! Whether the ports are free, asked for all at once and before anything is made.

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};

use bollard::models::PortSummaryTypeEnum;
use bollard::query_parameters::ListContainersOptionsBuilder;

use super::{DockerError, Engine, TakenPort};

/// Fails with every one of the ports that is in use on that address, and with who uses it as far
/// as can be told.
pub(super) async fn check_free(
    engine: &Engine,
    bind: IpAddr,
    ports: &[u16],
) -> Result<(), DockerError> {
    let published = published(engine, bind).await?;
    let is_here = engine.remote_host().is_none();
    let taken: Vec<TakenPort> = ports
        .iter()
        .filter_map(|&port| {
            let by = published.get(&port).map(|name| format!("container {name}"));
            let is_taken = by.is_some() || (is_here && is_bound(bind, port));
            is_taken.then_some(TakenPort { port, by })
        })
        .collect();
    if taken.is_empty() {
        Ok(())
    } else {
        Err(DockerError::PortsTaken(taken))
    }
}

/// The ports that running containers have in the way of ours, with the container of each.
async fn published(engine: &Engine, bind: IpAddr) -> Result<BTreeMap<u16, String>, DockerError> {
    let options = ListContainersOptionsBuilder::new().build();
    let asked = engine.docker.list_containers(Some(options));
    let mut ports = BTreeMap::new();
    for container in engine.ask("list containers", asked).await? {
        let name = super::found::name_of(&container);
        for port in container.ports.unwrap_or_default() {
            if port.typ != Some(PortSummaryTypeEnum::TCP) {
                continue;
            }
            let there = port.ip.as_deref().and_then(|ip| ip.parse().ok());
            if let (Some(outside), Some(there)) = (port.public_port, there)
                && clash(bind, there)
            {
                ports.insert(outside, name.clone());
            }
        }
    }
    Ok(ports)
}

/// Whether one port cannot be had on both addresses.
fn clash(one: IpAddr, other: IpAddr) -> bool {
    one == other
        || (one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified()))
}

/// Whether something on this machine listens there. Only that reason counts: what else may hinder a
/// bind here (an address that only the engine's machine has) need not hinder the engine.
fn is_bound(bind: IpAddr, port: u16) -> bool {
    TcpListener::bind((bind, port))
        .is_err_and(|error| error.kind() == std::io::ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_port_may_be_had_on_two_addresses_but_not_on_all() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        for (one, other, is_clash) in [
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "0.0.0.0", true),
            ("0.0.0.0", "10.0.0.7", true),
            ("127.0.0.1", "10.0.0.7", false),
            ("127.0.0.1", "::", false),
        ] {
            assert_eq!(clash(ip(one), ip(other)), is_clash, "{one} {other}");
        }
    }

    #[test]
    fn a_listening_port_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(is_bound(IpAddr::from([127, 0, 0, 1]), port));
        drop(listener);
        assert!(!is_bound(IpAddr::from([127, 0, 0, 1]), port));
    }
}
