//! A copy: a throw-away server, with the node's settings, filled with data of its shape.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::random::Random;
use super::shape::{Group, Shape, Type};
use super::words::{member, value};
use crate::cluster::lane::{Batch, Lane};
use crate::cluster::{Access, Command, Node, NodeError};
use crate::host::process::ProcessError;
use crate::host::scratch::{Bed, Scratch};
use crate::model::Info;

/// How long a server may take to come up, and to end what it does in the background.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it may take over one answer.
const ANSWER: Duration = Duration::from_secs(30);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);
/// Bytes that go out together.
const FLIGHT: usize = 128 << 10;
/// Elements that one command adds.
const AT_ONCE: u64 = 200;

/// Why no trial could be run.
#[derive(Debug, thiserror::Error)]
pub enum NoCopy {
    /// No server could be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// What was started is no server, or none that takes these settings.
    #[error("{} could not be started as a copy: {how}", program.display())]
    NoServer {
        /// What was started.
        program: PathBuf,
        /// What it did instead, and said.
        how: String,
    },
    /// It is of another vendor than the node.
    #[error("{} is {is}, and the cluster runs {wanted}", program.display())]
    OtherVendor {
        /// What was started.
        program: PathBuf,
        /// What it is.
        is: String,
        /// What the node is.
        wanted: String,
    },
    /// It does not take the change that is to be tried.
    #[error("the copy ({server}) does not take {parameter} '{value}': {said}")]
    Refused {
        /// Its vendor and version.
        server: String,
        /// The setting.
        parameter: String,
        /// Its value.
        value: String,
        /// The server's words.
        said: String,
    },
    /// It refused the data.
    #[error("the copy refused the data: {0}")]
    NotFilled(String),
    /// It failed on the way.
    #[error("the throw-away server: {0}")]
    Server(#[from] NodeError),
}

/// A copy. Dropped, the server is gone.
pub struct Copy {
    scratch: Scratch,
    node: Node,
    /// How it is reached.
    pub access: Access,
    /// What it says of itself when it is up.
    pub info: Info,
}

impl Copy {
    /// Starts one with those settings in its file, and waits until it answers.
    pub async fn start(server: &Path, settings: &[(String, String)]) -> Result<Copy, NoCopy> {
        let mut scratch = Bed::make()?.start_empty(server, settings)?;
        let mut access = Access::to([scratch.addr.clone()]);
        access.credentials.password = Some(scratch.password.clone());
        access.deadline = ANSWER;
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = scratch.ended() {
                return Err(no_server(&scratch, format!("it ended ({status})")));
            }
            let looked = async {
                let node = Node::connect(&access, &scratch.addr).await?;
                let info = node.say("INFO").await?;
                Ok::<_, NodeError>((node, Info::parse(&info.text().unwrap_or_default())))
            };
            match looked.await {
                Ok((node, info)) if info.number("loading") == Some(0) => {
                    return Ok(Copy {
                        scratch,
                        node,
                        access,
                        info,
                    });
                }
                _ if Instant::now() > until => {
                    let how = format!("it did not answer within {} s", PATIENCE.as_secs());
                    return Err(no_server(&scratch, how));
                }
                _ => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> &crate::model::NodeAddr {
        &self.scratch.addr
    }

    /// The program that runs.
    pub fn program(&self) -> &Path {
        &self.scratch.program
    }

    /// Its vendor and version.
    pub fn server(&self) -> String {
        let version = self.info.version().map(|version| version.to_string());
        format!(
            "{} {}",
            self.info.vendor(),
            version.as_deref().unwrap_or("?")
        )
    }

    /// Its settings.
    pub async fn config(&self) -> Result<BTreeMap<String, String>, NodeError> {
        let reply = self.node.say("CONFIG GET *").await?;
        let pairs = reply.list().chunks_exact(2);
        let pairs = pairs.filter_map(|pair| Some((pair[0].text()?, pair[1].text()?)));
        Ok(pairs.collect())
    }

    /// Sets a setting; the server's words where it refuses.
    pub async fn set(&self, name: &str, value: &str) -> Result<Result<(), String>, NodeError> {
        let command = Command::words("CONFIG SET").arg(name).arg(value);
        match self.node.ask(&command).await {
            Ok(_) => Ok(Ok(())),
            Err(NodeError::Server { said, .. }) => Ok(Err(said)),
            Err(error) => Err(error),
        }
    }

    /// `used_memory`, in bytes.
    pub async fn used(&self) -> Result<u64, NodeError> {
        let memory = self.info_of("memory").await?;
        Ok(memory.number("used_memory").unwrap_or(0))
    }

    /// Waits until it writes no file in the background; at most a minute.
    pub async fn settle(&self) -> Result<(), NodeError> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let info = self.info_of("persistence").await?;
            let is_busy = |name| info.number(name).unwrap_or(0) > 0;
            if !is_busy("rdb_bgsave_in_progress") && !is_busy("aof_rewrite_in_progress") {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    async fn info_of(&self, section: &str) -> Result<Info, NodeError> {
        let reply = self.node.say(&format!("INFO {section}")).await?;
        Ok(Info::parse(&reply.text().unwrap_or_default()))
    }

    /// Fills it: the same shape is the same data, byte for byte.
    pub async fn fill(&self, shape: &Shape) -> Result<(), NoCopy> {
        let mut lane = Lane::open(&self.access, self.addr(), ANSWER).await?;
        let mut batch = Batch::with_capacity(FLIGHT * 2);
        for (place, group) in shape.groups.iter().enumerate() {
            for number in 0..group.keys {
                let mut random = Random::of(number ^ ((place as u64) << 40));
                push(group, number, &mut random, &mut batch);
                if batch.size() >= FLIGHT {
                    let full = std::mem::replace(&mut batch, Batch::with_capacity(FLIGHT * 2));
                    send(&mut lane, full).await?;
                }
            }
        }
        send(&mut lane, batch).await?;
        while !lane.is_idle() {
            answered(&mut lane).await?;
        }
        Ok(())
    }
}

fn no_server(scratch: &Scratch, did: String) -> NoCopy {
    let said = scratch.last_words();
    NoCopy::NoServer {
        program: scratch.program.clone(),
        how: match said.is_empty() {
            true => format!("{did} and said nothing"),
            false => format!("{did}; its last words: {said}"),
        },
    }
}

async fn send(lane: &mut Lane, batch: Batch) -> Result<(), NoCopy> {
    if batch.is_empty() {
        return Ok(());
    }
    while !lane.has_room() {
        answered(lane).await?;
    }
    lane.send(Arc::new(batch)).await;
    Ok(())
}

async fn answered(lane: &mut Lane) -> Result<(), NoCopy> {
    let answered = lane.answered().await?;
    match answered.answers.refused.into_iter().next() {
        Some((_, said)) => Err(NoCopy::NotFilled(said)),
        None => Ok(()),
    }
}

/// The commands that make one key.
fn push(group: &Group, number: u64, random: &mut Random, to: &mut Batch) {
    let key = group.key(number);
    let elements = group.elements_of(number);
    if group.kind == Type::String {
        let mut text = Vec::new();
        value(group, elements, random, &mut text);
        to.push(&[b"SET", &key, &text]);
    } else {
        let mut from = 0;
        while from < elements {
            let end = elements.min(from + AT_ONCE);
            push_elements(group, &key, from..end, random, to);
            from = end;
        }
    }
    // As many of a hundred as the family has, evenly.
    if group.expiring_percent > 0 && number % 100 < group.expiring_percent {
        let within = group.expiry_s + random.below(group.expiry_s);
        to.push(&[b"EXPIRE", &key, within.to_string().as_bytes()]);
    }
}

fn push_elements(
    group: &Group,
    key: &[u8],
    numbers: std::ops::Range<u64>,
    random: &mut Random,
    to: &mut Batch,
) {
    let mut words: Vec<Vec<u8>> = Vec::new();
    for number in numbers {
        let (mut name, mut text) = (Vec::new(), Vec::new());
        member(group, number, &mut name);
        let bytes = match number {
            0 => group.longest_bytes,
            _ => group.value_bytes,
        };
        match group.kind {
            Type::Hash => {
                value(group, bytes, random, &mut text);
                words.extend([name, text]);
            }
            Type::List => {
                value(group, bytes, random, &mut text);
                words.push(text);
            }
            Type::Set => words.push(name),
            Type::Zset => words.extend([number.to_string().into_bytes(), name]),
            Type::Stream => {
                value(group, bytes, random, &mut text);
                to.push(&[b"XADD", key, b"*", b"field", &text]);
            }
            Type::String => {}
        }
    }
    let name: &[u8] = match group.kind {
        Type::Hash => b"HSET",
        Type::List => b"RPUSH",
        Type::Set => b"SADD",
        Type::Zset => b"ZADD",
        Type::Stream | Type::String => return,
    };
    let words: Vec<&[u8]> = [name, key]
        .into_iter()
        .chain(words.iter().map(Vec::as_slice))
        .collect();
    to.push(&words);
}
