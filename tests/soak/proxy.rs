//! A way to a server that can be cut and stopped.

use std::{
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

/// A port that leads to another one. Dropped, it closes everything.
pub struct Proxy {
    pub port: u16,
    way: Arc<Way>,
}

#[derive(Default)]
struct Way {
    /// Connections that were opened before the last cut are reset.
    cuts: AtomicU32,
    stalled: AtomicBool,
    over: AtomicBool,
}

const BEAT: Duration = Duration::from_millis(20);

impl Proxy {
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        listener.set_nonblocking(true).expect("a socket");
        let port = listener.local_addr().expect("its address").port();
        let way: Arc<Way> = Arc::default();
        let served = Arc::clone(&way);
        thread::spawn(move || {
            while !served.over.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((client, _)) => served.connect(client, server),
                    Err(_) => thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self { port, way }
    }

    /// Resets every connection; new ones are served.
    pub fn cut(&self) {
        self.way.cuts.fetch_add(1, Ordering::Relaxed);
    }

    /// Lets no byte through any more.
    pub fn stall(&self) {
        self.way.stalled.store(true, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.way.over.store(true, Ordering::Relaxed);
    }
}

impl Way {
    fn connect(self: &Arc<Self>, client: TcpStream, server: u16) {
        let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { return };
        let (client, server) = (Arc::new(client), Arc::new(server));
        let opened = self.cuts.load(Ordering::Relaxed);
        for (from, to) in [(Arc::clone(&client), Arc::clone(&server)), (server, client)] {
            from.set_nonblocking(false).expect("a socket");
            from.set_read_timeout(Some(BEAT)).expect("a socket");
            let way = Arc::clone(self);
            thread::spawn(move || way.pump(&from, &to, opened));
        }
    }

    fn pump(&self, mut from: &TcpStream, mut to: &TcpStream, opened: u32) {
        let mut buffer = [0; 65536];
        while !self.over.load(Ordering::Relaxed) {
            if self.cuts.load(Ordering::Relaxed) != opened {
                // Closed with bytes under way and no patience: a reset.
                let _ = rustix::net::sockopt::set_socket_linger(from, Some(Duration::ZERO));
                return;
            }
            if self.stalled.load(Ordering::Relaxed) {
                thread::sleep(BEAT);
                continue;
            }
            match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    if to.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => break,
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    }
}
