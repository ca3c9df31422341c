//! The CPU records nothing, so nothing has to stay where it is.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;

use super::OverwriteOps;

impl OverwriteOps for Flex {
    fn overwrite(_: FlexTensor, source: FlexTensor) -> FlexTensor {
        source
    }
}
