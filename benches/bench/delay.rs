//! A wire with a delay: what a client sends arrives that much later, so each round trip takes that
//! much longer; answers come back at once. Nothing is limited but time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// Listens on `listener` for the server on `port` until the process ends.
pub fn delay(listener: TcpListener, port: u16, by: Duration) {
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            // A server that is gone closes its clients, as it would without a delay.
            let _ = join(client, port, by);
        }
    });
}

fn join(client: TcpStream, port: u16, by: Duration) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", port))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (sender, receiver) = channel();
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || read_from(from_client, &sender, by));
    thread::spawn(move || write_to(to_server, &receiver));
    thread::spawn(move || give_back(server, client));
    Ok(())
}

fn read_from(mut client: TcpStream, sender: &Sender<(Instant, Vec<u8>)>, by: Duration) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = client.read(&mut buffer) {
        if sender
            .send((Instant::now() + by, buffer[..read].to_vec()))
            .is_err()
        {
            return;
        }
    }
}

fn write_to(mut server: TcpStream, receiver: &Receiver<(Instant, Vec<u8>)>) {
    for (due, bytes) in receiver {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if server.write_all(&bytes).is_err() {
            break;
        }
    }
    // The client has hung up, or the server has: either way nothing more goes there.
    let _ = server.shutdown(Shutdown::Write);
}

fn give_back(mut server: TcpStream, mut client: TcpStream) {
    // Ends when either side hangs up, which is all that there is to know.
    let _ = io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}
