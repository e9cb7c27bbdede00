//! What carries data, from servers that mean harm: the replication link, answers to what is restored, a
//! server that quotes the password, names that lead out of a repository.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use goodcache::cluster::lane::{Batch, Lane};
use goodcache::cluster::replica::Base;
use goodcache::cluster::{Access, NodeError, Secret};
use goodcache::model::NodeAddr;

use crate::hostile::{fake, peak_mib, speaks};
use crate::support::{Home, Outcome};

const PASSWORD: &str = "PlantedPassword-5e71";
const PATIENCE: Duration = Duration::from_millis(600);
/// More than any of these may take of memory, MiB.
const BOUND: u64 = 96;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

/// Takes whatever a replica says, and goes on as told after PSYNC, over and over.
fn replicates(first: &'static [u8], again: Vec<u8>) -> NodeAddr {
    fake(move |mut stream| {
        let mut said = Vec::new();
        let mut bytes = [0; 4096];
        while !said.windows(5).any(|word| word == b"PSYNC") {
            match stream.read(&mut bytes) {
                Ok(count) if count > 0 => said.extend_from_slice(&bytes[..count]),
                _ => return,
            }
            let is_last = said.windows(5).any(|word| word == b"PSYNC");
            let answer: &[u8] = if is_last { first } else { b"+OK\r\n" };
            if stream.write_all(answer).is_err() {
                return;
            }
        }
        if again.is_empty() {
            // Silent from here on, until the other side goes.
            let _ = stream.read_to_end(&mut Vec::new());
        }
        while !again.is_empty() && stream.write_all(&again).is_ok() {}
    })
}

/// What comes of asking for its data: how much came, 64 MiB at the most, and how it ended.
fn base_of(addr: &NodeAddr) -> (u64, Option<NodeError>) {
    let mut access = Access::to([addr.clone()]);
    access.deadline = PATIENCE;
    run(async {
        let mut base = match Base::ask(&access, addr).await {
            Ok(base) => base,
            Err(error) => return (0, Some(error)),
        };
        let mut came = 0;
        while came < 64 << 20 {
            match base.next().await {
                Ok(Some(piece)) => {
                    assert!(piece.len() <= 4 << 20, "{} bytes at once", piece.len());
                    came += piece.len() as u64;
                }
                Ok(None) => return (came, None),
                Err(error) => return (came, Some(error)),
            }
        }
        (came, None)
    })
}

const FULL: &str = "+FULLRESYNC 07c37dfeb235213a872192d90877d0cd55635b91";

#[test]
fn a_replication_link_out_of_form_is_refused_in_words() {
    let leak = |text: String| -> &'static [u8] { Box::leak(text.into_boxed_str()).as_bytes() };
    for (answer, saw) in [
        ("+FULLRESYNC\r\n".to_owned(), "FULLRESYNC"),
        (format!("{FULL} -1\r\n"), "-1"),
        (format!("{FULL} 18446744073709551616\r\n"), "FULLRESYNC"),
        ("+CONTINUE\r\n".to_owned(), "CONTINUE"),
        (format!("{FULL} 0\r\n$-5\r\n"), "$-5"),
        (
            format!("{FULL} 0\r\n$18446744073709551616\r\n"),
            "$18446744073709551616",
        ),
        (format!("{FULL} 0\r\n$EOF:short\r\n"), "$EOF:short"),
        (format!("{FULL} 0\r\n*3\r\n"), "*3"),
    ] {
        let (came, error) = base_of(&replicates(leak(answer.clone()), Vec::new()));
        let error = error.expect("refused");
        let is_told = matches!(&error, NodeError::NotRedis { saw: told, .. } if told.contains(saw));
        assert!(is_told && came == 0, "{answer:?}: {error}");
    }
}

#[test]
fn a_replication_link_without_end_stays_small() {
    let before = peak_mib();
    let (came, _) = base_of(&replicates(
        b"+FULLRESYNC a 0\r\n$18446744073709551615\r\n",
        vec![0; 65_536],
    ));
    assert!(came >= 64 << 20, "{came}");
    let mark = b"+FULLRESYNC a 0\r\n$EOF:0123456789012345678901234567890123456789\r\n";
    let (came, _) = base_of(&replicates(mark, vec![b'0'; 65_536]));
    assert!(came >= 64 << 20, "{came}");
    // A line without end.
    let (came, error) = base_of(&replicates(b"+FULLRESYNC a 0\r\n", vec![b'$'; 65_536]));
    assert!(
        matches!(error, Some(NodeError::NotRedis { .. })),
        "{came} {error:?}"
    );
    let grown = peak_mib() - before;
    assert!(grown < BOUND, "{grown} MiB");
}

