//! The WGSL kernels: a thread for each number, which goes through the states.

use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::{GatedMix, GatedMixGradients, GatedMixOps};
use crate::wgpu::{Program, built, contiguous, empty, fold};

impl GatedMixOps for CubeBackend {
    fn gated_mix(
        states: CubeTensor,
        products: CubeTensor,
        p: CubeTensor,
        mix: GatedMix,
    ) -> CubeTensor {
        let [states, products, p] = [states, products, p].map(contiguous);
        let out = empty(&states, [mix.batch, mix.hidden]);
        built(mix, |mix| forward(*mix)).launch(&[&states, &products, &p, &out]);
        out
    }
}

impl GatedMixGradients for CubeBackend {
    fn gated_mix_gradients(
        states: CubeTensor,
        products: CubeTensor,
        p: CubeTensor,
        gradient: CubeTensor,
        mix: GatedMix,
    ) -> (CubeTensor, CubeTensor) {
        let [states, products, p] = [states, products, p].map(contiguous);
        let gradient = contiguous(gradient);
        let of_states = empty(&states, [mix.states, mix.batch, mix.hidden]);
        let of_products = empty(&states, [mix.states * mix.batch, 2 * mix.hidden]);
        let buffers = [&states, &products, &p, &gradient, &of_states, &of_products];
        built(mix, |mix| gradients(*mix)).launch(&buffers);
        (of_states, of_products)
    }

    fn gated_mix_p_gradient(
        states: CubeTensor,
        products: CubeTensor,
        gradient: CubeTensor,
        mix: GatedMix,
    ) -> CubeTensor {
        let [states, products, gradient] = [states, products, gradient].map(contiguous);
        let sums = empty(&states, [mix.hidden, mix.states, 5]);
        built(mix, |mix| p_gradient(*mix)).launch(&[&states, &products, &gradient, &sums]);
        fold(&sums, mix.hidden, [mix.states, 5])
    }
}

fn program(name: &'static str, source: &'static str, threads: usize, mix: GatedMix) -> Program {
    let pieces = [include_str!("curves.wgsl"), source];
    let GatedMix { states, batch, hidden } = mix;
    Program::of_pieces(name, pieces, threads).sizes([
        ("states", states),
        ("batch", batch),
        ("hidden", hidden),
    ])
}

fn forward(mix: GatedMix) -> Program {
    program("gated_mix", include_str!("gated_mix.wgsl"), mix.batch * mix.hidden, mix)
}

fn gradients(mix: GatedMix) -> Program {
    let threads = mix.states * mix.batch * mix.hidden;
    program("gated_mix_gradients", include_str!("gradients.wgsl"), threads, mix)
}

fn p_gradient(mix: GatedMix) -> Program {
    let source = include_str!("p_gradient.wgsl");
    program("gated_mix_p_gradient", source, mix.states * mix.hidden, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_valid_wgsl() {
        for (states, batch, hidden) in [(1, 1, 1), (8, 256, 300), (3, 5, 17)] {
            let mix = GatedMix { states, batch, hidden };
            for program in [forward(mix), gradients(mix), p_gradient(mix)] {
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }
}
