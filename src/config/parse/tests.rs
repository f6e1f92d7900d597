use std::path::Path;

use super::*;
use crate::engine::{EngineChoice, EngineKind, HttpVersion};
use crate::target::{ContainerSpec, Gpus, Place};

const TARGETS: &str = r#"
[targets.sim]
engine = "simulator"

[targets.staging]
engine = "vllm"
url = "${STAGING_URL}"
"#;

const CHAT: &str = r#"
targets = ["staging", "sim"]
[workload]
prompts = ["Why is the sky blue?"]
output_tokens = 16
[load.users-4]
concurrency = 4
requests = 8
[load.users-16]
concurrency = 16
duration = "30s"
[gates]
ttft_ms_p95 = { tolerance = "10%" }
itl_ms_p99 = { max = 50 }
"#;

fn suite(chat: &str, overrides: &str) -> Result<Suite, SuiteErrors> {
    suite_with(chat, overrides, &|_| None)
}

fn suite_with(chat: &str, overrides: &str, environment: EnvLookup) -> Result<Suite, SuiteErrors> {
    suite_of(TARGETS, chat, overrides, environment)
}

fn suite_of(
    targets: &str,
    chat: &str,
    overrides: &str,
    environment: EnvLookup,
) -> Result<Suite, SuiteErrors> {
    let file = |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
    parse(&SuiteText {
        targets: file("perf-tests/targets.toml", targets),
        scenarios: vec![file("perf-tests/scenarios/chat.toml", chat)],
        overrides: overrides.to_owned(),
        environment,
        prompts: &|path| match path {
            "prompts/a.txt" => Ok("one\n\ntwo\n".to_owned()),
            _ => Err("no such file".to_owned()),
        },
    })
}

fn endpoint_url(suite: &Suite) -> &str {
    match &suite.targets["staging"].place {
        Place::Endpoint(endpoint) => &endpoint.url,
        _ => panic!("staging is an endpoint"),
    }
}

#[test]
fn every_load_on_every_target_is_a_scenario() {
    let ids: Vec<String> =
        suite(CHAT, "").unwrap().scenarios.iter().map(|scenario| scenario.id.to_string()).collect();
    assert_eq!(
        ids,
        ["chat::users-4::staging", "chat::users-16::staging", "chat::users-4::sim", "chat::users-16::sim",]
    );
}

#[test]
fn gates_keep_the_order_of_the_file() {
    let suite = suite(CHAT, "").unwrap();
    let metrics: Vec<String> = suite.scenarios[0].gates.iter().map(|gate| gate.metric.to_string()).collect();
    // Every scenario has the gate on the success rate.
    assert_eq!(metrics, ["ttft_ms_p95", "itl_ms_p99", "success_rate"]);
}

#[test]
fn an_unset_variable_makes_only_its_target_unavailable() {
    let suite = suite(CHAT, "").unwrap();
    assert_eq!(suite.targets["sim"].unavailable, None);
    assert_eq!(
        suite.targets["staging"].unavailable.as_deref(),
        Some("environment variable STAGING_URL is not set (perf-tests/targets.toml:7:7)")
    );
}

#[test]
fn a_key_that_is_not_set_makes_its_target_unavailable() {
    let overrides = "targets.staging.url=http://x:8000,targets.staging.api_key_env=STAGING_KEY";
    let reason = suite(CHAT, overrides).unwrap().targets["staging"].unavailable.clone();
    assert_eq!(reason.as_deref(), Some("environment variable STAGING_KEY is not set (TOLLGATE_SET:1:63)"));
}

