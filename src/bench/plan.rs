//! Validates a benchmark's settings and turns them into load, workload, and target. Nothing else does.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::bench::{Bench, BenchError};
use crate::client::{Access, Address, AddressError};
use crate::config::{Excerpt, RunPlan, SuiteErrors, header_twice, read_conversations, read_trace};
use crate::engine::{EngineChoice, EngineKind, HttpVersion};
use crate::load::trace::Trace;
use crate::load::workload::{
    Api, DEFAULT_TOKENS, Prompt, Prompts, Sampling, Synthetic, Workload, WorkloadSpec,
};
use crate::load::{Arrival, ArrivalProcess, Closed, Load, MAX_IN_FLIGHT, Open, Replay, StopCondition};
use crate::target::{Endpoint, Place, ProofPlan, TargetSpec};
use crate::text::nearest::did_you_mean;
use crate::text::secret::Secret;

/// Everything a run needs.
pub(super) struct BenchPlan {
    pub(super) target: TargetSpec,
    pub(super) load: Load,
    pub(super) workload: Workload,
    pub(super) run: RunPlan,
}

#[derive(Clone, Debug)]
pub(super) struct TargetSettings {
    place: PlaceSettings,
    pub(super) engine: Option<String>,
    pub(super) model: Option<String>,
    pub(super) api_key_env: Option<String>,
    pub(super) headers: Vec<(String, Secret)>,
}

#[derive(Clone, Debug)]
enum PlaceSettings {
    Url(String),
    #[cfg(feature = "container")]
    Container(crate::bench::Container),
}

#[derive(Clone, Debug, Default)]
pub(super) struct LoadSettings {
    pub(super) users: Option<u32>,
    pub(super) rate: Option<f64>,
    pub(super) arrival: Option<ArrivalProcess>,
    pub(super) trace: Option<PathBuf>,
    pub(super) requests: Option<u32>,
    pub(super) duration: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(super) struct PromptSettings {
    pub(super) input_tokens: Option<u32>,
    pub(super) list: Option<Vec<String>>,
    pub(super) sharegpt: Option<PathBuf>,
    pub(super) output_tokens: Option<u32>,
    pub(super) ignore_eos: bool,
    pub(super) temperature: Option<f64>,
    pub(super) seed: u64,
}

impl BenchPlan {
    pub(super) fn of(bench: &Bench) -> Result<BenchPlan, BenchError> {
        bench.load.check()?;
        let trace = bench.load.read_trace()?;
        if bench.timeout.is_zero() {
            return Err(BenchError::setting("timeout", "0s", "a time greater than 0"));
        }
        Ok(BenchPlan {
            target: bench.target.target()?,
            load: bench.load.load(trace.as_ref())?,
            workload: bench.prompts.workload(trace.as_ref())?,
            run: RunPlan::single_round(bench.warm_up, bench.timeout),
        })
    }
}

impl TargetSettings {
    pub(super) fn url(url: String) -> TargetSettings {
        TargetSettings::at(PlaceSettings::Url(url))
    }

    #[cfg(feature = "container")]
    pub(super) fn container(container: crate::bench::Container) -> TargetSettings {
        TargetSettings::at(PlaceSettings::Container(container))
    }

    fn at(place: PlaceSettings) -> TargetSettings {
        TargetSettings { place, engine: None, model: None, api_key_env: None, headers: Vec::new() }
    }

    fn target(&self) -> Result<TargetSpec, BenchError> {
        let place = match &self.place {
            PlaceSettings::Url(url) => Place::Endpoint(self.endpoint(url)?),
            #[cfg(feature = "container")]
            PlaceSettings::Container(container) => Place::Container(container.spec(self.model.as_deref())?),
        };
        Ok(TargetSpec {
            name: "bench".into(),
            engine: self.engine()?,
            model: self.model.clone(),
            http_version: HttpVersion::default(),
            place,
            proof: ProofPlan::default(),
            unavailable: None,
        })
    }

    fn engine(&self) -> Result<EngineChoice, BenchError> {
        match self.engine.as_deref() {
            None | Some("auto") => Ok(EngineChoice::Auto),
            Some(name) => engine_named("engine", name).map(EngineChoice::Kind),
        }
    }

    fn endpoint(&self, url: &str) -> Result<Endpoint, BenchError> {
        Address::of(&Access::to(url)).map_err(|error| invalid_url(url, error))?;
        if let Some(name) = header_twice(self.headers.iter().map(|(name, _)| name.as_str())) {
            return Err(BenchError::setting("header", format!("`{name}` twice"), "each header once"));
        }
        Ok(Endpoint {
            api_key_env: self.api_key_env.clone(),
            headers: self.headers.iter().cloned().collect(),
            ..Endpoint::at(url)
        })
    }
}

fn invalid_url(url: &str, error: AddressError) -> BenchError {
    const A_URL: &str = "a URL such as `http://127.0.0.1:8000/v1`";
    match error {
        _ if url.trim().is_empty() => BenchError::setting("url", "empty", A_URL),
        AddressError::Url { why, .. } => {
            BenchError::setting("url", format!("{url:?}"), format!("{A_URL} ({why})"))
        }
        AddressError::Tls { .. } => BenchError::Launch(error.to_string()),
    }
}

pub(super) fn engine_named(setting: &'static str, name: &str) -> Result<EngineKind, BenchError> {
    EngineKind::named(name).ok_or_else(|| {
        let known: Vec<&str> = EngineKind::all().map(|kind| kind.name()).collect();
        BenchError::setting(setting, format!("`{name}`"), format!("an engine; {}", did_you_mean(name, known)))
    })
}

impl LoadSettings {
    fn read_trace(&self) -> Result<Option<Trace>, BenchError> {
        let Some(path) = &self.trace else { return Ok(None) };
        let read = read_trace(&path.display().to_string(), &text_of(path)?);
        read.map(Some).map_err(|errors| BenchError::File(SuiteErrors(errors).to_string()))
    }

