//! tollgate's own client, as this bench uses it.

use std::net::SocketAddr;
use std::time::Duration;

use tollgate::internals::EngineKind;
use tollgate::internals::Load;
use tollgate::internals::PromptSampler;
use tollgate::internals::RequestRecord;
use tollgate::internals::Workload;
use tollgate::internals::{Access, Cancel, Client as LoadClient, ClientSettings, Progress, Watch};

pub struct Client {
    client: LoadClient,
    workload: Workload,
    sampler: PromptSampler,
}

impl Client {
    pub fn of(addr: SocketAddr, output_tokens: u32) -> Client {
        let settings = ClientSettings {
            access: Access::to(format!("http://{addr}")),
            engine: EngineKind::named("vllm").expect("it is one of the list"),
            model: Some("tiny-llama".into()),
            request_timeout: Duration::from_secs(60),
        };
        let workload = Workload::synthetic(16, output_tokens);
        let client = LoadClient::new(settings).expect("a loopback address needs nothing");
        let sampler = PromptSampler::measured(&workload, "bench", 0);
        Client { client, workload, sampler }
    }

    pub fn run(&mut self, load: &Load) -> Vec<RequestRecord> {
        let watch = Watch { progress: &Progress::default(), cancel: &Cancel::new() };
        let mut records = Vec::new();
        let ran = self.client.run_round(&self.workload, load, &mut self.sampler, watch, &mut records);
        ran.expect("a loopback address can be reached");
        let failed = records.iter().find_map(|record| record.outcome.as_ref().err());
        assert_eq!(failed, None);
        assert_eq!(Some(records.len() as u32), load.stop().requests());
        records
    }
}
