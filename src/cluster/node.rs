//! One connection to exactly one node. Each question has a deadline; each reply its own result.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redis::aio::MultiplexedConnection;
use redis::{Arg, AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisError, Value};
use tokio::time::{Instant, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::access::Access;
use super::error::{NodeError, printable};
use super::guard::{Break, Seen};
use super::stream::{self, plain};
use super::view::read_view;
use crate::model::{NodeAddr, View};

/// A connection to one node. Cloning shares it.
#[derive(Clone)]
pub struct Node {
    addr: NodeAddr,
    user: Option<String>,
    connection: MultiplexedConnection,
    seen: Arc<Seen>,
    deadline: Duration,
    /// The end of what it is part of, when that comes before the deadline.
    until: Option<Instant>,
    certificate_ends: Option<SystemTime>,
    certificate: Option<[u8; 32]>,
    // The task that moves the bytes; it ends with the last clone.
    _driver: Arc<AbortOnDropHandle<()>>,
}

/// A command and its arguments, in the form in which they are sent.
#[derive(Clone)]
pub struct Command(Cmd);

impl Command {
    /// The command that stands there in words: `Command::words("CLUSTER NODES")`.
    pub fn words(line: &str) -> Command {
        let words = line.split_ascii_whitespace();
        words.fold(Command(Cmd::new()), Command::arg)
    }

    /// The same with one more argument, which may hold anything.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<[u8]>) -> Command {
        self.0.arg(argument.as_ref());
        self
    }
}

/// A reply, free of the client library's types.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Nothing.
    Nil,
    /// A whole number.
    Integer(i64),
    /// Text or bytes; `+OK` is the text `OK`.
    Bytes(Vec<u8>),
    /// A list; maps come as flat lists.
    List(Vec<Reply>),
}

impl Reply {
    /// As text, whatever is not UTF-8 replaced.
    pub fn text(&self) -> Option<String> {
        match self {
            Reply::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Reply::Integer(number) => Some(number.to_string()),
            Reply::Nil | Reply::List(_) => None,
        }
    }

    /// As it came, where it is text or bytes.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Reply::Bytes(bytes) => Some(bytes),
            Reply::Nil | Reply::Integer(_) | Reply::List(_) => None,
        }
    }

    /// As a number.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Reply::Integer(number) => Some(*number),
            Reply::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            Reply::Nil | Reply::List(_) => None,
        }
    }

    /// As a list; empty when it is none.
    pub fn list(&self) -> &[Reply] {
        match self {
            Reply::List(items) => items,
            _ => &[],
        }
    }

    fn of(value: Value) -> Reply {
        match value {
            Value::Int(number) => Reply::Integer(number),
            Value::BulkString(bytes) => Reply::Bytes(bytes),
            Value::SimpleString(text) => Reply::Bytes(text.into_bytes()),
            Value::Okay => Reply::Bytes(b"OK".to_vec()),
            Value::Array(items) | Value::Set(items) => {
                Reply::List(items.into_iter().map(Reply::of).collect())
            }
            Value::Map(pairs) => Reply::List(
                pairs
                    .into_iter()
                    .flat_map(|(key, value)| [Reply::of(key), Reply::of(value)])
                    .collect(),
            ),
            Value::Double(number) => Reply::Bytes(number.to_string().into_bytes()),
            Value::Boolean(is_so) => Reply::Integer(is_so.into()),
            Value::VerbatimString { text, .. } => Reply::Bytes(text.into_bytes()),
            _ => Reply::Nil,
        }
    }
}

impl Node {
    /// Connects and logs in, all within one deadline.
    pub async fn connect(access: &Access, addr: &NodeAddr) -> Result<Node, NodeError> {
        Node::connect_until(access, addr, Instant::now() + access.deadline).await
    }

    /// Connects and logs in before that moment.
    pub(super) async fn connect_until(
        access: &Access,
        addr: &NodeAddr,
        until: Instant,
    ) -> Result<Node, NodeError> {
        let node = Node::open(access, addr, until).await?;
        if let Some(password) = &access.credentials.password {
            let mut auth = Command::words("AUTH");
            if let Some(user) = &access.credentials.user {
                auth = auth.arg(user);
            }
            let auth = auth.arg(password.expose());
            match node.before(until).ask(&auth).await {
                Ok(_) => {}
                Err(error) => node.accept_if_open(error.without(password))?,
            }
        }
        Ok(node)
    }

