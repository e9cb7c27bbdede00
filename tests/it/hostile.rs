//! Servers that are none, or are broken, or mean harm: each is a row with the right state and words,
//! within the deadline, and none makes the program big.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use goodcache::cluster::{Access, Ask, survey};
use goodcache::model::{Answer, NodeAddr, NodeReport, Silence, Survey};

const DEADLINE: Duration = Duration::from_millis(600);
/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_millis(900);
const A: &str = "07c37dfeb235213a872192d90877d0cd55635b91";

/// Listens on a free port and treats each connection so, in a thread of its own.
pub fn fake(treat: impl Fn(TcpStream) + Send + Sync + 'static) -> NodeAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = NodeAddr::new("127.0.0.1", listener.local_addr().unwrap().port());
    accept(listener, treat);
    addr
}

fn accept(listener: TcpListener, treat: impl Fn(TcpStream) + Send + Sync + 'static) {
    let treat = Arc::new(treat);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let treat = treat.clone();
            thread::spawn(move || treat(stream));
        }
    });
}

/// Waits for a question, sends that, and then waits for the other side to go.
fn answers(bytes: impl Into<Vec<u8>>) -> NodeAddr {
    let bytes = bytes.into();
    fake(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&bytes);
        let _ = stream.read_to_end(&mut Vec::new());
    })
}

/// Sends the bytes over and over until the other side has had enough.
fn floods(first: &'static [u8], again: Vec<u8>) -> NodeAddr {
    fake(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(first);
        while stream.write_all(&again).is_ok() {}
    })
}

/// Reads commands and answers each, as a server would.
pub fn speaks(reply: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> NodeAddr {
    fake(move |stream| talk(stream, &reply))
}

pub fn talk(mut stream: TcpStream, reply: &impl Fn(&str) -> Vec<u8>) {
    let mut commands = BufReader::new(stream.try_clone().unwrap());
    while let Some(command) = read_command(&mut commands) {
        if stream.write_all(&reply(&command)).is_err() {
            return;
        }
    }
}

fn read_command(from: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    from.read_line(&mut line).ok()?;
    let count: usize = line.trim_end().strip_prefix('*')?.parse().ok()?;
    let mut words = Vec::new();
    for _ in 0..count {
        let mut word = String::new();
        from.read_line(&mut String::new()).ok()?;
        from.read_line(&mut word).ok()?;
        words.push(word.trim_end().to_owned());
    }
    Some(words.join(" "))
}

pub fn bulk(text: impl AsRef<[u8]>) -> Vec<u8> {
    let text = text.as_ref();
    [format!("${}\r\n", text.len()).as_bytes(), text, b"\r\n"].concat()
}

/// A node that knows only its view.
fn with_view(view: impl AsRef<[u8]>) -> NodeAddr {
    let view = bulk(view);
    speaks(move |command| match command {
        "CLUSTER NODES" => view.clone(),
        "PING" => b"+PONG\r\n".to_vec(),
        _ => b"-ERR unknown command\r\n".to_vec(),
    })
}

fn me(addr: &str) -> String {
    format!("{A} {addr}@2 myself,master - 0 0 1 connected 0-16383\n")
}

fn survey_of(seeds: impl IntoIterator<Item = NodeAddr>, ask: &Ask) -> (Survey, Duration) {
    let mut access = Access::to(seeds);
    access.deadline = DEADLINE;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let begun = Instant::now();
    let survey = runtime.block_on(survey(&access, ask));
    (survey, begun.elapsed())
}

#[track_caller]
fn only_row(addr: NodeAddr) -> NodeReport {
    let (mut survey, took) = survey_of([addr.clone()], &Ask::default());
    assert!(took < DEADLINE + SLACK, "{addr}: {took:?}");
    assert_eq!(survey.nodes.len(), 1, "{survey:?}");
    assert_eq!(survey.nodes[0].addr, addr);
    survey.nodes.remove(0)
}

/// Asserts the row of a node that says nothing of use. `{addr}` stands for its address.
#[track_caller]
fn assert_silent(addr: NodeAddr, silence: Silence, detail: &str) {
    let row = only_row(addr.clone());
    let Answer::Silent {
        silence: was,
        detail: said,
        ..
    } = row.answer
    else {
        panic!("it answered: {row:?}");
    };
    let detail = detail.replace("{addr}", &addr.to_string());
    assert_eq!((was, said), (silence, detail));
}

/// The most memory that this process ever held, in MiB.
pub fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let kib = line.trim().trim_end_matches(" kB");
    kib.parse::<u64>().unwrap() / 1024
}

const TIMEOUT: &str = "{addr} did not answer within 0.6 s";

