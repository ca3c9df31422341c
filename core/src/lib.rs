//! # SmoothDARTS
//!
//! Differentiable architecture search that does not collapse: the weights of a supernet are
//! trained under random (SDARTS-RS) or adversarial (SDARTS-ADV) perturbations of the architecture
//! (Chen & Hsieh, ICML 2020, arXiv 2002.05283).
//!
//! This crate is the science. It opens no file, starts no thread and prints nothing: bytes go in,
//! [`event::Event`]s come out. The same code runs on the command line and in a browser worker.
//!
//! ## A tour, in reading order
//!
//! 1. [`config`]: every setting of a search, with the paper's values as defaults.
//! 2. [`rng`]: where all randomness comes from.
//! 3. [`data`]: images, their files, their augmentation and their order.
//! 4. [`nn`], [`optim`]: layers and optimisers with the semantics of PyTorch.
//! 5. [`ops`]: the catalogue of candidate operations.
//! 6. [`cell`]: what a search can choose, and what it finds: a graph, and the texts it is written in.
//! 7. [`event`]: what a search says while it runs.
//! 8. [`arch`]: the architecture parameters. [`statistics`]: the size of the network that is trained
//!    from a genotype.
//! 9. [`net`], [`space`]: the supernet, the spaces that it can search, what each of them derives, and
//!    tables of the true accuracies of its cells.
//! 10. [`perturb`]: the perturbations of the architecture.
//! 11. [`architect`]: the gradient of the validation loss with respect to the architecture.
//! 12. [`hessian`], [`early_stop`]: how sharp the validation loss is around the architecture, and
//!     when that ends a search; [`landscape`]: the validation accuracy around it.
//! 13. [`methods`]: the named methods.
//! 14. [`checkpoint`]: the whole state of a search as bytes.
//! 15. [`search`]: the loop; it reads like Algorithm 1 of the paper.
//! 16. [`paper`]: what the paper reports.
//! 17. [`draw`]: pictures of cells, curves and heatmaps as SVG.
//!
//! A module imports only modules that stand before it in this list; a test holds it to that.

#![forbid(unsafe_code)]

pub mod arch;
pub mod architect;
pub mod cell;
pub mod checkpoint;
pub mod config;
pub mod data;
pub mod draw;
pub mod early_stop;
pub mod event;
pub mod hessian;
pub mod landscape;
pub mod methods;
pub mod net;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod paper;
pub mod perturb;
pub mod rng;
pub mod search;
pub mod space;
pub mod statistics;
