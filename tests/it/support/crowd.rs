//! Everybody else.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::Server;

/// Takes every connection that a server has left, until it is dropped. No session begins: a place is taken by who has
/// come as far as the question for the password.
pub struct Crowd(#[expect(dead_code, reason = "held for its end")] Vec<TcpStream>);

impl Crowd {
    pub fn fill(server: &Server) -> Self {
        let mut places = Vec::new();
        while let Some(place) = take(server) {
            places.push(place);
            assert!(places.len() < 1000, "the server takes everybody");
        }
        Self(places)
    }
}

fn take(server: &Server) -> Option<TcpStream> {
    let mut place = TcpStream::connect(("127.0.0.1", server.port())).expect("the server");
    if server.flavour().is_postgres() {
        let words = format!("user\0{}\0database\0postgres\0\0", server.user());
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