#[test]
fn what_speaks_another_protocol_is_quoted() {
    let quoted = |saw: &str| format!("{{addr}} does not speak the Redis protocol: it sent {saw}");
    for (bytes, saw) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"[..],
            "\"HTTP/1.1 400 Bad Request\"",
        ),
        (b"\x00\x01\xff garbage", "\"\\x00\\x01\\xff garbage\""),
        (b":12x\r\n", "\":12x\""),
        (b"$12x\r\n", "\"$12x\""),
        (b"*x\r\n", "\"*x\""),
        (b"+\xff\xfe\r\n", "\"+\\xff\\xfe\""),
    ] {
        assert_silent(answers(bytes), Silence::NotRedis, &quoted(saw));
    }
    let banner = fake(|mut stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let saw = "\"SSH-2.0-OpenSSH_9.2p1 Debian-2\"";
    assert_silent(banner, Silence::NotRedis, &quoted(saw));
    let tls = answers(b"\x15\x03\x01\x00\x02\x02\x46".to_vec());
    let hint = "{addr} closed the connection: it speaks TLS, and this connection is plain";
    assert_silent(tls, Silence::Closed, hint);
}

#[test]
fn what_never_answers_costs_one_deadline() {
    // An HTTP server that waits for the end of the headers looks just so.
    assert_silent(answers(""), Silence::Timeout, TIMEOUT);
    assert_silent(answers("$5"), Silence::Timeout, TIMEOUT);
    assert_silent(answers("$999999999999\r\nxx"), Silence::Timeout, TIMEOUT);
    assert_silent(answers("*1000000000\r\n+OK\r\n"), Silence::Timeout, TIMEOUT);
    // One reply of eight, then nothing.
    assert_silent(answers(bulk(me("127.0.0.1:1"))), Silence::Timeout, TIMEOUT);
}

#[test]
fn a_full_backlog_is_a_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    // Nobody accepts; once the queue is full, further connections are not even set up.
    let patience = Duration::from_millis(200);
    let mut queue = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&at, patience) {
        queue.push(stream);
        assert!(queue.len() < 10_000);
    }
    assert_silent(
        NodeAddr::new("127.0.0.1", at.port()),
        Silence::NoConnection,
        "{addr} took no connection within 0.6 s",
    );
}

#[test]
fn what_closes_is_closed_and_its_last_words_are_kept() {
    let at_once = fake(drop);
    let row = only_row(at_once);
    assert_eq!(row.silence(), Some(Silence::Closed), "{row:?}");
    let half = fake(|mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&bulk(me("127.0.0.1:1")));
    });
    assert_silent(half, Silence::Closed, "{addr} closed the connection");
    let unread = fake(|mut stream| {
        // Closing with unread bytes makes the system send a reset.
        let _ = stream.read(&mut [0; 1]);
    });
    let reset = "{addr} closed the connection: connection reset by peer";
    assert_silent(unread, Silence::Closed, reset);
    for (words, silence, detail) in [
        (
            "-ERR max number of clients reached\r\n",
            Silence::Closed,
            "{addr} closed the connection: ERR max number of clients reached",
        ),
        (
            "-DENIED Redis is running in protected mode because so. In this mode\r\n",
            Silence::Forbidden,
            "{addr} does not permit this: DENIED Redis is running in protected mode because so",
        ),
    ] {
        // Said before any question, as servers do, and after it.
        let early = fake(move |mut stream| {
            let _ = stream.write_all(words.as_bytes());
            let _ = stream.read(&mut [0; 4096]);
        });
        assert_silent(early, silence, detail);
    }
}

#[test]
fn slow_answers_count_when_they_are_whole_in_time() {
    // Byte by byte, each its own packet.
    let dribbles = |pause: Duration| {
        fake(move |stream| {
            stream.set_nodelay(true).unwrap();
            talk(stream.try_clone().unwrap(), &|command| {
                let reply = match command {
                    "CLUSTER NODES" => bulk(me("127.0.0.1:1")),
                    _ => b"-ERR unknown command\r\n".to_vec(),
                };
                for byte in &reply {
                    let _ = (&stream).write_all(&[*byte]);
                    thread::sleep(pause);
                }
                Vec::new()
            });
        })
    };
    let row = only_row(dribbles(Duration::ZERO));
    let facts = row.facts().expect("an answer within the deadline");
    assert_eq!(facts.view.peers.len(), 1);
    assert_silent(
        dribbles(Duration::from_millis(20)),
        Silence::Timeout,
        TIMEOUT,
    );
}

