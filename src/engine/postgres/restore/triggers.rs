//! Triggers of the target that rows would fire.
//!
//! A restore that makes its tables makes their triggers behind the rows. Into tables that are there already, the rows
//! come with these triggers switched off, in the transaction of the load, and behind the rows each is what it was. The
//! triggers of foreign keys are the server's own: these check the rows as ever.

use std::collections::BTreeSet;

use super::restore_filter::select;
use crate::engine::postgres::format::plain;
use crate::engine::postgres::session::{Session, identifier};
use crate::engine::{Clean, Content, Entry, Format, RestoreOptions, Server, TargetTrigger, triggers_run};
use crate::error::{Error, Kind, Result};
use crate::hint::{self, Hint};

/// What fires for rows: row and statement triggers for INSERT, copies of a partitioned table's among them. Of internal
/// ones only these copies, which were internal before 15, and which 12, that is tried with `--force-version`, can't tell.
const TRIGGERS: &str = "SELECT n.nspname, c.relname, t.tgname, t.tgenabled, pg_catalog.pg_has_role(c.relowner, 'USAGE'), \
     r.nspname || '.' || r.relname \
     FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     LEFT JOIN (SELECT p.oid, p.relname, q.nspname FROM pg_catalog.pg_class p JOIN pg_catalog.pg_namespace q \
     ON q.oid = p.relnamespace) r ON r.oid = pg_catalog.pg_partition_root(c.oid) \
     WHERE t.tgtype & 4 <> 0 AND t.tgenabled <> 'D' AND c.relkind IN ('r', 'p', 'f') \
     AND (NOT t.tgisinternal OR COALESCE(pg_catalog.to_jsonb(t) ->> 'tgparentid', '0') <> '0') AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_constraint o \
     WHERE o.oid = t.tgconstraint AND o.contype <> 't') ORDER BY 1, 2, 3";

/// What fires for `ALTER TABLE`.
const EVENT_TRIGGERS: &str = "SELECT evtname, evtenabled FROM pg_catalog.pg_event_trigger WHERE evtenabled <> 'D' \
     AND evtevent IN ('ddl_command_start', 'ddl_command_end') AND (evttags IS NULL OR 'ALTER TABLE' = ANY (evttags)) \
     ORDER BY 1";

/// Fills the target's triggers and event triggers.
pub async fn read(session: &Session, server: &mut Server) -> Result<()> {
    for row in session.rows(TRIGGERS).await? {
        let [Some(schema), Some(table), Some(name), Some(state), Some(owned), root] = row.as_slice() else { continue };
        server.target.triggers.push(TargetTrigger {
            schema: schema.clone(),
            table: table.clone(),
            name: name.clone(),
            state: state.clone(),
            owned: owned == "t",
            root: root.clone(),
        });
    }
    for row in session.rows(EVENT_TRIGGERS).await? {
        let [Some(name), Some(state)] = row.as_slice() else { continue };
        server.target.event_triggers.push((name.clone(), state.clone()));
    }
    Ok(())
}

/// The triggers that this restore's rows would fire, and that are to be off.
pub fn fired<'s>(server: &'s Server, content: &Content, options: &RestoreOptions) -> Vec<&'s TargetTrigger> {
    if options.triggers { Vec::new() } else { of_filled(server, content, options) }
}

/// The triggers of tables that are there already, and that rows come into.
fn of_filled<'s>(server: &'s Server, content: &Content, options: &RestoreOptions) -> Vec<&'s TargetTrigger> {
    let dropped = matches!(options.clean, Some(Clean::Schema | Clean::Database));
    if options.schema_only || dropped || server.target.triggers.is_empty() {
        return Vec::new();
    }
    let (tables, roots) = filled(content, options);
    let is_filled = |trigger: &&TargetTrigger| {
        tables.contains(&(trigger.schema.as_str(), trigger.table.as_str()))
            || trigger.root.as_deref().is_some_and(|root| roots.contains(root))
    };
    server.target.triggers.iter().filter(is_filled).collect()
}

/// The tables that rows come into and that the restore does not make; the roots into which rows of partitions come.
fn filled<'c>(content: &'c Content, options: &RestoreOptions) -> (BTreeSet<(&'c str, &'c str)>, BTreeSet<&'c str>) {
    let chosen = if options.selects() { select(&content.entries, options).ok().map(|s| s.chosen) } else { None };
    let comes = |entry: &&Entry| chosen.as_ref().is_none_or(|chosen| chosen.contains(&entry.id));
    let named = |entry: &'c Entry| (entry.schema.as_deref().unwrap_or("public"), entry.tag.as_str());
    let of = |kinds: &[&str]| -> BTreeSet<_> {
        content.entries.iter().filter(comes).filter(|e| kinds.contains(&e.kind.as_str())).map(named).collect()
    };
    let made = if options.data_only { BTreeSet::new() } else { of(&["TABLE", "FOREIGN TABLE"]) };
    let tables: BTreeSet<_> = of(&["TABLE DATA"]).difference(&made).copied().collect();
    let roots = content.tables.iter().filter(|t| tables.contains(&(t.schema.as_deref().unwrap_or("public"), &t.name)));
    let roots = roots.filter_map(|table| table.root.as_deref()).collect();
    (tables, roots)
}

