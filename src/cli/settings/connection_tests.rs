//! Which origin counts, in whole: a command line, an environment, files, and the rows they give.

use std::ffi::OsString;

use super::*;
use crate::cli::environment::Environment;
use crate::cli::exit::Exit;
use crate::cli::options::{self, Command};
use crate::cli::profile::{Made, Profile, Profiles};
use crate::cli::settings::{
    CheckSettings, CreateSettings, FailoverTest, Origin, Surroundings, Watch,
};

const FILE: &str = "default: shop
clusters:
  shop:
    nodes: [10.0.0.1:7001]
    user: file-user
    password_file: shop.pw
    deadline: 3s
    tls: {ca: ca.pem}
  lab:
    nodes: [10.9.0.1:7001]
check: {profile: durable, sample: 5s, fail_on: warning}
";

struct Place {
    folder: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

impl Place {
    fn new(file: Option<&str>) -> Place {
        let folder = tempfile::tempdir().unwrap();
        if let Some(text) = file {
            std::fs::write(folder.path().join("goodcache.yaml"), text).unwrap();
            std::fs::write(folder.path().join("shop.pw"), "file-password\n").unwrap();
        }
        let state = folder.path().to_str().unwrap().to_string();
        let environment = vec![("XDG_STATE_HOME".to_string(), state)];
        Place {
            folder,
            environment,
        }
    }

