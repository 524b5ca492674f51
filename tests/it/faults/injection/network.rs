//! The way to the server: cut, silent, half open, slow; and the process of a tunnel.

use std::path::Path;

use super::{Case, Fault, Grid, Held, Moment, Stage, Work, weaker};
use crate::support::{Proxy, Sshd, Treatment, Wire, dbhaul, descendants, kill, shared};

/// What is not waited for longer, where something falls silent.
const IMPATIENT: [&str; 6] = ["--idle-timeout", "6", "--connect-timeout", "6", "--grace-period", "1"];

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
        weaker(moment == Moment::LastByte, held.outcome())
    })
}

fn falls_silent(case: Case, moment: Moment) -> Option<String> {
    (case.work != Work::Verify).then(|| {
        let wire = Wire::lay();
        let proxy = Proxy::on(wire.listen(), shared(case.flavour).port());
        let mut held = held(case, moment, &proxy, &IMPATIENT);
        wire.cut();
        held.release();
        let ended = held.ended();
        // The server hears nothing either: that its clients are gone it learns from the proxy.
        proxy.treat(Treatment::Reset);
        weaker(moment != Moment::Start, ended.outcome())
    })
}

fn is_half_open(case: Case, moment: Moment) -> Option<String> {
    (case.work != Work::Verify).then(|| {
        let wire = Wire::lay();
        let proxy = Proxy::on(wire.listen(), shared(case.flavour).port());
        let mut held = held(case, moment, &proxy, &IMPATIENT);
        wire.cut();
        // The RST is lost: it comes again for what is sent after the machine is back.
        proxy.treat(Treatment::Reset);
        wire.mend();
        held.release();
        either(&weaker(moment == Moment::LastByte, held.outcome()))
    })
}

/// Who only listens gets a RST when it has something to acknowledge, and who writes when its system sends once more:
/// before or after `--idle-timeout`.
fn either(outcome: &str) -> String {
    let codes = [("6, ", "6 or 11, "), ("7, ", "7 or 11, ")];
    let found = codes.iter().find_map(|(code, both)| outcome.strip_prefix(code).map(|left| format!("{both}{left}")));
    let silent =
        outcome.strip_prefix("11, ").map(|left| format!("{} or 11, {left}", if left == "nothing" { 6 } else { 7 }));
    found.or(silent).unwrap_or_else(|| outcome.to_owned())
}

/// From its beginning, with as much as passes in some seconds: a silence that is shorter than `--idle-timeout` is none.
fn is_slow(case: Case, moment: Moment) -> Option<String> {
    (case.work != Work::Verify && moment == Moment::Start).then(|| {
        let server = shared(case.flavour);
        let mut stage = Stage::on(server, case, moment);
        let some = if case.flavour.is_postgres() { 200 } else { 8 };
        stage.source.sql(&format!("DELETE FROM much WHERE id > {some}"));
        if case.work == Work::Restore {
            let dump = dbhaul().client_dirs([server.client_dir()]).args(["dump", &stage.source.uri(), "-o", "-"]);
            stage.contents = Some(dump.run().expect_code(0).stdout);
        }
        let proxy = Proxy::to(server.port());
        proxy.treat(Treatment::Slow(64_000));
        stage.through = Some(proxy.at());
        let command = stage.command().args(["--idle-timeout", "60"]);
        let mut held = stage.hold_as(command);
        held.release();
        held.outcome()
    })
}

/// Of a copy, it is the tunnel to the target.
fn tunnel_is_killed(place: &str, ssh: &Path, case: Case, moment: Moment) -> Option<String> {
    (case.work != Work::Verify).then(|| {
        let mut stage = Stage::at(case, moment);
        stage.programs = Some(ssh.to_owned());
        let option = if case.work == Work::Copy { "--target-ssh" } else { "--ssh" };
        let command = stage.command().args([option, place]);
        let held = stage.hold_as(command);
        held.stand_still();
        let name = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        let ssh = descendants(held.running.pid()).into_iter().find(|pid| name(pid) == "ssh\n");
        kill(ssh.expect("an ssh of dbhaul's"));
        // It need not be told by a client: those stay as they are.
        held.outcome()
    })
}

#[test]
fn every_fault_of_the_network_at_every_moment() {
    let sshd = Sshd::start();
    let (place, ssh) = (sshd.place(), sshd.client());
    Grid(&[
        Fault { name: "every connection is cut (RST)", run: &is_cut },
        Fault { name: "packets are dropped, for ever", run: &falls_silent },
        Fault { name: "half open: the peer is gone, its machine is back", run: &is_half_open },
        Fault { name: "64 kB/s from the start", run: &is_slow },
        Fault { name: "the tunnel's ssh is killed", run: &|case, moment| tunnel_is_killed(&place, &ssh, case, moment) },
    ])
    .assert("network");
}
