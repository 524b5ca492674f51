//! The first change of a copy's target. It waits until the source has begun to send: what is dropped can't come back.

use std::cell::RefCell;
use std::io::{Cursor, Read};

use crate::engine::{Content, RestoreOptions};
use crate::error::{Error, Kind, Result};
use crate::pipeline::Context;
use crate::pipeline::connect::ConnectedServer;
use crate::pipeline::restore::load::Feed;
use crate::pipeline::target::{self, Ends, PREPARING};
use crate::pipeline::watch::on_thread;

/// Makes or empties the target, once, however often the copy begins.
pub struct Preparing<'a> {
    context: &'a Context,
    target: &'a ConnectedServer,
    properties: &'a Content,
    options: &'a RestoreOptions,
    stage: RefCell<Stage>,
}

enum Stage {
    /// Nothing was done to the target.
    Untouched,
    /// Dropping or creating has begun, and has not ended.
    Begun,
    /// What was done, for people.
    Done(Vec<String>),
}

impl<'a> Preparing<'a> {
    /// For a target that gets these properties.
    pub fn new(
        context: &'a Context,
        target: &'a ConnectedServer,
        properties: &'a Content,
        options: &'a RestoreOptions,
    ) -> Self {
        Self { context, target, properties, options, stage: RefCell::new(Stage::Untouched) }
    }

    /// Waits for the dump's first bytes, then prepares the target.
    pub async fn behind(&self, feed: Feed) -> Result<Feed> {
        if matches!(*self.stage.borrow(), Stage::Done(_)) {
            return Ok(feed);
        }
        let feed = begun(feed).await?;
        self.once().await?;
        Ok(feed)
    }

    /// Prepares the target, unless that was done.
    pub async fn once(&self) -> Result<()> {
        if matches!(*self.stage.borrow(), Stage::Done(_)) {
            return Ok(());
        }
        self.stage.replace(Stage::Begun);
        let done = target::prepare(self.context, self.target, self.properties, self.options).await?;
        self.stage.replace(Stage::Done(done));
        Ok(())
    }

    /// What was done to the target, for people.
    pub fn done(&self) -> Vec<String> {
        match &*self.stage.borrow() {
            Stage::Done(done) => done.clone(),
            Stage::Untouched | Stage::Begun => Vec::new(),
        }
    }

    /// Whether the copy may begin again.
    pub fn is_repeatable(&self) -> bool {
        !matches!(*self.stage.borrow(), Stage::Begun)
    }

    /// What a failure left of the target.
    pub fn say_what_is_left(&self, error: Error, ends: Ends, all_fed: bool) -> Error {
        let says = |line: &str| error.why.iter().any(|why| why == line);
        match &*self.stage.borrow() {
            Stage::Untouched if !ends.atomic => error.unchanged(),
            Stage::Untouched => target::say_what_is_left(self.target, error, ends, all_fed, &[]),
            _ if self.target.replaced.is_some() => error,
            // Its own failure says so; the source's may come meanwhile.
            Stage::Begun if error.kind == Kind::Refused || says(PREPARING) => error,
            Stage::Begun => error.why(PREPARING),
            Stage::Done(done) => target::say_what_is_left(self.target, error, ends, all_fed, done),
        }
    }
}

/// A feed whose first bytes have come.
async fn begun(feed: Feed) -> Result<Feed> {
    let Feed { mut dump, waiting, broken } = feed;
    let mut first = vec![0; 64 << 10];
    let (first, dump) = on_thread(move || -> Result<_> {
        let count = dump.read(&mut first).map_err(broken)?;
        first.truncate(count);
        Ok((first, dump))
    })
    .await??;
    Ok(Feed { dump: Box::new(Cursor::new(first).chain(dump)), waiting, broken })
}
