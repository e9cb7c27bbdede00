//! All commands at stand-ins of managed services: each does what can be done there, and says plainly
//! what cannot. The README's table of services is what these tests found: with `GOODCACHE_WRITE` set each
//! writes its own row.

mod readme;

use std::time::Duration;

use serde_json::Value;

use crate::load::goodbooks::{Books, Load, fill};
use crate::support::{DRESSES, Dress, Home, Outcome, StandIn};

const LIMIT: Duration = Duration::from_secs(60);

/// A service under test, filled with some keys.
struct Stage {
    dress: Dress,
    home: Home,
    service: StandIn,
    keys: u64,
}

impl Stage {
    fn new(service: &str) -> Stage {
        Stage::of(service, "")
    }

    fn of(service: &str, kind: &str) -> Stage {
        let dress = *DRESSES
            .iter()
            .find(|dress| (dress.service, dress.kind) == (service, kind))
            .unwrap();
        let service = StandIn::start(dress);
        let books = Books::excerpt();
        let load = Load {
            books: &books,
            scale: 0.0002,
            seed: 1,
            now: 4_000_000_000,
        };
        // Sessions under a policy that may evict them: tune must say so.
        for server in service.fleet.iter() {
            server.cli(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
        }
        let filled = fill(&service.fleet[0].addr(), None, &load).unwrap();
        Stage {
            dress,
            home: Home::new(),
            keys: filled.keys(),
            service,
        }
    }

    fn run(&self, words: &[&str]) -> Outcome {
        self.home.goodcache(words).within(LIMIT).run()
    }

    fn repository(&self) -> String {
        self.home.path().join("repository").display().to_string()
    }

    /// What check says it is.
    fn check(&self) -> String {
        let outcome = self.run(&["check", self.service.seed(), "--sample", "0s", "-o", "json"]);
        assert!([0, 3].contains(&outcome.code), "{outcome:?}");
        let report = &outcome.json()["report"];
        assert_eq!(
            report["cluster"]["nodes_answering"],
            self.service.nodes.len()
        );
        let grave: Vec<&Value> = report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|finding| finding["severity"] == "critical")
            .collect();
        for finding in report["findings"].as_array().unwrap() {
            let next = finding["next"].as_str().unwrap().to_lowercase();
            let is_own = !next.contains("config set") || self.dress.service == "redis-cloud";
            assert!(is_own, "{finding}");
        }
        // The stand-ins have no password, which is grave anywhere; nothing else is.
        assert!(
            grave
                .iter()
                .all(|finding| finding["code"].as_str().unwrap().starts_with("security.")),
            "{grave:?}"
        );
        let skipped = report["skipped"].as_array().unwrap().len();
        assert!(skipped > 0, "what is refused is told as skipped");
        self.is_withheld(&report["cluster"]["withheld"]);
        let shown = report["cluster"]["service"].as_str().unwrap();
        let (name, _) = shown.split_once(" (by ").unwrap();
        name.to_owned()
    }

    /// The table of capabilities is what the service refuses, as far as it can be told without trying.
    fn is_withheld(&self, told: &Value) {
        let told: Vec<&str> = (told.as_array().unwrap().iter())
            .map(|one| one["capability"].as_str().unwrap())
            .collect();
        let has = |command: &str| self.dress.refused.contains(&command);
        let is_hidden = !self.dress.lists_refused && !has("COMMAND");
        for (capability, is_refused) in [
            ("config_get", has("CONFIG")),
            ("config_set", has("CONFIG")),
            ("acl_list", has("ACL") || has("ACL LIST")),
            ("slow_log", has("SLOWLOG")),
            ("latency", has("LATENCY") || has("LATENCY LATEST")),
            ("replication", is_hidden),
            ("cluster_failover", is_hidden),
            ("debug", is_hidden),
            (
                "client_pause",
                has("CLIENT") || has("CLIENT PAUSE") && is_hidden,
            ),
            ("scan", false),
            ("dump", false),
            ("restore", false),
        ] {
            assert_eq!(
                told.contains(&capability),
                is_refused,
                "{capability} in {told:?}"
            );
        }
        let words = ["check", self.service.seed(), "--sample", "0s"];
        let text = self.run(&words).stdout;
        let lines = text.lines().filter(|line| line.starts_with("withheld"));
        let lines: Vec<&str> = lines.collect();
        match told
            .iter()
            .any(|one| ["config_get", "latency"].contains(one))
        {
            true => assert_eq!(lines.len(), 1, "said once: {text}"),
            false => assert!(lines.is_empty(), "{text}"),
        }
    }

