//! tanh, the sigmoid and exp, a vector at a time.

use macerator::{Scalar, Simd, Vector};

use super::zero;

/// tanh, to four units in the last place: a ratio of polynomials (the one of Eigen's `ptanh`), which is ±1 in
/// float32 from 7.9 on.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(x: Vector<S, f32>) -> Vector<S, f32> {
    const ODD: [f32; 7] = [
        -2.760_768_5e-16,
        2.000_188e-13,
        -8.604_672e-11,
        5.122_297e-8,
        1.485_722_4e-5,
        6.372_619_3e-4,
        4.893_525e-3,
    ];
    const EVEN: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];
    let x = x.min(7.905_311_f32.splat()).max((-7.905_311_f32).splat());
    let square = x * x;
    let mut above: Vector<S, f32> = ODD[0].splat();
    for coefficient in &ODD[1..] {
        above = above.mul_add(square, coefficient.splat());
    }
    let mut below: Vector<S, f32> = EVEN[0].splat();
    for coefficient in &EVEN[1..] {
        below = below.mul_add(square, coefficient.splat());
    }
    x * above / below
}

/// 1 / (1 + exp(−x)), to a few units in the last place on both sides of 0.
#[inline(always)]
pub(crate) fn sigmoid<S: Simd>(x: Vector<S, f32>) -> Vector<S, f32> {
    let one: Vector<S, f32> = 1.0_f32.splat();
    let small = exp(zero::<S>() - x.abs());
    let large = one / (one + small);
    x.gt(zero()).select(large, small * large)
}

/// exp of a number that is at most 0, to two units in the last place; 0 below −87.
#[inline(always)]
pub(crate) fn exp<S: Simd>(x: Vector<S, f32>) -> Vector<S, f32> {
    // Of e^r for |r| ≤ ln(2)/2, as in Cephes.
    const SERIES: [f32; 6] =
        [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 0.166_666_65, 0.5];
    let x = x.max((-87.0_f32).splat());
    let whole = (x * std::f32::consts::LOG2_E.splat()).round_ties_even();
    // ln(2) in two parts, the first of which times a whole number is exact.
    let rest = whole.mul_add((-0.693_359_4_f32).splat(), x);
    let rest = whole.mul_add(2.121_944_4e-4_f32.splat(), rest);
    let mut series: Vector<S, f32> = SERIES[0].splat();
    for coefficient in &SERIES[1..] {
        series = series.mul_add(rest, coefficient.splat());
    }
    let fraction = (series * rest).mul_add(rest, rest) + 1.0_f32.splat();
    let bits: Vector<S, i32> = whole.trunc_to_int() + 127_i32.splat();
    fraction * (bits << 23).reinterpret::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{Kernel, dispatch, load, store};

    /// tanh, sigmoid and exp of −|x|.
    struct Curves(Vec<f32>);

    impl Kernel for Curves {
        type Output = Vec<[f32; 3]>;

        #[inline(always)]
        fn run<S: Simd, const L: usize>(self) -> Vec<[f32; 3]> {
            let of = |x: f32| {
                let x: Vector<S, f32> = load(&[x; L]);
                let [t, s] = [store::<S, L>(tanh(x)), store::<S, L>(sigmoid(x))];
                [t[0], s[L - 1], store::<S, L>(exp(zero::<S>() - x.abs()))[0]]
            };
            self.0.into_iter().map(of).collect()
        }
    }

    #[test]
    fn curves_are_those_of_the_standard_library() {
        let grid = (-4000..=4000).map(|step| step as f32 / 40.0);
        let tiny = [0.0, 1e-30, -1e-7, 1e-4, f32::MAX, f32::MIN, f32::INFINITY, -f32::INFINITY];
        let inputs: Vec<f32> = grid.chain(tiny).collect();
        for (x, [t, s, e]) in inputs.iter().zip(dispatch(Curves(inputs.clone()))) {
            let wide = f64::from(*x);
            let close = |found: f32, exact: f64, relative: f64| {
                let error = (f64::from(found) - exact).abs();
                assert!(error <= relative * exact.abs() + 1e-37, "{x}: {found} for {exact}");
            };
            close(t, wide.tanh(), 5e-7);
            if wide.abs() < 87.0 {
                close(s, 1.0 / (1.0 + (-wide).exp()), 5e-7);
                close(e, (-wide.abs()).exp(), 3e-7);
            } else {
                assert!(e < 1.7e-38 && (s == 1.0 || s < 1.7e-38), "{x}: {e} {s}");
            }
        }
    }
}
