//! Expressions whose text does not name their operator: `IS DISTINCT FROM`, `NULLIF`, `CASE x WHEN`, `JOIN ... USING`; and
//! comparisons of rows, whose text names that of the first column for all of them.
//!
//! Everything else is dumped as `OPERATOR(public.=)`. For these there is no such spelling, and a restore, whose
//! `search_path` is empty, looks for an operator in `pg_catalog`: it finds none (ltree), or another one (citext, compared
//! as text). The server's own trees of expressions tell which operator was meant.

use std::collections::{BTreeMap, BTreeSet};

use super::USER_SCHEMA;
use crate::engine::postgres::session::Session;
use crate::engine::{Finding, Severity};
use crate::error::Result;
use crate::hint::Hint;

/// Operators outside of `pg_catalog`; most databases have none.
const OPERATORS: &str = "SELECT o.oid, n.nspname, o.oprname FROM pg_catalog.pg_operator o \
     JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE n.nspname <> 'pg_catalog'";

/// What an expression may stand in: the first server version that has it, the object as `class, id, part`, the relation,
/// type or routine that it belongs to, and the expression.
const PLACES: [(u32, &str); 12] = [
    (
        0,
        "'pg_trigger', t.oid, 0, 'pg_class', t.tgrelid, t.tgqual::text FROM pg_catalog.pg_trigger t \
         WHERE COALESCE(pg_catalog.to_jsonb(t) ->> 'tgparentid', '0') = '0'",
    ),
    (
        0,
        "'pg_constraint', o.oid, 0, CASE o.conrelid WHEN 0 THEN 'pg_type' ELSE 'pg_class' END, \
         CASE o.conrelid WHEN 0 THEN o.contypid ELSE o.conrelid END, o.conbin::text FROM pg_catalog.pg_constraint o",
    ),
    (
        0,
        "'pg_class', w.ev_class, 0, 'pg_class', w.ev_class, w.ev_action::text FROM pg_catalog.pg_rewrite w \
         WHERE w.rulename = '_RETURN'",
    ),
    (
        0,
        "'pg_rewrite', w.oid, 0, 'pg_class', w.ev_class, w.ev_qual::text || w.ev_action::text FROM pg_catalog.pg_rewrite w \
         WHERE w.rulename <> '_RETURN'",
    ),
    (0, "'pg_policy', p.oid, 0, 'pg_class', p.polrelid, concat(p.polqual, p.polwithcheck) FROM pg_catalog.pg_policy p"),
    (
        0,
        "'pg_class', i.indexrelid, 0, 'pg_class', i.indrelid, concat(i.indexprs, i.indpred) FROM pg_catalog.pg_index i",
    ),
    (0, "'pg_class', a.adrelid, a.adnum, 'pg_class', a.adrelid, a.adbin::text FROM pg_catalog.pg_attrdef a"),
    (
        0,
        "'pg_class', r.partrelid, 0, 'pg_class', r.partrelid, r.partexprs::text FROM pg_catalog.pg_partitioned_table r",
    ),
    (0, "'pg_type', y.oid, 0, 'pg_type', y.oid, y.typdefaultbin::text FROM pg_catalog.pg_type y"),
    (0, "'pg_proc', p.oid, 0, 'pg_proc', p.oid, p.proargdefaults::text FROM pg_catalog.pg_proc p"),
    (14, "'pg_proc', p.oid, 0, 'pg_proc', p.oid, p.prosqlbody::text FROM pg_catalog.pg_proc p"),
    (14, "'pg_statistic_ext', s.oid, 0, 'pg_class', s.stxrelid, s.stxexprs::text FROM pg_catalog.pg_statistic_ext s"),
];

