//! libpq's file of passwords: `host:port:database:user:password`, a line for each, the first that fits counts.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The password for these, or why there is none, as libpq goes on without.
pub(super) fn password(path: &Path, wanted: [&str; 4]) -> Result<String, String> {
    let shown = path.display();
    let mode = fs::metadata(path).map(|meta| meta.permissions().mode());
    if mode.map_err(|e| format!("the passfile {shown} can't be read: {e}"))? & 0o077 != 0 {
        return Err(format!("the passfile {shown} was passed over, as libpq does: others may read it (chmod 600)"));
    }
    let text = fs::read_to_string(path).map_err(|e| format!("the passfile {shown} can't be read: {e}"))?;
    let found = text.lines().find_map(|line| read(line, wanted));
    found.ok_or_else(|| format!("the passfile {shown} has no line for this host, port, database and user"))
}

fn read(line: &str, wanted: [&str; 4]) -> Option<String> {
    let mut rest = line.trim_end_matches('\r');
    if rest.starts_with('#') {
        return None;
    }
    for wanted in wanted {
        let (field, is_any, after) = field(rest);
        if !is_any && field != wanted {
            return None;
        }
        rest = after?;
    }
    Some(field(rest).0).filter(|password| !password.is_empty())
}

/// A field without its escapes, whether it stands for anything, and what follows its colon.
fn field(text: &str) -> (String, bool, Option<&str>) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            ':' => return (value, &text[..at] == "*", Some(&text[at + 1..])),
            '\\' => value.push(characters.next().map_or('\\', |(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, text == "*", None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pass");
        let lines = "# h:5432:d:u:no\nh:5433:d:u:other\nh:*:d\\:x:u:a\\:b\\\\c\n*:5432:*:u:%40p@w'\"\n*:*:*:*:last\n";
        fs::write(&path, lines).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        for (wanted, found) in [
            (["h", "5433", "d", "u"], "other"),
            (["h", "1", "d:x", "u"], "a:b\\c"),
            (["h", "5432", "d", "u"], "%40p@w'\""),
            (["h", "5432", "d", "U"], "last"),
        ] {
            assert_eq!(password(&path, wanted).as_deref(), Ok(found), "{wanted:?}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("chmod");
        assert!(password(&path, ["h", "1", "d", "u"]).expect_err("others may read it").contains("chmod 600"));
        assert!(password(&folder.path().join("none"), ["h", "1", "d", "u"]).is_err());
    }
}
