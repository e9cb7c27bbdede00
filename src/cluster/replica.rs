//! The replication link: a node's data set as it stands (the base, an RDB), and the commands that
//! change it from then on (the log), as a replica would get them.
//!
//! Two links to a node give a base with the log that belongs to it: one asks for the RDB only, and
//! while that is still being sent another goes on at the very offset where it began. So no copy of
//! the log waits in the server's output buffer, however long the base takes; the shortest backlog
//! is enough. Tried on Redis 6.2 to 8.2 and Valkey 8.0 and 9.1.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

use super::access::Access;
use super::error::NodeError;
use super::stream::{self, Bytes as Stream, from_io};
use crate::model::NodeAddr;

/// The longest silence on a link: servers send a newline every second while a base is prepared.
const SILENCE: Duration = Duration::from_secs(30);
/// The longest silence on the log: a PING comes every `repl-ping-replica-period` (10 s), and replicas
/// wait so long by default (`repl-timeout`).
const LOG_SILENCE: Duration = Duration::from_secs(60);
/// How much is read at once.
const PIECE: usize = 256 * 1024;
/// The longest line that a server may answer in.
const LONGEST_LINE: usize = 4096;
/// The mark that ends a base whose length was not known when it began.
const MARK: usize = 40;

/// A connection below any client library: what comes is read as bytes, as a replica does.
pub(super) struct Link {
    pub(super) addr: NodeAddr,
    pub(super) stream: Box<dyn Stream>,
    pub(super) came: BytesMut,
    silence: Duration,
}

/// A data set being sent. Read to its end, or dropped, which ends it.
pub struct Base {
    link: Link,
    frame: Frame,
    /// The history that it belongs to.
    pub replid: String,
    /// The offset at which the log goes on.
    pub offset: u64,
}

/// How the end of a base is known.
enum Frame {
    /// Nothing but keep-alives came so far.
    Waiting,
    /// So many bytes are left.
    Counted(u64),
    /// This mark comes last.
    Marked([u8; MARK]),
    /// It is over.
    Over,
}

/// The commands that change a data set, as they come.
pub struct Log {
    link: Link,
    /// The history, by its present name: it changes when a replica is promoted.
    pub replid: String,
    /// The offset after all that was read.
    pub offset: u64,
    /// When the server was last heard of. Whoever waits for the log does something else in between.
    heard: Instant,
}

/// What a server that is asked to go on at an offset may answer.
pub enum Resumed {
    /// It goes on there.
    Log(Log),
    /// It cannot: the offset is no longer, or not, in its backlog.
    Gap,
}

impl Base {
    /// Asks for the data set, and for nothing after it. Answers as soon as the server names the
    /// offset; the bytes follow when its child process has begun to write.
    ///
    /// # Errors
    /// As [`NodeError`]; a user without the right to PSYNC is [`NodeError::Forbidden`], a service
    /// that does not have it [`NodeError::Server`].
    pub async fn ask(access: &Access, addr: &NodeAddr) -> Result<Base, NodeError> {
        let mut link = Link::open(access, addr).await?;
        link.introduce(true).await?;
        let answer = link.ask(&["PSYNC", "?", "-1"]).await?;
        let mut words = answer.split_ascii_whitespace();
        let (Some("FULLRESYNC"), Some(replid), Some(offset)) = (
            words.next(),
            words.next(),
            words.next().and_then(|offset| offset.parse().ok()),
        ) else {
            return Err(link.out_of_form(&answer));
        };
        Ok(Base {
            link,
            frame: Frame::Waiting,
            replid: replid.to_owned(),
            offset,
        })
    }

