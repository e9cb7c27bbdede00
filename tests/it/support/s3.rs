//! A real S3-compatible server: moto of `target/s3-venv` on a free loopback port, ended by its pid.
//! It keeps what it is given in memory.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::server::free_ports;
use super::wait::eventually;

const START_LIMIT: Duration = Duration::from_secs(60);

/// A running server with one bucket.
pub struct S3 {
    child: Child,
    port: u16,
}

impl S3 {
    /// Starts one, waits until it answers, and makes the bucket `goodcache`.
    ///
    /// # Panics
    /// When it is not installed, or does not come up.
    pub fn start() -> S3 {
        let program = program();
        assert!(
            program.exists(),
            "{} is missing: run tests/tools.sh s3",
            program.display()
        );
        let port = free_ports(1);
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut s3 = S3 { child, port };
        eventually("the S3 server answers", START_LIMIT, || {
            assert!(
                s3.child.try_wait().unwrap().is_none(),
                "the S3 server ended"
            );
            s3.ask("PUT", "/goodcache", "")
                .ok()
                .filter(|status| *status == 200)
        });
        s3
    }

    /// `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// From now on keys must be known: none are.
    pub fn refuse_all(&self) {
        assert_eq!(self.ask("POST", "/moto-api/reset-auth", "0").unwrap(), 200);
    }

    /// Stops answering, without closing anything.
    pub fn pause(&self) {
        super::server::signal(self.child.id(), "STOP");
    }

    /// One plain request; gives the status.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> std::io::Result<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let status = String::from_utf8_lossy(&answer);
        let status = status.split(' ').nth(1).and_then(|word| word.parse().ok());
        status.ok_or_else(|| std::io::Error::other("no status"))
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/s3-venv/bin/moto_server")
}
