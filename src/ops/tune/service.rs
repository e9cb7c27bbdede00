//! Advice for a managed service: what its customers can change, by the service's own commands, and
//! what they cannot.

use super::report::{Kind, Recommendation, Report, Takes};
use crate::model::{Remedy, Role, Service, Skipped, Subject};

/// Puts the service's words into the report.
pub(super) fn adapt(report: &mut Report, service: Service) {
    let subject = Subject::Cluster(report.cluster.clone());
    let mut kept = Vec::new();
    for recommendation in std::mem::take(&mut report.recommendations) {
        let rule = recommendation.rule.clone();
        match adapted(recommendation, service) {
            Ok(recommendation) => kept.push(recommendation),
            Err(reason) => report.skipped.push(Skipped {
                code: rule,
                subject: subject.clone(),
                reason: format!("{service}: {reason}"),
            }),
        }
    }
    report.recommendations = kept;
}

/// The recommendation as it is followed there, or why it cannot be.
fn adapted(mut wanted: Recommendation, service: Service) -> Result<Recommendation, String> {
    match wanted.kind {
        Kind::Application => return Ok(wanted),
        Kind::Action => return asked_of_the_service(wanted, service),
        Kind::Host => {
            return Err(format!(
                "{}: the machines are the service's own",
                wanted.parameter
            ));
        }
        Kind::Setting => {}
    }
    match service.remedy(&wanted.parameter, proposed(&wanted)) {
        Remedy::Server => {}
        Remedy::Command(command) => {
            wanted.takes = Takes::ByHand;
            wanted.persists = false;
            wanted.next = vec![command];
        }
        Remedy::Fixed(why) => return Err(format!("{}: {why}", wanted.parameter)),
    }
    Ok(wanted)
}

/// A step that would set something at the servers is the service's to take.
fn asked_of_the_service(
    mut wanted: Recommendation,
    service: Service,
) -> Result<Recommendation, String> {
    let sets = |step: &String| {
        let step = step.to_ascii_uppercase();
        ["CONFIG ", "ACL SETUSER", "ACL SAVE"]
            .iter()
            .any(|words| step.contains(words))
    };
    if wanted.next.iter().any(sets) {
        match service.remedy(&wanted.parameter, "") {
            Remedy::Command(command) => wanted.next = vec![command],
            Remedy::Fixed(why) => return Err(format!("{}: {why}", wanted.parameter)),
            Remedy::Server => {}
        }
    }
    Ok(wanted)
}

/// One value for all: a service sets all nodes alike. The first master's is the one that counts.
fn proposed(wanted: &Recommendation) -> &str {
    let is_master = |role: Role| role == Role::Master;
    let master = wanted.changes.iter().find(|change| is_master(change.role));
    master
        .or(wanted.changes.first())
        .map_or("", |change| change.proposed.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::tune::judge;
    use crate::ops::tune::testing::Setup;

    fn report(service: Option<Service>) -> Report {
        let setup = Setup::sound()
            .profile(crate::health::Profile::Session)
            .config("maxmemory-policy", "allkeys-lru")
            .config("appendonly", "no");
        let (evidence, options) = setup.parts();
        let mut evidence = evidence.clone();
        evidence.survey.service = service;
        judge(&evidence, options)
    }

    #[test]
    fn a_setting_is_changed_by_the_services_own_command() {
        let own = report(None);
        assert!(
            own.recommendations
                .iter()
                .any(|wanted| wanted.rule == "memory.policy")
        );
        let rented = report(Some(Service::ElastiCache));
        let policy = rented
            .recommendations
            .iter()
            .find(|wanted| wanted.rule == "memory.policy")
            .unwrap();
        assert_eq!(policy.takes, Takes::ByHand);
        assert!(
            policy.next[0].contains("modify-cache-parameter-group"),
            "{policy:?}"
        );
        assert!(
            rented
                .recommendations
                .iter()
                .all(|wanted| wanted.kind != Kind::Host)
        );
    }

    #[test]
    fn what_cannot_be_changed_there_is_skipped_with_the_reason() {
        let rented = report(Some(Service::ElastiCacheServerless));
        let is_setting = |wanted: &&Recommendation| wanted.kind == Kind::Setting;
        assert_eq!(rented.recommendations.iter().filter(is_setting).count(), 0);
        let policy = rented
            .skipped
            .iter()
            .find(|skipped| skipped.code == "memory.policy")
            .unwrap();
        assert!(
            policy.reason.contains("ElastiCache Serverless"),
            "{}",
            policy.reason
        );
    }
}
