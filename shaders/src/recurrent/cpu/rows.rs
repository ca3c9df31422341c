//! What is computed number by number, over rows of hidden states in whole vectors.

use macerator::{Scalar, Simd, Vector};

use crate::cpu::curves::{sigmoid, tanh};
use crate::cpu::{Kernel, load, store, zero};

/// Weights of none, tanh, relu, sigmoid and identity.
pub(super) const OPTIONS: usize = 5;

/// `out` = h + σ(c)·(tanh(h') − h).
pub(super) struct Start<'a> {
    pub(super) width: usize,
    /// (c, h').
    pub(super) products: &'a [f32],
    pub(super) hidden: &'a [f32],
    pub(super) out: &'a mut [f32],
}

impl Kernel for Start<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let rows = self.products.chunks_exact(2 * self.width);
        let others = self.hidden.chunks_exact(self.width);
        for ((row, h), out) in rows.zip(others).zip(self.out.chunks_exact_mut(self.width)) {
            let (c, z) = halves::<L>(row);
            let inputs = c.iter().zip(z).zip(vectors::<L>(h));
            for (((c, z), h), out) in inputs.zip(out.as_chunks_mut::<L>().0) {
                let h = load::<S, L>(h);
                *out = store(sigmoid(load::<S, L>(c)).mul_add(tanh(load::<S, L>(z)) - h, h));
            }
        }
    }
}

/// From the gradient of s₀ those of (c, h') and, apart from them, of h.
pub(super) struct StartBack<'a> {
    pub(super) width: usize,
    pub(super) products: &'a [f32],
    pub(super) hidden: &'a [f32],
    pub(super) gradient: &'a [f32],
    pub(super) of_products: &'a mut [f32],
    pub(super) of_hidden: &'a mut [f32],
}

impl Kernel for StartBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let width = self.width;
        let outs = self.of_products.chunks_exact_mut(2 * width);
        for (row, out) in outs.enumerate() {
            let (c, z) = halves::<L>(&self.products[row * 2 * width..][..2 * width]);
            let h = vectors::<L>(&self.hidden[row * width..][..width]);
            let d = vectors::<L>(&self.gradient[row * width..][..width]);
            let of_hidden = self.of_hidden[row * width..][..width].as_chunks_mut::<L>().0;
            let (of_c, of_z) = out.split_at_mut(width);
            let (of_c, of_z) = (of_c.as_chunks_mut::<L>().0, of_z.as_chunks_mut::<L>().0);
            for index in 0..width / L {
                let (h, d) = (load::<S, L>(&h[index]), load::<S, L>(&d[index]));
                let (gate, f) = (sigmoid(load::<S, L>(&c[index])), tanh(load::<S, L>(&z[index])));
                let one: Vector<S, f32> = 1.0_f32.splat();
                let through = d * gate;
                of_c[index] = store(through * (f - h) * (one - gate));
                of_z[index] = store(through * (one - f * f));
                of_hidden[index] = store(d - through);
            }
        }
    }
}

/// A row of p as vectors.
struct Weights<S: Simd> {
    options: [Vector<S, f32>; 4],
    all: Vector<S, f32>,
}

impl<S: Simd> Weights<S> {
    #[inline(always)]
    fn new(row: &[f32; OPTIONS]) -> Self {
        let [_, a, b, c, d] = *row;
        Self { options: [a.splat(), b.splat(), c.splat(), d.splat()], all: (a + b + c + d).splat() }
    }

    /// Σ p·f(z).
    #[inline(always)]
    fn sum(&self, f: &[Vector<S, f32>; 4]) -> Vector<S, f32> {
        let first = f[0] * self.options[0];
        let second = f[1].mul_add(self.options[1], first);
        let third = f[2].mul_add(self.options[2], second);
        f[3].mul_add(self.options[3], third)
    }
}

/// tanh, relu, sigmoid and identity of z.
#[inline(always)]
fn options<S: Simd>(z: Vector<S, f32>) -> [Vector<S, f32>; 4] {
    [tanh(z), z.max(zero()), sigmoid(z), z]
}

/// `out` = Σ over the states that a node reads of Σ p·(s + σ(c)·(f(z) − s)) = Σ P·s + σ(c)·(Σ p·f(z) − P·s),
/// where P is the sum of a row of p without that of none.
pub(super) struct Mix<'a> {
    pub(super) width: usize,
    /// By state: the same rows of (c, z), of s, and p.
    pub(super) reads: &'a [(&'a [f32], &'a [f32], [f32; OPTIONS])],
    pub(super) out: &'a mut [f32],
}

