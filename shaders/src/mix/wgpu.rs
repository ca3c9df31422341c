//! The WGSL kernels.

use burn::backend::TensorMetadata;
use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::launches::{Pass, bound, launches};
use super::text::{Bindings, Terms, four, norm_of};
use super::{MixGradients, MixOps, Mixture, SLOTS, Slots, Stacks, Term};
use crate::device;
use crate::wgpu::{Lanes, Program, built, contiguous, empty};

impl MixOps for CubeBackend {
    fn mix(
        base: CubeTensor,
        slots: Slots<Self>,
        weights: CubeTensor,
        mixture: Mixture,
    ) -> CubeTensor {
        let (y, weights) = (empty(&slots.x0, mixture.output_shape()), contiguous(weights));
        let base = mixture.base.then(|| contiguous(base));
        let (x, moments) = slots.into_lists();
        let (x, moments) = (x.map(contiguous), moments.map(contiguous));
        for slots in launches(&mixture, Pass::Sum, bound(&y)) {
            let mut buffers = vec![&weights, &y];
            buffers.extend(base.as_ref().filter(|_| slots[0] == 0));
            mixture.bind(&slots, &x, &moments, &mut buffers);
            built((mixture.clone(), slots), |(mixture, slots)| sum(mixture, slots))
                .launch(&buffers);
        }
        y
    }
}

impl MixGradients for CubeBackend {
    fn mix_sums(slots: Slots<Self>, gradient: CubeTensor, mixture: Mixture) -> CubeTensor {
        let gradient = contiguous(gradient);
        let (x, moments) = slots.into_lists();
        let (x, moments) = (x.map(contiguous), moments.map(contiguous));
        let lanes = Lanes::new(mixture.channels(), mixture.pixels(), device::variant());
        lanes.summed(&gradient, mixture.sums_shape(), |sums| {
            for slots in launches(&mixture, Pass::Products, bound(sums)) {
                let mut buffers = vec![&gradient, sums];
                mixture.bind(&slots, &x, &moments, &mut buffers);
                built((mixture.clone(), slots, lanes), |(mixture, slots, lanes)| {
                    products(mixture, slots, *lanes)
                })
                .launch(&buffers);
            }
        })
    }

    fn mix_weight_gradient(sums: CubeTensor, mixture: Mixture) -> CubeTensor {
        let sums = contiguous(sums);
        let out = empty(&sums, [mixture.weights]);
        built(mixture, weight_gradient).launch(&[&sums, &out]);
        out
    }

    fn mix_x_gradients(
        slots: Slots<Self>,
        weights: CubeTensor,
        gradient: CubeTensor,
        sums: CubeTensor,
        wanted: [bool; SLOTS],
        mixture: Mixture,
    ) -> Stacks<Self> {
        let [weights, gradient, sums] = [weights, gradient, sums].map(contiguous);
        let (x, moments) = slots.into_lists();
        let (x, moments) = (x.map(contiguous), moments.map(contiguous));
        let mut out = x.clone();
        for slots in launches(&mixture, Pass::Gradients { wanted }, bound(&gradient)) {
            for &slot in &slots {
                out[slot] = empty(&x[slot], x[slot].shape());
            }
            let mut buffers = vec![&gradient, &weights];
            buffers.extend(slots.iter().any(|slot| mixture.of_batch(*slot)).then_some(&sums));
            for &slot in &slots {
                buffers.push(&out[slot]);
                buffers.extend(mixture.norms[slot].map(|_| &moments[slot]));
                buffers.extend(mixture.of_batch(slot).then_some(&x[slot]));
            }
            built((mixture.clone(), slots), |(mixture, slots)| x_gradients(mixture, slots))
                .launch(&buffers);
        }
        Stacks::from_list(out)
    }
}

impl Mixture {
    /// Threads for an activation, each of which takes four pixels of a channel: what is read for the
    /// channel is read once for them.
    fn fours(&self) -> usize {
        self.channels() * self.pixels().div_ceil(4)
    }

