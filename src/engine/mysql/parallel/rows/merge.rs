//! One dump of what the client and the sessions write: at each table's place its rows, in the statements that the client
//! would have put them in.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read};
use std::iter::Peekable;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Semaphore, oneshot, watch};

use super::reader::{PIECES, StretchRows, Task};
use super::schema_stream::{self, RowsSlot, Segment};
use super::tables::{TableReadPlan, quoted};
use crate::engine::mysql::session::quote;
use crate::engine::{Client, Flavour, Version};
use crate::error::{Error, Kind};
use crate::process::SILENT;

/// The client's `--net-buffer-length`, which bounds its statements: every client's has this default.
const LONGEST_STATEMENT: usize = 1_046_528;
/// How often somebody who waits for rows looks whether they are still wanted.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// How a client writes its `INSERT`s.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    flavour: Flavour,
    /// Every row has a line of its own.
    lines: bool,
}

impl Form {
    pub(super) fn of(client: &Client) -> Self {
        /// MariaDB's client writes a row a line somewhere between 10.5 and this.
        const LINES: Version = Version::new(10, 11, 0);
        let lines = client.flavour == Flavour::MARIADB && client.version >= LINES;
        Self { flavour: client.flavour, lines }
    }

    /// `` INSERT INTO `t` VALUES ``, with the columns where the client names them.
    fn head(self, quoted: &[u8], named: &str) -> Vec<u8> {
        let mut head = [&b"INSERT INTO "[..], quoted].concat();
        if !named.is_empty() {
            head.extend_from_slice(format!(" ({named})").as_bytes());
        }
        head.extend_from_slice(if self.lines && named.is_empty() { b" VALUES\n" } else { b" VALUES " });
        head
    }

    fn between(self) -> &'static [u8] {
        if self.lines { b",\n" } else { b"," }
    }
}

/// What is to come, in its order.
enum Item {
    Text(Vec<u8>),
    Stretch { insert: Arc<Vec<u8>>, pieces: Receiver<StretchRows>, last: bool },
    End(io::Result<()>),
}

/// A table whose stretches are not yet all given out.
struct ChunkCursor {
    place: Arc<RowsSlot>,
    insert: Arc<Vec<u8>>,
    columns: String,
    conditions: Peekable<Box<dyn Iterator<Item = Option<String>> + Send>>,
}

/// The dump. Reading from it blocks; it is for a plain thread.
pub struct MergedDump {
    merger: RowMerger,
    form: Form,
    parts: Receiver<Segment>,
    /// Says when the dump is to break off.
    over: watch::Receiver<()>,
    dealt: Option<ChunkCursor>,
    line: VecDeque<Item>,
    /// What is being handed on.
    now: Vec<u8>,
    at: usize,
    /// The length of the statement that the rows stand in; 0 outside of one.
    statement: usize,
    ended: Option<oneshot::Sender<()>>,
}

/// What rows are asked for with.
#[derive(Clone)]
pub(super) struct RowMerger {
    pub(super) tables: Arc<HashMap<String, TableReadPlan>>,
    /// Takes what is to be read, in its order.
    pub(super) tasks: UnboundedSender<Task>,
    /// How many stretches may be begun before their turn; one more with each that is through.
    pub(super) turns: Arc<Semaphore>,
    /// So many items stand in line.
    pub(super) ahead: usize,
    /// A session that sends nothing for so long is given up.
    pub(super) idle: Duration,
}

/// Held while the dump is read.
pub struct RunningMerge {
    /// Told when no more of it is wanted.
    over: Arc<watch::Sender<()>>,
    /// The client has to wait for us.
    waits: Arc<AtomicBool>,
    ended: oneshot::Receiver<()>,
    /// Keeps the client's output open: closed because the rows failed, it would make the client fail, too.
    _output: JoinHandle<Box<dyn Read + Send>>,
}

impl RunningMerge {
    /// A flag that is true while the client is silent because nobody reads what it says.
    #[must_use]
    pub fn client_waits(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.waits)
    }

    /// Ends when the dump was read to its end, or is no longer.
    pub async fn ended(&mut self) {
        let _ = (&mut self.ended).await;
    }
}

/// The dump breaks off where it is, and the sessions end.
impl Drop for RunningMerge {
    fn drop(&mut self) {
        let _ = self.over.send(());
    }
}

impl RowMerger {
    /// Begins with what the client writes; that is read on a thread of its own, so that rows come also while the client
    /// waits for the server.
    pub(super) fn merge(
        &self,
        mut output: Box<dyn Read + Send>,
        form: Form,
        over: &Arc<watch::Sender<()>>,
    ) -> (MergedDump, RunningMerge) {
        let (sender, parts) = sync_channel(4);
        let (ended, at_end) = oneshot::channel();
        let waits: Arc<AtomicBool> = Arc::default();
        let busy = Arc::clone(&waits);
        let output = thread::spawn(move || {
            schema_stream::read(&mut output, |part| {
                busy.store(true, Ordering::Relaxed);
                let taken = sender.send(part).is_ok();
                busy.store(false, Ordering::Relaxed);
                taken
            });
            output
        });
        let weaving = RunningMerge { over: Arc::clone(over), waits, ended: at_end, _output: output };
        let woven = MergedDump {
            merger: self.clone(),
            form,
            parts,
            over: over.subscribe(),
            dealt: None,
            line: VecDeque::new(),
            now: Vec::new(),
            at: 0,
            statement: 0,
            ended: Some(ended),
        };
        (woven, weaving)
    }
}

