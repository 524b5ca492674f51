//! dbhaul with one engine more, which has no client, no user in its URI, and thousands of members: the seam of the engines,
//! tried from outside. `shelf://HOST:PORT/NAME` is a shelf of papers, kept by a server of the tests (tests/it/shelf).
//!
//! The server is asked in lines. `LIST NAME` is answered by `PAPER BYTES` for each paper and a dot; `GET NAME PAPER` by its
//! bytes; `PUT NAME PAPER BYTES` takes them, `KEEP NAME` makes them count, and both are answered by `OK`.

use std::process::ExitCode;

use dbhaul::connection::{Connection, Limits};
use dbhaul::dialect::{Description, Dialect};
use dbhaul::engine::members::{Consumer, MAX_PIECE, MemberReceiver, MemberSender, Piece, Producer};
use dbhaul::engine::registry::Registry;
use dbhaul::engine::{
    Content, DatabaseKeeper, DumpJob, DumpPlan, DumpPlanner, DumpReader, DumpSource, DumpedTable, Engine, Flavour,
    Format, Incomplete, Inspector, Layout, Loader, Pending, Prober, Purpose, RestoreJob, RestorePlan, RestorePlanner,
    Server, TableEstimate, TargetKeeper, Version,
};
use dbhaul::error::{Error, Kind, Result};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::TcpStream;

const DIALECT: Dialect = Dialect::new(&Description {
    name: "shelf",
    schemes: &["shelf"],
    default_port: 7000,
    needs_user: false,
    parameters: &[],
});

const FLAVOUR: Flavour = Flavour { name: "Shelf", minor_counts_below: u32::MAX, rows_in_encoding: false };

const PAPERS: Format =
    Format { name: "papers", dialect: DIALECT, layout: Layout::Members, runs_as_is: false, tells_structure: false };

fn main() -> ExitCode {
    dbhaul::run(Registry::default().with(&Shelf), std::env::args_os())
}

struct Shelf;

impl Engine for Shelf {
    fn dialect(&self) -> Dialect {
        DIALECT
    }

    fn flavours(&self) -> &'static [Flavour] {
        &[FLAVOUR]
    }
}

impl Prober for Shelf {
    fn oldest(&self, _: Flavour) -> Version {
        Version::new(1, 0, 0)
    }

    fn probe<'a>(&'a self, connection: &'a Connection, _: Purpose, limits: &'a Limits) -> Pending<'a, Server> {
        Box::pin(async move {
            let mut server = Server::new(FLAVOUR, Version::new(1, 0, 0), connection);
            let papers = Session::open(connection, limits).await?.list().await?;
            server.size = Some(papers.iter().map(|(_, bytes)| bytes).sum());
            server.tables = papers
                .into_iter()
                .map(|(name, bytes)| TableEstimate { name, bytes, ..TableEstimate::default() })
                .collect();
            server.target.exists = true;
            Ok(server)
        })
    }
}

impl DatabaseKeeper for Shelf {}

impl DumpPlanner for Shelf {
    fn plan_dump(&self, job: &DumpJob<'_>) -> Result<DumpPlan> {
        let papers = job.server.tables.iter().map(|table| table.name.clone()).collect();
        let source = DumpSource::Native(Box::new(Reading { connection: job.connection.clone(), papers }));
        Ok(DumpPlan::new(source, "papers", PAPERS, "none"))
    }
}

impl DumpReader for Shelf {
    fn members_format(&self) -> Option<Format> {
        Some(PAPERS)
    }

    fn inspector(&self, _: Format) -> Box<dyn Inspector> {
        Box::new(Papers::default())
    }
}

impl RestorePlanner for Shelf {
    fn plan_restore(&self, job: &RestoreJob<'_>) -> Result<RestorePlan> {
        let writing = Writing { connection: job.connection.clone() };
        Ok(RestorePlan::new(Loader::Native(Box::new(writing)), job.content.tables.clone()))
    }
}

impl TargetKeeper for Shelf {}

/// Reads the papers one after the other.
struct Reading {
    connection: Connection,
    papers: Vec<String>,
}

impl Producer for Reading {
    fn describe(&self) -> String {
        format!("{} papers are read", self.papers.len())
    }

    fn start(&self, limits: &Limits, members: MemberSender) -> Pending<'static, ()> {
        let (connection, papers, limits) = (self.connection.clone(), self.papers.clone(), *limits);
        Box::pin(async move {
            let mut session = Session::open(&connection, &limits).await?;
            for paper in papers {
                members.begin(&paper).await?;
                session.get(&paper, &members).await?;
                members.end().await?;
            }
            members.finish().await
        })
    }
}

/// Writes the papers one after the other; they count when all are there.
struct Writing {
    connection: Connection,
}

impl Consumer for Writing {
    fn describe(&self) -> String {
        "papers are put back".to_owned()
    }