/// Warns of each object that has such an expression with an operator that is not of `pg_catalog`.
pub async fn find(session: &Session, major: u32) -> Result<Vec<Finding>> {
    let mut operators = BTreeMap::new();
    for row in session.rows(OPERATORS).await? {
        let [Some(number), Some(schema), Some(name)] = row.as_slice() else { continue };
        let operator = (schema.clone(), format!("{schema}.{name}"));
        operators.extend(number.parse::<u32>().ok().map(|number| (number, operator)));
    }
    if operators.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: BTreeMap<String, BTreeSet<(&'static str, &str)>> = BTreeMap::new();
    for row in session.rows(&expressions(major)).await? {
        let [Some(object), Some(tree)] = row.as_slice() else { continue };
        for (spelling, numbers) in hidden(tree) {
            let known: Vec<_> = numbers.iter().map(|number| operators.get(number)).collect();
            let schemas: BTreeSet<_> = known.iter().map(|known| known.map(|(schema, _)| schema)).collect();
            // A row's operators of one schema are all found there.
            if numbers.len() == 1 || schemas.len() > 1 {
                let named = known.into_iter().flatten().map(|(_, name)| (spelling, name.as_str()));
                found.entry(object.clone()).or_default().extend(named);
            }
        }
    }
    Ok(found.iter().filter(|(_, hidden)| !hidden.is_empty()).map(|(object, hidden)| finding(object, hidden)).collect())
}

/// The expressions of the user's objects in which there is something to find.
fn expressions(major: u32) -> String {
    let known = PLACES.iter().filter(|(since, _)| *since <= major);
    let places: Vec<_> = known.map(|(_, place)| format!("SELECT {place}")).collect();
    let class = |name: &str| format!("('pg_catalog.' || {name})::pg_catalog.regclass::pg_catalog.oid");
    let (of_object, of_owner) = (class("e.class"), class("e.owner_class"));
    format!(
        "SELECT i.type || ' ' || i.identity, e.tree \
         FROM ({}) AS e(class, id, part, owner_class, owner, tree), \
         LATERAL pg_catalog.pg_identify_object({of_object}, e.id, e.part) i \
         WHERE e.owner >= 16384 AND e.tree ~ 'DISTINCTEXPR|NULLIFEXPR|CASETESTEXPR|:usingClause [(]|ROWCOMPAREEXPR|:testexpr [{{]BOOLEXPR' AND EXISTS ( \
         SELECT 1 FROM pg_catalog.pg_namespace n WHERE {USER_SCHEMA} AND n.oid IN ( \
         SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = e.owner AND e.owner_class = 'pg_class' \
         UNION ALL SELECT typnamespace FROM pg_catalog.pg_type WHERE oid = e.owner AND e.owner_class = 'pg_type' \
         UNION ALL SELECT pronamespace FROM pg_catalog.pg_proc WHERE oid = e.owner AND e.owner_class = 'pg_proc')) \
         AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.classid = {of_owner} AND d.objid = e.owner \
         AND d.deptype = 'e') ORDER BY 1",
        places.join(" UNION ALL ")
    )
}

fn finding(object: &str, hidden: &BTreeSet<(&str, &str)>) -> Finding {
    let spellings: Vec<_> = hidden.iter().map(|(spelling, operator)| format!("{spelling} by {operator}")).collect();
    Finding::new(
        Severity::Warning,
        format!(
            "{object} compares with {}: a dump can't name that operator, and a restore fails there or compares otherwise",
            spellings.join(", ")
        ),
        Some(Hint::new(
            "write-the-operator",
            "write the comparison with the operator's schema, as in OPERATOR(public.<>), that of rows column by column, or \
             compare as text; verify --restore tells what a restore makes of it",
        )),
    )
}

/// A node of a tree that is open while the tree is read.
struct Node<'t> {
    name: &'t str,
    /// The number of its operator.
    operator: Option<u32>,
    /// A join by the names of columns.
    uses_names: bool,
    /// Of a subquery that is compared: the operators, a column each.
    of_columns: Vec<u32>,
}

/// How a comparison of rows is called.
const OF_ROWS: &str = "rows";

