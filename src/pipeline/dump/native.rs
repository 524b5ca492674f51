//! A dump without a client: dbhaul's own sessions send members, which go into the archive one by one.
//!
//! ```text
//! Producer ──▶ queue ──▶ this thread: Inspector, SHA-256 ──▶ archive::Writer
//!    │           └─ every member's end, and the end of all ──▶ MembersEnded ─▶ Proof
//! ```

use super::parallel_members::Watch;
use super::{CLIENT_ERROR_TIMEOUT, DumpRun, Written};
use crate::archive::{ArchiveError, Writer};
use crate::engine::members::{self, MemberReceiver, MembersEnded, NextMember, Producer};
use crate::error::{Error, Kind, Result};
use crate::pipeline::dump_error;
use crate::pipeline::restore::load::until_silent;
use crate::pipeline::watch::{ProgressHandle, on_thread, show_progress, until_stopped};
use crate::store::{SourceEnded, Store};

/// Moves all members into the archive. Whoever fails first ends the other.
pub async fn run(
    run: &DumpRun<'_>,
    producer: &dyn Producer,
    writer: Writer<Box<dyn Store>>,
    watch: Watch,
    progress: &ProgressHandle,
) -> Result<(Written, SourceEnded)> {
    let (sender, receiver) = members::queue();
    let flow = sender.flow();
    // The producer's silence is its own unless the archive makes it wait.
    let (waits, moved) = (|| flow.is_full(), || flow.moved());
    let mut archive = std::pin::pin!(on_thread(move || write(writer, receiver, watch)));
    let mut sending = Box::pin(show_progress(run.context, progress, async {
        tokio::select! {
            sent = until_stopped(run.context, producer.start(&run.context.limits, sender)) => sent,
            silent = until_silent(run.context, &run.source.connected, &waits, &moved, "no byte came") => Err(silent),
        }
    }));
    let (mut sent, mut written) = (None, None);
    tokio::select! {
        ended = &mut sending => sent = Some(ended),
        lost = run.lost() => {
            // Without the members the archive ends: its file goes before we do.
            drop(sending);
            let _ = archive.await;
            return Err(Error { kind: Kind::DumpFailed, ..lost });
        }
        // The archive ends first when it fails, or between the last member's end and the producer's own.
        ended = &mut archive => written = Some(ended?),
    }
    let written = match written {
        Some(Ok(written)) => {
            sent = Some(sending.await);
            Ok(written)
        }
        Some(failed) => {
            // What broke off says less than whoever broke it off.
            sent = tokio::time::timeout(CLIENT_ERROR_TIMEOUT, &mut sending).await.ok();
            failed
        }
        None => {
            // Dropping it closes the queue: what was not finished breaks off.
            drop(sending);
            archive.await?
        }
    };
    match (written, sent) {
        (Ok(_) | Err(ArchiveError::Source(_)), Some(Err(error))) => Err(error),
        (Ok((written, ended)), Some(Ok(()))) => Ok((written, SourceEnded::Members(ended))),
        (Err(error), _) => Err(dump_error(error)),
        (Ok(_), None) => Err(Error::new(Kind::Unexpected, "the archive ended before the dump did")),
    }
}

fn write(
    writer: Writer<Box<dyn Store>>,
    mut receiver: MemberReceiver,
    watch: Watch,
) -> Result<(Written, MembersEnded), ArchiveError> {
    let Watch { mut inspector, mut meter } = watch;
    let mut members = Vec::new();
    loop {
        let name = match receiver.next_member().map_err(ArchiveError::Source)? {
            NextMember::Begun(name) => name,
            NextMember::Ended(ended) => return Ok((Written { writer, members, inspector }, ended)),
        };
        inspector.begin_member(&name);
        members.extend(writer.member(&name, &mut receiver.member(), &mut |bytes| {
            inspector.see(bytes);
            meter.passed(bytes.len(), inspector.as_ref());
        })?);
    }
}