impl Kernel for Mix<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let width = self.width;
        for (row, out) in self.out.chunks_exact_mut(width).enumerate() {
            let out = out.as_chunks_mut::<L>().0;
            for (index, (products, state, p)) in self.reads.iter().enumerate() {
                let weights = Weights::<S>::new(p);
                let (c, z) = halves::<L>(&products[row * 2 * width..][..2 * width]);
                let s = vectors::<L>(&state[row * width..][..width]);
                for (((c, z), s), out) in c.iter().zip(z).zip(s).zip(out.iter_mut()) {
                    let (gate, f) = (sigmoid(load::<S, L>(c)), options(load::<S, L>(z)));
                    let s = load::<S, L>(s) * weights.all;
                    let before = if index == 0 { zero() } else { load::<S, L>(out) };
                    *out = store(gate.mul_add(weights.sum(&f) - s, s + before));
                }
            }
        }
    }
}

/// From the gradient of a node those of the (c, z) and of the s of one state that it reads, and of p.
pub(super) struct MixBack<'a> {
    pub(super) width: usize,
    pub(super) products: &'a [f32],
    pub(super) state: &'a [f32],
    pub(super) gradient: &'a [f32],
    pub(super) p: [f32; OPTIONS],
    pub(super) of_products: &'a mut [f32],
    /// To which it is added.
    pub(super) of_state: &'a mut [f32],
}

impl Kernel for MixBack<'_> {
    type Output = [f32; OPTIONS];

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) -> [f32; OPTIONS] {
        let (width, weights) = (self.width, Weights::<S>::new(&self.p));
        let [p_tanh, p_relu, p_sigmoid, p_identity] = weights.options;
        let one: Vector<S, f32> = 1.0_f32.splat();
        let mut sums: [Vector<S, f32>; OPTIONS] = [zero(); OPTIONS];
        let outs = self.of_products.chunks_exact_mut(2 * width);
        for (row, out) in outs.enumerate() {
            let (c, z) = halves::<L>(&self.products[row * 2 * width..][..2 * width]);
            let s = vectors::<L>(&self.state[row * width..][..width]);
            let d = vectors::<L>(&self.gradient[row * width..][..width]);
            let of_state = self.of_state[row * width..][..width].as_chunks_mut::<L>().0;
            let (of_c, of_z) = out.split_at_mut(width);
            let (of_c, of_z) = (of_c.as_chunks_mut::<L>().0, of_z.as_chunks_mut::<L>().0);
            for index in 0..width / L {
                let (s, d) = (load::<S, L>(&s[index]), load::<S, L>(&d[index]));
                let (gate, z) = (sigmoid(load::<S, L>(&c[index])), load::<S, L>(&z[index]));
                let f = options(z);
                let (through, past) = (d * gate, d - d * gate);
                let difference = weights.sum(&f) - s * weights.all;
                of_c[index] = store(through * difference * (one - gate));
                let relu = z.gt(zero()).select(p_relu, zero());
                let slope = p_tanh * (one - f[0] * f[0]) + p_sigmoid * f[2] * (one - f[2]);
                of_z[index] = store(through * (slope + relu + p_identity));
                let before = load::<S, L>(&of_state[index]);
                of_state[index] = store(past.mul_add(weights.all, before));
                sums[0] = past.mul_add(s, sums[0]);
                sums[1] = through.mul_add(f[0], sums[1]);
                sums[2] = through.mul_add(f[1], sums[2]);
                sums[3] = through.mul_add(f[2], sums[3]);
                sums[4] = through.mul_add(f[3], sums[4]);
            }
        }
        let mut totals = [0.0; OPTIONS];
        for (total, sum) in totals.iter_mut().zip(&sums) {
            *total = store::<S, L>(*sum).iter().sum();
        }
        totals
    }
}

/// Batch norm of rows in place; whether by their own moments, which are put into `moments` first.
pub(super) struct Normalise<'a> {
    pub(super) values: &'a mut [f32],
    /// Means, then variances, in whole vectors.
    pub(super) moments: &'a mut [f32],
    pub(super) of_batch: bool,
    pub(super) eps: f32,
}