#[test]
fn a_header_from_a_variable_is_never_shown() {
    let overrides = "targets.staging.url=http://x:8000,targets.staging.headers={ X-Key = 'k-${KEY}' }";
    let environment = |name: &str| (name == "KEY").then(|| "s3cret".to_owned());
    let suite = suite_with(CHAT, overrides, &environment).unwrap();
    let target = &suite.targets["staging"];
    let Place::Endpoint(endpoint) = &target.place else { panic!("staging is an endpoint") };
    assert_eq!(endpoint.headers["X-Key"].reveal(), "k-s3cret");
    assert!(!format!("{target:?}").contains("s3cret"));
    assert!(!serde_json::to_string(target).unwrap().contains("s3cret"));
}

#[test]
fn an_unset_variable_in_a_header_makes_its_target_unavailable() {
    let overrides = "targets.staging.url=http://x:8000,targets.staging.headers={ X-Key = '${KEY}' }";
    let reason = suite(CHAT, overrides).unwrap().targets["staging"].unavailable.clone();
    assert!(reason.unwrap().starts_with("environment variable KEY is not set (TOLLGATE_SET:"));
}

#[test]
fn a_ca_file_needs_tls_and_lies_in_the_suites_folder() {
    let staging = |url: &str| format!("targets.staging.url={url},targets.staging.ca_file=ca.pem");
    let refused = suite(CHAT, &staging("http://x:8000")).unwrap_err();
    assert!(refused.to_string().contains("`ca_file` goes with https:// only"), "{refused}");
    let mut suite = suite(CHAT, &staging("https://x")).unwrap();
    let target = suite.targets.get_mut("staging").unwrap();
    target.paths_below(Path::new("/crate/perf-tests"));
    let Place::Endpoint(endpoint) = &target.place else { panic!("staging is an endpoint") };
    assert_eq!(endpoint.ca_file.as_deref(), Some(Path::new("/crate/perf-tests/ca.pem")));
}

#[test]
fn any_target_may_use_http_2() {
    let chosen = "targets.staging.url=http://x,targets.staging.http_version='2',targets.sim.http_version='2'";
    let suite = suite(CHAT, chosen).unwrap();
    let spoken = |name: &str| suite.targets[name].http_version;
    assert_eq!(["staging", "sim"].map(spoken), [HttpVersion::Http2; 2]);
}

#[test]
fn an_override_stands_in_for_an_unset_variable() {
    let suite = suite(CHAT, "targets.staging.url=http://x:8000").unwrap();
    assert_eq!(suite.targets["staging"].unavailable, None);
    assert_eq!(endpoint_url(&suite), "http://x:8000");
}

#[test]
fn a_variable_is_expanded_in_an_override_too() {
    let environment = |name: &str| (name == "PORT").then(|| "8000".to_owned());
    let suite = suite_with(CHAT, "targets.staging.url=http://x:${PORT}", &environment).unwrap();
    assert_eq!(endpoint_url(&suite), "http://x:8000");
}

#[test]
fn overrides_create_the_tables_they_need() {
    let suite = suite(CHAT, "targets.sim.simulator.decode_scale=1.08,scenarios.chat.run.rounds=7").unwrap();
    assert_eq!(suite.scenarios[0].run.rounds, 7);
    let Place::Simulator(settings) = &suite.targets["sim"].place else { panic!("sim is simulated") };
    assert_eq!(settings.decode_scale, 1.08);
}

#[test]
fn a_profile_supplies_the_settings_that_are_not_given() {
    let overrides =
        "targets.sim.simulator={ profile = 'vllm-4210-sick', version = '9', faults.crowd_seqs = 5 }";
    let suite = suite(CHAT, overrides).unwrap();
    let Place::Simulator(settings) = &suite.targets["sim"].place else { panic!("sim is simulated") };
    assert_eq!((settings.version.as_str(), settings.faults.crowd_seqs), ("9", 5));
    assert_eq!((settings.decode_step_ms, settings.faults.crowd_step_ms_per_seq), (12.0, 0.0752));
}

