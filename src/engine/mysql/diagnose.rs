//! What a client's stderr means: its error lines word for word, and a hint for each number that is known.
//!
//! Only lines that are errors are kept where there are any, and long ones are cut. What MariaDB's clients repeat of a
//! failing statement does not get here (`Invocation::echo_fence`).

use super::collation;
use super::hints::{
    INTO_MARIADB, LARGER_PACKET, LOCKED, SOURCES_FLAVOUR, THE_PRIMARY, TRUST_CREATORS, grant_all_on, mends_or_admin,
};
use super::probe::findings::REPAIR;
use super::session::{CHECK_LOGIN, CHECK_TLS, NO_CONNECTION_LEFT, OTHER_HOSTS};
use crate::engine::{Diagnosis, Into, Scene, truncate};
use crate::hint::{self, Hint};

/// The longest line that is shown, in characters, and the most lines.
const LONGEST_LINE: usize = 400;
const MAX_LINES: usize = 12;

/// A table's definition is not what it was at the beginning of the dump; the words that tell it without a number.
const CHANGED: &[u32] = &[1412, NO_TABLE];
const NO_TABLE: u32 = 1146;
const NO_DATABASE: u32 = 1049;
const NO_RIGHT_ON_DATABASE: u32 = 1044;
const NO_RIGHT_ON_SERVER: u32 = 1227;
/// The source's table was made with `innodb_strict_mode` off.
const ROW_TOO_LARGE: u32 = 1118;
/// The target adds an invisible primary key to a table whose own column counts.
const INVISIBLE_KEY: u32 = 4109;
/// A foreign key points at columns that are no whole unique key.
const KEY_OF_NO_KEY: u32 = 6125;
/// A right is missing on a table, a column or a routine.
const NO_RIGHT: &[u32] = &[1142, 1143, 1370];
const FIELD_COUNT: &str = "Error in field count";

/// Error numbers, what they mean for a way in, and what to do.
const CAUSES: &[(&[u32], Hint)] = &[
    (&[1045, 1698], CHECK_LOGIN),
    (
        &[NO_DATABASE],
        Hint::new("check-name-or-create", "check the database's name in the URI; restore --create makes it"),
    ),
    (&[1130], OTHER_HOSTS),
    (&[1040, 1203, 1226], NO_CONNECTION_LEFT),
    (
        &[2059, 1251, 1524],
        Hint::new(
            "client-with-the-plugin",
            "the client lacks the plugin to log in with: caching_sha2_password needs MySQL's own client (Alpine: apk add mariadb-connector-c), mysql_native_password MariaDB's or MySQL's before 9",
        ),
    ),
    (&[2026], CHECK_TLS),
    (
        &[2003, 2002],
        Hint::new("check-host-and-port", "check host and port, and that the server is running and reachable from here"),
    ),
    (&[2005], hint::CHECK_HOST),
    (&[1419], TRUST_CREATORS),
    (
        &[1071, 1709],
        Hint::new(
            "index-too-long",
            "an index is longer than the target allows: its row format or character set differs from the source's",
        ),
    ),
    (
        &[1104],
        Hint::new(
            "sql-big-selects",
            "the server refuses to read so many rows at once: SET GLOBAL sql_big_selects = ON, max_join_size = DEFAULT there",
        ),
    ),
    (&[1153], LARGER_PACKET),
    (
        &[2006, 2013, 2055],
        Hint::new(
            "connection-was-lost",
            "the connection was lost: the server was restarted, its wait or packet limits were exceeded (max_allowed_packet, net_write_timeout), or the network cut it",
        ),
    ),
    (&[1273, 1115, 1253], SOURCES_FLAVOUR),
    (&[3105, 1906], INTO_MARIADB),
    (
        &[3546, 3911, 1840, 1841],
        Hint::new(
            "gtids-left-out",
            "the dump sets GTIDs that the target refuses: dbhaul's restore leaves these lines out",
        ),
    ),
    (
        &[3750, 3098, 1173],
        Hint::new(
            "target-demands-primary-keys",
            "the target demands a primary key on every table (sql_require_primary_key, MariaDB's innodb_force_primary_key, group replication)",
        ),
    ),
    (
        &[3024, 1969],
        Hint::new(
            "raise-max-execution-time",
            "the server ended a long query: raise max_execution_time (max_statement_time on MariaDB) for this user",
        ),
    ),
    (&[1290, 1836, 3989], THE_PRIMARY),
    (&[1114, 1021, 3], hint::SERVERS_DISK_IS_FULL),
    (
        &[1449],
        Hint::new(
            "create-definer",
            "an object's definer doesn't exist on the server: create that user, or recreate the object",
        ),
    ),
    (&[1356], REPAIR),
    (CHANGED, STRUCTURE_CHANGED),
    (&[1205, 1213], LOCKED),
    (
        &[1231],
        Hint::new("unknown-setting", "a setting in the dump is unknown to the target (sql_mode of an older version?)"),
    ),
];

