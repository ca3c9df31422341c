//! All edges that leave a state.
//!
//! Candidates that are made of units alone become banks: the first units of all of them read the state,
//! the second units read what those give. Pooling and the identity are the same on every edge. What is
//! left is computed candidate by candidate.

use burn::tensor::Tensor;
use shaders::{Mix, PendingNorm, Pool, Term};

use crate::net::edge::MixedEdge;
use crate::nn::{Builder, NormId, Pass, UnitBank, UnitLayer};
use crate::ops::{Candidate, State};

/// How the edges that leave a state are computed.
pub(super) struct OutEdges {
    /// What is mixed, in the order of the stacks of `terms`.
    computations: Vec<Computation>,
    terms: Vec<Term>,
    /// Nodes that are not finished: those that the edges end in, and what lies between.
    targets: usize,
}

/// What gives a stack of activations: one or several candidates of the edges.
enum Computation {
    /// Units after units.
    Units(Vec<UnitBank>),
    /// Both ways of pooling, where every edge has them, and their batch norms on the first edge and on the
    /// others.
    Pools { stride: usize, norms: Vec<NormId>, like: Vec<Vec<NormId>> },
    /// The identity of so many edges, by its place on the first: where it has dropout, each by draws of its own.
    Skips { place: Place, count: usize },
    /// A candidate by itself, by its place among all edges, and the batch norms that see the same on other
    /// edges.
    Single { place: Place, like: Vec<(NormId, NormId)> },
}

/// A candidate: its edge and its place there.
type Place = (usize, usize);

/// A candidate that is made of units alone.
struct Chain {
    place: Place,
    units: Vec<UnitLayer>,
}

impl Chain {
    /// Whether one bank can compute a unit of each, step by step: as many units, each with the same eps.
    fn may_share(&self, other: &Self) -> bool {
        let eps = |chain: &Self| -> Vec<f32> {
            chain.units.iter().map(|unit| unit.norm.options.eps).collect()
        };
        eps(self) == eps(other)
    }
}

/// What a plan is made from: all edges of the graph, and which of them leave the state.
struct Leaving<'a> {
    edges: &'a [MixedEdge],
    source: usize,
}

impl OutEdges {
    /// Those of the edges that leave `source`; they end in nodes from `first` to before `last`.
    pub fn new(
        builder: &mut Builder,
        edges: &[MixedEdge],
        source: usize,
        first: usize,
        last: usize,
    ) -> Self {
        let leaving = Leaving { edges, source };
        let mut plan = Self { computations: Vec::new(), terms: Vec::new(), targets: last - first };
        let chains = leaving.chains();
        // `none` gives nothing.
        let mut others: Vec<Place> =
            leaving.places().filter(|place| !leaving.candidate(*place).is_none()).collect();
        for chains in chains.chunk_by(Chain::may_share) {
            if let Some(banks) = banks(builder, chains) {
                for (group, chain) in chains.iter().enumerate() {
                    plan.add_term(&leaving, chain.place, group, first);
                    others.retain(|place| *place != chain.place);
                }
                plan.computations.push(Computation::Units(banks));
            }
        }
        if let Some(pairs) = leaving.pools()
            && plan.add_pools(builder, &leaving, &pairs, first)
        {
            others.retain(|place| !pairs.as_flattened().contains(place));
        }
        plan.add_others(&leaving, others, first);
        plan
    }

    /// Whether both ways of pooling can be computed together.
    fn add_pools(
        &mut self,
        builder: &mut Builder,
        leaving: &Leaving,
        pairs: &[[Place; 2]],
        first: usize,
    ) -> bool {
        let pooling = |place: &[Place; 2]| leaving.candidate(place[0]).pooling();
        let Some((_, stride)) = pairs.first().and_then(pooling) else { return false };
        let norms = |pair: &[Place; 2]| -> Vec<NormId> {
            pair.iter().flat_map(|place| leaving.candidate(*place).norms()).collect()
        };
        let mut like = pairs.iter().map(norms).collect::<Vec<_>>().into_iter();
        if !like.as_slice().iter().all(|norms| builder.join_norms(norms)) {
            return false;
        }
        let norms = like.next().unwrap_or_default();
        for (group, place) in pairs.iter().flat_map(|pair| pair.iter().enumerate()) {
            self.add_term(leaving, *place, group, first);
        }
        self.computations.push(Computation::Pools { stride, norms, like: like.collect() });
        true
    }

