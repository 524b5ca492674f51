//! Verifying: an archive, ours or not, read to its last byte; and, if that is wanted, restored for a trial.

pub(super) mod compare;
pub(super) mod verify_properties;
pub(super) mod verify_restore;

use super::input::Input;
use super::{Context, leftovers};
use crate::engine::Content;
use crate::error::Result;
pub use verify_restore::{TrialPlace, Tried};

/// What a whole archive turned out to be.
#[derive(Debug)]
pub struct VerifiedDump {
    /// What is in it.
    pub content: Content,
    /// The dump's size in bytes.
    pub bytes: u64,
    /// What kind of archive it is.
    pub description: String,
    /// What it was checked against.
    pub proof: String,
    /// How its trial went, if there was one.
    pub tried: Option<Tried>,
}

/// Reads an archive to its end: `Kind::Archive` when it is not whole. Only a whole one goes on trial.
pub async fn verify(context: &Context, archive: &str, trial: Option<TrialPlace>) -> Result<VerifiedDump> {
    leftovers::clean_up(context, &[&context.temp_dir]);
    let mut input = Input::open(context, archive).await?;
    let checked = input.check(context, false, None).await?;
    for note in &checked.notes {
        context.note(note);
    }
    let tried = match trial {
        Some(place) => Some(Box::pin(verify_restore::attempt(context, &input, &checked, place)).await?),
        None => None,
    };
    let description = input.describe();
    Ok(VerifiedDump { content: checked.content, bytes: checked.bytes, description, proof: checked.proof, tried })
}