impl Kernel for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let width = self.moments.len() / 2;
        let count: Vector<S, f32> = ((self.values.len() / width) as f32).recip().splat();
        let (means, variances) = self.moments.split_at_mut(width);
        for first in (0..width).step_by(L) {
            let place = first..first + L;
            if self.of_batch {
                let mut sum: Vector<S, f32> = zero();
                for row in self.values.chunks_exact(width) {
                    sum += vector::<S, L>(&row[place.clone()]);
                }
                let mean = sum * count;
                put::<S, L>(&mut means[place.clone()], mean);
                let mut squares: Vector<S, f32> = zero();
                for row in self.values.chunks_exact(width) {
                    let x = vector::<S, L>(&row[place.clone()]) - mean;
                    squares = x.mul_add(x, squares);
                }
                put::<S, L>(&mut variances[place.clone()], squares * count);
            }
            let mean = vector::<S, L>(&means[place.clone()]);
            let factor = factor::<S, L>(&variances[place.clone()], self.eps);
            for row in self.values.chunks_exact_mut(width) {
                let x = vector::<S, L>(&row[place.clone()]) - mean;
                put::<S, L>(&mut row[place.clone()], x * factor);
            }
        }
    }
}

/// 1 / √(variance + eps).
#[inline(always)]
fn factor<S: Simd, const L: usize>(variance: &[f32], eps: f32) -> Vector<S, f32> {
    let one: Vector<S, f32> = 1.0_f32.splat();
    one / (vector::<S, L>(variance) + eps.splat()).sqrt()
}

/// The gradient behind a batch norm becomes that before it, in place.
pub(super) struct NormaliseBack<'a> {
    /// Behind the norm.
    pub(super) values: &'a [f32],
    pub(super) gradient: &'a mut [f32],
    pub(super) moments: &'a [f32],
    pub(super) of_batch: bool,
    pub(super) eps: f32,
}

impl Kernel for NormaliseBack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let width = self.moments.len() / 2;
        let count: Vector<S, f32> = ((self.values.len() / width) as f32).recip().splat();
        for first in (0..width).step_by(L) {
            let place = first..first + L;
            let factor = factor::<S, L>(&self.moments[width..][place.clone()], self.eps);
            let mut sums: [Vector<S, f32>; 2] = [zero(); 2];
            if self.of_batch {
                let rows = self.values.chunks_exact(width);
                for (x, d) in rows.zip(self.gradient.chunks_exact(width)) {
                    let d = vector::<S, L>(&d[place.clone()]);
                    sums[0] += d;
                    sums[1] = d.mul_add(vector::<S, L>(&x[place.clone()]), sums[1]);
                }
            }
            let (mean, slope) = (sums[0] * count, sums[1] * count);
            let rows = self.values.chunks_exact(width);
            for (x, d) in rows.zip(self.gradient.chunks_exact_mut(width)) {
                let centred = vector::<S, L>(&d[place.clone()]) - mean;
                let x = vector::<S, L>(&x[place.clone()]);
                put::<S, L>(&mut d[place.clone()], (centred - x * slope) * factor);
            }
        }
    }
}

/// `out` += x · factor, and times a mask where there is one.
pub(super) struct Add<'a> {
    pub(super) x: &'a [f32],
    pub(super) mask: Option<&'a [f32]>,
    pub(super) factor: f32,
    pub(super) out: &'a mut [f32],
}

impl Kernel for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const L: usize>(self) {
        let factor: Vector<S, f32> = self.factor.splat();
        let outs = self.out.as_chunks_mut::<L>().0.iter_mut();
        for (index, (out, x)) in outs.zip(vectors::<L>(self.x)).enumerate() {
            let x = load::<S, L>(x) * factor;
            let x = match self.mask {
                Some(mask) => x * vector::<S, L>(&mask[index * L..][..L]),
                None => x,
            };
            *out = store(load::<S, L>(out) + x);
        }
    }
}

#[inline(always)]
fn vectors<const L: usize>(row: &[f32]) -> &[[f32; L]] {
    row.as_chunks::<L>().0
}

/// Of c, then of z.
#[inline(always)]
fn halves<const L: usize>(row: &[f32]) -> (&[[f32; L]], &[[f32; L]]) {
    let (c, z) = row.split_at(row.len() / 2);
    (vectors(c), vectors(z))
}

#[inline(always)]
fn vector<S: Simd, const L: usize>(values: &[f32]) -> Vector<S, f32> {
    load::<S, L>(&values.as_chunks::<L>().0[0])
}

#[inline(always)]
fn put<S: Simd, const L: usize>(out: &mut [f32], value: Vector<S, f32>) {
    out.as_chunks_mut::<L>().0[0] = store(value);
}
