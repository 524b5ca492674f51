//! What came of all runs, and the table at the end.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use crate::watch::Ran;

/// Counted by all workers.
pub struct Tally {
    started: Instant,
    failed: AtomicBool,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// How often each command ended how.
    ends: BTreeMap<&'static str, BTreeMap<String, u64>>,
    /// Of each run: seconds from the start, KiB, descriptors.
    sizes: Vec<(f64, u64, usize)>,
    published: u64,
    partial: usize,
    in_temp: usize,
}

impl Tally {
    pub fn new() -> Self {
        Self { started: Instant::now(), failed: AtomicBool::new(false), counts: Mutex::default() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn count(&self, command: &'static str, ran: &Ran) {
        let output = &ran.output;
        let end = output.code.map_or_else(|| format!("signal {}", output.signal.unwrap_or(0)), |code| code.to_string());
        let mut counts = self.counts();
        *counts.ends.entry(command).or_default().entry(end).or_default() += 1;
        counts.sizes.push((self.started.elapsed().as_secs_f64(), ran.rss, ran.fds));
    }

    /// An archive got its name, and was verified.
    pub fn published(&self) {
        self.counts().published += 1;
    }

    /// So many `.partial` files of killed dumps.
    pub fn partial(&self, files: usize) {
        self.counts().partial += files;
    }

    /// So many names in TMPDIR after a KILL.
    pub fn left_by_kill(&self, files: usize) {
        self.counts().in_temp += files;
    }

    /// A worker found something: the others stop.
    pub fn fail(&self) {
        self.failed.store(true, Ordering::Relaxed);
    }

    pub fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Highest resident size (KiB) and number of descriptors of the runs in the first and in the second half.
    pub fn halves(&self) -> [(u64, usize); 2] {
        let counts = self.counts();
        let middle = self.started.elapsed().as_secs_f64() / 2.0;
        let peaks = |late: bool| {
            let half = counts.sizes.iter().filter(move |(at, ..)| (*at >= middle) == late);
            half.fold((0, 0), |(rss, fds), &(_, more_rss, more_fds)| (rss.max(more_rss), fds.max(more_fds)))
        };
        [peaks(false), peaks(true)]
    }

    /// The figures, as Markdown.
    pub fn table(&self) -> String {
        let mut text = String::from("| command | runs | how they ended: exit code × times |\n|---|---|---|\n");
        let halves = self.halves();
        let counts = self.counts();
        for (command, ends) in &counts.ends {
            let shown: Vec<_> = ends.iter().map(|(end, times)| format!("{end} × {times}")).collect();
            let _ = writeln!(text, "| {command} | {} | {} |", ends.values().sum::<u64>(), shown.join(", "));
        }
        let [(rss, fds), (later_rss, later_fds)] = halves;
        let (first, second) = (rss as f64 / 1024.0, later_rss as f64 / 1024.0);
        let _ = write!(
            text,
            "\narchives published, each verified: {}\nhighest resident size of dbhaul: {first:.1} MiB in the first half, \
             {second:.1} MiB in the second\nmost open descriptors: {fds}, then {later_fds}\nleft by KILL, and removed: \
             {} .partial files, {} names in TMPDIR\n",
            counts.published, counts.partial, counts.in_temp
        );
        text
    }
}