    /// Key by key, proven, and back into a service of the same kind.
    fn backup_and_restore(&self) -> &'static str {
        let repository = self.repository();
        let words = [
            "backup",
            self.service.seed(),
            "--repo",
            &repository,
            "-o",
            "json",
        ];
        let report = self.run(&words).expect(0).json()["report"].clone();
        let snapshot = report["snapshot"].clone();
        assert_eq!(snapshot["keys"], self.keys, "{snapshot}");
        // Where it can be told beforehand, nothing is tried.
        let is_known = !self.dress.lists_refused && !self.dress.refused.contains(&"COMMAND");
        let remarks = report["remarks"].to_string();
        assert!(remarks.contains("one by one instead"), "{remarks}");
        let words = "does not let itself be replicated";
        assert_eq!(remarks.contains(words), is_known, "{remarks}");
        let id = snapshot["id"].as_str().unwrap();
        self.run(&["backup", "verify", id, "--repo", &repository, "--read-data"])
            .expect(0);
        let target = StandIn::start(self.dress);
        let words = [
            "restore",
            id,
            target.seed(),
            "--repo",
            &repository,
            "-o",
            "json",
        ];
        let restored = self.run(&words).expect(0).json()["report"].clone();
        assert_eq!(restored["keys"], self.keys, "{restored}");
        match restored["proof"]["keys_equal"].as_u64() {
            Some(keys) => {
                assert_eq!(keys, self.keys);
                "proven"
            }
            None => "not proven",
        }
    }

    /// Advice that can be followed there, and no attempt to set what cannot be set.
    fn tune(&self) -> &'static str {
        let words = [
            "tune",
            self.service.seed(),
            "--sample",
            "0s",
            "--profile",
            "session",
        ];
        let advice = self.run(&[&words[..], &["-o", "json"]].concat()).expect(0);
        let report = advice.json()["report"].clone();
        assert_eq!(report["service"], self.dress.service, "{report}");
        let recommended = report["recommendations"].as_array().unwrap();
        assert!(
            recommended.iter().all(|one| one["kind"] != "host"),
            "{report}"
        );
        let policy = recommended
            .iter()
            .find(|one| one["rule"] == "memory.policy");
        assert!(
            policy.is_some() || self.dress.service == "elasticache-serverless",
            "{report}"
        );
        let commands = recommended
            .iter()
            .filter(|one| one["kind"] == "setting" && one["takes"] == "by_hand");
        let commands = commands.count();
        let applied = self.run(&[&words[..], &["--apply", "--yes"]].concat());
        let is_online = recommended.iter().any(|one| one["takes"] == "online");
        if !is_online && !recommended.is_empty() {
            applied.expect(5);
        }
        match (is_online, commands) {
            (true, _) => "advice, and some of it applied",
            (false, 0) => "advice for the application",
            (false, _) => "advice by its own commands",
        }
    }

    fn failover_test(&self) -> &'static str {
        let refused = self
            .run(&["failover-test", self.service.seed(), "--dry-run"])
            .expect(5);
        assert!(
            refused.stderr.contains("nothing was changed"),
            "{}",
            refused.stderr
        );
        match refused.stderr.contains("template: ") {
            true => "by a template",
            false => "no",
        }
    }

    /// Its definition is written down, where goodcache can.
    fn create(&self) -> &'static str {
        let words = [
            "create",
            "shop",
            "--provider",
            self.dress.service,
            "--emit",
            "cli",
        ];
        let written = self.run(&words);
        match written.code {
            // What is written is a cluster.
            0 if self.dress.masters == 0 => "no",
            0 => "written down",
            _ => {
                let said = written.expect(2).stderr;
                assert!(said.contains("writes no definition"), "{said}");
                "no"
            }
        }
    }

    fn all(&self) {
        let name = self.check();
        let proof = self.backup_and_restore();
        let restore = match proof {
            "proven" => "yes, proven",
            _ => "yes, not proven",
        };
        let cells = [
            format!("{name}{}", self.dress.kind),
            format!("`{}`", self.dress.service),
            self.create().to_owned(),
            "yes".to_owned(),
            "key by key".to_owned(),
            restore.to_owned(),
            self.tune().to_owned(),
            self.failover_test().to_owned(),
        ];
        readme::keep(&format!("| {} |", cells.join(" | ")));
    }
}

#[test]
fn elasticache() {
    Stage::new("elasticache").all();
}

#[test]
fn elasticache_without_cluster_mode() {
    Stage::of("elasticache", ", cluster mode off").all();
}

#[test]
fn elasticache_serverless() {
    Stage::new("elasticache-serverless").all();
}

#[test]
fn memorydb() {
    Stage::new("memorydb").all();
}

#[test]
fn memorystore_redis() {
    Stage::new("memorystore-redis").all();
}

#[test]
fn memorystore_cluster() {
    Stage::new("memorystore-cluster").all();
}

#[test]
fn memorystore_valkey() {
    Stage::new("memorystore-valkey").all();
}

#[test]
fn azure_cache() {
    Stage::new("azure-cache").all();
}

#[test]
fn azure_enterprise() {
    Stage::new("azure-enterprise").all();
}

#[test]
fn azure_managed() {
    Stage::new("azure-managed").all();
}

#[test]
fn redis_cloud() {
    Stage::new("redis-cloud").all();
}

#[test]
fn a_definition_is_written_for_each_cloud_and_formatted_where_terraform_is() {
    let home = Home::new();
    for provider in ["aws", "gcp", "azure"] {
        for language in ["terraform", "cli"] {
            let words = [
                "create",
                "goodbooks",
                "--provider",
                provider,
                "--emit",
                language,
                "--region",
                "west-1",
            ];
            let text = home.goodcache(&words).run().expect(0).stdout;
            assert!(
                text.contains("goodbooks") && text.contains("west-1"),
                "{text}"
            );
            let (program, args, file): (&str, &[&str], &str) = match language {
                "cli" => ("sh", &["-n"], "script.sh"),
                _ => ("terraform", &["fmt", "-check"], "main.tf"),
            };
            let path = home.file(&format!("{provider}-{file}"), &text);
            let mut checking = std::process::Command::new(program);
            match checking.args(args).arg(&path).output() {
                Ok(output) => assert!(output.status.success(), "{text}\n{output:?}"),
                // There is no Terraform in the package registries that the tests may use.
                Err(error) => assert!(program == "terraform", "{error}"),
            }
        }
    }
    let refused = home
        .goodcache(&["create", "shop", "--emit", "cli"])
        .run()
        .expect(2);
    assert!(
        refused.stderr.contains("--provider aws"),
        "{}",
        refused.stderr
    );
}
