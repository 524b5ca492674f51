//! Everybody else.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
};

use super::{Server, descendants, eventually};

/// Takes every connection that a server has left, until it is dropped. No session begins: a place is taken by who has
/// come as far as the question for the password.
pub struct Crowd {
    door: Door,
    places: Vec<TcpStream>,
}

impl Crowd {
    pub fn fill(server: &Server) -> Self {
        let user = server.flavour().is_postgres().then(|| server.user().to_owned());
        let door = Door { port: server.port(), user };
        let mut places = Vec::new();
        while let Some(place) = door.take() {
            places.push(place);
            assert!(places.len() < 1000, "the server takes everybody");
        }
        Self { door, places }
    }

    /// Gives up so many places, and waits until the server knows: each is a process of its own there.
    pub fn leave(mut self, server: &Server, few: usize) -> Self {
        let all = descendants(server.pid()).len();
        self.places.truncate(self.places.len() - few);
        eventually("some of the crowd have gone", || descendants(server.pid()).len() + few <= all);
        self
    }
}

impl Drop for Crowd {
    /// A server takes its time to see who has gone.
    fn drop(&mut self) {
        let half = self.places.len() / 2;
        self.places.clear();
        let take_half = || (0..half).map_while(|_| self.door.take()).collect::<Vec<_>>();
        if !thread::panicking() {
            eventually("the crowd has gone", || take_half().len() == half);
        }
    }
}

/// How a server is asked for a place.
struct Door {
    port: u16,
    /// Who asks; `PostgreSQL` wants to know first.
    user: Option<String>,
}

impl Door {
    fn take(&self) -> Option<TcpStream> {
        let mut place = TcpStream::connect(("127.0.0.1", self.port)).expect("the server");
        if let Some(user) = &self.user {
            let words = format!("user\0{user}\0database\0postgres\0\0");
            let length = u32::try_from(8 + words.len()).expect("a short one");
            let startup = [&length.to_be_bytes()[..], &196_608_u32.to_be_bytes(), words.as_bytes()].concat();
            place.write_all(&startup).expect("write");
            let mut kind = [0];
            // 'E' says that there is no place.
            return (place.read(&mut kind).is_ok_and(|read| read == 1) && kind == *b"R").then_some(place);
        }
        // A length of three bytes, a number, the first byte of the greeting; 255 is an error instead of one.
        let mut greeting = [0; 5];
        (place.read_exact(&mut greeting).is_ok() && greeting[4] != 255).then_some(place)
    }
}