const STRUCTURE_CHANGED: Hint = Hint::new(
    "while-nobody-changes-structure",
    "a table was changed or dropped while it was read: run the dump while nobody changes the structure",
);

/// Two rows with one key. MariaDB's bulk load sees it at the end of a transaction only.
const DUPLICATE: &[u32] = &[1062, 1180];
/// An object that is there.
const THERE: &[u32] = &[1050, 1304, 1359, 1537];

/// Numbers of a server's that say nothing of the dump: the same statement may go well another time.
const PASSING: &[u32] = &[3, 1021, 1040, 1053, 1114, 1203, 1205, 1206, 1213, 1226, 1317, 1969, 3024];

/// Numbers that mean that we did not get in. 2013 counts only when it happened while logging in.
const NOT_IN: &[u32] = &[1045, 1698, 1049, 1044, 1130, 1040, 1203, 1226, 2059, 1251, 1524, 2026, 2003, 2002, 2005];

const ROUTINES_OF_OTHERS: Hint = Hint::new(
    "routines-of-others",
    "routines of other owners need SELECT on mysql.proc (MariaDB, MySQL 5.7) or SHOW_ROUTINE (MySQL 8.0.20 and later)",
);

const DISK_IS_FULL: Hint = Hint::new("disk-is-full", "the disk is full");

/// Text without a number.
const PHRASES: &[(&str, Hint)] = &[
    ("insufficient privileges to SHOW CREATE", ROUTINES_OF_OTHERS),
    ("insufficent privileges to SHOW CREATE", ROUTINES_OF_OTHERS),
    (FIELD_COUNT, STRUCTURE_CHANGED),
    ("Got error 28 ", hint::SERVERS_DISK_IS_FULL),
    (
        "Got error 24 ",
        Hint::new(
            "raise-open-files-limit",
            "the server may not open so many files at once: raise open_files_limit, as many as the tables have files",
        ),
    ),
    ("errno: 28", DISK_IS_FULL),
    ("No space left on device", DISK_IS_FULL),
    (
        "ASCII '\\0' appeared",
        Hint::new("binary-data-as-text", "the dump holds binary data that the client took for text"),
    ),
];

/// Reads a client's stderr.
pub(super) fn diagnose(stderr: &str, scene: &Scene) -> Diagnosis {
    let mut diagnosis = Diagnosis::default();
    let lines: Vec<_> =
        stderr.lines().map(str::trim_end).filter(|line| !line.trim().is_empty() && !noise(line)).collect();
    let errors: Vec<_> = lines.iter().copied().filter(|line| is_error(line)).collect();
    for line in &errors {
        explain(line, scene, &mut diagnosis);
    }
    let shown = if errors.is_empty() { lines } else { errors };
    let first = shown.len().saturating_sub(MAX_LINES);
    diagnosis.why = shown[first..].iter().map(|line| truncate(line, LONGEST_LINE)).collect();
    diagnosis
}

fn explain(line: &str, scene: &Scene, diagnosis: &mut Diagnosis) {
    // A line that says what was being done comes from a session that had begun; one that TLS breaks then is lost.
    let begun = [" at line ", "when ", "Couldn't execute "].iter().any(|mark| line.contains(mark))
        && !["when trying to connect", "when selecting the database"].iter().any(|mark| line.contains(mark));
    let number = number(line).map(|number| if begun && number == 2026 { 2013 } else { number });
    // A restore meets no table that is changed meanwhile.
    let restores = scene.doing != Into::Nothing;
    let known =
        |number: u32| CAUSES.iter().find(|(numbers, _)| numbers.contains(&number)).map(|(_, hint)| hint.clone());
    let phrase = || PHRASES.iter().find(|(phrase, _)| line.contains(phrase)).map(|(_, hint)| hint.clone());
    let hints = match number {
        Some(NO_TABLE) if restores => vec![lacks("table or view", line)],
        Some(NO_DATABASE) if begun => vec![lacks("database", line)],
        Some(NO_RIGHT_ON_SERVER) => privilege(line).into_iter().collect(),
        Some(ROW_TOO_LARGE) => vec![mends_or_admin("SET GLOBAL innodb_strict_mode = OFF")],
        Some(KEY_OF_NO_KEY) => vec![mends_or_admin("SET GLOBAL restrict_fk_on_non_standard_key = OFF")],
        Some(INVISIBLE_KEY) => vec![mends_or_admin("SET GLOBAL sql_generate_invisible_primary_key = OFF")],
        Some(NO_RIGHT_ON_DATABASE) => quoted(line, "to database ").map(grant_all_on).into_iter().collect(),
        Some(number) if NO_RIGHT.contains(&number) => vec![grant_what_is_denied(line)],
        None if ["unknown option", "unknown variable"].iter().any(|words| line.contains(words)) => {
            vec![scene.refused_option(line)]
        }
        Some(number) if restores && DUPLICATE.contains(&number) => duplicate(scene),
        Some(number) if restores && THERE.contains(&number) => vec![there(scene)],
        number => number.and_then(known).or_else(phrase).into_iter().collect(),
    };
    for hint in hints {
        if !diagnosis.hints.contains(&hint) {
            diagnosis.hints.push(hint);
        }
    }
    let of_server = number.is_some_and(|n| (1000..2000).contains(&n) || n >= 3000);
    diagnosis.recurs |= restores && of_server && !number.is_some_and(|n| PASSING.contains(&n));
    let at = line.split_once(" at line ").and_then(|(_, rest)| rest.split(':').next()?.trim().parse().ok());
    diagnosis.line = diagnosis.line.or(at);
    let lost_at_login = number == Some(2013) && line.contains("initial communication packet");
    diagnosis.passing |= !restores && number.is_some_and(|n| CHANGED.contains(&n)) || line.contains(FIELD_COUNT);
    diagnosis.connection |= lost_at_login || !begun && number.is_some_and(|n| NOT_IN.contains(&n));
}