    fn add_term(&mut self, leaving: &Leaving, place: Place, group: usize, first: usize) {
        let edge = &leaving.edges[place.0];
        let weight = edge.weight(place.1);
        self.terms.push(Term {
            target: edge.node - first,
            stack: self.computations.len(),
            group,
            weight,
        });
    }

    /// The candidates that are in no bank; those without weights are the same on every edge.
    fn add_others(&mut self, leaving: &Leaving, mut others: Vec<Place>, first: usize) {
        while let Some(place) = others.first().copied() {
            let same = |other: &Place| {
                *other == place || leaving.candidate(*other).is_like(leaving.candidate(place))
            };
            let (shared, rest): (Vec<Place>, Vec<Place>) = others.into_iter().partition(same);
            others = rest;
            if leaving.candidate(place).is_identity() {
                for (group, place) in shared.iter().enumerate() {
                    self.add_term(leaving, *place, group, first);
                }
                self.computations.push(Computation::Skips { place, count: shared.len() });
                continue;
            }
            let norms = |place: &Place| leaving.candidate(*place).norms();
            let like = shared
                .iter()
                .skip(1)
                .flat_map(|other| norms(&place).into_iter().zip(norms(other)).collect::<Vec<_>>());
            let like = like.collect();
            for place in shared {
                self.add_term(leaving, place, 0, first);
            }
            self.computations.push(Computation::Single { place, like });
        }
    }

    /// `ahead` + the edges, which drop-path may drop.
    ///
    /// # Shapes
    /// - `ahead` and output: [nodes to come · batch, height, width, channels]; none where all are zero
    /// - `p`: [edges · operations]
    pub fn forward(
        &self,
        edges: &[MixedEdge],
        state: &State,
        p: &Tensor<1>,
        ahead: Option<Tensor<4>>,
        pass: &mut Pass,
    ) -> Option<Tensor<4>> {
        if !pass.drops_paths() {
            return self.mix(edges, state, p, ahead, pass);
        }
        let own = self.mix(edges, state, p, None, pass).map(|own| pass.drop_path(own));
        match (ahead, own) {
            (Some(ahead), Some(own)) => Some(ahead + own),
            (ahead, own) => ahead.or(own),
        }
    }

    /// `base` + the edges, none of which is dropped.
    pub fn mix(
        &self,
        edges: &[MixedEdge],
        state: &State,
        p: &Tensor<1>,
        base: Option<Tensor<4>>,
        pass: &mut Pass,
    ) -> Option<Tensor<4>> {
        if self.computations.is_empty() {
            return base;
        }
        let stacks = self.computations.iter().map(|one| one.forward(edges, state, pass)).collect();
        let batch = state.value.dims()[0];
        let mix = Mix { batch, targets: self.targets, terms: self.terms(pass) };
        Some(mix.forward(pass.kernels, base, stacks, p.clone()))
    }

    /// What is mixed. Skip connections without dropout are all the same: one is computed.
    fn terms(&self, pass: &Pass) -> Vec<Term> {
        let is_same = |term: &Term| {
            let skips = matches!(self.computations[term.stack], Computation::Skips { .. });
            skips && !pass.drops_skips()
        };
        let term =
            |term: &Term| Term { group: if is_same(term) { 0 } else { term.group }, ..*term };
        self.terms.iter().map(term).collect()
    }
}