    /// The next piece, of any size; `None` after the last.
    pub async fn next(&mut self) -> Result<Option<Bytes>, NodeError> {
        if let Frame::Waiting = self.frame {
            self.frame = self.begin().await?;
        }
        match self.frame {
            Frame::Waiting | Frame::Over => Ok(None),
            Frame::Counted(0) => {
                self.frame = Frame::Over;
                Ok(None)
            }
            Frame::Counted(left) => {
                if self.link.came.is_empty() {
                    self.link.more().await?;
                }
                let most = usize::try_from(left).unwrap_or(usize::MAX);
                let piece = self.link.came.split_to(most.min(self.link.came.len()));
                self.frame = Frame::Counted(left - piece.len() as u64);
                Ok(Some(piece.freeze()))
            }
            Frame::Marked(mark) => self.before_mark(&mark).await,
        }
    }

    /// `$<bytes>` or `$EOF:<mark>`, after any number of newlines.
    async fn begin(&mut self) -> Result<Frame, NodeError> {
        let line = self.link.line().await?;
        let told = line.strip_prefix('$').unwrap_or_default();
        if let Some(mark) = told.strip_prefix("EOF:") {
            let mark = mark.as_bytes().try_into();
            return mark
                .map(Frame::Marked)
                .map_err(|_| self.link.out_of_form(&line));
        }
        match told.parse() {
            Ok(bytes) => Ok(Frame::Counted(bytes)),
            Err(_) => Err(self.link.out_of_form(&line)),
        }
    }

    /// What lies certainly before the mark: as many bytes as it has are always held back. Nothing
    /// follows it on a link like this, and 6.2 does not close it either.
    async fn before_mark(&mut self, mark: &[u8; MARK]) -> Result<Option<Bytes>, NodeError> {
        loop {
            let came = &mut self.link.came;
            if came.ends_with(mark) {
                came.truncate(came.len() - MARK);
                self.frame = Frame::Over;
                let rest = came.split().freeze();
                return Ok((!rest.is_empty()).then_some(rest));
            }
            if came.len() > MARK {
                let sure = came.len() - MARK;
                return Ok(Some(came.split_to(sure).freeze()));
            }
            self.link.more().await?;
        }
    }
}

impl Log {
    /// Asks to go on in a history after `offset`, as a replica does that was away for a moment.
    pub async fn resume(
        access: &Access,
        addr: &NodeAddr,
        replid: &str,
        offset: u64,
    ) -> Result<Resumed, NodeError> {
        Log::resume_from(access, addr, replid, offset, offset).await
    }

    /// The same of a log of which only what comes up to `safe` may be acknowledged yet: the stream does
    /// not begin before something is.
    pub async fn resume_from(
        access: &Access,
        addr: &NodeAddr,
        replid: &str,
        offset: u64,
        safe: u64,
    ) -> Result<Resumed, NodeError> {
        let mut link = Link::open(access, addr).await?;
        link.introduce(false).await?;
        let next = (offset + 1).to_string();
        let answer = link.ask(&["PSYNC", replid, &next]).await?;
        let mut words = answer.split_ascii_whitespace();
        match words.next() {
            Some("CONTINUE") => {
                link.silence = LOG_SILENCE;
                let mut log = Log {
                    link,
                    replid: words.next().unwrap_or(replid).to_owned(),
                    offset,
                    heard: Instant::now(),
                };
                log.acknowledge(safe).await?;
                Ok(Resumed::Log(log))
            }
            Some("FULLRESYNC") => Ok(Resumed::Gap),
            _ => Err(link.out_of_form(&answer)),
        }
    }

    /// The next bytes of the log, as they are on the wire.
    pub async fn next(&mut self) -> Result<Bytes, NodeError> {
        if self.link.came.is_empty() {
            self.link.more_until(self.heard + self.link.silence).await?;
            self.heard = Instant::now();
        }
        let piece = self.link.came.split().freeze();
        self.offset += piece.len() as u64;
        Ok(piece)
    }

    /// Tells the server how far the log is safe. A server drops a link that stays silent for
    /// `repl-timeout`, and takes what is acknowledged for replicated: `WAIT` counts it.
    pub async fn acknowledge(&mut self, offset: u64) -> Result<(), NodeError> {
        let offset = offset.to_string();
        self.link.send(&["REPLCONF", "ACK", &offset]).await
    }
}

