//! What a core can do at most: multiply-adds between registers, with the widest vectors that the kernels use.

use std::hint::black_box;

use macerator::{Scalar, Simd, Vector};

use super::{Kernel, dispatch, store, zero};

/// Sums side by side. A multiply-add takes four cycles and two begin in each, so eight keep a core at work;
/// twelve leave room for slower ones and stay within the 16 registers of AVX2.
const SUMS: usize = 12;

/// Does so many rounds of multiply-adds in registers, in this thread. Their number of floating-point
/// operations: two for each multiply-add of each lane.
pub fn multiply_adds(rounds: usize) -> u64 {
    dispatch(Rounds(rounds))
}

struct Rounds(usize);

impl Kernel for Rounds {
    type Output = u64;

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) -> u64 {
        // Numbers that the compiler does not know, or it computes the sums itself. They stay finite.
        let [factor, term]: [Vector<S, f32>; 2] = black_box([0.5_f32, 1.0]).map(Scalar::splat);
        let mut sums: [Vector<S, f32>; SUMS] = [zero(); SUMS];
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = sum.mul_add(factor, term);
            }
        }
        for sum in &sums {
            let _: [f32; L] = black_box(store(*sum));
        }
        (2 * L * SUMS * self.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::lanes;

    #[test]
    fn operations_are_counted_lane_by_lane() {
        let lanes = lanes() as u64;
        assert_eq!(multiply_adds(0), 0);
        assert_eq!(multiply_adds(10), 10 * 2 * lanes * SUMS as u64);
    }
}
