//! Hooks that ship: the calls by which managed services fail a node over, with what they cost.
//!
//! A template is chosen by name (`hooks: {template: aws-elasticache, id: shop}`); what is the user's
//! own goes into its places. Sources: the AWS, Azure and Google command line references, and their
//! pages on testing failover. None was tried on the real service.

use std::time::Duration;

/// What a template needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// The cluster's name at the service.
    pub id: Option<String>,
    /// The resource group (Azure).
    pub group: Option<String>,
    /// The region.
    pub region: Option<String>,
}

/// A template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// By what it is chosen.
    pub name: &'static str,
    /// The command of the fault `failover`; `{id}`, `{group}` and `{region}` are its places.
    pub failover: &'static str,
    /// How long the call itself may take.
    pub deadline: Duration,
    /// What is told before consent: quotas, costs, what it does besides.
    pub mind: &'static str,
}

const CALL: Duration = Duration::from_secs(120);

/// All of them.
pub const TEMPLATES: &[Template] = &[
    Template {
        name: "aws-elasticache",
        failover: r#"aws elasticache test-failover{region} --replication-group-id {id} --node-group-id "$(printf %04d "$GOODCACHE_SHARD")""#,
        deadline: CALL,
        mind: "AWS counts this call: at most 15 node groups in 24 hours (5 in older documents), one at a time in a cluster; it costs nothing, and may be blocked during large events",
    },
    Template {
        name: "aws-memorydb",
        failover: r#"aws memorydb failover-shard{region} --cluster-name {id} --shard-name "$(printf %04d "$GOODCACHE_SHARD")""#,
        deadline: CALL,
        mind: "AWS counts this call: at most 15 shards in 24 hours, one at a time in a cluster; it costs nothing",
    },
    Template {
        name: "azure-cache",
        failover: r#"az redis force-reboot --resource-group {group} --name {id} --reboot-type PrimaryNode --shard-id "$((GOODCACHE_SHARD - 1))""#,
        deadline: CALL,
        mind: "the reboot is only enqueued, and Azure warns that data may be lost; it costs nothing, and no quota is documented",
    },
    Template {
        name: "gcp-memorystore-cluster",
        failover: "gcloud redis clusters update {id}{region} --simulate-maintenance-event",
        deadline: CALL,
        mind: "Google hands over all nodes, whichever shard was named; the flag is a preview, and costs nothing",
    },
];

impl Template {
    /// The template of that name.
    pub fn named(name: &str) -> Result<Template, String> {
        let found = TEMPLATES.iter().find(|template| template.name == name);
        found.copied().ok_or_else(|| {
            let known: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
            format!(
                "there is no template '{name}' for hooks: {}",
                known.join(", ")
            )
        })
    }

    /// Its command, with the places filled; names the place that is empty.
    pub fn command(&self, places: &Places) -> Result<String, String> {
        let mut text = self.failover.to_owned();
        let region = places.region.as_ref().map_or(String::new(), |region| {
            format!(" --region={}", quoted(region))
        });
        let is_google = self.name.starts_with("gcp");
        if is_google && places.region.is_none() {
            return Err(missing(self.name, "region"));
        }
        text = text.replace("{region}", &region);
        for (place, value) in [("id", &places.id), ("group", &places.group)] {
            let mark = format!("{{{place}}}");
            if text.contains(&mark) {
                let value = value.as_ref().ok_or_else(|| missing(self.name, place))?;
                text = text.replace(&mark, &quoted(value));
            }
        }
        Ok(text)
    }
}

fn missing(template: &str, place: &str) -> String {
    format!("the template {template} needs hooks.{place}, the cluster's {place} at the service")
}

/// As one word of a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_as_single_words() {
        let places = Places {
            id: Some("shop'; rm -rf /".into()),
            region: Some("eu-central-1".into()),
            ..Places::default()
        };
        let command = Template::named("aws-elasticache")
            .unwrap()
            .command(&places)
            .unwrap();
        assert!(
            command.contains(r"--replication-group-id 'shop'\''; rm -rf /'"),
            "{command}"
        );
        assert!(command.contains("--region='eu-central-1'"), "{command}");
        let bare = Places {
            region: None,
            ..places
        };
        let command = Template::named("aws-memorydb")
            .unwrap()
            .command(&bare)
            .unwrap();
        assert!(!command.contains("--region"), "{command}");
    }

    #[test]
    fn what_is_missing_is_named() {
        let none = Places::default();
        for (template, place) in [
            ("aws-elasticache", "hooks.id"),
            ("azure-cache", "hooks.id"),
            ("gcp-memorystore-cluster", "hooks.region"),
        ] {
            let error = Template::named(template)
                .unwrap()
                .command(&none)
                .unwrap_err();
            assert!(error.contains(place), "{error}");
        }
        let error = Template::named("aws").unwrap_err();
        assert!(error.contains("aws-elasticache"), "{error}");
    }

    #[test]
    fn every_template_tells_what_to_mind() {
        for template in TEMPLATES {
            assert!(template.mind.len() > 40, "{}", template.name);
        }
    }
}