    fn with(mut self, name: &str, value: &str) -> Place {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn environment(&self) -> Environment {
        self.environment.iter().cloned().collect()
    }

    fn saved(self, name: &str) -> Place {
        let profile = Profile {
            schema: 1,
            name: name.into(),
            made: Made::Nodes,
            nodes: vec![NodeAddr::new("127.0.0.1", 7001)],
            node_map: BTreeMap::new(),
            zones: BTreeMap::new(),
            user: Some("saved-user".into()),
            password_file: None,
            users: BTreeMap::new(),
            tls: None,
        };
        Profiles::of(&self.environment())
            .unwrap()
            .save(&profile)
            .unwrap();
        self
    }

    fn layers(&self, line: &str) -> Result<(Layers, options::Cli), Failure> {
        let arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        let cli = options::parse(&arguments).unwrap();
        let target = match &cli.command {
            Command::Check(args) => CheckSettings::target(args),
            Command::Create(args) => CreateSettings::target(args),
            Command::FailoverTest(args) => FailoverTest::target(args),
            _ => unreachable!(),
        };
        let around = Surroundings {
            environment: self.environment(),
            folder: self.folder.path().into(),
            codes: Vec::new(),
        };
        Ok((Layers::find(&cli.shared, &target, &around)?, cli))
    }

    fn settings(&self, line: &str) -> Result<Settings, Failure> {
        let (layers, cli) = self.layers(line)?;
        Settings::resolve(&layers, &cli.shared, &[])
    }

    fn check(&self, line: &str) -> CheckSettings {
        let (layers, cli) = self.layers(line).unwrap();
        match &cli.command {
            Command::Check(args) => CheckSettings::resolve(&layers, args).unwrap(),
            _ => unreachable!(),
        }
    }

    fn create(&self, line: &str) -> Result<CreateSettings, Failure> {
        let (layers, cli) = self.layers(line)?;
        let settings = Settings::resolve(&layers, &cli.shared, &[])?;
        match &cli.command {
            Command::Create(args) => {
                CreateSettings::resolve(&layers, args, !settings.nodes.value.is_empty())
            }
            _ => unreachable!(),
        }
    }
}

/// The first node and where it came from.
fn first(settings: &Settings) -> (String, String) {
    let nodes = settings.nodes.value.iter().map(NodeAddr::to_string);
    let origin = settings.nodes.origin.to_string();
    let key = origin
        .split_once('(')
        .map_or(origin.as_str(), |(_, key)| key);
    (
        nodes.collect::<Vec<_>>().join(","),
        key.trim_end_matches(')').to_string(),
    )
}

#[test]
fn which_cluster_is_meant() {
    let file = || Place::new(Some(FILE));
    for (place, line, nodes, origin) in [
        (
            file(),
            "goodcache check",
            "10.0.0.1:7001",
            "clusters.shop.nodes",
        ),
        (
            file(),
            "goodcache check lab",
            "10.9.0.1:7001",
            "clusters.lab.nodes",
        ),
        (
            file(),
            "goodcache check --cluster lab",
            "10.9.0.1:7001",
            "clusters.lab.nodes",
        ),
        (
            file(),
            "goodcache check h:1 [::1]:2",
            "h:1,[::1]:2",
            "address",
        ),
        (
            file().with("REDIS_CLUSTER_NODES", "e:1,e:2,"),
            "goodcache check",
            "e:1,e:2",
            "REDIS_CLUSTER_NODES",
        ),
        (
            file().with("REDIS_CLUSTER_NODES", "e:1"),
            "goodcache check lab",
            "10.9.0.1:7001",
            "clusters.lab.nodes",
        ),
        (
            file()
                .with("REDIS_CLUSTER_NODES", "e:1")
                .with("GOODCACHE_NODES", "g:1"),
            "goodcache check",
            "g:1",
            "GOODCACHE_NODES",
        ),
        (
            file().with("GOODCACHE_CLUSTER", "lab"),
            "goodcache check",
            "10.9.0.1:7001",
            "clusters.lab.nodes",
        ),
        (
            file().with("GOODCACHE_CLUSTER", "lab"),
            "goodcache check h:1",
            "h:1",
            "address",
        ),
        (
            Place::new(None).saved("made"),
            "goodcache check",
            "127.0.0.1:7001",
            "what create saved as made",
        ),
        (
            file().saved("made"),
            "goodcache check",
            "10.0.0.1:7001",
            "clusters.shop.nodes",
        ),
        (
            file().saved("made"),
            "goodcache check made",
            "127.0.0.1:7001",
            "what create saved as made",
        ),
        (
            file()
                .with("REDIS_CLUSTER_NODES", "e:1")
                .with("REDIS_CLUSTER_ENABLED", "false"),
            "goodcache check",
            "10.0.0.1:7001",
            "clusters.shop.nodes",
        ),
        (Place::new(None), "goodcache check", "", "default"),
    ] {
        let settings = place.settings(line).unwrap();
        assert_eq!(first(&settings), (nodes.into(), origin.into()), "{line}");
    }
}

#[test]
fn another_clusters_login_never_meets_a_typed_address() {
    let place = Place::new(Some(FILE)).saved("made");
    let settings = place.settings("goodcache check h:1").unwrap();
    assert!(settings.user.value.is_none() && settings.password.value.is_none());
    assert!(settings.tls.value.is_none());
}

#[test]
fn each_setting_comes_from_the_first_that_says_something() {
    let place = Place::new(Some(FILE));
    let of_file = place.settings("goodcache check").unwrap();
    assert_eq!(of_file.user.value.as_deref(), Some("file-user"));
    assert_eq!(
        of_file.password.value.as_ref().unwrap().expose(),
        "file-password"
    );
    assert_eq!(of_file.deadline.value, Duration::from_secs(3));
    let ca = of_file.tls.value.as_ref().unwrap().ca.clone();
    assert_eq!(ca, Some(place.folder.path().join("ca.pem")));

    let place = place
        .with("GOODCACHE_USER", "env-user")
        .with("REDISCLI_AUTH", "third")
        .with("REDIS_PASSWORD", "env-password")
        .with("REDIS_CLUSTER_MAX_REDIRECTIONS", "3")
        .with("REDIS_CLUSTER_RETRY_ON_FAIL", "true")
        .with("GOODCACHE_TLS", "false")
        .with("NO_COLOR", "1");
    let of_environment = place.settings("goodcache check").unwrap();
    assert_eq!(of_environment.user.value.as_deref(), Some("env-user"));
    assert_eq!(
        of_environment.password.origin,
        Origin::Environment("REDIS_PASSWORD")
    );
    assert_eq!(of_environment.max_redirections.value, 3);
    assert!(of_environment.retry_on_fail.value && of_environment.tls.value.is_none());
    assert_eq!(of_environment.color.value, Color::Never);

    let typed = place
        .settings("goodcache check --user typed --deadline 1s --color always rediss://h:1")
        .unwrap();
    assert_eq!(typed.user.value.as_deref(), Some("typed"));
    assert_eq!(typed.deadline.origin, Origin::Argument("--deadline"));
    assert_eq!(typed.color.value, Color::Always);
    assert_eq!(typed.tls.value, Some(TlsSettings::default()));
}

#[test]
fn what_is_wrong_names_who_said_it() {
    let file = || Place::new(Some(FILE));
    for (place, line, parts) in [
        (
            file().with("GOODCACHE_DEADLINE", "2"),
            "goodcache check lab",
            &["variable GOODCACHE_DEADLINE", "write 2s"][..],
        ),
        (
            file().with("REDIS_CLUSTER_NODES", "h:0"),
            "goodcache check",
            &["variable REDIS_CLUSTER_NODES", "the port is not"],
        ),
        (
            file().with("REDIS_CLUSTER_ENABLED", "maybe"),
            "goodcache check",
            &["REDIS_CLUSTER_ENABLED", "neither true nor false"],
        ),
        (
            file().with("REDIS_CLUSTER_RETRY_ON_FAIL", "3"),
            "goodcache check",
            &["REDIS_CLUSTER_RETRY_ON_FAIL"],
        ),
        (
            file(),
            "goodcache check --cluster shpo",
            &["'shpo' (--cluster)", "did you mean 'shop'"],
        ),
        (
            file().with("GOODCACHE_CLUSTER", "zzz"),
            "goodcache check",
            &["'zzz' (GOODCACHE_CLUSTER)", "known are: lab, shop"],
        ),
        (file(), "goodcache check shop h:1", &["a name stands alone"]),
        (
            file(),
            "goodcache check redis://:s3cret@h",
            &["a password in a URL", "--password-file"],
        ),
        (
            file(),
            "goodcache check redis://a@h redis://b@i",
            &["different users"],
        ),
        (file(), "goodcache check h --cert c.pem", &["needs its key"]),
        (
            file(),
            "goodcache check --config nowhere.yaml",
            &["nowhere.yaml", "No such file"],
        ),
        (
            file(),
            "goodcache check h --password-file /nowhere/p",
            &["/nowhere/p", "--password-file"],
        ),
    ] {
        let failure = place.settings(line).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "{line}");
        for part in parts {
            assert!(failure.text().contains(part), "{line}: {}", failure.text());
        }
        assert!(!failure.text().contains("s3cret"));
    }
}

#[test]
fn no_row_shows_the_password() {
    let place = Place::new(Some(FILE)).with("REDIS_PASSWORD", "s3cret");
    let settings = place.settings("goodcache -v check").unwrap();
    let text = crate::cli::settings::rows_text(&settings.rows());
    let password = text
        .lines()
        .find(|line| line.starts_with("password"))
        .unwrap();
    assert!(
        password.contains("(set)") && password.ends_with("REDIS_PASSWORD"),
        "{text}"
    );
    assert!(!text.contains("s3cret") && !format!("{settings:?}").contains("s3cret"));
}

#[test]
fn a_word_that_names_no_cluster_is_a_host_and_that_is_said() {
    let settings = Place::new(Some(FILE))
        .settings("goodcache check shpo")
        .unwrap();
    assert_eq!(first(&settings).0, "shpo:6379");
    assert!(settings.notices[0].contains("did you mean 'shop'"));
}

#[test]
fn a_cluster_that_is_to_be_broken_is_meant_plainly() {
    let two = || Place::new(None).saved("lab").saved("shop");
    for (place, line, parts) in [
        (
            two(),
            "goodcache failover-test shpo",
            &["named 'shpo'", "'shop'? known are: shop, lab", "shpo:6379"][..],
        ),
        (
            two(),
            "goodcache failover-test zzzzzz --heal",
            &["known are: lab, shop"],
        ),
        (
            Place::new(None),
            "goodcache failover-test shop",
            &["named 'shop'", "goodcache create"],
        ),
        (
            two(),
            "goodcache failover-test",
            &[
                "which cluster?",
                "lab, shop",
                "next: name it: goodcache failover-test shop",
            ],
        ),
    ] {
        let failure = place.settings(line).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "{line}");
        for part in parts {
            assert!(failure.text().contains(part), "{line}: {}", failure.text());
        }
    }
    for (place, line, nodes) in [
        (two(), "goodcache failover-test lab", "127.0.0.1:7001"),
        (two(), "goodcache failover-test localhost", "localhost:6379"),
        (two(), "goodcache failover-test lab:6379", "lab:6379"),
        (two(), "goodcache failover-test --from f", "127.0.0.1:7001"),
        (
            Place::new(None).saved("made"),
            "goodcache failover-test",
            "127.0.0.1:7001",
        ),
        (
            Place::new(Some(FILE)).saved("made"),
            "goodcache failover-test",
            "10.0.0.1:7001",
        ),
        (
            two().with("GOODCACHE_CLUSTER", "lab"),
            "goodcache failover-test",
            "127.0.0.1:7001",
        ),
    ] {
        assert_eq!(first(&place.settings(line).unwrap()).0, nodes, "{line}");
    }
}

