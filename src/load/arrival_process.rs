//! How far apart requests come at a rate.

use rand_distr::{Distribution, Gamma};
use rand_pcg::Pcg64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalProcess {
    /// All gaps alike.
    #[default]
    Constant,
    /// Gaps are exponential: requests of many people who know nothing of each other.
    Poisson,
    /// Gaps follow a gamma distribution with this shape, vLLM's `--burstiness`: below 1 requests come in bursts, 1 is
    /// Poisson, above 1 they come more evenly.
    Gamma(f64),
}

/// Gaps with a mean of 1, without end.
#[derive(Clone, Debug)]
pub enum Gaps {
    Alike,
    Drawn(Gamma<f64>, Pcg64),
}

impl ArrivalProcess {
    pub fn gaps(self, rng: Pcg64) -> Gaps {
        let shape = match self {
            ArrivalProcess::Constant => return Gaps::Alike,
            ArrivalProcess::Poisson => 1.0,
            ArrivalProcess::Gamma(shape) => shape,
        };
        match Gamma::new(shape, 1.0 / shape) {
            Ok(gamma) => Gaps::Drawn(gamma, rng),
            // Of a shape beyond all measure: as even as can be.
            Err(_) => Gaps::Alike,
        }
    }
}

impl Iterator for Gaps {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        Some(match self {
            Gaps::Alike => 1.0,
            Gaps::Drawn(gamma, rng) => gamma.sample(rng),
        })
    }
}
