//! The contract with whoever types or scripts a command: exit codes, streams, settings and where they
//! come from, secrets, help. Whole commands, as a shell would run them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{env, fs};

use crate::support::{Fleet, Home, Outcome, Spec, free_ports, goodcache, until};

const SECRET: &str = "pl4nted-s3cret";
const COMMANDS: [&str; 9] = [
    "create",
    "check",
    "failover-test",
    "backup",
    "restore",
    "rotate-password",
    "destroy",
    "generate",
    "tune",
];

/// Refused with that code, for that reason, and without a word on stdout.
#[track_caller]
fn assert_refused(outcome: Outcome, code: i32, why: &[&str]) {
    let outcome = outcome.expect(code);
    for why in why {
        assert!(
            outcome.stderr.contains(why),
            "{why:?} in {}",
            outcome.stderr
        );
    }
    assert_eq!(outcome.stdout, "");
    assert!(!outcome.stderr.contains(SECRET), "{}", outcome.stderr);
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found
}

fn holds(path: &Path, text: &str) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}

fn private(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_is_mistyped_ends_with_2_and_names_what_was_meant() {
    for (line, why) in [
        ("chek", "'check'"),
        ("check --sampel 1s", "'--sample'"),
        ("create --replica 2", "'--replicas'"),
        ("check -o yaml", "table, markdown, json"),
        ("check --sample 1", "write 1s"),
        (
            "check 127.0.0.1:99999",
            "the port is not a number from 1 to 65535",
        ),
        ("check ::1:x", "is no address"),
        ("check [::1", "is no address"),
        ("check http://h:1", "redis:// or rediss://"),
        ("check redis://h:1/3", "one database"),
        ("check --explain slots.uncoverd", "slots.uncovered"),
        ("check", "goodcache create"),
        ("check --cluster shop", "give an address, or make a cluster"),
        ("create --yes", "--docker, --local, or --nodes"),
        ("create --nodes a:1,b:0 --yes", "'b:0' is no address"),
        ("create Shop --local", "a cluster's name"),
        ("create shop --docker --local", "cannot be used with"),
        ("destroy", "<NAME>"),
        ("destroy ../shop", "a cluster's name"),
        ("check --config none.yaml", "none.yaml: No such file"),
        ("check --password-file none", "none: No such file"),
        ("generate completion x", "completions"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let outcome = goodcache(&words).run();
        assert!(!outcome.stderr.contains("os error"), "{}", outcome.stderr);
        assert_refused(outcome, 2, &["goodcache: ", why]);
    }
}

#[test]
fn a_plugin_that_cannot_check_is_unknown_and_not_critical() {
    for more in [
        "--bogus",
        "--sample=1",
        "--config=none.yaml",
        "a:0",
        "127.0.0.1:1",
    ] {
        let outcome = goodcache(&["check", more, "-o", "nagios"]).run().expect(3);
        assert!(
            outcome.stdout.starts_with("UNKNOWN - "),
            "{}",
            outcome.stdout
        );
        assert_eq!(outcome.stdout.lines().count(), 1, "{}", outcome.stdout);
    }
}

#[test]
fn a_variable_that_makes_no_sense_is_named() {
    for (name, value, why) in [
        ("GOODCACHE_SAMPLE", "0", "write 0s"),
        ("GOODCACHE_OUTPUT", "yaml", "table"),
        ("REDIS_CLUSTER_NODES", "a:b", "is no address"),
        ("REDIS_CLUSTER_ENABLED", "maybe", "neither true nor false"),
        ("REDIS_CLUSTER_SLOTS_REFRESH_INTERVAL", "1m", "seconds"),
    ] {
        let outcome = goodcache(&["check", "--watch"]).env(name, value).run();
        assert_refused(outcome, 2, &[name, why]);
    }
}

#[test]
fn a_settings_file_that_makes_no_sense_is_told_with_its_place() {
    for (text, why) in [
        ("clusters:\n  a: {}\n  a: {}\n", "twice: \"a\" at line 2"),
        ("clusters:\n  a:\n    node: [b:1]\n", "line 3"),
        (
            "clusters:\n  a:\n    node: [b:1]\n",
            "did you mean 'nodes'?",
        ),
        (
            "clusters:\n  a:\n    password: pl4nted-s3cret\n",
            "password_file",
        ),
        (
            "clusters: {a: {nodes: ['redis://:pl4nted-s3cret@h:1']}}",
            "a password in a URL",
        ),
        ("clusters: {a: {nodes: b}}", "expected a list"),
        ("clusters: {a: {deadline: 5}}", "write 5s"),
        ("default: b\nclusters: {a: {}}", "'b'"),
        ("check: {fail_on: warn}", "critical, warning, never"),
        (
            "check: {thresholds: {memory.unlimted: {severity: off}}}",
            "'memory.unlimited'",
        ),
        ("chek: {}", "'check'"),
        ("[", "goodcache.yaml"),
    ] {
        let home = Home::new();
        home.file("goodcache.yaml", text);
        let outcome = home.goodcache(&["check"]).run();
        assert_refused(outcome, 2, &["goodcache.yaml", why]);
    }
}

#[test]
fn a_password_on_the_command_line_is_refused_and_not_repeated() {
    for args in [
        &["check", "--password", SECRET][..],
        &["check", "--password=pl4nted-s3cret"],
        &["check", "-a", SECRET],
        &["--pass", SECRET, "check"],
        &["check", "redis://:pl4nted-s3cret@h:1"],
        &["create", "redis://:pl4nted-s3cret@h:1"],
        &["redis://ann:pl4nted-s3cret@h:1"],
        &["create", "--nodes", "a:1,redis://:pl4nted-s3cret@h:1"],
    ] {
        assert_refused(goodcache(args).run(), 2, &["goodcache: "]);
    }
    let told = goodcache(&["check", "--password", SECRET]).run().stderr;
    assert!(
        told.contains("ps") && told.contains("--password-file"),
        "{told}"
    );
}

#[test]
fn a_password_file_that_everybody_can_read_is_warned_of() {
    let home = Home::new();
    let file = home.file("pw", SECRET);
    for (mode, is_told) in [(0o644, true), (0o600, false)] {
        private(&file, mode);
        let outcome = home
            .goodcache(&["check", "127.0.0.1:1", "--password-file", "pw"])
            .run();
        let outcome = outcome.expect(4);
        assert_eq!(
            outcome.stderr.contains("chmod 600 pw"),
            is_told,
            "{}",
            outcome.stderr
        );
        assert!(!outcome.stderr.contains(SECRET));
    }
}

/// What create would have saved.
fn save_profile(home: &Home) -> PathBuf {
    home.file(
        "state/goodcache/clusters/shop.yaml",
        "schema: 1\nname: shop\nmade: {by: nodes}\nnodes: ['127.0.0.1:1']\nuser: of-profile\n",
    )
}

#[test]
fn what_is_typed_outweighs_the_environment_the_file_and_what_was_saved() {
    let home = Home::new();
    save_profile(&home);
    let user = |args: &[&str], variable: Option<&str>| {
        let mut all = vec!["-v", "check", "shop"];
        all.extend(args);
        let mut run = home.goodcache(&all);
        if let Some(value) = variable {
            run = run.env("GOODCACHE_USER", value);
        }
        let told = run.run().expect(4).stderr;
        let row = told.lines().find(|line| line.starts_with("user "));
        row.unwrap_or_else(|| panic!("{told}")).to_owned()
    };
    let of_profile = user(&[], None);
    assert!(
        of_profile.contains("of-profile") && of_profile.contains("shop"),
        "{of_profile}"
    );
    home.file("goodcache.yaml", "clusters: {shop: {user: of-file}}");
    let of_file = user(&[], None);
    assert!(
        of_file.contains("of-file") && of_file.contains("clusters.shop.user"),
        "{of_file}"
    );
    let of_variable = user(&[], Some("of-variable"));
    assert!(of_variable.ends_with("GOODCACHE_USER"), "{of_variable}");
    let typed = user(&["--user", "typed"], Some("of-variable"));
    assert!(
        typed.contains("typed") && typed.ends_with("--user"),
        "{typed}"
    );
}

#[test]
fn a_cluster_that_is_not_known_is_said_with_the_nearest_name() {
    let home = Home::new();
    save_profile(&home);
    assert_refused(
        home.goodcache(&["check", "--cluster", "shpo"]).run(),
        2,
        &["'shop'"],
    );
    let as_host = home.goodcache(&["check", "shpo.invalid"]).run();
    assert_refused(as_host, 4, &["shpo.invalid:6379"]);
    assert_refused(home.goodcache(&["destroy", "shpo"]).run(), 5, &["shop"]);
    // It was not made here last, so a bare check does not guess.
    assert_refused(home.goodcache(&["check"]).run(), 2, &["known: shop"]);
}

#[test]
fn a_damaged_profile_is_named_and_not_taken_for_none() {
    let home = Home::new();
    let path = save_profile(&home);
    fs::write(&path, "schema: 1\nname: [").unwrap();
    for (args, code) in [
        (&["check", "shop"][..], 2),
        (&["create", "shop", "--local", "--yes"], 2),
        (&["destroy", "shop", "--confirm", "shop"], 1),
    ] {
        assert_refused(
            home.goodcache(args).run(),
            code,
            &["shop.yaml", "create again"],
        );
    }
}

#[test]
fn the_deployment_s_own_variables_are_obeyed() {
    let nodes = "127.0.0.1:1,127.0.0.1:2";
    let run = |enabled: &str| {
        goodcache(&["check"])
            .env("REDIS_CLUSTER_NODES", nodes)
            .env("REDIS_CLUSTER_ENABLED", enabled)
            .run()
    };
    assert_refused(run("true"), 4, &["127.0.0.1:1 refused"]);
    assert_refused(run("false"), 2, &["REDIS_CLUSTER_ENABLED is false"]);
    let mistyped = goodcache(&["check", "127.0.0.1:1"])
        .env("GOODCACHE_DEADLIN", "1s")
        .run();
    assert_refused(mistyped, 4, &["did you mean GOODCACHE_DEADLINE?"]);
}

#[test]
fn a_secret_is_shown_nowhere_and_kept_in_private_files_only() {
    let fleet = Fleet::start_with(6, |_| Spec {
        password: Some(SECRET.into()),
        ..Spec::default()
    });
    let home = Home::new();
    let password = home.file("pw", SECRET);
    private(&password, 0o600);
    let nodes = fleet.list();
    let mut told = String::new();
    for (args, code) in [
        (&["-v", "create", "shop", "--nodes", &nodes, "--yes"][..], 0),
        (&["-v", "check", "-o", "json"], 0),
        (&["-v", "check", "--save-survey", "survey.json"], 0),
        (&["-v", "destroy", "shop", "--confirm", "shop"], 0),
    ] {
        let run = home.goodcache(args).env("GOODCACHE_PASSWORD_FILE", "pw");
        let running = run.spawn();
        let line = fs::read(format!("/proc/{}/cmdline", running.pid())).unwrap_or_default();
        told.push_str(&String::from_utf8_lossy(&line));
        let outcome = running.wait().expect(code);
        told.push_str(&outcome.stdout);
        told.push_str(&outcome.stderr);
        for path in files(home.path()).iter().filter(|path| **path != password) {
            assert!(!holds(path, SECRET), "{} after {args:?}", path.display());
        }
    }
    assert!(!told.contains(SECRET), "{told}");
    let typed = home.goodcache(&["check", &fleet[0].addr(), "--password-file", "-"]);
    typed.stdin(format!("{SECRET}\n")).run().expect(0);
    let wrong = home.goodcache(&["check", &fleet[0].addr(), "--password-file", "-"]);
    assert_refused(
        wrong.stdin("wrong\n").run(),
        4,
        &["does not accept the password"],
    );
    assert_refused(
        home.goodcache(&["check", &fleet[0].addr()]).run(),
        4,
        &["wants a password", "--password-file"],
    );
}

#[test]
fn the_answer_is_on_stdout_and_all_else_on_stderr() {
    let fleet = Fleet::cluster(3, 0);
    let home = Home::new();
    let seed = fleet[0].addr();
    let json = home
        .goodcache(&["-v", "check", &seed, "-o", "json"])
        .run()
        .expect(0);
    assert_eq!(json.json()["schema"], 1);
    assert!(
        json.stderr.contains("REDIS_") || json.stderr.contains("default"),
        "{}",
        json.stderr
    );
    let quiet = home.goodcache(&["-q", "check", &seed]).run().expect(0);
    assert_eq!(quiet.stderr, "");
    assert!(
        !quiet.stdout.contains('\x1b'),
        "no colour without a terminal"
    );
    let coloured = home
        .goodcache(&["check", &seed, "--color", "always"])
        .run()
        .expect(0);
    assert!(coloured.stdout.contains('\x1b'));
    let limit = home
        .goodcache(&["check", &seed, "--fail-on", "warning"])
        .run();
    limit.expect(3);
    // A reader that leaves early changes neither the quiet nor the verdict.
    let program = env!("CARGO_BIN_EXE_goodcache");
    let script = format!("set -o pipefail; {program} check {seed} --fail-on warning | :");
    let piped = home.program("bash", &["-c", &script]).run().expect(3);
    assert!(!piped.stderr.contains("panicked"), "{}", piped.stderr);
    let script = format!("set -o pipefail; {program} --help | :");
    let piped = home.program("bash", &["-c", &script]).run().expect(0);
    assert_eq!(piped.stderr, "");
}

#[test]
fn a_layout_in_the_settings_file_is_made_as_written() {
    let fleet = Fleet::start(6);
    let home = Home::new();
    let [a, b, c, d, e, f] = fleet.addrs().try_into().unwrap();
    home.file(
        "goodcache.yaml",
        &format!(
            "clusters:\n  shop:\n    nodes: ['{a}', '{b}', '{c}', '{d}', '{e}', '{f}']\n    layout:\n\
             \x20     - {{master: '{f}', replicas: ['{a}'], slots: 0-99}}\n\
             \x20     - {{master: '{e}', replicas: ['{b}'], slots: 100-8191}}\n\
             \x20     - {{master: '{d}', replicas: ['{c}'], slots: 8192-16383}}\n"
        ),
    );
    let made = home
        .goodcache(&["create", "shop", "--yes", "-o", "json"])
        .run()
        .expect(0);
    assert_eq!(made.json()["report"]["is_usable"], true);
    let nodes = fleet[0].cli(&["CLUSTER", "NODES"]);
    for (master, slots) in [(&f, " 0-99"), (&e, " 100-8191"), (&d, " 8192-16383")] {
        let line = nodes
            .lines()
            .find(|line| line.contains(&format!(" {master}@")));
        assert!(
            line.is_some_and(|line| line.ends_with(slots)),
            "{master}: {nodes}"
        );
    }
    let line = nodes.lines().find(|line| line.contains("myself")).unwrap();
    assert!(line.contains(&fleet[5].id()), "{line}");
    home.goodcache(&["check", "shop"]).run().expect(0);
}

#[test]
fn zones_in_the_settings_file_decide_whether_a_loss_can_be_borne() {
    let fleet = Fleet::start(6);
    let home = Home::new();
    let write = |zones: [&str; 6]| {
        let addrs = fleet.addrs();
        let zones: Vec<String> = addrs
            .iter()
            .zip(zones)
            .map(|(addr, zone)| format!("'{addr}': {zone}"))
            .collect();
        let text = format!(
            "clusters: {{shop: {{nodes: {addrs:?}, zones: {{{}}}}}}}",
            zones.join(", ")
        );
        home.file("goodcache.yaml", &text);
        let args = [
            "create",
            "shop",
            "--require-tolerate",
            "zone",
            "--dry-run",
            "-o",
            "json",
        ];
        home.goodcache(&args).run()
    };
    assert_refused(
        write(["a", "a", "a", "a", "b", "c"]),
        5,
        &["zone a", "nothing was changed"],
    );
    let plan = write(["a", "b", "c", "a", "b", "c"]).expect(0).json();
    let zones: BTreeMap<String, usize> =
        fleet.addrs().into_iter().zip([0, 1, 2, 0, 1, 2]).collect();
    for shard in plan["report"]["shards"].as_array().unwrap() {
        let zone = |addr: &serde_json::Value| zones[addr.as_str().unwrap()];
        assert_ne!(
            zone(&shard["master"]),
            zone(&shard["replicas"][0]),
            "{plan}"
        );
    }
}

#[test]
fn a_local_cluster_is_made_mended_and_taken_away_with_nothing_left() {
    let home = Home::new();
    let base = free_ports(6);
    let port = base.to_string();
    let create = [
        "create",
        "demo",
        "--local",
        "--base-port",
        &port,
        "--dir",
        "nodes",
    ];
    assert_refused(home.goodcache(&create).run(), 5, &["PLAN", "--yes"]);
    let again = [&create[..], &["--yes"]].concat();
    home.goodcache(&again)
        .env("GOODCACHE_PASSWORD", SECRET)
        .run()
        .expect(0);
    for path in files(home.path()).iter().filter(|path| holds(path, SECRET)) {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", path.display());
    }
    let pid_file = home.path().join(format!("nodes/{}/pid", base + 3));
    let pid: u32 = fs::read_to_string(&pid_file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    crate::support::signal(pid, "TERM");
    until("the server ends", Duration::from_secs(20), || {
        !Path::new(&format!("/proc/{pid}/cwd")).exists()
    });
    let check = |code: i32| {
        let run = home
            .goodcache(&["check", "--sample", "0s"])
            .env("GOODCACHE_PASSWORD", SECRET);
        run.run().expect(code)
    };
    assert!(check(3).stdout.contains("node.down"));
    home.goodcache(&again)
        .env("GOODCACHE_PASSWORD", SECRET)
        .run()
        .expect(0);
    check(0);
    fs::write(home.path().join("nodes/notes.txt"), "mine").unwrap();
    assert_refused(
        home.goodcache(&["destroy", "demo"]).run(),
        5,
        &["--confirm demo"],
    );
    assert_refused(
        home.goodcache(&["destroy", "demo", "--confirm", "dmo"])
            .run(),
        5,
        &["--confirm demo"],
    );
    home.goodcache(&["destroy", "demo", "--confirm", "demo"])
        .run()
        .expect(0);
    let left: Vec<PathBuf> = files(home.path());
    assert_eq!(
        left,
        [home.path().join("nodes/notes.txt")],
        "what is not ours stays"
    );
}

#[test]
fn a_local_create_that_cannot_start_leaves_no_trace() {
    let home = Home::new();
    home.file("mine/precious", "x");
    let base = free_ports(6).to_string();
    for (more, code, why) in [
        (&["--server", "/bin/false"][..], 1, "did not come up"),
        (&["--server", "/nowhere/redis-server"], 1, "could not start"),
        (&["--dir", "mine"], 5, "nothing that goodcache made"),
        (&["--dir", "/proc/none"], 1, "/proc/none"),
        (&["--masters", "2"], 5, "--allow-small"),
    ] {
        let mut args = vec!["create", "demo", "--local", "--yes", "--base-port", &base];
        args.extend(more);
        assert_refused(home.goodcache(&args).run(), code, &[why, "next: "]);
        assert_eq!(
            files(home.path()),
            [home.path().join("mine/precious")],
            "{more:?}"
        );
    }
}

#[test]
fn help_shows_three_examples_and_the_exit_codes_in_a_hundred_columns() {
    let bare = goodcache(&[]).run().expect(2);
    assert!(bare.stderr.contains("Commands:") && bare.stdout.is_empty());
    for command in COMMANDS {
        let help = goodcache(&[command, "--help"]).run().expect(0);
        assert_eq!(help.stderr, "");
        let examples = help
            .stdout
            .lines()
            .filter(|line| line.starts_with("  goodcache "));
        assert!(examples.count() >= 3, "{command}");
        assert!(help.stdout.contains("Exit codes:\n  0  "), "{command}");
        assert!(!help.stdout.contains("--password "), "{command}");
        let short = goodcache(&[command, "-h"]).run().expect(0);
        assert!(short.stdout.len() < help.stdout.len());
        for line in help.stdout.lines().chain(short.stdout.lines()) {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
    }
    let check = goodcache(&["check", "--help"]).run().stdout;
    assert!(check.contains("healthy   what --wait waits for"), "{check}");
    let version = goodcache(&["--version"]).run().expect(0).stdout;
    assert_eq!(
        version,
        format!("goodcache {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn completions_and_man_pages_are_written_and_the_kept_ones_are_not_stale() {
    let home = Home::new();
    home.goodcache(&["generate", "completions", "c"])
        .run()
        .expect(0);
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    for name in ["goodcache.bash", "_goodcache", "goodcache.fish"] {
        let made = fs::read(home.path().join("c").join(name)).unwrap();
        assert!(
            fs::read(kept.join(name)).unwrap() == made,
            "make completions: {name}"
        );
    }
    let told = home
        .goodcache(&["generate", "man", "m"])
        .run()
        .expect(0)
        .stdout;
    // The subcommands of backup have theirs as well.
    assert_eq!(told.lines().count(), 1 + COMMANDS.len() + 9, "{told}");
    for command in COMMANDS {
        let page =
            fs::read_to_string(home.path().join(format!("m/goodcache-{command}.1"))).unwrap();
        assert!(page.contains("Exit codes"), "{command}");
    }
    home.file("occupied", "");
    let failed = home.goodcache(&["generate", "man", "occupied"]).run();
    assert_refused(failed, 1, &["occupied"]);
}

/// Loaded into a shell and asked as the Tab key asks.
#[test]
fn bash_completes_commands_options_and_values() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions/goodcache.bash");
    let ask = r#"source "$0" && COMP_WORDS=("$@") && COMP_CWORD=$(($# - 1)) &&
        _goodcache goodcache "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" &&
        echo "${COMPREPLY[*]}""#;
    let home = Home::new();
    for (typed, offered) in [
        ("goodcache che", "check"),
        ("goodcache check --expl", "--explain"),
        ("goodcache --tls --cluster shop check --wat", "--watch"),
        ("goodcache check -o j", "json junit"),
        ("goodcache create --require-tolerate z", "zone"),
    ] {
        let mut args = vec!["-c", ask, script.to_str().unwrap()];
        args.extend(typed.split(' '));
        let outcome = home.program("bash", &args).run().expect(0);
        assert_eq!(outcome.stdout.trim_end(), offered, "{typed}");
    }
}

#[test]
fn every_command_line_of_the_readme_is_one_that_goodcache_reads() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let mut read = 0;
    for line in text.lines() {
        let line = line.trim_start_matches(['$', ' ']);
        if !line.starts_with("goodcache ") {
            continue;
        }
        let words = line
            .split_whitespace()
            .take_while(|word| !["|", "||", "&&", ">", "<", "#", ";"].contains(word))
            .map(|word| word.trim_matches('\'').into());
        let words: Vec<std::ffi::OsString> = words.collect();
        if let Err(why) = goodcache::cli::options::parse(&words) {
            assert_eq!(why.exit_code(), 0, "{line}: {why}");
        }
        read += 1;
    }
    assert!(read >= 20, "only {read} command lines");
}

/// What CI runs as `make drill`, on free ports, is what the README tells people to run.
#[test]
fn the_ci_step_of_the_readme_is_what_ci_runs() {
    let read = |path| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let script = read("tests/ci-drill.sh").replace("\"$port\"", "7101");
    let run: Vec<&str> = script
        .lines()
        .filter_map(|line| line.strip_prefix("run "))
        .collect();
    let readme = read("README.md");
    let (_, step) = readme.split_once("**A CI step**").unwrap();
    let told: Vec<&str> = step
        .lines()
        .skip_while(|line| *line != "```sh")
        .skip(1)
        .take_while(|line| *line != "```")
        .collect();
    assert_eq!(told, run);
    assert!(read(".ci/run").contains("drill") && read("Makefile").contains("tests/ci-drill.sh"));
}