#[test]
fn answers_to_what_is_restored_without_end_stay_small() {
    let before = peak_mib();
    for (first, again) in [
        (&b"+"[..], vec![b'x'; 65_536]),
        (b"-ERR ", vec![b'x'; 65_536]),
        (b"$18446744073709551615\r\n", vec![b'x'; 65_536]),
        (b"*18446744073709551615\r\n", b":1\r\n".repeat(16_000)),
        (
            b"*9223372036854775807\r\n",
            b"*9223372036854775807\r\n".repeat(3_000),
        ),
        (b"$-7\r\n", b"$-7\r\n".repeat(3_000)),
        (b"", b"\x00\xff".repeat(30_000)),
    ] {
        let again = again.clone();
        let addr = fake(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(first);
            while stream.write_all(&again).is_ok() {}
        });
        let mut access = Access::to([addr.clone()]);
        access.deadline = PATIENCE;
        run(async {
            let mut lane = Lane::open(&access, &addr, PATIENCE).await.unwrap();
            let mut batch = Batch::default();
            for _ in 0..50 {
                batch.push(&[b"SET", b"k", b"v"]);
            }
            lane.send(Arc::new(batch)).await;
            // An answer that goes on for ever is waited for no longer than whoever restores waits; what
            // is out of form ends it.
            let _ = tokio::time::timeout(PATIENCE * 2, lane.answered()).await;
        });
    }
    let grown = peak_mib() - before;
    assert!(grown < BOUND, "{grown} MiB");
}

fn expect_hidden(outcome: &Outcome) {
    let said = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!said.contains(PASSWORD), "{said}");
    assert!(said.contains("unknown command"), "{said}");
}

#[test]
fn what_quotes_the_password_is_not_repeated() {
    // As servers answer what they do not know, and proxies that know no AUTH.
    let addr = speaks(|command| {
        let mut words = command.split(' ');
        let name = words.next().unwrap_or_default();
        let rest: Vec<String> = words.map(|word| format!("'{word}'")).collect();
        format!(
            "-ERR unknown command '{name}', with args beginning with: {}\r\n",
            rest.join(" ")
        )
        .into_bytes()
    });
    let mut access = Access::to([addr.clone()]);
    access.deadline = PATIENCE;
    access.credentials.password = Some(Secret::new(PASSWORD));
    let error = run(async { Base::ask(&access, &addr).await.map(|_| ()).unwrap_err() });
    assert!(!format!("{error} {error:?}").contains(PASSWORD), "{error}");
    assert!(error.to_string().contains("(set)"), "{error}");

    let home = Home::new();
    let seed = addr.to_string();
    for args in [
        &["check", &seed, "-v", "--sample", "0s"][..],
        &["check", &seed, "-o", "json", "--sample", "0s"],
        &["backup", &seed, "--repo", "backups", "-v"],
        &["tune", &seed, "--sample", "0s"],
        &["failover-test", &seed, "--confirm", &seed],
        &["rotate-password", &seed, "--generate", "--yes"],
    ] {
        let run = home.goodcache(args).env("REDIS_PASSWORD", PASSWORD);
        expect_hidden(&run.run());
    }
}

#[test]
fn no_name_leads_out_of_a_repository() {
    let home = Home::new();
    home.file("outside/secret", "of somebody else");
    let made = ["backup", "list", "--repo", "backups"];
    home.goodcache(&made).run();
    for name in [
        "../outside/secret",
        "..",
        "/etc/passwd",
        "a/../../outside/secret",
    ] {
        for args in [
            &["backup", "show", name, "--repo", "backups"][..],
            &["backup", "verify", name, "--repo", "backups"],
            &["backup", "export", name, "--repo", "backups", "--to", "out"],
        ] {
            let outcome = home.goodcache(args).run();
            assert!(
                [2, 4].contains(&outcome.code),
                "{args:?}: {}",
                outcome.stderr
            );
            assert!(!outcome.stderr.contains("of somebody else") && outcome.stdout.is_empty());
        }
    }
    assert!(!home.path().join("out").exists());
}