    /// Connects and sends nothing.
    pub async fn connect_without_login(
        access: &Access,
        addr: &NodeAddr,
    ) -> Result<Node, NodeError> {
        Node::open(access, addr, Instant::now() + access.deadline).await
    }

    async fn open(access: &Access, addr: &NodeAddr, until: Instant) -> Result<Node, NodeError> {
        let stream::Opened {
            stream,
            seen,
            certificate_ends,
            certificate,
        } = stream::open(access, addr, until).await?;
        // No login, no library name: what is sent is ours to choose and to judge.
        let info = RedisConnectionInfo::default().set_skip_set_lib_name();
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_connection_timeout(None);
        let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config)
            .await
            .map_err(|e| explain(addr, &seen, &e, None))?;
        Ok(Node {
            addr: addr.clone(),
            user: access.credentials.user.clone(),
            connection,
            seen,
            deadline: access.deadline,
            until: None,
            certificate_ends,
            certificate,
            _driver: Arc::new(AbortOnDropHandle::new(tokio::spawn(driver))),
        })
    }

    /// A server without a password answers AUTH with an error of its own; that is a matter for the
    /// security rules, not a failure to log in.
    fn accept_if_open(&self, error: NodeError) -> Result<(), NodeError> {
        match &error {
            NodeError::Server { said, .. } if said.contains("without any password configured") => {
                Ok(())
            }
            NodeError::Server { said, .. } if said.contains("no password is set") => Ok(()),
            _ => Err(error),
        }
    }

    /// Where it is connected.
    pub fn addr(&self) -> &NodeAddr {
        &self.addr
    }

    /// Days until the node's certificate ends, negative when it has; `None` without TLS.
    pub fn certificate_days_left(&self) -> Option<i64> {
        let day = 86_400;
        let left = match self.certificate_ends?.duration_since(SystemTime::now()) {
            Ok(left) => i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            Err(over) => -i64::try_from(over.duration().as_secs()).unwrap_or(i64::MAX),
        };
        Some(left.div_euclid(day))
    }

    /// SHA-256 of the certificate that it showed; `None` without TLS.
    pub fn certificate(&self) -> Option<[u8; 32]> {
        self.certificate
    }

    /// The same connection with another deadline.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Node {
        Node {
            deadline,
            ..self.clone()
        }
    }

    /// Lets answers be larger than those of questions about a cluster ever are: for users' data.
    pub fn allow(&self, bytes: u64) {
        self.seen.allow(bytes);
    }

    /// The same connection, of which nothing may take longer than until then. A deadline that is
    /// missed is still named by its full length: others had their share of it.
    pub(super) fn before(&self, until: Instant) -> Node {
        Node {
            until: Some(until),
            ..self.clone()
        }
    }

    /// Asks one question.
    pub async fn ask(&self, command: &Command) -> Result<Reply, NodeError> {
        self.seen.question();
        let mut connection = self.connection.clone();
        let answer = connection.send_packed_command(&command.0);
        let value = self.wait(answer).await?;
        self.reply(value)
    }

    /// Asks in words.
    pub async fn say(&self, line: &str) -> Result<Reply, NodeError> {
        self.ask(&Command::words(line)).await
    }

    /// Asks many questions at once, in one flight; each reply is its own result. The deadline holds
    /// for the whole flight. An outer error means that nothing is known of any of them.
    pub async fn ask_all(
        &self,
        commands: &[Command],
    ) -> Result<Vec<Result<Reply, NodeError>>, NodeError> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        self.seen.question();
        let mut pipeline = Pipeline::with_capacity(commands.len());
        for command in commands {
            pipeline.add_command(command.0.clone());
        }
        pipeline.ignore_errors();
        let mut connection = self.connection.clone();
        let values = self
            .wait(connection.send_packed_commands(&pipeline, 0, commands.len()))
            .await?;
        Ok(values.into_iter().map(|value| self.reply(value)).collect())
    }

    /// CLUSTER NODES.
    pub async fn view(&self) -> Result<View, NodeError> {
        let reply = self.say("CLUSTER NODES").await?;
        read_view(&self.addr, &reply)
    }

    async fn wait<T>(
        &self,
        answer: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, NodeError> {
        let deadline = Instant::now() + self.deadline;
        let until = self.until.map_or(deadline, |until| until.min(deadline));
        let value = timeout_at(until, answer)
            .await
            .map_err(|_| self.timed_out())?
            .map_err(|e| explain(&self.addr, &self.seen, &e, self.user.as_deref()))?;
        self.seen.answered();
        Ok(value)
    }

    fn timed_out(&self) -> NodeError {
        // Something came, but never a whole reply, and not in the protocol's form: not a slow
        // server but another kind of server.
        stranger(&self.addr, &self.seen).unwrap_or_else(|| NodeError::Timeout {
            addr: self.addr.clone(),
            after: self.deadline,
        })
    }

    fn reply(&self, value: Value) -> Result<Reply, NodeError> {
        match value {
            Value::ServerError(error) => Err(NodeError::from_reply(
                &self.addr,
                error.code(),
                error.details().unwrap_or_default(),
                self.user.as_deref(),
            )),
            value => Ok(Reply::of(value)),
        }
    }
}