/// What stands in quotes behind these words.
fn quoted<'l>(line: &'l str, words: &str) -> Option<&'l str> {
    line.split_once(words)?.1.trim_start_matches(['\'', '`']).split(['\'', '`']).next()
}

/// A statement names what is not there at its line. The dump may make it further down, or never.
fn lacks(kind: &str, line: &str) -> Hint {
    let name = quoted(line, "Unknown database ").or_else(|| quoted(line, "Table ")).unwrap_or_default();
    Hint::naming(
        "make-what-is-named",
        format!("the dump names a {kind} that is not there by then: make {name} first, and restore again"),
    )
}

/// `SELECT command denied to user 'a'@'b' for table 't'`, `execute command denied to user 'a'@'b' for routine 'd.f'`.
fn grant_what_is_denied(line: &str) -> Hint {
    let (before, behind) = line.split_once(" command denied").unwrap_or((line, ""));
    let right = before.rsplit(' ').next().unwrap_or_default().trim_matches(['\'', '"']).to_uppercase();
    // MySQL says ANY of a view's table on which the user has no right at all.
    let right = if right == "ANY" { "SELECT" } else { &right };
    let on = behind.split_once(" for ").map_or("", |(_, on)| on).split(" when ").next().unwrap_or_default();
    let on = on.trim_end_matches(['"', '.', ')']);
    Hint::naming("grant-what-is-denied", format!("GRANT {right} on {on} to the user"))
}

/// `Access denied; you need (at least one of) the SUPER, SET_ANY_DEFINER privilege(s) for this operation`.
fn privilege(line: &str) -> Option<Hint> {
    let privileges = line.split_once("at least one of) the ")?.1.split(" privilege").next()?;
    let first = privileges.split([',', ' ']).next()?;
    let others = if first == privileges { String::new() } else { format!(" (one of {privileges} is enough)") };
    Some(Hint::naming("grant-privilege", format!("GRANT {first} ON *.* TO the user{others}")))
}

/// Two rows are one to the target.
fn duplicate(scene: &Scene) -> Vec<Hint> {
    let padding = collation::padding(&scene.map_collations, &scene.collations);
    match scene.doing {
        _ if !padding.is_empty() => padding,
        Into::Tables => vec![hint::KEY_IS_IN_THE_TABLE],
        Into::Beside | Into::InPlace => vec![hint::KEY_IS_THERE],
        Into::Nothing | Into::Empty => vec![Hint::new(
            "dump-holds-both-rows",
            "the target was empty: the dump holds both rows, and the target takes their keys for one (a file that holds its \
             rows twice, or a collation that compares otherwise than the source's)",
        )],
    }
}

/// Something of that name is there.
fn there(scene: &Scene) -> Hint {
    match scene.doing {
        Into::Empty => hint::MADE_TWICE,
        _ => {
            Hint::new("object-is-there", "an object is there already: --clean schema drops what the target holds first")
        }
    }
}

