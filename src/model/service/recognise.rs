//! By what a managed service is known: the names of its endpoints first, then what its servers say
//! of themselves, then the ports at which they stand and what they refuse.

use std::net::IpAddr;

use super::Service;
use crate::model::{Capability, Facts, Probe, Survey};

/// A service, and by what it was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// Which.
    pub service: Service,
    /// What gave it away, such as `the name clustercfg.shop.cache.amazonaws.com`.
    pub by: String,
}

/// Which service a survey shows; `None` for servers of one's own.
pub fn recognise(survey: &Survey) -> Option<Recognised> {
    by_name(survey)
        .or_else(|| by_word(survey))
        .or_else(|| by_ports(survey))
        .or_else(|| by_refusals(survey))
}

fn by_name(survey: &Survey) -> Option<Recognised> {
    let announced = survey.answered().flat_map(|(_, facts)| {
        facts
            .view
            .peers
            .iter()
            .filter_map(|peer| peer.announced.hostname.clone())
    });
    let seeds = survey.seeds.iter().map(|seed| seed.host.clone());
    seeds.chain(announced).find_map(|host| {
        let service = of_host(&host.to_ascii_lowercase())?;
        let by = format!("the name {host}");
        Some(Recognised { service, by })
    })
}

fn of_host(host: &str) -> Option<Service> {
    let host = host.trim_end_matches('.');
    let is_below = |domain: &str| {
        host.strip_suffix(domain)
            .is_some_and(|rest| rest.ends_with('.'))
    };
    if is_below("amazonaws.com") || is_below("amazonaws.com.cn") {
        let has = |part: &str| host.split('.').any(|label| label == part);
        return match () {
            () if has("memorydb") => Some(Service::MemoryDb),
            () if has("cache") && has("serverless") => Some(Service::ElastiCacheServerless),
            () if has("cache") => Some(Service::ElastiCache),
            () => None,
        };
    }
    [
        ("redis.cache.windows.net", Service::AzureCache),
        ("redisenterprise.cache.azure.net", Service::AzureEnterprise),
        ("redis.azure.net", Service::AzureManaged),
        ("redislabs.com", Service::RedisCloud),
        ("redis-cloud.com", Service::RedisCloud),
        ("redns.redis-cloud.com", Service::RedisCloud),
    ]
    .into_iter()
    .find_map(|(domain, service)| is_below(domain).then_some(service))
}

fn by_word(survey: &Survey) -> Option<Recognised> {
    survey.answered().find_map(|(_, facts)| {
        let os = facts.info.get("os").unwrap_or_default();
        if os.starts_with("Amazon ElastiCache") {
            let by = format!("INFO server: os:{os}");
            let service = Service::ElastiCache;
            return Some(Recognised { service, by });
        }
        let version = facts.info.get("rlec_version")?;
        Some(Recognised {
            service: Service::RedisCloud,
            by: format!("INFO server: rlec_version:{version}"),
        })
    })
}

/// Ports alone prove little, so what is refused has to fit too.
fn by_ports(survey: &Survey) -> Option<Recognised> {
    let facts: Vec<&Facts> = survey.answered().map(|(_, facts)| facts).collect();
    let refusal = facts
        .iter()
        .find_map(|facts| facts.why_not(Probe::Config))?;
    let ports: Vec<u16> = facts
        .iter()
        .flat_map(|facts| facts.view.peers.iter().map(|peer| peer.announced.port))
        .collect();
    let all_in = |low: u16, high: u16| {
        !ports.is_empty() && ports.iter().all(|port| (low..=high).contains(port))
    };
    let is_unknown = refusal.contains("unknown command");
    let is_valkey = || {
        let names = facts
            .iter()
            .filter_map(|facts| facts.info.get("server_name"));
        names.into_iter().any(|name| name == "valkey")
    };
    let service = match () {
        () if refusal.contains("NOPERM") && all_in(11_000, 13_047) => match is_valkey() {
            true => Service::MemorystoreValkey,
            false => Service::MemorystoreCluster,
        },
        () if is_unknown && (all_in(13_000, 13_999) || all_in(15_000, 15_999)) => {
            Service::AzureCache
        }
        () if is_unknown && all_in(8_500, 8_599) => Service::AzureManaged,
        () => return None,
    };
    let by = format!(
        "nodes at ports {} to {}, and CONFIG is refused",
        ports.iter().min()?,
        ports.iter().max()?
    );
    Some(Recognised { service, by })
}