impl Link {
    pub(super) async fn open(access: &Access, addr: &NodeAddr) -> Result<Link, NodeError> {
        let opened = stream::open(access, addr, Instant::now() + access.deadline).await?;
        let mut link = Link {
            addr: addr.clone(),
            // The guard bounds answers to questions; this is no answer.
            stream: opened.stream.stream,
            came: BytesMut::with_capacity(PIECE),
            silence: access.deadline,
        };
        if let Some(password) = &access.credentials.password {
            let mut auth = vec!["AUTH"];
            auth.extend(access.credentials.user.as_deref());
            auth.push(password.expose());
            match link.ask(&auth).await {
                Err(NodeError::Server { said, .. }) if said.contains("without any password") => {}
                answer => drop(answer.map_err(|error| error.without(password))?),
            }
        }
        Ok(link)
    }

    /// What a replica says of itself. Valkey from 9 on writes the RDB in a dialect that suits the
    /// version named here; the highest gives its own. Others do not know the question.
    async fn introduce(&mut self, is_base: bool) -> Result<(), NodeError> {
        self.ask(&["REPLCONF", "listening-port", "0"]).await?;
        self.ask(&["REPLCONF", "capa", "eof"]).await?;
        self.ask(&["REPLCONF", "capa", "psync2"]).await?;
        match self.ask(&["REPLCONF", "version", "255.0.0"]).await {
            Ok(_) | Err(NodeError::Server { .. }) => {}
            Err(error) => return Err(error),
        }
        if is_base {
            self.ask(&["REPLCONF", "rdb-only", "1"]).await?;
        }
        self.silence = SILENCE;
        Ok(())
    }

    async fn ask(&mut self, words: &[&str]) -> Result<String, NodeError> {
        self.send(words).await?;
        let line = self.line().await?;
        match (line.strip_prefix('+'), line.strip_prefix('-')) {
            (Some(told), _) => Ok(told.to_owned()),
            (_, Some(refused)) => {
                let (code, detail) = refused.split_once(' ').unwrap_or((refused, ""));
                Err(NodeError::from_reply(&self.addr, code, detail, None))
            }
            _ => Err(self.out_of_form(&line)),
        }
    }

    async fn send(&mut self, words: &[&str]) -> Result<(), NodeError> {
        let mut command = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            command.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
        }
        let sent = timeout(self.silence, self.stream.write_all(&command)).await;
        sent.map_err(|_| self.silent())?
            .map_err(|error| from_io(&self.addr, &error))
    }

    /// The next line that is not empty: newlines between answers only say that the server lives.
    async fn line(&mut self) -> Result<String, NodeError> {
        loop {
            if let Some(end) = self.came.iter().position(|&byte| byte == b'\n') {
                let line = self.came.split_to(end + 1);
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if !line.is_empty() {
                    return Ok(line);
                }
                continue;
            }
            if self.came.len() > LONGEST_LINE {
                let line = String::from_utf8_lossy(&self.came[..64]).into_owned();
                return Err(self.out_of_form(&line));
            }
            self.more().await?;
        }
    }

    /// Waits for more bytes; the end of the stream is an error here.
    async fn more(&mut self) -> Result<(), NodeError> {
        self.more_until(Instant::now() + self.silence).await
    }

    async fn more_until(&mut self, deadline: Instant) -> Result<(), NodeError> {
        self.came.reserve(PIECE);
        let read = timeout_at(deadline, self.stream.read_buf(&mut self.came)).await;
        let count = read
            .map_err(|_| self.silent())?
            .map_err(|error| from_io(&self.addr, &error))?;
        match count {
            0 => Err(NodeError::Closed {
                addr: self.addr.clone(),
                why: "in the middle of replication".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    fn silent(&self) -> NodeError {
        NodeError::Timeout {
            addr: self.addr.clone(),
            after: self.silence,
        }
    }

    fn out_of_form(&self, line: &str) -> NodeError {
        NodeError::NotRedis {
            addr: self.addr.clone(),
            saw: super::error::printable(line),
        }
    }
}