#[test]
fn nobody_named_a_cluster() {
    let failure = Place::new(None)
        .settings("goodcache check")
        .unwrap()
        .require_nodes()
        .unwrap_err();
    assert!(
        failure.text().contains("next: give an address"),
        "{}",
        failure.text()
    );
}

#[test]
fn how_check_judges_and_when_it_looks() {
    let place = Place::new(Some(FILE)).with("REDIS_CLUSTER_SLOTS_REFRESH_INTERVAL", "60");
    let of_file = place.check("goodcache check");
    assert_eq!(of_file.profile.value, crate::health::Profile::Durable);
    assert_eq!(of_file.sample.value, Duration::from_secs(5));
    assert_eq!(word(of_file.fail_on.value), "warning");
    assert_eq!(of_file.watch, Watch::Once);
    let every = |time, origin| {
        Watch::Every(Setting {
            value: Duration::from_secs(time),
            origin,
        })
    };
    let interval = Origin::Environment("REDIS_CLUSTER_SLOTS_REFRESH_INTERVAL");
    assert_eq!(
        place.check("goodcache check --watch").watch,
        every(60, interval)
    );
    let typed = every(5, Origin::Argument("--watch"));
    assert_eq!(place.check("goodcache check --watch=5s").watch, typed);
    let plain = Place::new(None).check("goodcache check --watch --sample 0s --profile queue");
    assert_eq!(plain.watch, every(2, Origin::Default));
    assert_eq!(plain.sample.value, Duration::ZERO);
}