#[test]
fn a_flood_is_cut_off_and_stays_small() {
    let cut = "{addr} sent more than 16 MiB in one answer and was cut off";
    let before = peak_mib();
    for (first, again) in [
        (&b"+"[..], vec![b'x'; 65_536]),
        (b"$999999999999\r\n", vec![b'x'; 65_536]),
        (b"*9223372036854775807\r\n", b"_\r\n".repeat(20_000)),
        (b"*1000000000\r\n", b":1\r\n".repeat(16_000)),
        (b"%1000000000\r\n", b"+\r\n".repeat(16_000)),
        (b"", b"*1\r\n*1\r\n*1\r\n_\r\n".repeat(4_000)),
    ] {
        let addr = floods(first, again);
        let (survey, _) = survey_of([addr.clone()], &Ask::default());
        let row = &survey.nodes[0];
        match &row.answer {
            // In a slow build the deadline may come first; it is a bound too.
            Answer::Silent {
                silence: Silence::NotRedis,
                detail,
                ..
            } if detail.starts_with(&cut.replace("{addr}", &addr.to_string())) => {}
            Answer::Silent {
                silence: Silence::Timeout,
                ..
            } => {}
            // The last one answers every question with nonsense before it goes too far.
            Answer::Silent {
                silence: Silence::NotRedis,
                ..
            } if first.is_empty() => {}
            other => panic!("{:?}: {other:?}", String::from_utf8_lossy(first)),
        }
    }
    let grown = peak_mib() - before;
    assert!(grown < 160, "{grown} MiB");
}

#[test]
fn odd_lengths_and_deep_nests_are_survived() {
    let deep = [b"*1\r\n".repeat(200), b":1\r\n".to_vec()].concat();
    for bytes in [
        deep,
        b"$-5\r\n".repeat(8),
        b"*-1\r\n".repeat(8),
        b"%-1\r\n".repeat(8),
        b"|9223372036854775807\r\n".to_vec(),
        b"|-1\r\n".to_vec(),
        b"~-3\r\n".repeat(8),
        b">0\r\n".repeat(8),
        b">1\r\n:1\r\n".repeat(8),
        b"=-1\r\n".to_vec(),
        b"!-1\r\n".to_vec(),
        b"$18446744073709551615\r\n".to_vec(),
        b",nan\r\n".repeat(8),
        b"(1\r\n".repeat(8),
        b"\r\n".repeat(8),
    ] {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(30)]).into_owned();
        let row = only_row(answers(bytes));
        let silence = row.silence().expect("no answer");
        assert!(
            matches!(silence, Silence::NotRedis | Silence::Timeout),
            "{shown:?}: {row:?}"
        );
    }
}

#[test]
fn views_that_no_sound_server_gives_are_refused_in_words() {
    let bad = |why: &str| format!("{{addr}} gave no sound answer to CLUSTER NODES: {why}");
    let line = me("127.0.0.1:1");
    for (view, why) in [
        (
            b"hello\n".to_vec(),
            "line 1: 1 fields where at least 8 belong",
        ),
        (
            b"\xff\xfe\xfd".to_vec(),
            "line 1: 1 fields where at least 8 belong",
        ),
        (Vec::new(), "0 of 0 lines say 'myself', where one belongs"),
        (
            line.replace("myself,", "").into(),
            "0 of 1 lines say 'myself', where one belongs",
        ),
        (
            format!("{line}{}", line.replace("myself,", "")).into(),
            "node 07c37dfeb235213a872192d90877d0cd55635b91 stands there twice",
        ),
        (
            line.replace("@2", "@2,a\u{1b}]0;owned\u{7}").into(),
            "node 07c37dfe announces 'a\\u{1b}]0;owned\\u{7}', which is no host",
        ),
    ] {
        assert_silent(with_view(view), Silence::NotRedis, &bad(why));
    }
    let refusing = speaks(|_| b"-ERR unknown command 'CLUSTER'\r\n".to_vec());
    let said = "{addr} answered: ERR unknown command 'CLUSTER'";
    assert_silent(refusing, Silence::Forbidden, said);
    let busy = speaks(|_| b"-BUSY Redis is busy running a script.\r\n".to_vec());
    let said = "{addr} answered: BUSY Redis is busy running a script.";
    assert_silent(busy, Silence::Timeout, said);
}

#[test]
fn a_server_that_answers_what_was_not_asked_is_a_row_without_those_parts() {
    // Every reply of the wrong kind: numbers and lists where text belongs, and texts for lists.
    let view = bulk(me("127.0.0.1:1"));
    let addr = speaks(move |command| match command {
        "CLUSTER NODES" => view.clone(),
        "TIME" => b"*2\r\n:-9223372036854775808\r\n:-9223372036854775808\r\n".to_vec(),
        "SLOWLOG GET 32" => b"*2\r\n*4\r\n:1\r\n:-1\r\n:1\r\n*0\r\n$-1\r\n".to_vec(),
        "CONFIG GET *" => b"*3\r\n:1\r\n*0\r\n$1\r\nx\r\n".to_vec(),
        "PING" => b"+PONG\r\n".to_vec(),
        _ => b":-7\r\n".to_vec(),
    });
    let ask = Ask {
        pings: 3,
        is_canary: true,
        is_deep: true,
        ..Ask::default()
    };
    let (survey, _) = survey_of([addr], &ask);
    let facts = survey.nodes[0].facts().expect("an answer");
    assert_eq!(facts.pings_us.len(), 3);
    assert!(facts.slow.is_empty() && facts.users.is_empty());
}

