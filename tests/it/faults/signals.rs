//! Signals to dbhaul, to its clients and to the server's side of a session.

use rustix::process::Signal;

use super::{Case, Fault, Grid, Moment, Stage};

fn dbhaul_is_sent(signal: Signal) -> impl Fn(Case, Moment) -> Option<String> {
    move |case, moment| {
        let held = Stage::at(case, moment).hold();
        held.running.signal(signal);
        Some(held.outcome())
    }
}

#[test]
fn every_signal_at_every_moment() {
    Grid(&[
        Fault { name: "dbhaul is sent INT", run: &dbhaul_is_sent(Signal::INT) },
        Fault { name: "dbhaul is sent TERM", run: &dbhaul_is_sent(Signal::TERM) },
    ])
    .assert("signals");
}
