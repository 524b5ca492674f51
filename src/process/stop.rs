//! The wish to end, said by a signal: the first asks everything to end in order, the second allows no order.

use std::io;
use std::sync::Arc;

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::platform;

/// A handle that every part holds: who works looks at it, who waits waits for it. Clones are the same handle.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<Asked>>);

#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    first: Option<Signal>,
    at_once: bool,
}

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Asked::default())))
    }
}

impl Stop {
    /// A handle that INT, TERM, HUP and QUIT speak to from now on, for as long as the runtime of the caller lives.
    ///
    /// A HUP that was ignored when we started stays ignored (Linux only): that is what `nohup` asks for.
    pub fn listen() -> io::Result<Self> {
        let stop = Self::default();
        let mut heard = vec![
            (SignalKind::interrupt(), Signal::INT),
            (SignalKind::terminate(), Signal::TERM),
            (SignalKind::quit(), Signal::QUIT),
        ];
        if !platform::ignores_hangup() {
            heard.push((SignalKind::hangup(), Signal::HUP));
        }
        // A file that reaches the limit of its size is an error of the write, not our end. The handler stays.
        let _ = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()))?;
        for (kind, number) in heard {
            let mut stream = signal(kind)?;
            let stop = stop.clone();
            tokio::spawn(async move {
                while stream.recv().await.is_some() {
                    stop.request(number);
                }
            });
        }
        Ok(stop)
    }

    /// Asks for the end, as a signal does: the first call in order, the second at once.
    ///
    /// HUP never is a second: a closing terminal sends it twice, and systemd sends it right after TERM.
    pub fn request(&self, signal: Signal) {
        self.0.send_modify(|asked| match asked.first {
            None => asked.first = Some(signal),
            Some(_) => asked.at_once |= signal != Signal::HUP,
        });
    }

    /// The first signal, if there was one. Cheap enough to ask between blocks of data, from any thread.
    #[must_use]
    pub fn requested(&self) -> Option<Signal> {
        self.0.borrow().first
    }

    /// Waits for the first signal.
    pub async fn wait(&self) -> Signal {
        let mut asked = self.0.subscribe();
        loop {
            if let Some(signal) = asked.borrow_and_update().first {
                return signal;
            }
            if asked.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits for the second signal.
    pub async fn killed(&self) {
        if self.0.subscribe().wait_for(|asked| asked.at_once).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_signal_stays_and_only_a_deliberate_second_kills() {
        let stop = Stop::default();
        assert_eq!(stop.requested(), None);
        stop.request(Signal::TERM);
        stop.request(Signal::HUP);
        assert_eq!(stop.requested(), Some(Signal::TERM));
        assert!(!stop.0.borrow().at_once, "systemd's HUP after TERM is no second wish");
        stop.request(Signal::INT);
        assert!(stop.0.borrow().at_once);
        assert_eq!(stop.requested(), Some(Signal::TERM));
    }
}
