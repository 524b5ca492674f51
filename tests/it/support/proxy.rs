//! TCP connections that a test can do things to.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::net::connect_unspec;

/// Passes connections on to a port of 127.0.0.1, until the test has it do something else. Dropped, it resets them all.
pub struct Proxy {
    at: SocketAddr,
    line: Arc<Line>,
}

/// What is done with every byte, of all connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Passed on at once.
    Passed,
    /// Passed on at so many bytes a second in each direction of each connection.
    Slow(u32),
    /// Neither passed on nor read.
    Stalled,
    /// Every connection gets a RST, the ones that come later, too.
    Reset,
}

struct Line {
    treatment: Mutex<Treatment>,
    changed: Condvar,
    /// Both ends of every connection.
    open: Mutex<Vec<[TcpStream; 2]>>,
    accepted: AtomicUsize,
    over: AtomicBool,
    /// Once so many bytes have come back on one connection, all are treated so.
    then: Option<(u64, Treatment)>,
}

impl Proxy {
    pub fn to(port: u16) -> Self {
        Self::on(TcpListener::bind(("127.0.0.1", 0)).expect("a free port"), port)
    }

    pub fn on(listener: TcpListener, port: u16) -> Self {
        Self::start(listener, port, 0, None)
    }

    /// Closes the first `refusals` connections right after it took them.
    pub fn refusing(listener: TcpListener, port: u16, refusals: usize) -> Self {
        Self::start(listener, port, refusals, None)
    }

    /// Passes on until more than so many bytes have come back on one connection.
    pub fn changing(port: u16, after: u64, then: Treatment) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        Self::start(listener, port, 0, Some((after, then)))
    }

    fn start(listener: TcpListener, port: u16, refusals: usize, then: Option<(u64, Treatment)>) -> Self {
        let at = listener.local_addr().expect("an address");
        let line = Arc::new(Line {
            treatment: Mutex::new(Treatment::Passed),
            changed: Condvar::new(),
            open: Mutex::default(),
            accepted: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            then,
        });
        let shared = Arc::clone(&line);
        thread::spawn(move || {
            for near in listener.incoming().flatten().take_while(|_| !shared.over.load(Ordering::SeqCst)) {
                if shared.accepted.fetch_add(1, Ordering::SeqCst) >= refusals {
                    shared.connect(near, port);
                }
            }
        });
        Self { at, line }
    }

    /// Where it listens.
    pub fn at(&self) -> SocketAddr {
        self.at
    }

    pub fn port(&self) -> u16 {
        self.at.port()
    }

    /// How many connections it took.
    pub fn accepted(&self) -> usize {
        self.line.accepted.load(Ordering::SeqCst)
    }

    /// From now on, of all connections.
    pub fn treat(&self, treatment: Treatment) {
        self.line.treat(treatment);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.line.over.store(true, Ordering::SeqCst);
        // Wakes the listener; a wire may be cut.
        let _ = TcpStream::connect_timeout(&self.at, Duration::from_millis(100));
        self.treat(Treatment::Reset);
    }
}

impl Line {
    fn connect(self: &Arc<Self>, near: TcpStream, port: u16) {
        let mut open = lock(&self.open);
        if *lock(&self.treatment) == Treatment::Reset {
            let _ = connect_unspec(&near);
            return;
        }
        let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { return };
        let again = |stream: &TcpStream| stream.try_clone().expect("a socket");
        for (from, to, back) in [(again(&near), again(&far), false), (again(&far), again(&near), true)] {
            let line = Arc::clone(self);
            thread::spawn(move || line.pass(from, to, back));
        }
        open.push([near, far]);
    }

    fn pass(&self, mut from: TcpStream, mut to: TcpStream, back: bool) {
        let (mut buffer, mut passed) = ([0; 4096], 0);
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            passed += count as u64;
            if let Some((after, then)) = self.then
                && back
                && passed > after
            {
                self.treat(then);
            }
            self.wait(count);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    }

    /// Until so many bytes may go on.
    fn wait(&self, bytes: usize) {
        let treatment = lock(&self.treatment);
        let stalled = |treatment: &mut Treatment| *treatment == Treatment::Stalled;
        let treatment = *self.changed.wait_while(treatment, stalled).unwrap_or_else(PoisonError::into_inner);
        if let Treatment::Slow(rate) = treatment {
            thread::sleep(Duration::from_secs_f64(bytes as f64 / f64::from(rate)));
        }
    }

    fn treat(&self, treatment: Treatment) {
        let open = lock(&self.open);
        *lock(&self.treatment) = treatment;
        self.changed.notify_all();
        if treatment == Treatment::Reset {
            // This is what Linux sends a RST for, whoever reads or writes meanwhile.
            for end in open.iter().flatten() {
                let _ = connect_unspec(end);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
