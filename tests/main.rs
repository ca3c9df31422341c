//! The integration tests of the workspace, in one binary. One module for each subject.

mod kernels;