#[test]
fn a_view_of_20_000_nodes_is_read_and_no_more_than_2_000_are_asked() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut view = me(&format!("127.0.0.1:{port}"));
    // Port 1 of so many loopback addresses: refused at once.
    for n in 0..20_000_u32 {
        let (high, low) = (n / 250, n % 250 + 1);
        view += &format!("{n:040x} 127.9.{high}.{low}:1@2 slave {A} 0 0 1 connected\n");
    }
    let view = bulk(view);
    accept(listener, move |stream| {
        talk(stream, &|command| match command {
            "CLUSTER NODES" => view.clone(),
            _ => b"-ERR unknown command\r\n".to_vec(),
        });
    });
    let (survey, took) = survey_of([NodeAddr::new("127.0.0.1", port)], &Ask::default());
    assert_eq!(survey.nodes.len(), 20_001);
    let refused = survey
        .nodes
        .iter()
        .filter(|node| node.silence() == Some(Silence::Refused));
    assert_eq!(refused.count(), 1999);
    let not_asked = |node: &&NodeReport| match &node.answer {
        Answer::Silent { detail, .. } => detail == "not asked: the views name more than 2000 nodes",
        Answer::Facts(_) => false,
    };
    assert_eq!(survey.nodes.iter().filter(not_asked).count(), 18_001);
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_node_that_calls_itself_by_a_thousand_addresses_is_one_row() {
    let asked = Arc::new(AtomicUsize::new(0));
    let most = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut view = me(&format!("127.0.0.1:{port}"));
    for n in 0..1000_u32 {
        let (high, low) = (n / 250, n % 250 + 1);
        view += &format!("{n:040x} 127.8.{high}.{low}:{port}@2 master - 0 0 1 connected\n");
    }
    // The first to ask is sent everywhere; from there on it is the same node again and again.
    let (far, near) = (bulk(view), bulk(me("127.0.0.1:1")));
    let (counting, open) = (asked.clone(), most.clone());
    accept(listener, move |stream| {
        let view = match counting.fetch_add(1, Ordering::SeqCst) {
            0 => &far,
            _ => &near,
        };
        let now = open.0.fetch_add(1, Ordering::SeqCst) + 1;
        open.1.fetch_max(now, Ordering::SeqCst);
        talk(stream, &|command| match command {
            "CLUSTER NODES" => view.clone(),
            _ => b"-ERR unknown command\r\n".to_vec(),
        });
        open.0.fetch_sub(1, Ordering::SeqCst);
    });
    let (survey, _) = survey_of([NodeAddr::new("127.0.0.1", port)], &Ask::default());
    assert_eq!(survey.answered().count(), 1);
    // Some may wait in the queue of this slow server for longer than the deadline.
    assert!(asked.load(Ordering::SeqCst) <= 1001);
    // The other side learns of an end a little late.
    let most = most.1.load(Ordering::SeqCst);
    assert!(most <= 256 + 64, "{most} at once");
}

#[test]
fn nobody_who_was_not_named_is_sent_the_password() {
    let (said, heard) = std::sync::mpsc::channel();
    let said = std::sync::Mutex::new(said);
    let addr = fake(move |mut stream| {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = said.lock().unwrap().send(bytes);
    });
    let mut access = Access::to([]);
    access.deadline = DEADLINE;
    access.credentials.password = Some(goodcache::cluster::Secret::new("PasswordOfTheCluster"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let connect = |access: &Access| {
        let connected = runtime.block_on(goodcache::cluster::Node::connect(access, &addr));
        connected.map(|_| ()).unwrap_err()
    };
    let error = connect(&access);
    assert_eq!(error.silence(), Some(Silence::NotAsked), "{error}");
    assert_eq!(
        heard.recv_timeout(DEADLINE).unwrap(),
        b"",
        "nothing at all was sent"
    );

    // The same address by its name: now it is asked, and says nothing.
    let error = connect(&access.naming([addr.clone()]));
    assert_eq!(error.silence(), Some(Silence::Timeout), "{error}");
    let sent = heard.recv_timeout(DEADLINE).unwrap();
    assert!(sent.starts_with(b"*2\r\n$4\r\nAUTH\r\n"), "{sent:?}");
}
