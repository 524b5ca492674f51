//! An engine that brings no client, of another program than dbhaul: `tests/src/shelf.rs`, which is dbhaul's own command
//! line with that engine in its registry. Its server is here.

use std::{
    collections::HashMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use rustix::process::Signal;

use crate::support::{Dbhaul, dbhaul_with_shelf, peak};

/// Papers in their order.
type Papers = Vec<(String, Vec<u8>)>;

#[derive(Default)]
struct State {
    shelves: HashMap<String, Papers>,
    /// What was put and does not count yet.
    put: HashMap<String, Papers>,
    fault: Option<Fault>,
}

/// What the server does in the middle of a paper.
#[derive(Clone)]
struct Fault {
    paper: String,
    hangs_up: bool,
}

/// The server. Its threads end with the tests.
#[derive(Clone)]
struct ShelfServer {
    port: u16,
    state: Arc<Mutex<State>>,
}

impl ShelfServer {
    fn start(shelf: &str, papers: Papers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let state = State { shelves: HashMap::from([(shelf.to_owned(), papers)]), ..State::default() };
        let server =
            Self { port: listener.local_addr().expect("an address").port(), state: Arc::new(Mutex::new(state)) };
        let accepting = server.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = accepting.clone();
                thread::spawn(move || server.serve(&stream));
            }
        });
        server
    }

    fn uri(&self, shelf: &str) -> String {
        format!("shelf://127.0.0.1:{}/{shelf}", self.port)
    }

    fn paper(&self, shelf: &str, paper: &str) -> Option<Vec<u8>> {
        let state = self.state.lock().expect("no panic");
        state.shelves.get(shelf)?.iter().find(|(name, _)| name == paper).map(|(_, content)| content.clone())
    }

    fn papers(&self, shelf: &str) -> Papers {
        self.state.lock().expect("no panic").shelves.get(shelf).cloned().unwrap_or_default()
    }

    fn breaks(&self, fault: Fault) {
        self.state.lock().expect("no panic").fault = Some(fault);
    }

    /// Answers one session to its end.
    fn serve(&self, stream: &TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let (mut lines, mut out) = (BufReader::new(stream), stream);
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            match words[..] {
                ["LIST", shelf] => {
                    let listed = self.papers(shelf);
                    let listed = listed.iter().map(|(name, content)| format!("{name} {}\n", content.len()));
                    out.write_all(format!("{}.\n", listed.collect::<String>()).as_bytes()).ok()?;
                }
                ["GET", shelf, paper] => {
                    let content = self.paper(shelf, paper)?;
                    let fault = self.state.lock().expect("no panic").fault.clone().filter(|f| f.paper == paper);
                    let sent = if fault.is_some() { content.len() / 2 } else { content.len() };
                    out.write_all(&[format!("{}\n", content.len()).as_bytes(), &content[..sent]].concat()).ok()?;
                    match fault {
                        Some(fault) if fault.hangs_up => return None,
                        // Until the other side goes.
                        Some(_) => drop(lines.read_line(&mut line)),
                        None => {}
                    }
                }
                ["PUT", shelf, paper, bytes] => {
                    let mut content = vec![0; bytes.parse().ok()?];
                    lines.read_exact(&mut content).ok()?;
                    let mut state = self.state.lock().expect("no panic");
                    state.put.entry(shelf.to_owned()).or_default().push((paper.to_owned(), content));
                    drop(state);
                    out.write_all(b"OK\n").ok()?;
                }
                ["KEEP", shelf] => {
                    let mut state = self.state.lock().expect("no panic");
                    let papers = state.put.remove(shelf).unwrap_or_default();
                    state.shelves.insert(shelf.to_owned(), papers);
                    drop(state);
                    out.write_all(b"OK\n").ok()?;
                }
                _ => return None,
            }
        }
    }
}

/// Three thousand papers, empty ones among them, and one that is larger than what is held of a member.
fn papers() -> Papers {
    let small = |n: usize| (format!("paper-{n:04}.txt"), format!("line {n}\n").repeat(n % 7).into_bytes());
    let large = ("large.txt".to_owned(), b"a line of thirty-two characters\n".repeat(20 << 15));
    (0..1500).map(small).chain([large]).chain((1500..3000).map(small)).collect()
}

fn lines(papers: &Papers) -> u64 {
    papers.iter().map(|(_, content)| memchr::memchr_iter(b'\n', content).count() as u64).sum()
}

