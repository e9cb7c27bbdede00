//! One connection to exactly one node. Each question has a deadline; each reply its own result.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, Pipeline, RedisConnectionInfo, RedisError, Value};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::access::Access;
use super::error::NodeError;
use super::stream::{self, FLOOD_LIMIT, Seen, from_io};
use crate::model::{NodeAddr, View};

/// A connection to one node. Cloning shares it.
#[derive(Clone)]
pub struct Node {
    addr: NodeAddr,
    user: Option<String>,
    connection: MultiplexedConnection,
    seen: Arc<Seen>,
    deadline: Duration,
    certificate_ends: Option<SystemTime>,
    // The task that moves the bytes; it ends with the last clone.
    _driver: Arc<AbortOnDropHandle<()>>,
}

/// A command and its arguments.
#[derive(Debug, Clone)]
pub struct Command(Vec<Vec<u8>>);

impl Command {
    /// The command that stands there in words: `Command::words("CLUSTER NODES")`.
    pub fn words(line: &str) -> Command {
        Command(
            line.split_ascii_whitespace()
                .map(|word| word.as_bytes().to_vec())
                .collect(),
        )
    }

    /// The same with one more argument, which may hold anything.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<[u8]>) -> Command {
        self.0.push(argument.as_ref().to_vec());
        self
    }

    fn packed(&self) -> Cmd {
        let mut cmd = Cmd::new();
        for part in &self.0 {
            cmd.arg(part.as_slice());
        }
        cmd
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
    /// Connects and logs in.
    pub async fn connect(access: &Access, addr: &NodeAddr) -> Result<Node, NodeError> {
        let node = Node::connect_without_login(access, addr).await?;
        if let Some(password) = &access.credentials.password {
            let mut auth = Command::words("AUTH");
            if let Some(user) = &access.credentials.user {
                auth = auth.arg(user);
            }
            match node.ask(&auth.arg(password.expose())).await {
                Ok(_) => {}
                Err(error) => node.accept_if_open(error)?,
            }
        }
        Ok(node)
    }

    /// Connects and sends nothing.
    pub async fn connect_without_login(
        access: &Access,
        addr: &NodeAddr,
    ) -> Result<Node, NodeError> {
        let stream::Opened {
            stream,
            seen,
            certificate_ends,
        } = stream::open(access, addr).await?;
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
            certificate_ends,
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

    /// The same connection with another deadline.
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Node {
        Node {
            deadline,
            ..self.clone()
        }
    }

    /// Asks one question.
    pub async fn ask(&self, command: &Command) -> Result<Reply, NodeError> {
        self.seen.question();
        let mut connection = self.connection.clone();
        let cmd = command.packed();
        let asking = connection.send_packed_command(&cmd);
        let value = timeout(self.deadline, asking)
            .await
            .map_err(|_| self.timed_out())?
            .map_err(|e| explain(&self.addr, &self.seen, &e, self.user.as_deref()))?;
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
            pipeline.add_command(command.packed());
        }
        pipeline.ignore_errors();
        let mut connection = self.connection.clone();
        let asking = connection.send_packed_commands(&pipeline, 0, commands.len());
        let values = timeout(self.deadline, asking)
            .await
            .map_err(|_| self.timed_out())?
            .map_err(|e| explain(&self.addr, &self.seen, &e, self.user.as_deref()))?;
        Ok(values.into_iter().map(|value| self.reply(value)).collect())
    }

    /// CLUSTER NODES.
    pub async fn view(&self) -> Result<View, NodeError> {
        let reply = self.say("CLUSTER NODES").await?;
        self.read_view(&reply)
    }

    pub(super) fn read_view(&self, reply: &Reply) -> Result<View, NodeError> {
        let text = reply.text().unwrap_or_default();
        View::parse(&text).map_err(|error| NodeError::NotRedis {
            addr: self.addr.clone(),
            saw: error.to_string(),
        })
    }

    fn timed_out(&self) -> NodeError {
        // Something came, but never a whole reply, and not in the protocol's form: not a slow
        // server but another kind of server.
        match self.seen.beginning() {
            Some(saw) if !self.seen.looks_like_redis() => NodeError::NotRedis {
                addr: self.addr.clone(),
                saw,
            },
            _ => NodeError::Timeout {
                addr: self.addr.clone(),
                after: self.deadline,
            },
        }
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

/// What the client library's error means.
fn explain(addr: &NodeAddr, seen: &Seen, error: &RedisError, user: Option<&str>) -> NodeError {
    if seen.is_flooded() {
        return NodeError::Flood {
            addr: addr.clone(),
            limit: FLOOD_LIMIT,
        };
    }
    if let Some(saw) = seen.beginning().filter(|_| !seen.looks_like_redis()) {
        return NodeError::NotRedis {
            addr: addr.clone(),
            saw,
        };
    }
    match error.kind() {
        redis::ErrorKind::Parse => NodeError::NotRedis {
            addr: addr.clone(),
            saw: seen.beginning().unwrap_or_else(|| "nothing".into()),
        },
        redis::ErrorKind::Io => NodeError::Closed {
            addr: addr.clone(),
            why: String::new(),
        },
        _ => match error.code() {
            Some(code) => {
                NodeError::from_reply(addr, code, error.detail().unwrap_or_default(), user)
            }
            None => from_io(addr, &std::io::Error::other(error.to_string())),
        },
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Node({})", self.addr)
    }
}
