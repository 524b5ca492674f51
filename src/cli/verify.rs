//! `dbhaul verify`.

use clap::Args;
use serde_json::json;

use super::reach::LocalArgs;
use crate::error::Result;
use crate::pipeline::verify::verify;
use crate::report::{Report, units};

/// Reads an archive to its last byte: every checksum, and whether the dump in it is complete
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The archive: a file, the folder of a directory-format dump, or - for stdin
    archive: String,
    #[command(flatten)]
    local: LocalArgs,
}

/// Runs it.
pub async fn run(args: VerifyArgs, report: &Report) -> Result<()> {
    let verified = verify(&args.local.context(report)?, &args.archive).await?;
    let content = &verified.content;
    let rows: Option<u64> = content.tables.iter().map(|table| table.rows).sum();
    let tables = units::plural(content.tables.len() as u64, "table");
    let counted = rows.map_or(String::new(), |rows| format!(", {}", units::plural(rows, "row")));
    report.fact("archive", &verified.description);
    report.fact("checked", &verified.proof);
    let fields = json!({
        "archive": args.archive,
        "kind": verified.description,
        "engine": content.format.dialect().name(),
        "bytes": verified.bytes,
        "tables": content.tables.len(),
        "rows": rows,
        "checked": verified.proof,
        "warnings": report.warnings(),
    });
    let text = format!("{}: complete; {tables}{counted}, {}", args.archive, units::size(verified.bytes));
    report.result(&text, fields);
    Ok(())
}
