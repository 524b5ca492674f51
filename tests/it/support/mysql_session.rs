//! SQL on MySQL and MariaDB by a session of the tests' own. It answers as the client does in batch mode, in a twentieth of
//! the client's time: the suite asks some twenty thousand times.

use std::{path::Path, time::Duration};

use mysql_async::{Conn, Error, OptsBuilder, Row, Value, prelude::Queryable as _};

use super::server::{PASSWORD, USER};

/// `ER_EMPTY_QUERY`: of a comment behind the last semicolon.
const EMPTY_QUERY: u16 = 1065;
const LIMIT: Duration = Duration::from_secs(300);
const MAX_PACKET_BYTES: usize = 1 << 30;

/// Whether the text is for the server alone. `DELIMITER` is the client's own command, and the client sends a body without
/// the semicolon behind it; of several statements at once the server keeps it.
pub(super) fn takes(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    !["delimiter", "trigger", "event", "procedure", "function", "package"].iter().any(|word| text.contains(word))
}

/// Runs statements as the superuser. The rows come as lines of fields parted by tabs; the error is as the client would say it.
pub(super) fn run(socket: &Path, database: &str, text: &str) -> Result<String, String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let answer = runtime.block_on(async { tokio::time::timeout(LIMIT, ask(socket, database, text)).await });
    answer.map_err(|_| "the statements take more than five minutes".to_owned())?.map_err(|error| match error {
        Error::Server(error) => format!("ERROR {} ({}): {}", error.code, error.state, error.message),
        error => error.to_string(),
    })
}

async fn ask(socket: &Path, database: &str, text: &str) -> Result<String, Error> {
    let options = OptsBuilder::default()
        .socket(Some(socket.display().to_string()))
        .user(Some(USER))
        .pass(Some(PASSWORD))
        .db_name(Some(database))
        .max_allowed_packet(Some(MAX_PACKET_BYTES))
        .wait_timeout(Some(usize::try_from(LIMIT.as_secs()).unwrap_or_default()))
        .setup(vec!["SET NAMES utf8mb4"]);
    let mut connection = Conn::new(options).await?;
    let lines = lines(&mut connection, text).await;
    // It may have ended itself.
    let _ = connection.disconnect().await;
    lines
}

async fn lines(connection: &mut Conn, text: &str) -> Result<String, Error> {
    let mut lines = Vec::new();
    let mut results = match connection.query_iter(text).await {
        Err(Error::Server(error)) if error.code == EMPTY_QUERY => return Ok(String::new()),
        results => results?,
    };
    while !results.is_empty() {
        match results.collect::<Row>().await {
            Err(Error::Server(error)) if error.code == EMPTY_QUERY => break,
            rows => lines.extend(rows?.into_iter().map(line)),
        }
    }
    Ok(lines.join("\n").trim_end_matches('\n').to_owned())
}

fn line(row: Row) -> String {
    row.unwrap().iter().map(field).collect::<Vec<_>>().join("\t")
}

/// Escaped as in batch mode.
fn field(value: &Value) -> String {
    let Value::Bytes(bytes) = value else { return "NULL".to_owned() };
    let text = std::str::from_utf8(bytes).unwrap_or_else(|error| panic!("{bytes:?}: {error}"));
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\t', "\\t").replace('\0', "\\0")
}