impl MergedDump {
    /// Fills the line, and has the sessions begin with what is in it. What the client writes is waited for only when
    /// nothing else is to come.
    fn look_ahead(&mut self) -> io::Result<()> {
        while self.line.len() < self.merger.ahead {
            if self.next_chunk()? {
                continue;
            }
            let part = if self.line.is_empty() {
                self.parts.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                self.parts.try_recv()
            };
            match part {
                Ok(Segment::Text(text)) => self.line.push_back(Item::Text(text)),
                Ok(Segment::Rows(place)) => self.dealt = Some(ChunkCursor::new(place, &self.merger.tables, self.form)),
                Ok(Segment::End(end)) => self.line.push_back(Item::End(end)),
                // After its end nothing comes, and before it the thread goes only by a defect.
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Gives out the next stretch of the table that is being dealt; false when there is none.
    fn next_chunk(&mut self) -> io::Result<bool> {
        let Some(dealt) = &mut self.dealt else { return Ok(false) };
        let Some(condition) = dealt.conditions.next() else { return Ok(false) };
        let (sender, pieces) = sync_channel(PIECES);
        let (place, select) = (Arc::clone(&dealt.place), dealt.select(condition.as_deref()));
        let last = dealt.conditions.peek().is_none();
        self.line.push_back(Item::Stretch { insert: Arc::clone(&dealt.insert), pieces, last });
        if last {
            self.dealt = None;
        }
        self.merger.tasks.send(Task { place, select, pieces: sender }).map_err(|_| broke_off())?;
        Ok(true)
    }

    /// Makes the next bytes; false at the end.
    fn next(&mut self) -> io::Result<bool> {
        self.now.clear();
        self.at = 0;
        while self.now.is_empty() {
            self.look_ahead()?;
            match self.line.pop_front() {
                Some(Item::Text(text)) => self.now = text,
                Some(Item::Stretch { insert, pieces, last }) => self.rows(insert, pieces, last)?,
                Some(Item::End(end)) => {
                    end?;
                    self.ended.take().map(|ended| ended.send(()));
                    return Ok(false);
                }
                None => return if self.ended.is_some() { Err(broke_off()) } else { Ok(false) },
            }
        }
        Ok(true)
    }

    /// Takes the next piece of a stretch.
    fn rows(&mut self, insert: Arc<Vec<u8>>, pieces: Receiver<StretchRows>, last: bool) -> io::Result<()> {
        match self.wait(&pieces)? {
            StretchRows::Rows { bytes, ends } => {
                self.join(&insert, &bytes, &ends);
                self.line.push_front(Item::Stretch { insert, pieces, last });
            }
            StretchRows::End => {
                self.merger.turns.add_permits(1);
                if last && std::mem::take(&mut self.statement) > 0 {
                    self.now.extend_from_slice(b";\n");
                }
            }
            StretchRows::Failed(error) => return Err(io::Error::other(*error)),
        }
        Ok(())
    }

    fn wait(&self, pieces: &Receiver<StretchRows>) -> io::Result<StretchRows> {
        let since = Instant::now();
        loop {
            match pieces.recv_timeout(POLL_INTERVAL) {
                Ok(piece) => return Ok(piece),
                Err(RecvTimeoutError::Timeout) if self.over.has_changed().unwrap_or(true) => return Err(broke_off()),
                Err(RecvTimeoutError::Timeout) if since.elapsed() < self.merger.idle => {}
                Err(RecvTimeoutError::Timeout) => {
                    let what =
                        format!("a session that reads rows moved no byte for {} s", self.merger.idle.as_secs_f64());
                    return Err(io::Error::other(Error::new(Kind::TimedOut, what).hint(SILENT)));
                }
                Err(RecvTimeoutError::Disconnected) => return Err(broke_off()),
            }
        }
    }

    /// Appends rows to the statement, or begins another where it would grow too long, as `mysqldump` counts that.
    fn join(&mut self, insert: &[u8], bytes: &[u8], ends: &[usize]) {
        self.now.reserve(bytes.len() + ends.len() * 2 + insert.len() * 2);
        let mut start = 0;
        for &end in ends {
            let row = &bytes[start..end];
            start = end;
            let length = row.len() + 2;
            if self.statement > 0 && self.statement + length < LONGEST_STATEMENT {
                self.statement += length;
                self.now.extend_from_slice(self.form.between());
            } else {
                if self.statement > 0 {
                    self.now.extend_from_slice(b";\n");
                }
                self.now.extend_from_slice(insert);
                self.statement = insert.len() + 4 + length;
            }
            self.now.extend_from_slice(row);
        }
    }
}

impl Read for MergedDump {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.now.len() && !self.next()? {
            return Ok(0);
        }
        let count = buffer.len().min(self.now.len() - self.at);
        buffer[..count].copy_from_slice(&self.now[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

impl ChunkCursor {
    fn new(place: RowsSlot, tables: &HashMap<String, TableReadPlan>, form: Form) -> Self {
        let unknown = TableReadPlan::default();
        let table = tables.get(&place.table).unwrap_or(&unknown);
        let insert = Arc::new(form.head(&place.quoted, &quoted(&table.named(form.flavour))));
        let columns = table.selected(form.flavour);
        let conditions: Box<dyn Iterator<Item = _> + Send> = Box::new(table.stretches());
        Self { place: Arc::new(place), insert, columns, conditions: conditions.peekable() }
    }

    fn select(&self, condition: Option<&str>) -> String {
        let (columns, table) = (&self.columns, quote(&self.place.table));
        match condition {
            None => format!("SELECT /*!40001 SQL_NO_CACHE */ {columns} FROM {table}"),
            Some(condition) => format!(
                "SELECT /*!40001 SQL_NO_CACHE */ {columns} FROM {table} FORCE INDEX (PRIMARY) WHERE {condition}"
            ),
        }
    }
}

/// Somebody else knows why.
fn broke_off() -> io::Error {
    io::Error::other("the dump broke off")
}
