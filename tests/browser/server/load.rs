//! Clients that take more than their share: of bytes, of time, of connections.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use web::server::Limits;

use super::{ask, folder, has_status, rest, start, start_with};

#[test]
fn a_request_without_an_end_is_cut_and_told_so() {
    let (address, _root) = start();
    let long = "x".repeat(1 << 20);
    let many = "a: b\r\n".repeat(100);
    has_status(&ask(address, &format!("GET /{long}"), ""), 431);
    has_status(&ask(address, "GET /", &format!("a: {long}\r\n")), 431);
    has_status(&ask(address, "GET /", &many), 431);
    has_status(&ask(address, "GET /", &format!("{long}: b\r\n")), 431);
    has_status(&ask(address, "GET /", &"a: b\r\n".repeat(60)), 200);
}

/// Limits that a test can wait for.
fn short(connections: usize) -> Limits {
    let moment = Duration::from_millis(100);
    Limits { connections, request: moment, answer: moment, pace: usize::MAX }
}

/// Asks until there is an answer with this status: what is bounded frees its place, and what is not lets
/// this test hang.
fn until(address: SocketAddr, status: u16) {
    while !ask(address, "GET /", "").starts_with(&format!("HTTP/1.1 {status} ")) {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_client_that_sends_byte_by_byte_is_let_go_before_its_end() {
    let root = folder();
    let address = start_with(&root, short(8));
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\na: {}", "x".repeat(16_000));
    // Every byte comes long before the patience for a single one would end.
    let sent = request.bytes().take_while(|byte| {
        std::thread::sleep(Duration::from_millis(10));
        stream.write_all(&[*byte]).is_ok()
    });
    assert!(sent.count() < request.len(), "it listened to all of it");
}

#[test]
fn who_begins_a_request_and_stops_is_told_that_it_took_too_long() {
    let root = folder();
    let address = start_with(&root, short(8));
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    has_status(&rest(stream), 408);
    assert_eq!(rest(TcpStream::connect(address).unwrap()), "", "an idle one is closed silently");
}

#[test]
fn a_client_that_takes_nothing_of_its_answer_is_let_go() {
    let root = folder();
    // More than the buffers of two sockets hold.
    fs::write(root.path().join("site/large"), vec![0; 64 << 20]).unwrap();
    let address = start_with(&root, short(1));
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /large HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    until(address, 200);
    let mut taken = Vec::new();
    let _ = stream.read_to_end(&mut taken);
    assert!(taken.len() < 64 << 20, "it was let go before its end");
}

#[test]
fn connections_are_bounded_and_their_places_come_back() {
    let root = folder();
    let limits = Limits { connections: 4, ..Limits::default() };
    let address = start_with(&root, limits);
    let idle: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(address).unwrap()).collect();
    for _ in 0..100 {
        has_status(&rest(TcpStream::connect(address).unwrap()), 503);
    }
    drop(idle);
    until(address, 200);
}

#[test]
fn many_clients_at_once_are_all_answered() {
    let (address, _root) = start();
    let clients = (0..16).map(|_| {
        std::thread::spawn(move || {
            for _ in 0..50 {
                has_status(&ask(address, "GET /", ""), 200);
            }
        })
    });
    let clients: Vec<_> = clients.collect();
    for client in clients {
        client.join().unwrap();
    }
}
