//! NAS-Bench-101: its cells, their hash, and the spaces of NAS-Bench-1Shot1 among them.

mod graph;
