//! Signals to dbhaul, to its clients and to the server's side of a session.

use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::process::{Pid, Signal, kill_process};

use super::{Case, Fault, Grid, Held, Moment, Stage, Work, weaker};
use crate::support::{Database, Flavour, Server, child_of, eventually};

#[test]
fn every_signal_to_dbhaul_at_every_moment() {
    Grid(&[
        Fault { name: "dbhaul is sent INT", run: &dbhaul_is_sent(Signal::INT) },
        Fault { name: "dbhaul is sent TERM", run: &dbhaul_is_sent(Signal::TERM) },
        Fault { name: "dbhaul is sent TERM twice", run: &|case, moment| Some(term_twice(case, moment)) },
        Fault { name: "dbhaul is sent HUP", run: &dbhaul_is_sent(Signal::HUP) },
        Fault { name: "dbhaul is sent QUIT", run: &dbhaul_is_sent(Signal::QUIT) },
        Fault { name: "dbhaul is sent KILL", run: &dbhaul_is_sent(Signal::KILL) },
    ])
    .assert("signals");
}

#[test]
fn every_signal_to_a_client_at_every_moment() {
    Grid(&[
        Fault { name: "the client is sent TERM", run: &client_is_sent(Signal::TERM) },
        Fault { name: "the client is sent KILL", run: &client_is_sent(Signal::KILL) },
        Fault { name: "the client is sent STOP", run: &client_is_sent(Signal::STOP) },
        Fault { name: "a copy's dumper is sent KILL", run: &dumper_is_killed },
    ])
    .assert("clients");
}

#[test]
fn every_end_of_a_session_at_every_moment() {
    Grid(&[
        Fault { name: "the server ends the session", run: &session_is_ended },
        Fault { name: "a copy's source ends the session", run: &session_of_the_source_is_ended },
        Fault { name: "the server's backend is sent KILL", run: &backend_is_killed },
    ])
    .assert("sessions");
}

fn dbhaul_is_sent(signal: Signal) -> impl Fn(Case, Moment) -> Option<String> {
    move |case, moment| {
        let held = Stage::at(case, moment).hold();
        held.running.signal(signal);
        Some(held.outcome())
    }
}

fn term_twice(case: Case, moment: Moment) -> String {
    let mut held = Stage::at(case, moment).hold();
    // Two signals at one moment are one signal.
    eventually("it ends", || {
        let runs = held.running.is_running();
        if runs {
            held.running.signal(Signal::TERM);
        }
        !runs
    });
    held.outcome()
}

/// A client that is stopped is given up when it has been silent for long enough.
fn client_is_sent(signal: Signal) -> impl Fn(Case, Moment) -> Option<String> {
    move |case, moment| {
        if case.work == Work::Verify {
            return None;
        }
        let stage = Stage::at(case, moment);
        let mut command = stage.command();
        if signal == Signal::STOP {
            command = command.args(["--idle-timeout", "4", "--grace-period", "1"]);
        }
        let held = stage.hold_as(command);
        send(held.client(), signal);
        Some(held.outcome())
    }
}

fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(pid.cast_signed()).expect("a pid"), signal).expect("signal");
}

/// It has ended when all bytes have been handed on.
fn dumper_is_killed(case: Case, moment: Moment) -> Option<String> {
    if case.work != Work::Copy || moment == Moment::Sent {
        return None;
    }
    let held = Stage::at(case, moment).hold();
    let dumper = child_of(held.running.pid(), case.flavour.family().dump()).expect("a dumper");
    send(dumper, Signal::KILL);
    Some(held.outcome())
}

fn session_is_ended(case: Case, moment: Moment) -> Option<String> {
    let mut held = with_a_session(Stage::at, case, moment)?;
    end_sessions(if case.work == Work::Dump { &held.stage.source } else { &held.stage.target });
    // The client sees it when it goes on.
    held.release();
    Some(weaker(moment != Moment::Start, held.outcome()))
}

fn session_of_the_source_is_ended(case: Case, moment: Moment) -> Option<String> {
    if case.work != Work::Copy || !matches!(moment, Moment::Start | Moment::Middle) {
        return None;
    }
    let mut held = Stage::at(case, moment).hold();
    end_sessions(&held.stage.source);
    held.release();
    Some(held.outcome())
}

/// A run whose held client has a session: a dumper's is over when the last byte is written, `pg_restore` opens its own
/// when it has read the table of contents, and MySQL's may have said all that it has to say when everything is sent.
fn with_a_session<'s>(stage: impl FnOnce(Case, Moment) -> Stage<'s>, case: Case, moment: Moment) -> Option<Held<'s>> {
    let postgres = case.flavour.is_postgres();
    let there = match case.work {
        Work::Dump => matches!(moment, Moment::Start | Moment::Middle),
        Work::Restore | Work::Copy if postgres => moment != Moment::Start,
        Work::Restore | Work::Copy => moment != Moment::Sent,
        Work::Verify => false,
    };
    there.then(|| stage(case, moment).hold())
}

/// Ends every session in a database; at least one.
fn end_sessions(database: &Database<'_>) {
    eventually("a session to end", || database.end_sessions() > 0);
}

/// One backend's death makes PostgreSQL end all others, so this has a server of its own, and one run at a time.
fn backend_is_killed(case: Case, moment: Moment) -> Option<String> {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static ALONE: Mutex<()> = Mutex::new(());
    if !case.flavour.is_postgres() {
        return None;
    }
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let server = SERVER.get_or_init(|| Server::start(Flavour::Postgres15));
    let mut held = with_a_session(|case, moment| Stage::on(server, case, moment), case, moment)?;
    let database = if case.work == Work::Dump { &held.stage.source } else { &held.stage.target };
    let recovered = || server.log().matches("is ready to accept connections").count();
    let before = recovered();
    let sql = format!("SELECT pid FROM pg_stat_activity WHERE datname = '{}'", database.name());
    let mut backend = String::new();
    eventually("a backend", || {
        backend = server.sql(&sql);
        !backend.is_empty()
    });
    send(backend.lines().next().and_then(|pid| pid.parse().ok()).expect("a pid"), Signal::KILL);
    eventually("the server has recovered", || recovered() > before);
    held.release();
    // A loader that has not yet come to the end of what it was given notices at once.
    Some(weaker(case.work == Work::Copy && moment == Moment::LastByte, held.outcome()))
}