    /// Adds the stacks in some slots to the buffers of a launch, and their moments where they have them.
    fn bind<'a>(
        &self,
        slots: &[usize],
        x: &'a [CubeTensor; SLOTS],
        moments: &'a [CubeTensor; SLOTS],
        buffers: &mut Vec<&'a CubeTensor>,
    ) {
        for &slot in slots {
            buffers.push(&x[slot]);
            buffers.extend(self.norms[slot].map(|_| &moments[slot]));
        }
    }
}

/// The sizes of an activation, and four pixels of a channel for a thread.
const FOURS: [&str; 2] = [include_str!("sizes.wgsl"), include_str!("fours.wgsl")];

fn sized(program: Program, mixture: &Mixture) -> Program {
    sized_in(1, program, mixture)
}

/// The same for vectors of so many channels.
fn sized_in(width: usize, program: Program, mixture: &Mixture) -> Program {
    let (channels, length) = (mixture.channels() / width, mixture.length() / width);
    program.sizes([("channels", channels), ("length", length)]).number(width)
}

/// The sum over the slots of a launch.
fn sum(mixture: &Mixture, slots: &[usize]) -> Program {
    let mut bindings = Bindings::after(2);
    let start = match (slots[0], mixture.base) {
        (0, true) => {
            bindings.add("base");
            "vec4(base[all.x], base[all.y], base[all.z], base[all.w])"
        }
        (0, false) => "vec4(0.0)",
        _ => "vec4(y[all.x], y[all.y], y[all.z], y[all.w])",
    };
    for &slot in slots {
        bindings.add_slot(mixture, slot);
    }
    let (mut functions, mut sums) = (String::new(), String::new());
    for &slot in slots {
        let name = format!("terms{slot}");
        let terms = Terms::new(&name, mixture.targets, mixture, |target, term, _| {
            term.target == target && term.stack == slot
        });
        let values = four(&format!("x{slot}"), "term.activation");
        let lines = match mixture.norms[slot] {
            None => format!("sum += weights[term.weight] * {values};\n"),
            Some(norm) => {
                let norm = norm_of(norm, slot, "term.activation");
                format!("{norm}        sum += weights[term.weight] * scale * ({values} - mean);\n")
            }
        };
        sums += &terms.each(&name, "node", &lines);
        functions += &terms.text;
    }
    let threads = mixture.targets * mixture.fours();
    let pieces = [include_str!("terms.wgsl"), include_str!("mix.wgsl")];
    sized(Program::of_pieces("mix", FOURS, threads).and_pieces(pieces), mixture)
        .constant("bindings", bindings.text)
        .constant("terms", functions)
        .constant("start", start)
        .constant("sums", sums)
}

/// The rows of sums over the slots of a launch; the first launch has those of the gradient, too.
fn products(mixture: &Mixture, slots: &[usize], lanes: Lanes) -> Program {
    const PIXELS: &str = "for (var place = first; place < last; place += STEP * CHANNELS)";
    let row_of = |slot| mixture.targets + mixture.of_slot(slot).start;
    let (first, last) = (slots[0], slots[slots.len() - 1]);
    let rows = (if first == 0 { 0 } else { row_of(first) })..row_of(last + 1);
    let mut bindings = Bindings::after(2);
    let place_of = |index: usize| (rows.start + index).checked_sub(mixture.targets);
    let terms = Terms::new("term_of", rows.len(), mixture, |index, _, place| {
        place_of(index) == Some(place)
    });
    let mut cases = String::new();
    for &slot in slots {
        bindings.add_slot(mixture, slot);
        let place = format!("x{slot}[term.activation * LENGTH + place]");
        let sum = match mixture.norms[slot] {
            None => format!("{PIXELS} {{ sum += gradient[start + place] * {place}; }}\n"),
            Some(norm) => {
                let norm = norm_of(norm, slot, "term.activation");
                let sum = format!("sum += gradient[start + place] * ({place} - mean);");
                format!("{norm}        {PIXELS} {{ {sum} }}\n        sum *= scale;\n")
            }
        };
        let end = row_of(slot + 1) - rows.start;
        cases += &format!("    }} else if row < {end}u {{\n        {sum}");
    }
    let (sizes, terms_piece) = (include_str!("sizes.wgsl"), include_str!("terms.wgsl"));
    let source = include_str!("sums.wgsl");
    let columns = rows.len() * mixture.channels();
    let program = lanes.program("mix_sums", [sizes, terms_piece], source, columns);
    sized_in(lanes.width(), program, mixture)
        .constant("bindings", bindings.text)
        .constant("terms", terms.text)
        .constant("cases", cases)
        .sizes([
            ("gradients", mixture.targets.saturating_sub(rows.start)),
            ("first_row", rows.start),
            ("all_rows", mixture.targets + mixture.terms.len()),
        ])
}

