//! The WGSL kernels. A kernel may bind eight buffers, so a sum is taken over as many stacks and their
//! moments as fit, and then over the next ones.

use burn::backend::TensorMetadata;
use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::text::{Bindings, Terms, four, norm_of};
use super::{MixGradients, MixOps, Mixture, SLOTS, Slots, Stacks, Term};
use crate::device;
use crate::wgpu::{Lanes, Program, contiguous, empty};

/// Buffers that browsers bind.
const BUFFERS: usize = 8;

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
        for group in launches(&mixture, 2 + usize::from(mixture.base), 2) {
            let first = group.start == 0;
            let mut buffers = vec![&weights, &y];
            buffers.extend(base.as_ref().filter(|_| first));
            mixture.bind(group.clone(), &x, &moments, &mut buffers);
            sum(&mixture, group).launch(&buffers);
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
            for group in launches(&mixture, 2, 2) {
                let mut buffers = vec![&gradient, sums];
                mixture.bind(group.clone(), &x, &moments, &mut buffers);
                products(&mixture, group, lanes).launch(&buffers);
            }
        })
    }

    fn mix_weight_gradient(sums: CubeTensor, mixture: Mixture) -> CubeTensor {
        let sums = contiguous(sums);
        let out = empty(&sums, [mixture.weights]);
        weight_gradient(&mixture).launch(&[&sums, &out]);
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
        let (mut x, moments) = slots.into_lists();
        let wanted = x.iter_mut().zip(moments).enumerate().filter(|(slot, _)| wanted[*slot]);
        for (slot, (x, moments)) in wanted {
            let (values, moments) = (contiguous(x.clone()), contiguous(moments));
            let out = empty(&values, values.shape());
            let mut buffers = vec![&gradient, &weights, &out];
            buffers.extend(mixture.norms[slot].map(|_| &moments));
            if mixture.norms[slot].is_some_and(|norm| norm.of_batch) {
                buffers.extend([&values, &sums]);
            }
            x_gradient(&mixture, slot).launch(&buffers);
            *x = out;
        }
        Stacks::from_list(x)
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
        slots: std::ops::Range<usize>,
        x: &'a [CubeTensor; SLOTS],
        moments: &'a [CubeTensor; SLOTS],
        buffers: &mut Vec<&'a CubeTensor>,
    ) {
        for slot in slots {
            buffers.push(&x[slot]);
            buffers.extend(self.norms[slot].map(|_| &moments[slot]));
        }
    }
}

/// The slots of every launch that binds them, their moments, and so many buffers besides: `first` in
/// the first launch, `later` in the others.
fn launches(mixture: &Mixture, first: usize, later: usize) -> Vec<std::ops::Range<usize>> {
    let mut launches: Vec<std::ops::Range<usize>> = Vec::new();
    let mut free = 0;
    for slot in 0..mixture.count {
        let needed = if mixture.norms[slot].is_some() { 2 } else { 1 };
        match launches.last_mut().filter(|_| free >= needed) {
            Some(launch) => launch.end = slot + 1,
            None => {
                free = BUFFERS - if slot == 0 { first } else { later };
                launches.push(slot..slot + 1);
            }
        }
        free -= needed;
    }
    launches
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
fn sum(mixture: &Mixture, slots: std::ops::Range<usize>) -> Program {
    let mut bindings = Bindings::after(2);
    let start = match (slots.start, mixture.base) {
        (0, true) => {
            bindings.add("base");
            "vec4(base[all.x], base[all.y], base[all.z], base[all.w])"
        }
        (0, false) => "vec4(0.0)",
        _ => "vec4(y[all.x], y[all.y], y[all.z], y[all.w])",
    };
    for slot in slots.clone() {
        bindings.add_slot(mixture, slot);
    }
    let (mut functions, mut sums) = (String::new(), String::new());
    for slot in slots {
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
fn products(mixture: &Mixture, slots: std::ops::Range<usize>, lanes: Lanes) -> Program {
    const PIXELS: &str = "for (var place = first; place < last; place += STEP * CHANNELS)";
    let row_of = |slot| mixture.targets + mixture.of_slot(slot).start;
    let first = if slots.start == 0 { 0 } else { row_of(slots.start) };
    let rows = first..row_of(slots.end);
    let mut bindings = Bindings::after(2);
    let place_of = |index: usize| (rows.start + index).checked_sub(mixture.targets);
    let terms = Terms::new("term_of", rows.len(), mixture, |index, _, place| {
        place_of(index) == Some(place)
    });
    let mut cases = String::new();
    for slot in slots {
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

fn x_gradient(mixture: &Mixture, slot: usize) -> Program {
    let norm = mixture.norms[slot];
    let of_batch = norm.is_some_and(|norm| norm.of_batch);
    let mut bindings = Bindings::after(3);
    if norm.is_some() {
        bindings.add(&format!("m{slot}"));
    }
    if of_batch {
        bindings.add(&format!("x{slot}"));
        bindings.add("sums");
    }
    let terms = Terms::new("terms", mixture.groups[slot], mixture, |group, term, _| {
        term.stack == slot && term.group == group
    });
    let mut start = norm.map_or_else(String::new, |norm| norm_of(norm, slot, "activation"));
    let mut gradient = four("gradient", "term.node");
    if of_batch {
        let values = four(&format!("x{slot}"), "activation");
        start += &format!("    let value = ({values} - mean) * scale;\n");
        let row = |row| format!("sums[{row} * CHANNELS + channel]");
        let (sum, product) = (row("term.node"), row("term.row"));
        gradient += &format!(" - ({sum} + value * {product}) / f32(PIXELS)");
    }
    let sum = format!("sum += weights[term.weight] * ({gradient});\n");
    let threads = mixture.groups[slot] * mixture.fours();
    let pieces = [include_str!("terms.wgsl"), include_str!("x_gradient.wgsl")];
    sized(Program::of_pieces("mix_x_gradient", FOURS, threads).and_pieces(pieces), mixture)
        .constant("bindings", bindings.text)
        .constant("start", start)
        .constant("sums", terms.each("terms", "activation", &sum))
        .constant("terms", terms.text)
        .constant("factor", if norm.is_some() { "scale" } else { "1.0" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::Variant;
    use crate::norm::Standard;

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
            programs.extend(launches(&mixture, 3, 2).into_iter().map(|slots| sum(&mixture, slots)));
            let slots = launches(&mixture, 2, 2).into_iter();
            for variant in [Variant::Plain, Variant::Tiled] {
                let lanes = Lanes::new(mixture.channels(), mixture.pixels(), variant);
                let slots = slots.clone();
                programs.extend(slots.map(|slots| products(&mixture, slots, lanes)));
            }
            programs.extend((0..mixture.count).map(|slot| x_gradient(&mixture, slot)));
            for program in programs {
                assert_eq!(program.validate(), Ok(()), "{program:?}");
            }
        }
    }

    #[test]
    fn the_launches_of_a_sum_take_every_stack_once() {
        for mixture in mixtures() {
            let taken: Vec<usize> = launches(&mixture, 3, 2).into_iter().flatten().collect();
            assert_eq!(taken, (0..mixture.count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_sum_over_a_stack_is_written_once_for_all_its_terms() {
        for mixture in mixtures() {
            for slots in launches(&mixture, 3, 2) {
                let count = slots.len();
                let text = sum(&mixture, slots).text();
                assert_eq!(text.matches("sum += weights[").count(), count, "{text}");
            }
            for slot in 0..mixture.count {
                let text = x_gradient(&mixture, slot).text();
                assert_eq!(text.matches("sum += weights[").count(), 1, "{text}");
            }
        }
    }
}
