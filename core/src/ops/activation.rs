//! The catalogue of what an edge of a recurrent cell can do (spec §10): an activation, whose value a gate
//! mixes with the state that the edge reads.

use super::NONE;

/// One row of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// The edge gives nothing; takes softmax mass in the search and is never derived.
    None,
    /// The hyperbolic tangent.
    Tanh,
    /// max(0, z).
    Relu,
    /// 1 / (1 + exp(-z)).
    Sigmoid,
    /// z.
    Identity,
}

impl Activation {
    /// All of them, in the order of the columns of α.
    pub const ALL: [Self; 5] = [Self::None, Self::Tanh, Self::Relu, Self::Sigmoid, Self::Identity];

    /// Its name everywhere.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => NONE,
            Self::Tanh => "tanh",
            Self::Relu => "relu",
            Self::Sigmoid => "sigmoid",
            Self::Identity => "identity",
        }
    }

    /// What it does.
    pub fn help(self) -> &'static str {
        match self {
            Self::None => "nothing: zeros",
            Self::Tanh => "hyperbolic tangent, on an edge of a recurrent cell",
            Self::Relu => "max(0, z), on an edge of a recurrent cell",
            Self::Sigmoid => "1 / (1 + exp(-z)), on an edge of a recurrent cell",
            Self::Identity => "z as it is, on an edge of a recurrent cell",
        }
    }

    /// The one of this name.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// What the kernels compute; nothing of [`Self::None`].
    pub fn kernel(self) -> Option<shaders::Activation> {
        match self {
            Self::None => None,
            Self::Tanh => Some(shaders::Activation::Tanh),
            Self::Relu => Some(shaders::Activation::Relu),
            Self::Sigmoid => Some(shaders::Activation::Sigmoid),
            Self::Identity => Some(shaders::Activation::Identity),
        }
    }
}
