//! A TCP proxy on loopback whose port can be closed and opened again: a link that is cut.

use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

pub struct Proxy {
    address: SocketAddr,
    upstream: SocketAddr,
    door: Option<Door>,
}

/// The open port, and what came through it.
struct Door {
    closing: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Forwards to `upstream`, an endpoint in zenoh's words.
    pub fn to(upstream: &str) -> Self {
        let upstream = upstream.strip_prefix("tcp/").unwrap().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        Self { address, upstream, door: Some(Door::open(listener, upstream)) }
    }

    pub fn endpoint(&self) -> String {
        format!("tcp/{}", self.address)
    }

    /// Ends what is connected; whoever connects from now on is refused.
    pub fn close(&mut self) {
        if let Some(door) = self.door.take() {
            door.close(self.address);
        }
    }

    pub fn open(&mut self) {
        assert!(self.door.is_none(), "the port is open");
        let listener = TcpListener::bind(self.address).unwrap();
        self.door = Some(Door::open(listener, self.upstream));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.close();
    }
}

impl Door {
    fn open(listener: TcpListener, upstream: SocketAddr) -> Self {
        let closing = Arc::<AtomicBool>::default();
        let connections = Arc::<Mutex<Vec<TcpStream>>>::default();
        let (ends, kept) = (closing.clone(), connections.clone());
        let accept = move || {
            for client in listener.incoming() {
                if ends.load(Ordering::SeqCst) {
                    return;
                }
                // Nobody listens behind the proxy: the client is refused as well.
                if let (Ok(client), Ok(server)) = (client, TcpStream::connect(upstream)) {
                    join(&client, &server);
                    kept.lock().unwrap().extend([client, server]);
                }
            }
        };
        let accepting = thread::Builder::new().name("proxy".into()).spawn(accept).unwrap();
        Self { closing, connections, accepting }
    }

    fn close(self, address: SocketAddr) {
        self.closing.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts.
        drop(TcpStream::connect(address));
        self.accepting.join().unwrap();
        for connection in self.connections.lock().unwrap().iter() {
            // One that has ended by itself cannot be shut down again.
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

/// Copies both ways until either side ends.
fn join(client: &TcpStream, server: &TcpStream) {
    for (from, to) in [(client, server), (server, client)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let copy = move || {
            let _ = io::copy(&mut from, &mut to);
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
        };
        thread::Builder::new().name("proxy-copy".into()).spawn(copy).unwrap();
    }
}