fn run(words: &[&str]) -> Dbhaul {
    dbhaul_with_shelf().args(words)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn thousands_of_members_come_back_from_a_file_and_from_a_stream() {
    let (papers, folder) = (papers(), tempfile::tempdir().expect("a folder"));
    let server = ShelfServer::start("desk", papers.clone());
    let (file, stream) = (folder.path().join("file.tar.gz"), folder.path().join("stream.tar.gz"));
    run(&["dump", &server.uri("desk"), "-o", text(&file)]).run().expect_code(0);
    let into = fs::File::create(&stream).expect("a file");
    // A pipe, so that nothing can be written in place.
    let mut cat = Command::new("cat").stdin(std::process::Stdio::piped()).stdout(into).spawn().expect("cat");
    let pipe = cat.stdin.take().expect("a pipe");
    let pipe = fs::File::from(std::os::fd::OwnedFd::from(pipe));
    run(&["dump", &server.uri("desk"), "-o", "-"]).output_file(pipe).run().expect_code(0);
    assert!(cat.wait().expect("cat").success());
    for (archive, shelf, members) in [(&file, "of-file", 3001), (&stream, "of-stream", 3002)] {
        let verified = run(&["verify", "--json", text(archive)]).run().expect_code(0).json();
        assert_eq!(verified["rows"], lines(&papers), "{verified}");
        let inspected = run(&["inspect", "--json", text(archive)]).run().expect_code(0).json();
        assert_eq!(inspected["manifest"]["engine"], "shelf");
        assert_eq!(inspected["manifest"]["tables"].as_array().map(Vec::len), Some(3001));
        assert_eq!(inspected["manifest"]["members"].as_array().map(Vec::len), Some(members));
        let restored = run(&["restore", "--json", text(archive), &server.uri(shelf)]).run().expect_code(0).json();
        assert_eq!(restored["rows"], lines(&papers), "{restored}");
        assert!(server.papers(shelf) == papers, "other papers came back from {archive:?}");
    }
    // By hand: members are files of their own, and the parts of a large one are joined by their names.
    let unpacked = folder.path().join("unpacked");
    fs::create_dir(&unpacked).expect("a folder");
    let line = format!(
        "cd {} && tar -xzf {} --strip-components=1 && cat large.txt.* > large.txt",
        text(&unpacked),
        text(&stream)
    );
    assert!(Command::new("sh").args(["-c", &line]).status().expect("sh").success());
    for (name, content) in &papers {
        assert!(fs::read(unpacked.join(name)).expect(name) == *content, "{name} is another one");
    }
}

#[test]
fn a_source_that_breaks_off_inside_a_member_publishes_nothing() {
    let papers: Papers = papers().into_iter().take(10).collect();
    for (hangs_up, code) in [(true, 6), (false, 11)] {
        let (server, folder) = (ShelfServer::start("desk", papers.clone()), tempfile::tempdir().expect("a folder"));
        server.breaks(Fault { paper: "paper-0003.txt".to_owned(), hangs_up });
        let dump = run(&["dump", &server.uri("desk"), "--idle-timeout", "1", "-o"]).arg(folder.path().join("a.tar.gz"));
        let said = dump.run().expect_code(code).stderr;
        assert!(!hangs_up || said.contains("inside of paper-0003.txt"), "{said}");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 0, "{said}");
    }
}

#[test]
fn a_restore_that_does_not_end_does_not_count() {
    let (papers, folder) = (papers(), tempfile::tempdir().expect("a folder"));
    let server = ShelfServer::start("desk", papers);
    let archive = folder.path().join("a.tar.gz");
    run(&["dump", &server.uri("desk"), "-o", text(&archive)]).run().expect_code(0);
    let mut bytes = fs::read(&archive).expect("the archive");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes).expect("write");
    run(&["restore", text(&archive), &server.uri("other")]).run().expect_code(8);
    assert!(server.papers("other").is_empty());
}

#[test]
fn a_dump_that_is_killed_leaves_nothing_under_a_final_name_and_holds_little() {
    let (server, folder) = (ShelfServer::start("desk", papers()), tempfile::tempdir().expect("a folder"));
    server.breaks(Fault { paper: "paper-2000.txt".to_owned(), hangs_up: false });
    let mut dump = run(&["dump", &server.uri("desk"), "-o"]).arg(folder.path().join("a.tar.gz")).spawn();
    let left = || fs::read_dir(folder.path()).expect("the folder").flatten().map(|entry| entry.file_name());
    // The large member, which is written in place, has passed when its bytes are in the file.
    let written = || left().filter_map(|name| Some(folder.path().join(name).metadata().ok()?.len())).sum::<u64>();
    dump.wait_until("the members before the fault", |_| written() > 100_000);
    let most = peak(dump.pid()).expect("its memory");
    assert!(most < 64 << 10, "{most} KiB");
    dump.signal(Signal::KILL);
    assert_eq!(dump.wait().signal, Some(9));
    let names: Vec<_> = left().collect();
    assert!(names.iter().all(|name| name.to_string_lossy().ends_with(".partial")), "{names:?}");
}

#[test]
fn what_such_an_engine_has_not_is_refused_with_a_way_on_that_works() {
    let papers: Papers = papers().into_iter().take(10).collect();
    let (server, folder) = (ShelfServer::start("desk", papers.clone()), tempfile::tempdir().expect("a folder"));
    run(&["copy", &server.uri("desk"), &server.uri("other")]).run().refused(2, &[]).follows("dump-then-restore");
    let archive = folder.path().join("a.tar.gz");
    run(&["dump", &server.uri("desk"), "-o", text(&archive)]).run().expect_code(0);
    let create = run(&["restore", "--create", text(&archive), &server.uri("other")]).run();
    create.refused(2, &["no databases"]).follows("name-what-is-there");
    run(&["restore", text(&archive), &server.uri("other")]).run().expect_code(0);
    assert_eq!(server.papers("other"), papers);
    // No throw-away server, and dbhaul's own engines are there as well.
    run(&["verify", "--restore", text(&archive)]).run().refused(2, &["no throw-away server of shelf"]);
    let said = run(&["dump", "nothing://h/d"]).run().expect_code(3).stderr;
    assert!(said.contains("postgres://") && said.contains("or shelf://"), "{said}");
    let said = run(&["restore", text(&archive), "mysql://u@127.0.0.1:1/d"]).run().expect_code(10).stderr;
    assert!(said.contains("a shelf dump can't be restored into a mysql server"), "{said}");
}