/// Memorystore for Redis shows itself by nothing but what it keeps back: no other service is known to
/// refuse CLUSTER and CLIENT alike, and one's own servers hardly lose all four.
fn by_refusals(survey: &Survey) -> Option<Recognised> {
    let is_private = |host: &str| match host.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.is_private() || ip.is_loopback(),
        Ok(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_loopback(),
        Err(_) => false,
    };
    let all = [
        Capability::Cluster,
        Capability::Commands,
        Capability::ConfigGet,
        Capability::ClientList,
    ];
    let refuses_all = |facts: &Facts| all.iter().all(|one| facts.refusal(*one).is_some());
    let (node, _) = survey
        .answered()
        .find(|(_, facts)| facts.stands_alone && refuses_all(facts))?;
    is_private(&node.addr.host).then(|| Recognised {
        service: Service::MemorystoreRedis,
        by: "CLUSTER, COMMAND, CONFIG and CLIENT are all refused".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Answer, NodeAddr, NodeReport, NotRead, Site, View};

    fn of(host: &str) -> Option<Service> {
        let survey = Survey {
            seeds: vec![NodeAddr::new(host, 6379)],
            ..Survey::default()
        };
        recognise(&survey).map(|found| found.service)
    }

    #[test]
    fn endpoints_are_known_by_their_names() {
        for (host, service) in [
            (
                "clustercfg.shop.abc123.euc1.cache.amazonaws.com",
                Service::ElastiCache,
            ),
            (
                "shop.abc.ng.0001.use1.cache.amazonaws.com",
                Service::ElastiCache,
            ),
            (
                "shop-abc.serverless.euc1.cache.amazonaws.com",
                Service::ElastiCacheServerless,
            ),
            (
                "clustercfg.shop.abc.memorydb.eu-central-1.amazonaws.com",
                Service::MemoryDb,
            ),
            ("shop.redis.cache.windows.net", Service::AzureCache),
            (
                "shop.westeurope.redisenterprise.cache.azure.net",
                Service::AzureEnterprise,
            ),
            ("shop.westeurope.redis.azure.net", Service::AzureManaged),
            (
                "redis-12345.c1.eu-central-1-1.ec2.redns.redis-cloud.com",
                Service::RedisCloud,
            ),
        ] {
            assert_eq!(of(host), Some(service), "{host}");
        }
        for host in [
            "cache.amazonaws.com.evil.example",
            "evilamazonaws.com",
            "ec2-1-2-3-4.compute.amazonaws.com",
            "shop.example.com",
            "127.0.0.1",
        ] {
            assert_eq!(of(host), None, "{host}");
        }
    }

    fn seen(port: u16, refusal: Option<&str>, info: &[(&str, &str)]) -> Survey {
        let id = "07c37dfeb235213a872192d90877d0cd55635b91";
        let line = format!("{id} 10.0.0.1:{port}@0 myself,master - 0 0 1 connected 0-16383");
        let mut facts = Facts {
            view: View::parse(&line).unwrap(),
            ..Facts::default()
        };
        for (name, value) in info {
            facts.info.set(name, value);
        }
        facts.not_read.extend(refusal.map(|why| NotRead {
            probe: Probe::Config,
            why: why.to_owned(),
        }));
        Survey {
            nodes: vec![NodeReport {
                id: id.parse().ok(),
                addr: NodeAddr::new("10.0.0.1", port),
                site: Site::default(),
                answer: Answer::Facts(Box::new(facts)),
            }],
            ..Survey::default()
        }
    }

    #[test]
    fn a_server_that_keeps_all_to_itself_is_known_by_that() {
        let mut survey = seen(6379, Some("ERR unknown command 'CONFIG'"), &[]);
        let refuse = |survey: &mut Survey, one: Capability| {
            let Answer::Facts(facts) = &mut survey.nodes[0].answer else {
                panic!("it answered");
            };
            facts.stands_alone = true;
            facts.capabilities.refuse(one, "ERR unknown command");
        };
        refuse(&mut survey, Capability::Cluster);
        refuse(&mut survey, Capability::Commands);
        assert_eq!(recognise(&survey), None, "others refuse as much");
        refuse(&mut survey, Capability::ClientList);
        let found = recognise(&survey).map(|found| found.service);
        assert_eq!(found, Some(Service::MemorystoreRedis));
        survey.nodes[0].addr = NodeAddr::new("8.8.8.8", 6379);
        assert_eq!(recognise(&survey), None, "it stands in no private network");
    }

    #[test]
    fn servers_are_known_by_what_they_say_and_refuse() {
        let noperm = Some("NOPERM this user has no permissions to run the 'config|get' command");
        let unknown = Some("ERR unknown command 'CONFIG'");
        for (survey, service) in [
            (seen(6379, None, &[]), None),
            (
                seen(6379, None, &[("os", "Amazon ElastiCache")]),
                Some(Service::ElastiCache),
            ),
            (
                seen(12000, None, &[("rlec_version", "7.4.2-1")]),
                Some(Service::RedisCloud),
            ),
            (seen(11000, noperm, &[]), Some(Service::MemorystoreCluster)),
            (
                seen(11001, noperm, &[("server_name", "valkey")]),
                Some(Service::MemorystoreValkey),
            ),
            (seen(13001, unknown, &[]), Some(Service::AzureCache)),
            (seen(8501, unknown, &[]), Some(Service::AzureManaged)),
            // An ordinary user without rights, and an odd port, are no service.
            (seen(6379, noperm, &[]), None),
            (seen(13001, None, &[]), None),
        ] {
            assert_eq!(recognise(&survey).map(|found| found.service), service);
        }
    }
}