#[test]
fn what_create_makes() {
    let file = "clusters:\n  lab:\n    create: {source: docker, masters: 5, base_port: 9001}\n";
    let place = Place::new(Some(file)).with("GOODCACHE_REPLICAS", "2");
    let made = place.create("goodcache create lab").unwrap();
    assert_eq!(word(made.source.value), "docker");
    assert_eq!((made.masters.value, made.replicas.value), (Some(5), 2));
    let plain = Place::new(None).create("goodcache create --local").unwrap();
    assert_eq!(
        (plain.name.value.as_str(), plain.base_port.value),
        ("goodcache", 7001)
    );
    let dir = plain.dir.value.unwrap();
    assert!(
        dir.ends_with("goodcache/data/goodcache"),
        "{}",
        dir.display()
    );
    let nodes = Place::new(None)
        .with("REDIS_CLUSTER_NODES", "e:1")
        .create("goodcache create")
        .unwrap();
    assert_eq!(word(nodes.source.value), "nodes");
    for (line, why) in [
        ("goodcache create", "where the nodes come from"),
        ("goodcache create --docker --base-port 55535", "do not fit"),
    ] {
        let text = Place::new(None).create(line).unwrap_err().text();
        assert!(text.contains(why), "{text}");
    }
}

#[test]
fn a_name_that_was_made_before_is_made_the_same_way() {
    let place = Place::new(None).saved("made");
    let again = place.create("goodcache create made").unwrap();
    assert_eq!(again.source.origin, Origin::Profile("made".into()));
    let other = place.create("goodcache create").unwrap_err();
    assert!(other.text().contains("where the nodes come from"));
}