/// The operators that a tree's text hides: how the expression is spelt, and the operators' numbers, of rows a column each. A tree is text of the
/// form `{OPEXPR :opno 96 :args ({VAR ...} {CONST ...})}`; braces that are values have a backslash before them.
fn hidden(tree: &str) -> BTreeSet<(&'static str, Vec<u32>)> {
    let (mut open, mut found, mut rest): (Vec<Node<'_>>, _, _) = (Vec::new(), BTreeSet::new(), tree);
    while let Some(at) = rest.find(['{', '}', '\\', ':']) {
        let (sign, behind) = (rest.as_bytes()[at], &rest[at + 1..]);
        rest = match sign {
            b'\\' => behind.get(1..).unwrap_or_default(),
            b'{' => {
                let end = behind.find([' ', '}']).unwrap_or(behind.len());
                open.push(Node { name: &behind[..end], operator: None, uses_names: false, of_columns: Vec::new() });
                if &behind[..end] == "CASETESTEXPR" {
                    found.extend(compared_by_case(&open).map(|operator| ("CASE x WHEN", vec![operator])));
                }
                &behind[end..]
            }
            b'}' => {
                let of_columns = open.pop().map(|node| node.of_columns).filter(|of_columns| of_columns.len() > 1);
                found.extend(of_columns.map(|of_columns| (OF_ROWS, of_columns)));
                behind
            }
            _ => {
                field(&mut open, behind, &mut found);
                behind
            }
        };
    }
    found
}

/// Takes a field of the innermost node: `opno 96 :opfuncid ...`.
fn field(open: &mut [Node<'_>], text: &str, found: &mut BTreeSet<(&'static str, Vec<u32>)>) {
    let Some((node, above)) = open.split_last_mut() else { return };
    node.uses_names |= text.starts_with("usingClause (");
    if let Some((numbers, _)) = text.strip_prefix("opnos (o ").and_then(|text| text.split_once(')')) {
        found.insert((OF_ROWS, numbers.split(' ').filter_map(|number| number.parse().ok()).collect()));
        return;
    }
    let Some(number) = text.strip_prefix("opno ").and_then(|text| text.split(' ').next()?.parse().ok()) else { return };
    node.operator = Some(number);
    // (a, b) IN (SELECT ...)
    if let [.., subquery, several] = above
        && (subquery.name, several.name, node.name) == ("SUBLINK", "BOOLEXPR", "OPEXPR")
    {
        subquery.of_columns.push(number);
        return;
    }
    let spelling = match node.name {
        "DISTINCTEXPR" => "IS DISTINCT FROM",
        "NULLIFEXPR" => "NULLIF",
        "OPEXPR" if joins_by_names(above) => "JOIN USING",
        _ => return,
    };
    found.insert((spelling, vec![number]));
}

/// Whether the condition of such a join comes here, or one of several.
fn joins_by_names(above: &[Node<'_>]) -> bool {
    let above =
        if above.last().is_some_and(|node| node.name == "BOOLEXPR") { &above[..above.len() - 1] } else { above };
    above.last().is_some_and(|node| node.name == "JOINEXPR" && node.uses_names)
}

/// The operator that compares what stands behind `CASE` with what stands behind `WHEN`.
fn compared_by_case(open: &[Node<'_>]) -> Option<u32> {
    let at = open.iter().rposition(|node| node.name == "OPEXPR")?;
    (open[at.checked_sub(1)?].name == "CASEWHEN").then_some(open[at].operator).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_operators_that_the_text_hides_are_found() {
        for (tree, expected) in [
            (
                "{DISTINCTEXPR :opno 16426 :args ({VAR :varno 1} {CONST :constvalue 2 [ 97 \\} ]})}",
                &[("IS DISTINCT FROM", 16426)][..],
            ),
            (
                "{OPEXPR :opno 7 :args ({NULLIFEXPR :opno 8 :args ({VAR :x 1} {VAR :x 2})} {CONST :constvalue <>})}",
                &[("NULLIF", 8)],
            ),
            (
                "{CASEEXPR :arg {VAR :x 1} :args ({CASEWHEN :expr {OPEXPR :opno 9 :args ({RELABELTYPE :arg {CASETESTEXPR :typeId 1}} {OPEXPR :opno 3 :args ({VAR :x 1})})} :result {OPEXPR :opno 4 :args ()}})}",
                &[("CASE x WHEN", 9)],
            ),
            ("{CASEEXPR :arg <> :args ({CASEWHEN :expr {OPEXPR :opno 9 :args ({VAR :x 1})} :result <>})}", &[]),
            (
                "({QUERY :jointree {FROMEXPR :fromlist ({JOINEXPR :jointype 0 :larg {JOINEXPR :larg <> :usingClause <> :quals {OPEXPR :opno 1 :args ({OPEXPR :opno 2 :args ()})} :alias <>} :usingClause (\"mail\" \"a\\{b\") :join_using_alias <> :quals {BOOLEXPR :boolop and :args ({OPEXPR :opno 5 :args ({VAR :x 1})} {OPEXPR :opno 96 :args ({OPEXPR :opno 6 :args ()})})} :alias <>}) :quals {OPEXPR :opno 11 :args ()}}})",
                &[("JOIN USING", 5), ("JOIN USING", 96)],
            ),
            ("{JOINEXPR :usingClause (\"a\") :quals {OPEXPR :opno 5 :args ()} :rtindex 3}", &[("JOIN USING", 5)]),
            ("{CONST :constvalue \\{DISTINCTEXPR\\ :opno\\ 5}", &[]),
            ("}}{", &[]),
            ("{SUBLINK :subLinkType 2 :testexpr {OPEXPR :opno 3 :args ()} :subselect {QUERY :rtable <>}}", &[]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(spelling, number)| (*spelling, vec![*number])).collect();
            assert_eq!(hidden(tree).into_iter().collect::<Vec<_>>(), expected, "{tree}");
        }
    }

    #[test]
    fn of_rows_the_operators_of_all_columns_are_found() {
        for tree in [
            "{ROWCOMPAREEXPR :rctype 2 :opnos (o 523 16501) :opfamilies (o 1976 16510) :largs ({VAR :x 1})}",
            "{SUBLINK :subLinkType 2 :testexpr {BOOLEXPR :boolop and :args ({OPEXPR :opno 523 :args ({OPEXPR :opno 9 :args ()})} {OPEXPR :opno 16501 :args ()})} :subselect {QUERY :jointree {FROMEXPR :quals {BOOLEXPR :args ({OPEXPR :opno 4 :args ()})}}}}",
        ] {
            assert_eq!(hidden(tree).into_iter().collect::<Vec<_>>(), [(OF_ROWS, vec![523, 16501])], "{tree}");
        }
    }
}
