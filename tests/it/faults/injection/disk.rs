//! What happens, in the middle, to the place that an archive goes to.

use std::{
    fs,
    io::Read as _,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Case, Fault, Grid, Held, Moment, Stage, Work};
use crate::support::{Filesystem, Image, Output, dbhaul, eventually, names};

/// A dump into the folder `out` of a folder of its own, standing still.
fn into_folder(case: Case, moment: Moment, output: &str) -> Option<(tempfile::TempDir, Held<'static>)> {
    let place = tempfile::tempdir().expect("a folder");
    fs::create_dir(place.path().join("out")).expect("made");
    let held = into(case, moment, &format!("{}/{output}", place.path().display()))?;
    Some((place, held))
}

fn into(case: Case, moment: Moment, output: &str) -> Option<Held<'static>> {
    (case.work == Work::Dump).then(|| {
        let stage = Stage::at(case, moment);
        let command = stage.command().args(["-o", output]);
        stage.hold_as(command)
    })
}

/// Lets it go on, and shows how it ended.
fn ended(mut held: Held<'_>) -> Output {
    held.release();
    let (stage, output) = held.end();
    assert_eq!(names(stage.folder.path()), [""; 0], "the working folder");
    output
}

/// An archive that is where stdout says, alone.
fn whole_in(folder: &Path, output: &Output) -> String {
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let archive = Path::new(output.text().trim());
    assert_eq!(archive.parent(), Some(folder));
    assert_eq!(names(folder), [archive.file_name().expect("a name").to_str().expect("UTF-8")]);
    dbhaul().arg("verify").arg(archive).run().expect_code(0);
    "0, whole".into()
}

fn the_folder_is_deleted(case: Case, moment: Moment) -> Option<String> {
    let (place, held) = into_folder(case, moment, "out/")?;
    fs::remove_dir_all(place.path().join("out")).expect("deleted");
    ended(held).refused(9, &["No such file", "nothing was published", "deleted the folder"]);
    assert_eq!(names(place.path()), [""; 0]);
    Some("9, nothing".into())
}

fn the_folder_is_moved(case: Case, moment: Moment) -> Option<String> {
    let (place, held) = into_folder(case, moment, "out/")?;
    let moved = place.path().join("moved");
    fs::rename(place.path().join("out"), &moved).expect("moved");
    let output = ended(held);
    assert!(output.stderr.contains("was moved or replaced while the dump was written"), "{}", output.stderr);
    Some(format!("{}, in the moved one", whole_in(&moved, &output)))
}

fn another_folder_takes_its_place(case: Case, moment: Moment) -> Option<String> {
    let (place, held) = into_folder(case, moment, "out/")?;
    let (out, moved) = (place.path().join("out"), place.path().join("moved"));
    fs::rename(&out, &moved).expect("moved");
    fs::create_dir(&out).expect("made");
    let output = ended(held);
    assert!(output.stderr.contains("was moved or replaced while the dump was written"), "{}", output.stderr);
    assert_eq!(names(&out), [""; 0]);
    Some(format!("{}, in the first one", whole_in(&moved, &output)))
}

fn the_partial_file_is_deleted(case: Case, moment: Moment) -> Option<String> {
    let (place, held) = into_folder(case, moment, "out/")?;
    let out = place.path().join("out");
    fs::remove_file(only_file(&out)).expect("deleted");
    ended(held).refused(9, &["No such file", "nothing was published", "the .partial file"]);
    assert_eq!(names(&out), [""; 0]);
    Some("9, nothing".into())
}

fn its_name_is_taken(case: Case, moment: Moment) -> Option<String> {
    let (place, held) = into_folder(case, moment, "out/archive.tar.gz")?;
    let archive = place.path().join("out/archive.tar.gz");
    fs::write(&archive, "mine").expect("written");
    ended(held).refused(10, &["exists already", "nothing was published", "hint:"]);
    assert_eq!(names(&place.path().join("out")), ["archive.tar.gz"]);
    assert_eq!(fs::read(archive).expect("read"), b"mine");
    Some("10, nothing".into())
}

fn the_name_it_gave_itself_is_taken(case: Case, moment: Moment) -> Option<String> {
    let (place, held) = into_folder(case, moment, "out/")?;
    let out = place.path().join("out");
    let taken = only_file(&out).with_extension("");
    fs::write(&taken, "mine").expect("written");
    let output = ended(held);
    assert_eq!(fs::read(&taken).expect("read"), b"mine");
    fs::remove_file(taken).expect("deleted");
    assert!(output.text().trim().ends_with("_2.tar.gz"), "{}", output.text());
    Some(format!("{}, as _2", whole_in(&out, &output)))
}

fn the_disk_becomes_read_only(case: Case, moment: Moment) -> Option<String> {
    let disk = (case.work == Work::Dump).then(|| Image::mount(Filesystem::Ext4))?;
    let held = into(case, moment, &format!("{}/", disk.path().display()))?;
    disk.become_read_only();
    let left = only_file(disk.path());
    let left = left.file_name().expect("a name").to_str().expect("UTF-8");
    ended(held).refused(9, &["Read-only file system", "nothing was published", left, "could not be removed", "dmesg"]);
    Some("9, a partial file, named".into())
}

fn stdout_is_closed(case: Case, moment: Moment) -> Option<String> {
    (case.work == Work::Dump).then(|| {
        let stage = Stage::at(case, moment);
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let still = writer.try_clone().expect("a descriptor");
        let command = stage.command().args(["-o", "-"]).output_file(fs::File::from(OwnedFd::from(writer)));
        let held = stage.hold_as(command);
        // One byte shows that the archive has begun; nobody reads on.
        reader.read_exact(&mut [0]).expect("a byte");
        drop(reader);
        // A process that another test starts may have it for a moment longer.
        eventually("nobody reads", || {
            let mut asked = [PollFd::new(&still, PollFlags::OUT)];
            poll(&mut asked, Some(&Timespec::default())).is_ok() && asked[0].revents().contains(PollFlags::ERR)
        });
        drop(still);
        let output = ended(held).refused(9, &["Broken pipe", "nothing was published", "hint:"]);
        format!("{}, nothing", output.code.expect("a code"))
    })
}

/// The one file of a folder.
fn only_file(folder: &Path) -> PathBuf {
    let names = names(folder);
    assert_eq!(names.iter().filter(|name| *name != "lost+found").count(), 1, "{names:?}");
    folder.join(names.iter().find(|name| *name != "lost+found").expect("one"))
}

#[test]
fn the_place_of_an_archive_changes_at_every_moment() {
    Grid(&[
        Fault { name: "the output folder is deleted", run: &the_folder_is_deleted },
        Fault { name: "the output folder is moved", run: &the_folder_is_moved },
        Fault { name: "another folder takes its place", run: &another_folder_takes_its_place },
        Fault { name: "the `.partial` file is deleted", run: &the_partial_file_is_deleted },
        Fault { name: "the file of `--output FILE` appears", run: &its_name_is_taken },
        Fault { name: "the archive's name is taken", run: &the_name_it_gave_itself_is_taken },
        Fault { name: "the disk becomes read-only", run: &the_disk_becomes_read_only },
        Fault { name: "the reader of `--output -` ends", run: &stdout_is_closed },
    ])
    .assert("disk");
}