#[test]
fn an_override_can_replace_a_table_as_a_whole() {
    let suite = suite(CHAT, r#"scenarios.chat.load={ one = { concurrency = 1, requests = 2 } }"#).unwrap();
    assert_eq!(suite.scenarios.len(), 2);
    assert_eq!(suite.scenarios[0].id.load, "one");
}

fn container(suite: &Suite) -> &ContainerSpec {
    match &suite.targets["staging"].place {
        Place::Container(spec) => spec,
        other => panic!("staging is a container and not {other:?}"),
    }
}

#[test]
fn an_image_makes_a_container_with_its_engines_defaults() {
    let targets = |url: &str| TARGETS.replace("url = \"${STAGING_URL}\"", url);
    let keys = "image = \"vllm/vllm-openai:v0.31.0\"\nmodel = \"Qwen/Qwen3-8B\"\nargs = [\"-x\"]\ngpus = \"all\"\nshm = \"1GiB\"";
    let suite = suite_of(&targets(keys), CHAT, "", &|_| None).unwrap();
    let spec = container(&suite);
    assert_eq!(spec.args, ["--model", "Qwen/Qwen3-8B", "-x"]);
    assert_eq!((spec.port, spec.gpus, spec.shm_bytes), (8000, Some(Gpus::All), Some(1 << 30)));
    assert_eq!(spec.start_timeout, std::time::Duration::from_secs(900));
}

#[test]
fn a_missing_variable_in_a_volume_makes_the_target_unavailable() {
    let keys = "image = \"a:1\"\nvolumes = [\"${HF_HOME}:/cache\"]";
    let targets = TARGETS.replace("url = \"${STAGING_URL}\"", keys);
    let suite = suite_of(&targets, CHAT, "", &|_| None).unwrap();
    let reason = suite.targets["staging"].unavailable.as_deref();
    assert_eq!(reason, Some("environment variable HF_HOME is not set (perf-tests/targets.toml:8:12)"));
}

#[test]
fn an_engine_can_be_overridden_with_its_keys() {
    let suite = suite(CHAT, "targets.sim.engine=openai,targets.sim.url='https://a/v1'").unwrap();
    assert_eq!(suite.targets["sim"].engine, EngineChoice::Kind(EngineKind::OPENAI));
}

#[test]
fn a_text_file_has_a_prompt_per_line() {
    let chat = CHAT.replace(r#"["Why is the sky blue?"]"#, r#"{ file = "prompts/a.txt" }"#);
    let inline = CHAT.replace(r#"["Why is the sky blue?"]"#, r#"["one", "two"]"#);
    let workload = |text: &str| suite(text, "").unwrap().scenarios[0].workload.clone();
    assert_eq!(workload(&chat), workload(&inline));
}

#[test]
fn the_hash_covers_workload_load_and_run_only() {
    let hashes = |overrides: &str| {
        let scenarios = suite(CHAT, overrides).unwrap().scenarios;
        scenarios.iter().map(Scenario::hash).collect::<Vec<_>>()
    };
    let plain = hashes("");
    assert_eq!(plain[0], plain[2], "the target is not part of the hash");
    assert_ne!(plain[0], plain[1], "the load is");
    for same in ["scenarios.chat.gates.ttft_ms_p95.tolerance=5%", "scenarios.chat.run.sessions=9"] {
        assert_eq!(hashes(same), plain, "{same}");
    }
    for other in [
        "scenarios.chat.workload.prompts=['other']",
        "scenarios.chat.workload.seed=2",
        "scenarios.chat.workload.sampling.top_k=3",
        "scenarios.chat.load.users-4.requests=9",
        "scenarios.chat.run.rounds=4",
        "scenarios.chat.run.warmup=2s",
    ] {
        assert_ne!(hashes(other)[0], plain[0], "{other}");
    }
}

#[test]
fn a_hash_stays_the_same_across_versions() {
    let hash = suite(CHAT, "").unwrap().scenarios[0].hash();
    assert_eq!(hash, "sha256:ce72c9724ec7b4ee", "stored baselines would no longer be comparable");
}
