//! How far apart requests come at a rate.

use std::str::FromStr;

use rand_distr::{Distribution, Gamma};
use rand_pcg::Pcg64;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalProcess {
    /// All gaps are equal.
    #[default]
    Constant,
    /// Gaps are exponential: requests of many people who are independent of each other.
    Poisson,
    /// Gaps follow a gamma distribution with this shape, vLLM's `--burstiness`: below 1 requests come in bursts, 1 is
    /// Poisson, above 1 they come more evenly.
    Gamma(f64),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected constant, poisson or gamma:SHAPE, such as gamma:0.5, found `{0}`")]
pub struct NotAnArrivalProcess(String);

/// Reads `constant`, `poisson` or `gamma:SHAPE`.
impl FromStr for ArrivalProcess {
    type Err = NotAnArrivalProcess;

    fn from_str(text: &str) -> Result<ArrivalProcess, NotAnArrivalProcess> {
        let unknown = || NotAnArrivalProcess(text.to_owned());
        match text.split_once(':') {
            None if text == "constant" => Ok(ArrivalProcess::Constant),
            None if text == "poisson" => Ok(ArrivalProcess::Poisson),
            Some(("gamma", shape)) => shape.trim().parse().map(ArrivalProcess::Gamma).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

/// An endless series of gaps with a mean of 1.
#[derive(Clone, Debug)]
pub(crate) enum Gaps {
    Alike,
    Drawn(Gamma<f64>, Pcg64),
}

impl ArrivalProcess {
    pub(crate) fn gaps(self, rng: Pcg64) -> Gaps {
        let shape = match self {
            ArrivalProcess::Constant => return Gaps::Alike,
            ArrivalProcess::Poisson => 1.0,
            ArrivalProcess::Gamma(shape) => shape,
        };
        match Gamma::new(shape, 1.0 / shape) {
            Ok(gamma) => Gaps::Drawn(gamma, rng),
            // The shape is too large for the distribution: the gaps are as even as they can be.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrival_process_is_read_from_its_short_form() {
        assert_eq!("constant".parse(), Ok(ArrivalProcess::Constant));
        assert_eq!("poisson".parse(), Ok(ArrivalProcess::Poisson));
        assert_eq!("gamma:0.5".parse(), Ok(ArrivalProcess::Gamma(0.5)));
        for text in ["", "gamma", "gamma:", "gamma:x", "poisson:1", "uniform"] {
            let error = text.parse::<ArrivalProcess>().unwrap_err().to_string();
            assert!(error.contains("such as gamma:0.5"), "{error}");
        }
    }
}