/// Refuses what can't keep triggers off.
pub fn check(server: &Server, content: &Content, options: &RestoreOptions) -> Result<()> {
    let fired = fired(server, content, options);
    let others: Vec<_> = fired.iter().copied().filter(|trigger| !trigger.owned).collect();
    let refused = |what: &str, those: &[&TargetTrigger], hint: Hint| {
        Err(Error::new(Kind::Refused, format!("{what}: {}", listed(those))).hint(hint).hint(hint::TRIGGERS_ON))
    };
    if !others.is_empty() {
        let what = format!("rows would fire triggers that {} can't switch off", server.user);
        return refused(
            &what,
            &others,
            Hint::new("owner-of-tables-or-superuser", "restore as the owner of these tables, or as a superuser"),
        );
    }
    if fired.is_empty() {
        return Ok(());
    }
    if options.jobs > 1 {
        let what = "several sessions can't keep the target's triggers off for their rows";
        return refused(
            what,
            &fired,
            Hint::new("one-job-switches-off", "--jobs 1 switches them off in its one transaction"),
        );
    }
    if content.format == Format::PG_PLAIN && plain::transactions(content).is_none() {
        let what = "the script holds transactions of its own, so the target's triggers can't be kept off for its rows";
        return refused(
            what,
            &fired,
            Hint::new("custom-format-is-one-transaction", "dump in custom format, whose restore is one transaction"),
        );
    }
    Ok(())
}

/// That triggers run, where that is wanted.
pub fn warning(server: &Server, content: &Content, options: &RestoreOptions) -> Option<String> {
    let firing = if options.triggers { of_filled(server, content, options) } else { Vec::new() };
    (!firing.is_empty()).then(|| triggers_run(&listed(&firing)))
}

/// SQL that switches triggers off, and afterwards back to what they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Switches {
    pub off: String,
    pub back: String,
    /// What is said of it.
    pub note: Option<String>,
}

impl Switches {
    /// Whether there is nothing to switch.
    pub fn is_empty(&self) -> bool {
        self.off.is_empty()
    }

    /// Adds one, by the beginning of the statement that alters it.
    fn add(&mut self, alter: &str, what: &str, state: &str) {
        let enable = match state {
            "A" => "ENABLE ALWAYS",
            "R" => "ENABLE REPLICA",
            _ => "ENABLE",
        };
        self.off.extend([alter, " DISABLE", what, ";\n"]);
        self.back = format!("{alter} {enable}{what};\n{}", self.back);
    }
}

/// How the triggers that this restore's rows would fire are kept off. Event triggers come first and go last: they are
/// not to notice.
pub fn switches(server: &Server, content: &Content, options: &RestoreOptions) -> Switches {
    let fired = fired(server, content, options);
    let mut switches = Switches::default();
    if fired.is_empty() {
        return switches;
    }
    let events = &server.target.event_triggers;
    let superuser = server.standing == "superuser";
    for (name, state) in events.iter().filter(|_| superuser) {
        switches.add(&format!("ALTER EVENT TRIGGER {}", identifier(name)), "", state);
    }
    for trigger in &fired {
        // The copies of a partitioned table's have states of their own.
        let table = format!("{}.{}", identifier(&trigger.schema), identifier(&trigger.table));
        let what = format!(" TRIGGER {}", identifier(&trigger.name));
        switches.add(&format!("ALTER TABLE ONLY {table}"), &what, &trigger.state);
    }
    // A table whose deferred checks are still to come can't be altered.
    switches.back = format!("SET CONSTRAINTS ALL IMMEDIATE;\n{}", switches.back);
    let mut note =
        format!("triggers off while rows come (--triggers on lets them run), {}: {}", fired.len(), listed(&fired));
    if !(superuser || events.is_empty()) {
        let names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
        note += "; event triggers run for that, which only a superuser may switch: ";
        note += &names.join(", ");
    }
    switches.note = Some(note);
    switches
}

/// `t_log on public.t`, and some more.
fn listed(triggers: &[&TargetTrigger]) -> String {
    const NAMED: usize = 20;
    let names = triggers.iter().take(NAMED).map(|t| format!("{} on {}.{}", t.name, t.schema, t.table));
    let more = (triggers.len() > NAMED).then(|| "...".to_owned());
    names.chain(more).collect::<Vec<_>>().join(", ")
}
