//! Verifying: an archive, ours or not, read to its last byte.

use super::Context;
use super::input::{Checked, Input};
use crate::engine::Content;
use crate::error::Result;

/// What a whole archive turned out to be.
#[derive(Debug)]
pub struct Verified {
    /// What is in it.
    pub content: Content,
    /// The dump's size in bytes.
    pub bytes: u64,
    /// What kind of archive it is.
    pub description: String,
    /// What it was checked against.
    pub proof: String,
}

/// Reads an archive to its end: `Kind::Archive` when it is not whole.
pub async fn verify(context: &Context, archive: &str) -> Result<Verified> {
    let mut input = Input::open(context, archive).await?;
    let Checked { content, bytes, proof, .. } = input.check(context).await?;
    Ok(Verified { content, bytes, description: input.describe(), proof })
}
