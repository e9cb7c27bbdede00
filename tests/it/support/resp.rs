//! A small client: one connection, RESP2, blocking, with a time limit on every read.
//!
//! The tests and the GoodBooks load speak to servers through it, so neither redis-cli nor the code
//! under test is needed to see what a server really says.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// What both a plain and a TLS stream are.
pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

/// What a server answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// `+OK` and its like.
    Simple(String),
    /// `-ERR ...`, without the dash.
    Error(String),
    /// `:1`.
    Integer(i64),
    /// A string of bytes; `None` is nil.
    Bulk(Option<Vec<u8>>),
    /// A list; nil is empty.
    Array(Vec<Reply>),
}

impl Reply {
    /// The text of a string or integer; an error is `Err`.
    pub fn text(self) -> Result<String, String> {
        match self {
            Reply::Error(text) => Err(text),
            other => Ok(other.to_string()),
        }
    }

    /// The texts of a list; of anything else none.
    pub fn texts(self) -> Vec<String> {
        match self {
            Reply::Array(items) => items.iter().map(Reply::to_string).collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Simple(text) | Reply::Error(text) => f.write_str(text),
            Reply::Integer(number) => number.fmt(f),
            Reply::Bulk(bytes) => f.write_str(&String::from_utf8_lossy(
                bytes.as_deref().unwrap_or_default(),
            )),
            Reply::Array(items) => {
                for item in items {
                    writeln!(f, "{item}")?;
                }
                Ok(())
            }
        }
    }
}

/// Appends a command as the server reads it.
pub fn encode(out: &mut Vec<u8>, command: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", command.len()).as_bytes());
    for argument in command {
        out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        out.extend_from_slice(argument);
        out.extend_from_slice(b"\r\n");
    }
}

/// One connection to one server.
pub struct Wire(BufReader<Box<dyn Stream>>);

impl Wire {
    /// Connects in the clear; both connecting and each read may take `limit`.
    pub fn plain(addr: &str, limit: Duration) -> io::Result<Wire> {
        Ok(Wire::over(Box::new(dial(addr, limit)?)))
    }

    /// Speaks over a stream that stands already.
    pub fn over(stream: Box<dyn Stream>) -> Wire {
        Wire(BufReader::with_capacity(64 * 1024, stream))
    }

    /// Sends one command and reads its reply.
    pub fn ask(&mut self, command: &[&str]) -> io::Result<Reply> {
        let command: Vec<&[u8]> = command.iter().map(|part| part.as_bytes()).collect();
        let mut out = Vec::new();
        encode(&mut out, &command);
        self.send(&out)?;
        self.read()
    }

    /// Sends bytes that [`encode`] made.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(bytes)?;
        self.0.get_mut().flush()
    }

    /// Reads one reply.
    pub fn read(&mut self) -> io::Result<Reply> {
        let line = self.line()?;
        let (kind, rest) = line.split_at(line.len().min(1));
        Ok(match kind {
            "+" => Reply::Simple(rest.to_owned()),
            "-" => Reply::Error(rest.to_owned()),
            ":" => Reply::Integer(number(rest)?),
            "$" => Reply::Bulk(self.bulk(number(rest)?)?),
            "*" => Reply::Array(
                (0..number(rest)?)
                    .map(|_| self.read())
                    .collect::<io::Result<_>>()?,
            ),
            _ => return Err(io::Error::other(format!("no reply: {line:?}"))),
        })
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\r\n") {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    fn bulk(&mut self, length: i64) -> io::Result<Option<Vec<u8>>> {
        let Ok(length) = usize::try_from(length) else {
            return Ok(None);
        };
        let mut bytes = vec![0; length + 2];
        self.0.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(Some(bytes))
    }
}

/// Opens a connection; both connecting and each read may take `limit`.
pub fn dial(addr: &str, limit: Duration) -> io::Result<TcpStream> {
    let addr = addr.to_socket_addrs()?.next();
    let addr = addr.ok_or_else(|| io::Error::other("the name has no address"))?;
    let stream = TcpStream::connect_timeout(&addr, limit)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(io::Error::other)
}
