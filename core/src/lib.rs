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
//! 1. [`config`]: every setting of a run, with the paper's values as defaults.
//! 2. [`rng`]: where all randomness comes from.
//! 3. [`data`]: images, their files, their augmentation and their order.
//! 4. [`nn`], [`optim`]: layers and optimisers with the semantics of PyTorch.
//! 5. [`ops`]: the catalogue of candidate operations.
//! 6. [`cell`]: what a search can choose, and what it finds: a graph, and the texts it is written in.
//! 7. [`event`]: what a run says while it runs.
//! 8. [`net`], [`space`]: the supernet, the network that is trained from a genotype, the spaces that can be
//!    searched, what each of them derives, and tables of the true accuracies of its cells.
//! 9. [`arrays`]: named arrays between host, device and files.
//! 10. [`task`]: from a batch to a loss, and a network as a function of weights and architecture.
//! 11. [`policy`]: from architecture parameters to p.
//! 12. [`perturb`]: the perturbations of p.
//! 13. [`method`]: the named methods, and the gradient of the validation loss with respect to the
//!     architecture.
//! 14. [`measure`]: how sharp the validation loss is around the architecture, when that ends a
//!     search, and what else is observed after every epoch.
//! 15. [`run`]: a run from its start to its end, with its checkpoints; [`run::search`] is the
//!     search, and reads like Algorithm 1 of the paper, [`run::train`] trains what one found.
//! 16. [`paper`]: what the paper reports.
//! 17. [`draw`]: pictures of cells, curves and heatmaps as SVG.
//!
//! A module imports only modules that stand before it in this list; a test holds it to that.

#![deny(unsafe_code)]

pub mod arrays;
pub mod cell;
pub mod config;
pub mod data;
pub mod draw;
pub mod event;
pub mod measure;
pub mod method;
pub mod net;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod paper;
pub mod perturb;
pub mod policy;
pub mod rng;
pub mod run;
pub mod space;
pub mod task;
