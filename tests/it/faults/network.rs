//! The way to the server: cut, silent, half open, slow; and the process of a tunnel.

use super::{Case, Fault, Grid, Held, Moment, Stage, Work};
use crate::support::{Proxy, Treatment, Wire, shared};

/// What is not waited for longer, where something falls silent.
const IMPATIENT: [&str; 6] = ["--idle-timeout", "2", "--connect-timeout", "2", "--grace-period", "1"];

/// A run through a proxy, held. A verify knows no network.
fn held(case: Case, moment: Moment, proxy: &Proxy, more: &[&str]) -> Held<'static> {
    let mut stage = Stage::at(case, moment);
    stage.through = Some(proxy.at());
    let command = stage.command().args(more);
    let held = stage.hold_as(command);
    held.stand_still();
    held
}

fn is_cut(case: Case, moment: Moment) -> Option<String> {
    (case.work != Work::Verify).then(|| {
        let proxy = Proxy::to(shared(case.flavour).port());
        let mut held = held(case, moment, &proxy, &[]);
        proxy.treat(Treatment::Reset);
        held.release();
        held.outcome()
    })
}

fn falls_silent(case: Case, moment: Moment) -> Option<String> {
    (case.work != Work::Verify).then(|| {
        let wire = Wire::lay();
        let proxy = Proxy::on(wire.listen(), shared(case.flavour).port());
        let mut held = held(case, moment, &proxy, &IMPATIENT);
        wire.cut();
        held.release();
        // The server hears nothing either: that its clients are gone it learns from the proxy.
        let ended = held.ended();
        proxy.treat(Treatment::Reset);
        ended.outcome()
    })
}

fn forgets_the_connection(case: Case, moment: Moment) -> Option<String> {
    (case.work != Work::Verify).then(|| {
        let wire = Wire::lay();
        let proxy = Proxy::on(wire.listen(), shared(case.flavour).port());
        let mut held = held(case, moment, &proxy, &IMPATIENT);
        wire.cut();
        // The RST is lost.
        proxy.treat(Treatment::Reset);
        wire.mend();
        held.release();
        held.outcome()
    })
}

#[test]
fn every_fault_of_the_network_at_every_moment() {
    Grid(&[
        Fault { name: "every connection is cut (RST)", run: &is_cut },
        Fault { name: "packets are dropped, for ever", run: &falls_silent },
        Fault { name: "the peer vanishes, and its machine comes back", run: &forgets_the_connection },
    ])
    .assert("network");
}
