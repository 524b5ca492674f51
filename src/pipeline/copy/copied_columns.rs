//! Stored generated columns after a copy: the target computes them anew, and where its rows are the source's, so must they
//! be.

use crate::engine::GeneratedColumns;
use crate::error::{Error, Result};
use crate::pipeline::Context;
use crate::pipeline::connect::ConnectedServer;
use crate::pipeline::watch::{ProgressHandle, show_progress, until_stopped};

/// Warns of columns whose values differ. The copy is done, whatever can't be looked at now; what was not compared comes
/// back.
pub async fn compare(context: &Context, source: &ConnectedServer, target: &ConnectedServer) -> Vec<String> {
    let both = async {
        let there = sums(context, source).await?;
        let here = if there.is_empty() { GeneratedColumns::new() } else { sums(context, target).await? };
        Ok::<_, Error>((there, here))
    };
    let (there, here) = match Box::pin(show_progress(context, &ProgressHandle::about("generated columns"), both)).await
    {
        Ok(sums) => sums,
        Err(error) => return vec![format!("the values of generated columns were not compared: {error}")],
    };
    let Judged { different, not_compared } = judge(&there, &here);
    for columns in different {
        context.warn(format!(
            "generated columns have other values in the target than in the source, whose other columns are the same: {columns}"
        ));
    }
    not_compared
}

async fn sums(context: &Context, side: &ConnectedServer) -> Result<GeneratedColumns> {
    until_stopped(context, side.engine.generated_columns(&side.connection, &context.limits)).await
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Judged {
    different: Vec<String>,
    not_compared: Vec<String>,
}

fn judge(source: &GeneratedColumns, target: &GeneratedColumns) -> Judged {
    let mut judged = Judged::default();
    for (table, source) in source {
        let Some(target) = target.get(table) else { continue };
        if source.others != target.others || source.columns != target.columns {
            judged.not_compared.push(format!(
                "the values of generated columns in table {table} were not compared: its rows are not the same any more"
            ));
        } else if source.generated != target.generated {
            judged.different.push(format!("{table} ({})", source.columns.join(", ")));
        }
    }
    judged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::GeneratedSums;

    #[test]
    fn columns_differ_where_all_else_is_the_same() {
        let sums = |others: &str, generated: &str| GeneratedSums {
            columns: vec!["g".into()],
            others: ("3".into(), others.into()),
            generated: generated.into(),
        };
        let all =
            |each: &[(&str, GeneratedSums)]| each.iter().map(|(name, sums)| ((*name).into(), sums.clone())).collect();
        let source = all(&[("a", sums("1", "2")), ("b", sums("1", "2")), ("c", sums("1", "2")), ("d", sums("1", "2"))]);
        let target = all(&[("a", sums("1", "2")), ("b", sums("1", "3")), ("c", sums("2", "3"))]);
        let Judged { different, not_compared } = judge(&source, &target);
        assert_eq!(different, ["b (g)"]);
        assert_eq!(not_compared.len(), 1);
        assert!(not_compared[0].contains("table c were not compared"));
    }
}
