//! Next steps at a managed service: what CONFIG SET would do at one's own servers is done there by a
//! command of the service, or not at all.

use crate::model::{Finding, Remedy, Service};

/// Puts the service's own step in the place of one that it does not permit.
pub(super) fn adapt(findings: &mut [Finding], service: Service) {
    for finding in findings {
        if let Some(next) = adapted(&finding.next, service) {
            finding.next = next;
        }
    }
}

fn adapted(next: &str, service: Service) -> Option<String> {
    let lower = next.to_ascii_lowercase();
    if let Some((_, rest)) = lower.split_once("config set ") {
        let (name, value) = rest.split_once(' ').unwrap_or((rest, ""));
        let value = value.split([';', ',', '&', '(']).next().unwrap_or_default();
        return match service.remedy(name, value.trim()) {
            Remedy::Command(command) => Some(command),
            Remedy::Fixed(why) => Some(format!("{service}: {name}: {why}")),
            Remedy::Server => None,
        };
    }
    let is_looking = lower.contains("config get ");
    is_looking
        .then(|| format!("{service} keeps CONFIG to itself: see its console for the parameters"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_by_config_set_becomes_the_services_own() {
        let step = |next: &str| adapted(next, Service::ElastiCache);
        let changed =
            step("redis-cli -h a -p 1 config set repl-backlog-size 67108864; then rewrite");
        assert!(
            changed
                .unwrap()
                .contains("ParameterName=repl-backlog-size,ParameterValue=67108864")
        );
        let fixed = step("redis-cli config set appendonly yes").unwrap();
        assert!(fixed.contains("AWS ElastiCache: appendonly: "), "{fixed}");
        assert_eq!(step("start the server at a:1"), None);
        let cloud = adapted(
            "redis-cli config set slowlog-max-len 512",
            Service::RedisCloud,
        );
        assert_eq!(cloud, None);
    }
}