/// What a statement of a script is about: `table orders`, `trigger t_log`.
pub(super) fn named(statement: &str) -> Option<String> {
    const OBJECTS: [&str; 7] = ["TABLE", "VIEW", "TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "INTO"];
    let words: Vec<&str> = statement.split_ascii_whitespace().take(24).collect();
    let at = words.iter().position(|word| OBJECTS.iter().any(|object| word.eq_ignore_ascii_case(object)))?;
    let quoted = words[at + 1..].iter().find(|word| word.starts_with('`'))?;
    let name = quoted.trim_start_matches('`').split('`').next()?;
    let object =
        if words[at].eq_ignore_ascii_case("INTO") { "table".to_owned() } else { words[at].to_ascii_lowercase() };
    Some(format!("{object} {name}"))
}

/// `ERROR 1227 (42000) at line 7: ...`, `mysqldump: Got error: 1045: ...`, `mysqldump: Error 2013: ...`,
/// `mysqldump: Couldn't execute '...': ... (1227)`.
fn number(line: &str) -> Option<u32> {
    let leading = |text: &str| {
        let digits: String = text.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse::<u32>().ok()
    };
    let marked = ["ERROR ", "Got error: ", "Error "].iter().find_map(|mark| leading(line.split_once(mark)?.1));
    marked.or_else(|| {
        let inner = line.trim_end().strip_suffix(')')?.rsplit_once('(')?.1;
        inner.parse::<u32>().ok()
    })
}

/// Whether a line is an error and not part of an echoed statement.
fn is_error(line: &str) -> bool {
    let by_client = line.split_once(": ").is_some_and(|(program, _)| {
        let program = program.rsplit('/').next().unwrap_or(program);
        ["mysql", "mysqldump", "mariadb", "mariadb-dump"].contains(&program)
    });
    by_client || line.starts_with("ERROR ") && number(line).is_some()
}

/// Warnings that every run may print.
fn noise(line: &str) -> bool {
    line.contains("[Warning] Using a password")
        || line.contains("Deprecated program name")
        || line.contains("column_masking_policy")
        || line.contains("[Warning]")
        || line.starts_with("WARNING:")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stderr: &str) -> Diagnosis {
        diagnose(stderr, &Scene::default())
    }

    #[test]
    fn known_errors_get_their_hint_and_unknown_ones_their_words() {
        for (line, hint, connects) in [
            (
                "mysqldump: Got error: 1045: Access denied for user 'a'@'b' (using password: YES) when trying to connect",
                "password",
                true,
            ),
            (
                "ERROR 1227 (42000) at line 7: Access denied; you need (at least one of) the SUPER privilege(s)",
                "GRANT SUPER ON *.*",
                false,
            ),
            ("ERROR 2003 (HY000): Can't connect to MySQL server on '127.0.0.1:1' (111)", "host and port", true),
            ("ERROR 1044 (42000) at line 3: Access denied for user 'a'@'%' to database 'd'", "GRANT ALL ON `d`", false),
            (
                "mariadb-dump: Error 2013: Lost connection to server during query when dumping table `t` at row: 7",
                "max_allowed_packet",
                false,
            ),
            ("mysqldump: app has insufficent privileges to SHOW CREATE FUNCTION `fn`!", "SHOW_ROUTINE", false),
            (
                "mysqldump: Couldn't execute 'FLUSH TABLES': Access denied; you need (at least one of) the RELOAD or \
                 FLUSH_TABLES privilege(s) for this operation (1227)",
                "GRANT RELOAD ON *.* TO the user (one of RELOAD or FLUSH_TABLES is enough)",
                false,
            ),
            (
                "mariadb-dump: Got error: 1030: \"Got error 24 \"Too many open files\" from storage engine Aria\" when using LOCK TABLES",
                "open_files_limit",
                false,
            ),
            (
                "ERROR 3105 (HY000) at line 57: The value specified for generated column 'g' is not allowed.",
                "MariaDB",
                false,
            ),
        ] {
            let found = read(line);
            assert_eq!(found.why, [line]);
            assert!(found.hints.len() == 1 && found.hints[0].text().contains(hint), "{line}: {:?}", found.hints);
            assert_eq!(found.connection, connects, "{line}");
        }
        let changed = "mysqldump: Error 1412: Table definition has changed, please retry transaction when dumping table `t` at row: 0";
        assert!(read(changed).passing && read("mysqldump: Error in field count for table: `t` !  Aborting.").passing);
        let odd = read("Segmentation fault\n");
        assert_eq!((odd.why, odd.hints.len()), (vec!["Segmentation fault".to_owned()], 0));
    }

    #[test]
    fn warnings_are_not_repeated_and_long_lines_are_cut() {
        let stderr = "mysql: [Warning] Using a password on the command line interface can be insecure.\n\
                      ERROR 1062 (23000) at line 2: Duplicate entry '1' for key 'PRIMARY'\n";
        let found = read(stderr);
        assert_eq!(found.why, ["ERROR 1062 (23000) at line 2: Duplicate entry '1' for key 'PRIMARY'"]);
        let cut = read(&format!("mysqldump: Got error: 1064: {}", "x".repeat(5000)));
        assert!(cut.why[0].len() < 500);
    }
}
