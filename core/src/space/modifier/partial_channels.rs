//! Partial channels: one channel in K goes through the operations of an edge, the others go past them.
//!
//! - **Paper**: *PC-DARTS: Partial Channel Connections for Memory-Efficient Architecture Search* (Xu, Xie,
//!   Zhang, Chen, Qi, Tian, Xiong, ICLR 2020).
//! - **Settings**: `search.partial_channels`, K.

use super::Modifier;

/// Its row of the catalogue.
pub static ENTRY: Modifier = Modifier {
    name: "partial-channels",
    help: "one channel in search.partial_channels goes through the operations, the others past them",
    modify: |modified, config| {
        modified.build.partial_channels = config.search.partial_channels;
        Ok(())
    },
};