/// What the client library's error means, read together with what the guard saw.
fn explain(addr: &NodeAddr, seen: &Seen, error: &RedisError, user: Option<&str>) -> NodeError {
    if seen.is_flooded() {
        return NodeError::Flood {
            addr: addr.clone(),
            limit: seen.limit(),
        };
    }
    if let Some(stranger) = stranger(addr, seen) {
        return stranger;
    }
    match error.kind() {
        redis::ErrorKind::Parse => out_of_form(addr, seen),
        redis::ErrorKind::Io => ended(addr, seen, user),
        _ => match error.code() {
            Some(code) => {
                NodeError::from_reply(addr, code, error.detail().unwrap_or_default(), user)
            }
            None => NodeError::Closed {
                addr: addr.clone(),
                why: printable(&error.to_string()),
            },
        },
    }
}

/// What began otherwise than any Redis server.
fn stranger(addr: &NodeAddr, seen: &Seen) -> Option<NodeError> {
    let addr = addr.clone();
    if seen.looks_like_tls() {
        let why = "it speaks TLS, and this connection is plain".into();
        return Some(NodeError::Closed { addr, why });
    }
    let saw = seen.beginning().filter(|_| !seen.looks_like_redis())?;
    Some(NodeError::NotRedis { addr, saw })
}

fn out_of_form(addr: &NodeAddr, seen: &Seen) -> NodeError {
    NodeError::NotRedis {
        addr: addr.clone(),
        saw: seen.latest().unwrap_or_else(|| "nothing".into()),
    }
}

/// Why a connection ended.
fn ended(addr: &NodeAddr, seen: &Seen, user: Option<&str>) -> NodeError {
    // In a flight the library reports only that it stopped reading.
    if !seen.is_over() && seen.latest().is_some() {
        return out_of_form(addr, seen);
    }
    if let Some(words) = seen.last_words() {
        let (code, detail) = words.split_once(' ').unwrap_or((&words, ""));
        return NodeError::from_reply(addr, code, detail, user);
    }
    let addr = addr.clone();
    match seen.broken() {
        Some(Break::Tls(why)) => NodeError::Tls { addr, why },
        _ if seen.is_mute_tls() => NodeError::Tls {
            addr,
            why: "the server closed the connection after the handshake; it may demand a client \
                  certificate (--cert and --key)"
                .into(),
        },
        Some(Break::System(why)) => NodeError::Closed {
            addr,
            why: plain(&why),
        },
        None => NodeError::Closed {
            addr,
            why: String::new(),
        },
    }
}

/// Its name alone: arguments may be secret.
impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.0.args_iter().find_map(|part| match part {
            Arg::Simple(name) => Some(String::from_utf8_lossy(name)),
            _ => None,
        });
        write!(f, "Command({})", name.unwrap_or_default())
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.addr)
    }
}
