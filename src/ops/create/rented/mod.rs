//! A cluster at a managed service, written down for its owner to make: as Terraform, or as the
//! commands of the service's own command line. Nothing is made and nobody is asked.
//!
//! What is written is what the deployment guide asks of a cluster wherever it stands: shards and
//! replicas in several zones, failover by itself, TLS, a login, backups. Secrets are read from files
//! or variables when it is applied, and stand in no argument.

mod aws;
mod azure;
mod gcp;

use crate::model::Service;

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Terraform (HCL).
    Terraform,
    /// A shell script of the service's own commands.
    Cli,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The cluster's name.
    pub name: String,
    /// How many shards.
    pub shards: u16,
    /// Replicas of each.
    pub replicas: u16,
    /// The service's name of a node's size; a small one where it was not said.
    pub node_size: Option<String>,
    /// The region; a variable where it was not said.
    pub region: Option<String>,
}

/// Why it cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct NotWritten {
    what: String,
    /// What to do instead.
    pub next: String,
}

/// Writes it.
pub fn write(service: Service, language: Language, wanted: &Wanted) -> Result<String, NotWritten> {
    is_allowed(service, wanted)?;
    let text = match (service, language) {
        (Service::ElastiCache, Language::Terraform) => aws::terraform(wanted),
        (Service::ElastiCache, Language::Cli) => aws::commands(wanted),
        (Service::MemorystoreCluster, Language::Terraform) => gcp::terraform(wanted),
        (Service::MemorystoreCluster, Language::Cli) => gcp::commands(wanted),
        (Service::AzureManaged, Language::Terraform) => azure::terraform(wanted),
        (Service::AzureManaged, Language::Cli) => azure::commands(wanted),
        (other, _) => {
            return Err(NotWritten {
                what: format!("goodcache writes no definition for {other}"),
                next: "--provider aws, gcp or azure".to_owned(),
            });
        }
    };
    Ok(text)
}

/// The least and the most that the service takes.
fn is_allowed(service: Service, wanted: &Wanted) -> Result<(), NotWritten> {
    let (shards, replicas, name) = match service {
        Service::ElastiCache => (500, 5, 40),
        Service::MemorystoreCluster => (250, 2, 63),
        _ => (u16::MAX, 1, 60),
    };
    let refused = |what: String, next: String| Err(NotWritten { what, next });
    if wanted.shards > shards {
        return refused(
            format!("{service} takes at most {shards} shards"),
            format!("--masters {shards} or fewer, of a larger size"),
        );
    }
    if wanted.replicas > replicas {
        return refused(
            format!("{service} takes at most {replicas} replicas a shard"),
            format!("--replicas {replicas}"),
        );
    }
    if wanted.replicas == 0 {
        return refused(
            "without a replica nothing takes over when a master is lost".to_owned(),
            "--replicas 1".to_owned(),
        );
    }
    let is_sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = wanted.name.starts_with(|c: char| c.is_ascii_lowercase());
    if !begins
        || wanted.name.ends_with('-')
        || !wanted.name.chars().all(is_sound)
        || wanted.name.len() > name
    {
        return refused(
            format!("'{}' is no name that {service} takes", wanted.name),
            format!("a letter, then letters, digits and '-', all small, {name} at most"),
        );
    }
    let is_word = |word: &Option<String>| {
        word.as_ref().is_none_or(|word| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        })
    };
    if !is_word(&wanted.node_size) || !is_word(&wanted.region) {
        return refused(
            "a size or region holds letters, digits, '.', '_' and '-' only".to_owned(),
            "goodcache tune --size lists sizes by the names that services give them".to_owned(),
        );
    }
    Ok(())
}

/// A variable of Terraform.
fn variable(name: &str, kind: &str, what: &str, default: Option<&str>) -> String {
    let default = default.map_or(String::new(), |value| {
        format!("  default     = \"{value}\"\n")
    });
    format!(
        "variable \"{name}\" {{\n  description = \"{what}\"\n  type        = {kind}\n{default}}}\n\n"
    )
}

/// The name as Terraform calls the resource.
fn label(name: &str) -> String {
    name.replace('-', "_")
}

/// The first lines of both.
fn head(service: Service, wanted: &Wanted) -> String {
    format!(
        "# {}: {} shards with {} replica(s) each at {service}. Written by goodcache; read it, fill in\n# what is yours, and apply it yourself.\n",
        wanted.name, wanted.shards, wanted.replicas
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANAGED: [Service; 3] = [
        Service::ElastiCache,
        Service::MemorystoreCluster,
        Service::AzureManaged,
    ];

    fn wanted() -> Wanted {
        Wanted {
            name: "goodbooks".to_owned(),
            shards: 3,
            replicas: 1,
            node_size: None,
            region: Some("eu-central-1".to_owned()),
        }
    }

    #[test]
    fn every_definition_has_zones_tls_a_login_and_backups() {
        for (service, words) in [
            (
                Service::ElastiCache,
                ["multi", "transit", "auth", "snapshot"],
            ),
            (
                Service::MemorystoreCluster,
                ["multi", "transit", "iam", "backup"],
            ),
            (
                Service::AzureManaged,
                ["high", "encrypted", "key", "backup"],
            ),
        ] {
            for language in [Language::Terraform, Language::Cli] {
                let text = write(service, language, &wanted()).unwrap();
                let lower = text.to_lowercase().replace(['_', '-'], "");
                for word in words {
                    assert!(
                        lower.contains(word),
                        "{service} {language:?} {word}:\n{text}"
                    );
                }
                assert!(text.contains("goodbooks"));
            }
        }
    }

    #[test]
    fn terraform_is_balanced_and_aligned() {
        for service in MANAGED {
            let text = write(service, Language::Terraform, &wanted()).unwrap();
            let count = |c| text.chars().filter(|&other| other == c).count();
            assert_eq!(count('{'), count('}'), "{text}");
            assert_eq!(count('"') % 2, 0, "{text}");
            // As `terraform fmt` has it: the signs of neighbouring lines stand below each other.
            let lines: Vec<&str> = text.lines().collect();
            for pair in lines.windows(2) {
                let signs = pair.iter().map(|line| sign(line)).collect::<Vec<_>>();
                if let [Some(a), Some(b)] = signs[..] {
                    assert_eq!(a, b, "{}\n{}", pair[0], pair[1]);
                }
            }
        }
    }

    /// Where the `=` of a plain argument stands.
    fn sign(line: &str) -> Option<usize> {
        let is_plain =
            !line.trim_start().starts_with('#') && !line.trim_end().ends_with(['{', '[']);
        is_plain.then(|| line.find(" = ")).flatten()
    }

    #[test]
    fn what_a_service_does_not_take_is_refused_with_what_it_does() {
        let refused = |change: fn(&mut Wanted)| {
            let mut wanted = wanted();
            change(&mut wanted);
            write(Service::ElastiCache, Language::Cli, &wanted).unwrap_err()
        };
        assert!(
            refused(|w| w.replicas = 6)
                .to_string()
                .contains("at most 5")
        );
        assert!(refused(|w| w.replicas = 0).next.contains("--replicas 1"));
        assert!(
            refused(|w| w.name = "Good Books".into())
                .to_string()
                .contains("is no name")
        );
        assert!(
            refused(|w| w.region = Some("x\"; rm".into()))
                .to_string()
                .contains("letters")
        );
        let other = write(Service::RedisCloud, Language::Cli, &wanted()).unwrap_err();
        assert!(other.next.contains("--provider"));
    }
}