fn weight_gradient(mixture: &Mixture) -> Program {
    let of_weight = |weight, term: &Term, _| term.weight == weight;
    let terms = Terms::new("terms", mixture.weights, mixture, of_weight);
    let pieces = [include_str!("terms.wgsl"), include_str!("weight_gradient.wgsl")];
    sized(Program::of_pieces("mix_weight_gradient", pieces, mixture.weights), mixture)
        .constant("sums", terms.each("terms", "index", "sum += row(term.row);\n"))
        .constant("terms", terms.text)
}

/// The gradients of the stacks in these slots: a thread takes an activation of one of them.
fn x_gradients(mixture: &Mixture, slots: &[usize]) -> Program {
    let mut bindings = Bindings::after(2);
    if slots.iter().any(|slot| mixture.of_batch(*slot)) {
        bindings.add("sums");
    }
    let (mut functions, mut cases, mut first) = (String::new(), String::new(), 0);
    for &slot in slots {
        bindings.add_output(&format!("out{slot}"));
        if mixture.norms[slot].is_some() {
            bindings.add(&format!("m{slot}"));
        }
        if mixture.of_batch(slot) {
            bindings.add(&format!("x{slot}"));
        }
        let name = format!("terms{slot}");
        let terms = Terms::new(&name, mixture.groups[slot], mixture, |group, term, _| {
            term.stack == slot && term.group == group
        });
        let last = first + mixture.groups[slot];
        cases += &format!("    if {first}u <= row && row < {last}u {{\n");
        cases += &format!("        let activation = row - {first}u;\n");
        cases += &x_gradient(mixture, slot, &terms.each(&name, "activation", &pull(mixture, slot)));
        cases += "    }\n";
        functions += &terms.text;
        first = last;
    }
    let pieces = [include_str!("terms.wgsl"), include_str!("x_gradient.wgsl")];
    let program = Program::of_pieces("mix_x_gradient", FOURS, first * mixture.fours());
    sized(program.and_pieces(pieces), mixture)
        .constant("bindings", bindings.text)
        .constant("terms", functions)
        .constant("cases", cases)
}

/// Lines that write the gradient of an activation of a slot, from those that sum it over its terms.
fn x_gradient(mixture: &Mixture, slot: usize, sums: &str) -> String {
    let norm = mixture.norms[slot];
    let mut start = norm.map_or_else(String::new, |norm| norm_of(norm, slot, "activation"));
    if mixture.of_batch(slot) {
        let values = four(&format!("x{slot}"), "activation");
        start += &format!("        let value = ({values} - mean) * scale;\n");
    }
    let factor = if norm.is_some() { "scale" } else { "1.0" };
    let write = |lane| format!("        out{slot}[all.{lane}] = sum.{lane};\n");
    let writes = ['x', 'y', 'z', 'w'].map(write).concat();
    format!(
        "        {start}        var sum = vec4(0.0);
    {sums}        sum *= {factor};
        let all = activation * LENGTH + places;
{writes}"
    )
}

