//! SmoothDARTS in the browser.
//!
//! A page starts a worker; the worker calls this library, compiled to WebAssembly:
//!
//! - `settings`: from a preset and the controls of the page to a config;
//! - `data`: the images, from files that the worker fetched or the user dropped;
//! - `monitor`: what a search has said, and the pictures of it;
//! - `session`: a search on its device, one step or one part of a step at a time;
//! - `page`: the same for JavaScript;
//! - `threads`: the pool of a module that is built with threads.
//!
//! `server` serves the page on this machine.
//!
//! Everything but `page` compiles natively too, with the feature `native`, for the tests. The
//! program of this package (`cargo run -p web`) builds the page and serves it.

#[cfg(any(target_family = "wasm", feature = "native"))]
pub mod data;
#[cfg(any(target_family = "wasm", feature = "native"))]
pub mod monitor;
#[cfg(target_family = "wasm")]
pub mod page;
#[cfg(not(target_family = "wasm"))]
pub mod server;
#[cfg(any(target_family = "wasm", feature = "native"))]
pub mod session;
#[cfg(any(target_family = "wasm", feature = "native"))]
pub mod settings;
#[cfg(all(target_family = "wasm", target_feature = "atomics"))]
pub mod threads;