impl Leaving<'_> {
    /// Those edges, each with its place among all.
    fn edges(&self) -> impl Iterator<Item = (usize, &MixedEdge)> {
        self.edges.iter().enumerate().filter(|(_, edge)| edge.source == self.source)
    }

    fn candidate(&self, (edge, candidate): Place) -> &Candidate {
        &self.edges[edge].candidates[candidate]
    }

    fn places(&self) -> impl Iterator<Item = Place> {
        let of = |(edge, mixed): (usize, &MixedEdge)| {
            (0..mixed.candidates.len()).map(move |candidate| (edge, candidate))
        };
        self.edges().flat_map(of)
    }

    /// Candidates that are units alone, shortest first, and those of one size side by side: on the CPU
    /// they share the padded image.
    fn chains(&self) -> Vec<Chain> {
        let chain = |place| Chain { place, units: self.candidate(place).units() };
        let mut chains: Vec<Chain> =
            self.places().map(chain).filter(|chain| !chain.units.is_empty()).collect();
        let size = |unit: &UnitLayer| (unit.dilation * (unit.kernel / 2), unit.kernel);
        chains.sort_by_key(|chain| (chain.units.len(), chain.units.first().map(size)));
        chains
    }

    /// Maximum and average of every edge, if each has both and they are the same on all.
    fn pools(&self) -> Option<Vec<[Place; 2]>> {
        let of_edge = |(edge, mixed): (usize, &MixedEdge)| {
            let place = |wanted: Pool| {
                let kinds = mixed.candidates.iter().map(Candidate::pooling);
                let mut pools = kinds.map(|pooling| pooling.map(|(kind, _)| kind));
                pools.position(|kind| kind == Some(wanted)).map(|candidate| (edge, candidate))
            };
            Some([place(Pool::Max)?, place(Pool::Average)?])
        };
        let pairs: Vec<[Place; 2]> = self.edges().map(of_edge).collect::<Option<_>>()?;
        let is_like = |pair: &[Place; 2]| {
            (0..2).all(|way| self.candidate(pair[way]).is_like(self.candidate(pairs[0][way])))
        };
        // A pending batch norm is one of both.
        let norms = |place: Place| self.candidate(place).norms().len();
        let is_pair = |pair: &[Place; 2]| norms(pair[0]) == norms(pair[1]);
        pairs.iter().all(|pair| is_like(pair) && is_pair(pair)).then_some(pairs)
    }
}

impl Computation {
    fn forward(&self, edges: &[MixedEdge], state: &State, pass: &mut Pass) -> PendingNorm {
        match self {
            Self::Units(banks) => state.constant(pass, |pass| {
                let x = state.read(pass.kernels).into();
                banks.iter().fold(x, |x, bank| bank.forward(x, pass))
            }),
            Self::Pools { stride, norms, like } => {
                let pooled = state.constant(pass, |pass| {
                    let kinds = &[Pool::Max, Pool::Average];
                    let x = state.read(pass.kernels);
                    let x = pass.pattern.pool(pass.kernels, x, kinds, *stride);
                    let norm = (!norms.is_empty()).then(|| pass.norm(norms, &x, None));
                    PendingNorm::new(x, norm)
                });
                for other in like.iter().filter(|other| !other.is_empty()) {
                    pass.observe_like(norms, other);
                }
                pooled
            }
            Self::Skips { count, .. } if pass.drops_skips() => {
                pass.skips(&state.read(pass.kernels), *count).into()
            }
            Self::Skips { place: (edge, candidate), .. } => {
                edges[*edge].candidates[*candidate].forward(state, pass)
            }
            Self::Single { place: (edge, candidate), like } => {
                let value = edges[*edge].candidates[*candidate].forward(state, pass);
                for (known, other) in like {
                    pass.observe_like(&[*known], &[*other]);
                }
                value
            }
        }
    }
}

/// The banks of chains of the same length, if they can be computed so.
fn banks(builder: &mut Builder, chains: &[Chain]) -> Option<Vec<UnitBank>> {
    let bank = |step: usize| {
        // The first units read the state, each of the others what the unit before it gives.
        let source = |index| if step == 0 { 0 } else { index };
        let units =
            chains.iter().enumerate().map(|(index, chain)| (source(index), chain.units[step]));
        UnitBank::new(builder, &units.collect::<Vec<_>>())
    };
    (0..chains.first()?.units.len()).map(bank).collect()
}