/// A line that adds what a term gives to the gradient of an activation of a slot.
fn pull(mixture: &Mixture, slot: usize) -> String {
    let mut gradient = four("gradient", "term.node");
    if mixture.of_batch(slot) {
        let row = |row| format!("sums[{row} * CHANNELS + channel]");
        let (sum, product) = (row("term.node"), row("term.row"));
        gradient += &format!(" - ({sum} + value * {product}) / f32(PIXELS)");
    }
    format!("sum += weights[term.weight] * ({gradient});\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Variant;
    use crate::mix::launches::BUFFERS;
    use crate::norm::Standard;

    /// Buffers that a browser binds, and a GPU.
    const LIMITS: [usize; 2] = [BUFFERS, 32];

    const GRADIENTS: Pass = Pass::Gradients { wanted: [true; SLOTS] };

    /// Mixtures with each number of slots, norms of all kinds, one to eight activations in a slot, each
    /// with one or two terms and some without any, and one to four targets.
    fn mixtures() -> Vec<Mixture> {
        let shapes = [[2, 5, 3, 6], [1, 1, 1, 1], [3, 7, 5, 33], [16, 32, 32, 16]];
        let mixture = |case: usize| {
            let (targets, count) = (1 + case % 4, 1 + case / 4 % SLOTS);
            let mut groups = [0; SLOTS];
            let mut terms = Vec::new();
            for (slot, groups) in groups.iter_mut().enumerate().take(count) {
                *groups = 1 + (case + 3 * slot) % 8;
                for group in
                    (0..*groups).filter(|group| *group == 0 || !(group + case).is_multiple_of(5))
                {
                    for copy in 0..1 + (slot + group) % 2 {
                        let target = (slot + group + copy) % targets;
                        terms.push(Term { target, stack: slot, group, weight: terms.len() });
                    }
                }
            }
            let norm = |slot: usize| match (case >> (slot % 4)) % 3 {
                0 => None,
                kind => Some(Standard {
                    groups: groups[slot].max(1),
                    of_batch: kind == 1,
                    eps: 1e-5,
                    affine: false,
                }),
            };
            Mixture {
                targets,
                shape: shapes[case % 3 + case / 48],
                weights: terms.len() + 1,
                terms: terms.into(),
                count,
                norms: std::array::from_fn(norm),
                deferred: Default::default(),
                groups,
                base: case >= 32,
            }
        };
        (0..64).map(mixture).collect()
    }

    #[test]
    fn every_template_is_valid_wgsl() {
        for mixture in mixtures() {
            let mut programs = vec![weight_gradient(&mixture)];
            for limit in LIMITS {
                let of = |pass| launches(&mixture, pass, limit).into_iter();
                programs.extend(of(Pass::Sum).map(|slots| sum(&mixture, &slots)));
                programs.extend(of(GRADIENTS).map(|slots| x_gradients(&mixture, &slots)));
                for variant in [Variant::Plain, Variant::Tiled] {
                    let lanes = Lanes::new(mixture.channels(), mixture.pixels(), variant);
                    let programs_of = |slots: Vec<usize>| products(&mixture, &slots, lanes);
                    programs.extend(of(Pass::Products).map(programs_of));
                }
                for program in programs.drain(..) {
                    assert_eq!(program.validate_within(limit), Ok(()), "{program:?}");
                }
            }
        }
    }

    #[test]
    fn the_launches_of_a_pass_take_every_stack_once_and_all_at_once_where_a_device_binds_them() {
        for mixture in mixtures() {
            let all = (0..mixture.count).collect::<Vec<_>>();
            for pass in [Pass::Sum, Pass::Products, GRADIENTS] {
                let [few, many] = LIMITS.map(|limit| launches(&mixture, pass, limit));
                assert_eq!(few.concat(), all);
                assert_eq!(many, std::slice::from_ref(&all));
            }
            let wanted = std::array::from_fn(|slot| slot % 2 == 1);
            let odd = launches(&mixture, Pass::Gradients { wanted }, BUFFERS).concat();
            assert_eq!(odd, (0..mixture.count).filter(|slot| slot % 2 == 1).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_sum_over_a_stack_is_written_once_for_all_its_terms() {
        let lines = |program: Program| program.text().matches("sum += weights[").count();
        for mixture in mixtures() {
            for limit in LIMITS {
                for slots in launches(&mixture, Pass::Sum, limit) {
                    assert_eq!(lines(sum(&mixture, &slots)), slots.len());
                }
                for slots in launches(&mixture, GRADIENTS, limit) {
                    assert_eq!(lines(x_gradients(&mixture, &slots)), slots.len());
                }
            }
        }
    }
}
