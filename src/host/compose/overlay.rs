//! A second compose file, laid over the first: settings that nodes get when compose makes their
//! containers anew, without a change to the file that made them.

use serde_yaml::{Mapping, Value};

use super::SETTINGS;
use super::script::escaped;

/// The file for those nodes, by service: the lines that each adds to its configuration.
pub fn overlay(
    cluster: &str,
    nodes: &[(String, Vec<String>)],
) -> Result<String, serde_yaml::Error> {
    let mut services = Mapping::new();
    for (name, lines) in nodes {
        let settings = Mapping::from_iter([(
            Value::from(SETTINGS),
            Value::from(escaped(&lines.join("\n"))),
        )]);
        let service = Mapping::from_iter([(Value::from("environment"), Value::from(settings))]);
        services.insert(name.clone().into(), service.into());
    }
    let file = Mapping::from_iter([(Value::from("services"), Value::from(services))]);
    let head = format!(
        "# Settings for the cluster {cluster}, to be laid over its compose file:\n#\n\
         #     docker compose -p {cluster} -f FILE -f THIS up -d --no-deps NODE\n#\n\
         # one node after the other, replicas first, each followed by goodcache check --wait healthy: its\n\
         # container is made anew with these lines in its configuration, and keeps its data.\n"
    );
    Ok(head + &serde_yaml::to_string(&file)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_gets_its_lines() {
        let lines = vec!["save \"\"".to_owned(), "save 900 1".to_owned()];
        let text = overlay("shop", &[("redis-1".to_owned(), lines)]).unwrap();
        let file: Value = serde_yaml::from_str(&text).unwrap();
        let settings = &file["services"]["redis-1"]["environment"][SETTINGS];
        assert_eq!(settings.as_str(), Some("save \"\"\nsave 900 1"));
        assert!(text.contains("docker compose -p shop"), "{text}");
    }
}
