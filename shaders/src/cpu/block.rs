//! Memory of outputs, used again.
//!
//! A kernel that writes all of its output needs no zeros there, but new memory without them is not to
//! be had in safe Rust, and clearing it took 8 % of the samples of `perf record sdarts bench --method
//! sdarts-adv --device cpu --threads 1`. So the floats of an output come back here when no tensor holds
//! them any more, and the next output of that size gets them as they are.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{AllocationProperty, Bytes, DType, Shape};

use super::aligned::Aligned;

/// Floats that may be held in any case, in tensors and waiting together: 419 MB. Where tensors held more at
/// once, so much: a training of the paper's network at batch 96 holds gigabytes at the end of its forward
/// pass, and asked the system for most of them again in every step when only 419 MB could wait.
const KEPT: usize = 100 << 20;

/// Blocks that are asked for in several steps: what nobody asked for meanwhile is of an earlier network.
const LONG: usize = 1 << 15;

/// Floats of any value: whoever asks for them writes them all.
pub(crate) struct Block(Aligned);

impl Block {
    pub(crate) fn new(count: usize) -> Self {
        let known = pool().take(count);
        Self(known.unwrap_or_else(|| Aligned::new(count)))
    }

    /// A tensor of these numbers. burn may read it; where it writes in place, it copies it first, which
    /// takes as long as clearing did.
    pub(crate) fn into_tensor(self, shape: impl Into<Shape>) -> FlexTensor {
        let bytes = bytes::Bytes::from_owner(self);
        let bytes = Bytes::from_shared(bytes, AllocationProperty::Other);
        FlexTensor::new(bytes, Layout::contiguous(shape.into()), DType::F32)
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        pool().give(std::mem::take(&mut self.0));
    }
}

impl Deref for Block {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl DerefMut for Block {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// What waits.
struct Pool {
    /// By its length.
    waiting: BTreeMap<usize, Length>,
    /// How often a block was asked for.
    takes: usize,
    /// Floats that wait, floats in tensors, and the most that were in tensors at once.
    floats: usize,
    held: usize,
    most: usize,
    /// Floats that may be held in any case.
    kept: usize,
}

/// Blocks of a length.
#[derive(Default)]
struct Length {
    waiting: Vec<Aligned>,
    /// When it was asked for last.
    asked: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool::new(KEPT));

fn pool() -> MutexGuard<'static, Pool> {
    // A panic between two lines of it leaves a pool that is still one.
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pool {
    const fn new(kept: usize) -> Self {
        Self { waiting: BTreeMap::new(), takes: 0, floats: 0, held: 0, most: 0, kept }
    }

    /// A block that waits, or `None`: the caller makes one then, and what waits for other lengths goes as
    /// far as it has to.
    fn take(&mut self, count: usize) -> Option<Aligned> {
        self.held += count;
        self.most = self.most.max(self.held);
        self.takes += 1;
        let length = self.waiting.entry(count).or_default();
        length.asked = self.takes;
        let known = length.waiting.pop();
        match &known {
            Some(_) => self.floats -= count,
            None => self.make_room(),
        }
        known
    }

    fn give(&mut self, values: Aligned) {
        let count = values.len();
        self.held -= count;
        if self.held + self.floats + count <= self.limit() {
            self.floats += count;
            self.waiting.entry(count).or_default().waiting.push(values);
        }
    }

    fn limit(&self) -> usize {
        self.kept.max(self.most)
    }

    /// Drops blocks that wait until no more is held than the limit.
    fn make_room(&mut self) {
        while self.held + self.floats > self.limit() {
            let Some(count) = self.dispensable() else { return };
            if self.waiting.get_mut(&count).and_then(|length| length.waiting.pop()).is_some() {
                self.floats -= count;
            }
        }
    }

    /// The length whose blocks are missed the least: one that nobody has asked for since long, else the shortest.
    /// (Where the longest went, `sdarts bench --preset ptb-sdarts-rs --method sdarts-rs` asked the system for 784 MB
    /// anew in every pass.)
    fn dispensable(&self) -> Option<usize> {
        let waiting = self.waiting.iter().filter(|(_, length)| !length.waiting.is_empty());
        let old = |length: &Length| length.asked + LONG < self.takes;
        waiting.min_by_key(|(count, length)| (!old(length), **count)).map(|(count, _)| *count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::values;

    /// Lengths that no other test uses: the pool is that of the process.
    #[test]
    fn a_block_comes_back_when_no_tensor_holds_it() {
        let mut block = Block::new(12_347);
        block.fill(7.0);
        let tensor = block.into_tensor([12_347]);
        let other = tensor.clone();
        drop(tensor);
        assert!(Block::new(12_347).iter().all(|value| *value == 0.0), "a tensor holds the first");
        assert!(values(&other).iter().all(|value| *value == 7.0));
        drop(other);
        let both: Vec<Block> = (0..2).map(|_| Block::new(12_347)).collect();
        assert!(both.iter().any(|block| block.iter().all(|value| *value == 7.0)));
    }

    #[test]
    fn writing_to_a_tensor_leaves_the_waiting_memory_alone() {
        let mut block = Block::new(12_349);
        block.fill(1.0);
        let mut tensor = block.into_tensor([12_349]);
        tensor.storage_mut::<f32>().fill(2.0);
        let waiting = Block::new(12_349);
        assert!(waiting.iter().all(|value| *value != 2.0));
        assert!(values(&tensor).iter().all(|value| *value == 2.0));
    }

    #[test]
    fn no_more_than_the_limit_waits() {
        let mut pool = Pool::new(100);
        for count in [90, 11] {
            assert!(pool.take(count).is_none());
            pool.give(Aligned::new(count));
        }
        // Both together would be 101.
        assert_eq!((pool.floats, pool.held), (11, 0));
        assert_eq!(pool.take(11).map(|values| values.len()), Some(11));
        assert_eq!((pool.floats, pool.held), (0, 11));
    }

    #[test]
    fn the_shortest_go_first_and_what_nobody_asks_for_any_more_before_them() {
        let mut pool = Pool::new(100);
        for count in [70, 30] {
            pool.take(count);
        }
        [70, 30].into_iter().for_each(|count| pool.give(Aligned::new(count)));
        assert!(pool.take(20).is_none());
        assert_eq!((pool.floats, pool.held), (70, 20), "30 went");
        for _ in 0..=LONG {
            pool.take(10);
            pool.give(Aligned::new(10));
        }
        assert_eq!((pool.floats, pool.held), (80, 20), "nothing had to go");
        pool.take(5);
        assert_eq!((pool.floats, pool.held), (10, 25), "70 went, an earlier network's");
    }

    #[test]
    fn as_much_may_wait_as_tensors_held_at_once() {
        let mut pool = Pool::new(10);
        let blocks: Vec<Aligned> =
            (0..3).map(|_| pool.take(30).unwrap_or_else(|| Aligned::new(30))).collect();
        blocks.into_iter().for_each(|block| pool.give(block));
        assert_eq!((pool.floats, pool.held, pool.most), (90, 0, 90));
        // Another length has no room beside all that waits.
        assert!(pool.take(31).is_none());
        assert_eq!((pool.floats, pool.held), (30, 31));
    }
}