    fn load(&self, trace: Option<&Trace>) -> Result<Load, BenchError> {
        let arrival = match (self.rate, trace) {
            (Some(rate), _) => {
                let process = self.arrival.unwrap_or(ArrivalProcess::Constant);
                Arrival::Open(Open { rate, process, ramp: None, max_in_flight: MAX_IN_FLIGHT })
            }
            (None, Some(trace)) => {
                Arrival::Replay(Replay { trace: trace.clone(), speed: 1.0, max_in_flight: MAX_IN_FLIGHT })
            }
            (None, None) => {
                let concurrency = self.users.unwrap_or(1);
                Arrival::Closed(Closed { concurrency, think_time: None, ramp: None })
            }
        };
        let stop = self.stop().unwrap_or_else(|| arrival.default_stop());
        Load::new(arrival, stop).map_err(|error| BenchError::Load(error.to_string()))
    }

    fn check(&self) -> Result<(), BenchError> {
        let (users, rate, trace) = (self.users.is_some(), self.rate.is_some(), self.trace.is_some());
        exclude(
            [("users", users), ("rate", rate), ("trace", trace)],
            "users wait for their last request, a rate and a trace send when a request is due; set only one of them",
        )?;
        exclude(
            [("requests", self.requests.is_some()), ("duration", self.duration.is_some())],
            "either would end the run; set only one of them",
        )?;
        if self.arrival.is_some() && !rate {
            return Err(BenchError::setting(
                "arrival",
                "given without `rate`",
                "a `rate` that it spaces out",
            ));
        }
        Ok(())
    }

    fn stop(&self) -> Option<StopCondition> {
        self.duration.map(StopCondition::after).or(self.requests.map(StopCondition::Requests))
    }
}

impl Default for PromptSettings {
    fn default() -> PromptSettings {
        PromptSettings {
            input_tokens: None,
            list: None,
            sharegpt: None,
            output_tokens: None,
            ignore_eos: false,
            temperature: None,
            seed: 1,
        }
    }
}

impl PromptSettings {
    fn workload(&self, trace: Option<&Trace>) -> Result<Workload, BenchError> {
        let prompts = self.prompts(trace)?;
        let default = (!prompts.have_lengths()).then_some(DEFAULT_TOKENS);
        let spec = WorkloadSpec {
            api: Api::Chat,
            stream: true,
            prompts,
            output_tokens: self.output_tokens.or(default),
            ignore_eos: self.ignore_eos,
            seed: self.seed,
            sampling: Sampling { temperature: self.temperature, ..Sampling::default() },
        };
        Workload::new(spec).map_err(|error| BenchError::Prompts(error.to_string()))
    }

    fn prompts(&self, trace: Option<&Trace>) -> Result<Prompts, BenchError> {
        let (list, sharegpt) = (self.list.is_some(), self.sharegpt.is_some());
        exclude(
            [("input_tokens", self.input_tokens.is_some()), ("prompts", list), ("sharegpt", sharegpt)],
            "each sets the prompts; set only one of them",
        )?;
        match (&self.list, &self.sharegpt, trace) {
            (Some(list), ..) => Ok(Prompts::List(list.iter().cloned().map(Prompt::Text).collect())),
            (None, Some(path), _) => conversations(path),
            (None, None, Some(trace)) => Ok(Prompts::Trace(match self.input_tokens {
                Some(input_tokens) => trace.with_input_tokens(input_tokens),
                None => trace.clone(),
            })),
            (None, None, None) => {
                Ok(Prompts::Synthetic(Synthetic::of(self.input_tokens.unwrap_or(DEFAULT_TOKENS))))
            }
        }
    }
}

fn conversations(path: &Path) -> Result<Prompts, BenchError> {
    let read = read_conversations(&path.display().to_string(), &text_of(path)?, &Excerpt::default());
    let conversations = read.map_err(|error| BenchError::File(error.plain()))?;
    Ok(Prompts::Conversations(conversations.of(1)))
}

fn text_of(path: &Path) -> Result<String, BenchError> {
    fs::read_to_string(path)
        .map_err(|error| BenchError::File(format!("can't read {}: {error}", path.display())))
}

/// At most one of these settings may be given.
fn exclude<const N: usize>(settings: [(&'static str, bool); N], why: &'static str) -> Result<(), BenchError> {
    let given: Vec<&str> = settings.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
    match given[..] {
        [first, second, ..] => Err(BenchError::Contradiction { first, second, why }),
        _ => Ok(()),
    }
}
