//! `sdarts export`: the files hold the network that was trained, whoever reads them.

mod command_line;
mod files;
mod interpreter;
mod networks;
mod onnx;
mod onnxruntime;
