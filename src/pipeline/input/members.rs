//! An archive's members, for whoever takes them one by one.

use super::Input;
use super::found::Shape;
use crate::archive::{self, ArchiveError};
use crate::engine::members::{MemberSender, Piece};
use crate::engine::{Format, Layout};
use crate::error::{Error, Kind, Result};
use crate::pipeline::restore::load::Members;
use crate::pipeline::watch::ProgressHandle;

impl Input {
    /// The dump's members. Everything is checked on the way; `total` is for the progress.
    pub fn members(&self, progress: ProgressHandle, total: u64, broken: fn(&ArchiveError) -> Error) -> Result<Members> {
        self.same_file()?;
        let Shape::Ours(object) = self.shape.clone() else {
            return Err(Error::new(Kind::Unexpected, format!("{} is no archive of members", self.name)));
        };
        let format = self.format;
        Ok(Box::new(move |members| {
            let mut sending = Sending { members, format, inside: false, failed: None };
            let verified = archive::verify(&object, &mut |member, bytes| {
                sending.see(member, bytes);
                progress.passed(bytes.len(), total);
            });
            verified.map_err(|error| broken(&error))?;
            sending.finish()
        }))
    }
}

/// The name of the member that begins with this stretch, of a dump in members: the first part of it, if it has some.
pub(super) fn new_member<'m>(format: Format, path: &'m str, stretch: &[u8]) -> Option<&'m str> {
    if format.layout != Layout::Members || !stretch.is_empty() {
        return None;
    }
    let (name, part) = archive::member_of(path)?;
    part.is_none_or(|number| number == 1).then_some(name)
}

/// Sends an archive's members on, parts joined.
struct Sending<'s> {
    members: &'s MemberSender,
    format: Format,
    inside: bool,
    failed: Option<Error>,
}

impl Sending<'_> {
    fn see(&mut self, path: &str, stretch: &[u8]) {
        if let Some(name) = new_member(self.format, path, stretch) {
            self.end();
            self.inside = true;
            self.send(Piece::Begin(name.to_owned()));
        } else if !stretch.is_empty() {
            self.send(Piece::Bytes(stretch.to_vec()));
        }
    }

    fn end(&mut self) {
        if std::mem::take(&mut self.inside) {
            self.send(Piece::End);
        }
    }

    fn send(&mut self, piece: Piece) {
        if self.failed.is_none() {
            self.failed = self.members.send_blocking(piece).err();
        }
    }

    /// The archive was whole: only now the last member has its end.
    fn finish(mut self) -> Result<()> {
        self.end();
        self.send(Piece::Finish);
        self.failed.map_or(Ok(()), Err)
    }
}