    fn start(self: Box<Self>, limits: &Limits, mut members: MemberReceiver) -> Pending<'static, u64> {
        let limits = *limits;
        Box::pin(async move {
            let mut session = Session::open(&self.connection, &limits).await?;
            let (mut paper, mut content, mut lines) = (String::new(), Vec::new(), 0);
            loop {
                match members.next().await? {
                    Piece::Begin(name) => (paper, content) = (name, Vec::new()),
                    Piece::Bytes(bytes) => content.extend_from_slice(&bytes),
                    Piece::End => {
                        lines += memchr::memchr_iter(b'\n', &content).count() as u64;
                        session.put(&paper, &content).await?;
                    }
                    Piece::Finish => break,
                }
            }
            session.keep().await.map(|()| lines)
        })
    }
}

/// Counts the lines of each paper.
#[derive(Default)]
struct Papers(Vec<DumpedTable>);

impl Inspector for Papers {
    fn begin_member(&mut self, name: &str) {
        self.0.push(DumpedTable { name: name.to_owned(), rows: Some(0), ..DumpedTable::default() });
    }

    fn see(&mut self, bytes: &[u8]) {
        if let Some(rows) = self.0.last_mut().and_then(|paper| paper.rows.as_mut()) {
            *rows += memchr::memchr_iter(b'\n', bytes).count() as u64;
        }
    }

    fn position(&self) -> Option<(&DumpedTable, usize)> {
        None
    }

    fn finish(self: Box<Self>) -> std::result::Result<Content, Incomplete> {
        let objects = self.0.len() as u64;
        Ok(Content { tables: self.0, objects, source_flavour: Some(FLAVOUR), ..Content::new(PAPERS) })
    }
}

/// A session with the server.
struct Session {
    stream: BufStream<TcpStream>,
    shelf: String,
}

impl Session {
    async fn open(connection: &Connection, limits: &Limits) -> Result<Self> {
        let failed = |why: String| Error::new(Kind::Connect, format!("cannot connect to {connection}")).why(why);
        let address = connection.address().ok_or_else(|| failed("a shelf has no socket".to_owned()))?;
        let connecting = tokio::time::timeout(limits.connect, TcpStream::connect(address)).await;
        let stream =
            connecting.map_err(|_| failed("it took too long".to_owned()))?.map_err(|e| failed(e.to_string()))?;
        stream.set_nodelay(true).map_err(|e| failed(e.to_string()))?;
        Ok(Self { stream: BufStream::new(stream), shelf: connection.database.clone() })
    }

    async fn ask(&mut self, words: &str, content: &[u8]) -> Result<()> {
        self.stream.write_all(words.as_bytes()).await.map_err(lost)?;
        self.stream.write_all(content).await.map_err(lost)?;
        self.stream.flush().await.map_err(lost)
    }

    async fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await.map_err(lost)?;
        if read == 0 { Err(lost("it hung up")) } else { Ok(line.trim_end().to_owned()) }
    }

    async fn list(&mut self) -> Result<Vec<(String, u64)>> {
        self.ask(&format!("LIST {}\n", self.shelf), &[]).await?;
        let mut papers = Vec::new();
        loop {
            match self.line().await?.split_once(' ') {
                Some((name, bytes)) => papers.push((name.to_owned(), bytes.parse().map_err(lost)?)),
                None => return Ok(papers),
            }
        }
    }

    async fn get(&mut self, paper: &str, members: &MemberSender) -> Result<()> {
        self.ask(&format!("GET {} {paper}\n", self.shelf), &[]).await?;
        let mut left: usize = self.line().await?.parse().map_err(lost)?;
        let mut buffer = vec![0; MAX_PIECE];
        while left > 0 {
            let most = left.min(buffer.len());
            let read = self.stream.read(&mut buffer[..most]).await.map_err(lost)?;
            if read == 0 {
                return Err(lost("it hung up").why(format!("inside of {paper}")));
            }
            members.bytes(&buffer[..read]).await?;
            left -= read;
        }
        Ok(())
    }

    async fn put(&mut self, paper: &str, content: &[u8]) -> Result<()> {
        self.ask(&format!("PUT {} {paper} {}\n", self.shelf, content.len()), content).await?;
        self.confirmed().await
    }

    async fn keep(&mut self) -> Result<()> {
        self.ask(&format!("KEEP {}\n", self.shelf), &[]).await?;
        self.confirmed().await
    }

    async fn confirmed(&mut self) -> Result<()> {
        match self.line().await?.as_str() {
            "OK" => Ok(()),
            other => Err(Error::new(Kind::RestoreFailed, "the server refused").why(other)),
        }
    }
}

fn lost(why: impl std::fmt::Display) -> Error {
    Error::new(Kind::DumpFailed, "the session broke off").why(why)
}
