//! The text of the WGSL kernels that depends on the mixture: what they bind, and which candidate goes
//! where.

use super::{Mixture, Term};
use crate::norm::Standard;
use crate::wgpu::ACCESS;

/// Declarations of buffers.
pub(super) struct Bindings {
    pub(super) text: String,
    next: usize,
}

impl Bindings {
    /// After so many that the template declares.
    pub(super) fn after(next: usize) -> Self {
        Self { text: String::new(), next }
    }

    pub(super) fn add(&mut self, name: &str) {
        self.declare(name, ACCESS);
    }

    pub(super) fn add_output(&mut self, name: &str) {
        self.declare(name, "read_write");
    }

    fn declare(&mut self, name: &str, access: &str) {
        let Self { text, next } = self;
        *text +=
            &format!("@group(0) @binding({next}) var<storage, {access}> {name}: array<Number>;\n");
        *next += 1;
    }

    /// The stack in a slot, and its moments where it has them.
    pub(super) fn add_slot(&mut self, mixture: &Mixture, slot: usize) {
        self.add(&format!("x{slot}"));
        if mixture.norms[slot].is_some() {
            self.add(&format!("m{slot}"));
        }
    }
}

/// Four numbers of an activation, which begins at `start`.
pub(super) fn four(name: &str, start: &str) -> String {
    let number = |lane| format!("{name}[{start} * LENGTH + places.{lane}]");
    format!("vec4({}, {}, {}, {})", number('x'), number('y'), number('z'), number('w'))
}

/// A line that reads the mean and the scale, 1 / √(variance + eps), of an activation of a slot.
pub(super) fn norm_of(norm: Standard, slot: usize, activation: &str) -> String {
    let Standard { groups, eps, .. } = norm;
    let mean = format!("m{slot}[{activation} * CHANNELS + channel]");
    let variance = format!("m{slot}[({groups}u + {activation}) * CHANNELS + channel]");
    format!("let mean = {mean}; let scale = inverseSqrt({variance} + {eps:e});\n")
}

/// A WGSL function that returns the terms of an owner: of a node, of an activation, of a weight,
/// or of a row of sums.
pub(super) struct Terms {
    pub(super) text: String,
    /// Terms of an owner, with those that are none.
    width: usize,
}

impl Terms {
    /// `belongs` gets an owner, a term and its place among all.
    pub(super) fn new(
        name: &str,
        owners: usize,
        mixture: &Mixture,
        belongs: impl Fn(usize, &Term, usize) -> bool,
    ) -> Self {
        let of_owner = |owner| {
            let places = mixture.terms.iter().enumerate();
            let places = places.filter(|(place, term)| belongs(owner, term, *place));
            places.map(|(place, _)| place).collect::<Vec<usize>>()
        };
        let owners: Vec<Vec<usize>> = (0..owners).map(of_owner).collect();
        let width = owners.iter().map(Vec::len).max().unwrap_or(0);
        let mut text = format!("fn {name}(index: u32) -> Term {{\n    switch index {{\n");
        for (owner, places) in owners.iter().enumerate() {
            for (number, place) in places.iter().enumerate() {
                let Term { target, group, weight, .. } = mixture.terms[*place];
                let (index, row) = (owner * width + number, mixture.targets + place);
                let term = format!("Term({group}u, {target}u, {weight}u, {row}u)");
                text += &format!("        case {index}u: {{ return {term}; }}\n");
            }
        }
        text += "        default: { return NO_TERM; }\n    }\n}\n\n";
        Self { text, width }
    }

    /// `lines` for every term of an owner.
    pub(super) fn each(&self, name: &str, owner: &str, lines: &str) -> String {
        format!(
            "    for (var number = 0u; number < {width}u; number++) {{
        let term = {name}({owner} * {width}u + number);
        if term.weight == NO_TERM.weight {{
            continue;
        }}
        {lines}    }}
",
            width = self.width
        )
    }
}
