//! A network namespace of the test's own, and a cable to it.

use std::{
    fs::File,
    io::{Read, Write},
    net::{Ipv4Addr, TcpListener},
    os::fd::AsFd,
    process::{Child, Command, Stdio},
    thread,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The hardware's addresses of both ends, and one that nobody has.
const NEAR: &str = "02:00:00:00:00:01";
const FAR: &str = "02:00:00:00:00:02";
const NOBODY: &str = "02:00:00:00:00:03";

/// A cable, with an address of its own at the far end. Namespace and cable are gone with the value, or with the process.
pub struct Wire {
    /// A process that lives in the namespace.
    namespace: Child,
    name: String,
    near: Ipv4Addr,
    far: Ipv4Addr,
}

impl Wire {
    pub fn lay() -> Self {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut namespace = unshare.spawn().expect("run unshare");
        let (stdin, stdout) = (namespace.stdin.as_mut(), namespace.stdout.as_mut());
        stdin.expect("a pipe").write_all(b".").expect("write");
        // It repeats what it reads: it lives, and where it should.
        stdout.expect("a pipe").read_exact(&mut [0]).expect("these tests make a network namespace, as root");
        let id = namespace.id();
        // Of the network for tests between devices (RFC 2544), four addresses for each.
        let address =
            |last: u32| Ipv4Addr::from_bits(Ipv4Addr::new(198, 18, 0, 0).to_bits() + (id % 0x8000) * 4 + last);
        let wire = Self { namespace, name: format!("dbhaul{id}"), near: address(1), far: address(2) };
        let (name, near, far, net) = (&wire.name, wire.near, wire.far, address(0));
        // No more than so much can be under way, and arrive when nothing more does.
        let route = |device: &str| format!("route replace {net}/30 dev {device} window 65535\n");
        let cable = format!("link add {name} address {NEAR} type veth peer name far address {FAR} netns {id}\n");
        let here = format!("address add {near}/30 dev {name}\nlink set {name} up\n{}", route(name));
        ip(&mut Command::new("ip"), &(cable + &here));
        ip(&mut wire.inside("ip"), &format!("address add {far}/30 dev far\nlink set far up\n{}", route("far")));
        wire.say(NEAR, FAR);
        wire
    }

    /// A port at the far end.
    pub fn listen(&self) -> TcpListener {
        let (namespace, far) = (File::open(self.file()).expect("the namespace"), self.far);
        let bind = move || {
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("enter the namespace");
            TcpListener::bind((far, 0)).expect("a port")
        };
        // A thread of its own: a namespace is a thread's, and a socket stays where it was made.
        thread::spawn(bind).join().expect("the thread")
    }

    /// Every packet is dropped, in both directions, and nobody is told.
    pub fn cut(&self) {
        self.say(NOBODY, NOBODY);
    }

    /// Packets pass again.
    pub fn mend(&self) {
        self.say(NEAR, FAR);
    }

    /// Tells each end what hardware the other one has: frames for nobody are dropped where they arrive.
    fn say(&self, near: &str, far: &str) {
        let known = |address: Ipv4Addr, hardware: &str, device: &str| {
            format!("neighbour replace {address} lladdr {hardware} dev {device} nud permanent\n")
        };
        ip(&mut Command::new("ip"), &known(self.far, far, &self.name));
        ip(&mut self.inside("ip"), &known(self.near, near, "far"));
    }

    fn inside(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.file())).arg(program);
        command
    }

    fn file(&self) -> String {
        format!("/proc/{}/ns/net", self.namespace.id())
    }
}

fn ip(command: &mut Command, lines: &str) {
    let mut ip = command.args(["-batch", "-"]).stdin(Stdio::piped()).spawn().expect("run ip: run scripts/servers.sh");
    ip.stdin.take().expect("a pipe").write_all(lines.as_bytes()).expect("write");
    assert!(ip.wait().expect("wait for ip").success(), "these tests set up a network, as root:\n{lines}");
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Sockets that are still open would keep the namespace, and so the cable.
        let _ = Command::new("ip").args(["link", "delete", &self.name]).status();
        drop(self.namespace.stdin.take());
        let _ = self.namespace.wait();
    }
}
