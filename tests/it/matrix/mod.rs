//! Every server with every client: dump, verify, restore into the same server, compare; or a refusal before anything
//! has started. docs/compatibility.md shows it.

mod crossing;
mod pair;
mod recorded;

use std::{
    fmt::{self, Display},
    path::PathBuf,
    sync::OnceLock,
};

use pair::Outcome;

use crate::support::{Family, Flavour, Pooling, assert_section};

/// A server, and how it is met.
#[derive(Clone, Copy)]
struct Place {
    flavour: Flavour,
    way: Way,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Directly,
    /// Through `PgBouncer`.
    Pooled(Pooling),
    /// Directly, and what is dumped has no generated columns.
    NothingGenerated,
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let product = product(self.flavour);
        match self.way {
            Way::Directly => f.write_str(&product),
            Way::Pooled(Pooling::Session) => write!(f, "{product} behind PgBouncer, session pooling"),
            Way::Pooled(Pooling::Transaction) => write!(f, "{product} behind PgBouncer, transaction pooling"),
            Way::NothingGenerated => write!(f, "{product}, no generated columns"),
        }
    }
}

/// `PostgreSQL 15`
fn product(flavour: Flavour) -> String {
    let vendor = match flavour.family() {
        Family::Postgres => "PostgreSQL",
        Family::Mysql => "MySQL",
        Family::Mariadb => "MariaDB",
    };
    format!("{vendor} {}", flavour.version())
}

/// The folder of exactly this version's clients.
fn clients_of(flavour: Flavour) -> PathBuf {
    assert!(CLIENTS.iter().any(|group| group.contains(&flavour)), "{flavour:?} has clients of its own");
    flavour.client_dir()
}

const fn directly(flavour: Flavour) -> Place {
    Place { flavour, way: Way::Directly }
}

const fn pooled(pooling: Pooling) -> Place {
    Place { flavour: Flavour::Postgres15, way: Way::Pooled(pooling) }
}

const POSTGRES: [Place; 8] = [
    directly(Flavour::Postgres13),
    directly(Flavour::Postgres14),
    directly(Flavour::Postgres15),
    directly(Flavour::Postgres16),
    directly(Flavour::Postgres17),
    directly(Flavour::Postgres18),
    pooled(Pooling::Session),
    pooled(Pooling::Transaction),
];
const MYSQL: [Place; 6] = [
    directly(Flavour::Mariadb105),
    directly(Flavour::Mariadb),
    directly(Flavour::Mariadb114),
    directly(Flavour::Mariadb118),
    directly(Flavour::Mysql),
    Place { flavour: Flavour::Mysql, way: Way::NothingGenerated },
];
/// Whose clients; PostgreSQL's and the MySQL family's.
const CLIENTS: [[Flavour; 4]; 2] = [
    [Flavour::Postgres13, Flavour::Postgres15, Flavour::Postgres17, Flavour::Postgres18],
    [Flavour::Mariadb105, Flavour::Mariadb, Flavour::Mariadb118, Flavour::Mysql],
];

/// The outcomes of one server with its clients. Each pair runs once, whoever asks for it: its own test or the table's.
fn outcomes(places: &'static [Place], place: usize) -> Vec<&'static Outcome> {
    const MOST: usize = 8;
    type Row = [OnceLock<Outcome>; 4];
    static TABLE: [[Row; MOST]; 2] = [const { [const { [const { OnceLock::new() }; 4] }; MOST] }; 2];
    let family = usize::from(!places[place].flavour.is_postgres());
    let clients = CLIENTS[family].iter().zip(&TABLE[family][place]);
    clients.map(|(client, cell)| cell.get_or_init(|| pair::run(places[place], *client))).collect()
}

macro_rules! servers {
    ($($test:ident: $places:ident[$place:literal];)*) => { $(
        #[test]
        fn $test() {
            for outcome in outcomes(&$places, $place) {
                assert!(!matches!(outcome, Outcome::Other(_)), "{}: {outcome}", $places[$place]);
            }
        }
    )* };
}

servers! {
    every_client_works_with_postgresql_13_or_is_refused: POSTGRES[0];
    every_client_works_with_postgresql_14_or_is_refused: POSTGRES[1];
    every_client_works_with_postgresql_15_or_is_refused: POSTGRES[2];
    every_client_works_with_postgresql_16_or_is_refused: POSTGRES[3];
    every_client_works_with_postgresql_17_or_is_refused: POSTGRES[4];
    every_client_works_with_postgresql_18_or_is_refused: POSTGRES[5];
    every_client_works_with_session_pooling_or_is_refused: POSTGRES[6];
    every_client_works_with_transaction_pooling_or_is_refused: POSTGRES[7];
    every_client_works_with_mariadb_10_5_or_is_refused: MYSQL[0];
    every_client_works_with_mariadb_10_11_or_is_refused: MYSQL[1];
    every_client_works_with_mariadb_11_4_or_is_refused: MYSQL[2];
    every_client_works_with_mariadb_11_8_or_is_refused: MYSQL[3];
    every_client_works_with_mysql_9_7_or_is_refused: MYSQL[4];
    every_client_works_with_mysql_9_7_without_generated_columns_or_is_refused: MYSQL[5];
}

/// The table of one family, as Markdown.
fn table(places: &'static [Place], clients: &[Flavour]) -> String {
    let mut text = String::from("| Server |");
    text += &clients.iter().map(|client| format!(" {} |", product(*client))).collect::<String>();
    text += &format!("\n|---|{}\n", "---|".repeat(clients.len()));
    for (at, place) in places.iter().enumerate() {
        let cells = outcomes(places, at).into_iter().map(|outcome| format!(" {outcome} |")).collect::<String>();
        text += &format!("| {place} |{cells}\n");
    }
    text
}

#[test]
fn the_table_of_servers_and_clients_is_the_one_in_the_documentation() {
    let text = format!("{}\n{}", table(&POSTGRES, &CLIENTS[0]), table(&MYSQL, &CLIENTS[1]));
    assert_section("docs/compatibility.md", "clients", &text);
}

#[test]
fn the_table_of_recorded_clients_is_the_one_in_the_documentation() {
    assert_section("docs/compatibility.md", "recorded-clients", &recorded::table());
}
