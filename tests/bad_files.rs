//! Malformed suites: every mistake is answered with its place and what to do, before anything starts.

use std::path::Path;

use tempfile::TempDir;
use tollgate::scenario::{Suite, SuiteErrors, SuiteText, TextFile, parse};
use tollgate::suite::load_with;

const TARGETS: (&str, &str) = ("targets.toml", "[targets.sim]\nengine = \"simulator\"\n");

const SCENARIO: &str = r#"targets = ["sim"]
[workload]
prompts = ["Why is the sky blue?"]
output_tokens = 16
[load.users-4]
concurrency = 4
requests = 8
[run]
warmup = "1s"
[gates]
ttft_ms_p95 = { tolerance = "10%", max = 800 }
"#;

/// The scenario above with one line replaced.
fn scenario_with(line: &str, replacement: &str) -> String {
    assert!(SCENARIO.contains(line), "{line}");
    SCENARIO.replace(line, replacement)
}

fn suite_of(files: &[(&str, &str)]) -> TempDir {
    let root = TempDir::new().unwrap();
    std::fs::create_dir_all(root.path().join("perf-tests/scenarios")).unwrap();
    for (path, text) in files {
        let path = root.path().join("perf-tests").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    root
}

fn load(root: &Path, variables: &[(&str, &str)]) -> Result<Suite, SuiteErrors> {
    load_with(root, &|name| {
        variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| value.to_string())
    })
}

fn errors_of(files: &[(&str, &str)], variables: &[(&str, &str)]) -> SuiteErrors {
    let root = suite_of(files);
    match load(root.path(), variables) {
        Ok(_) => panic!("this suite should have been refused: {files:?} {variables:?}"),
        Err(errors) => errors,
    }
}

/// What is said of a scenario, line for line, without the file's name.
#[track_caller]
fn assert_scenario_refused(text: &str, expected: &[&str]) {
    let said = errors_of(&[TARGETS, ("scenarios/chat.toml", text)], &[]).to_string();
    let said: Vec<&str> = said
        .lines()
        .map(|line| line.strip_prefix("perf-tests/scenarios/chat.toml:").unwrap_or(line))
        .collect();
    assert_eq!(said, expected, "\n{text}");
}

#[track_caller]
fn assert_targets_refused(text: &str, expected: &[&str]) {
    let said = errors_of(&[("targets.toml", text), ("scenarios/chat.toml", SCENARIO)], &[]).to_string();
    let said: Vec<&str> =
        said.lines().map(|line| line.strip_prefix("perf-tests/targets.toml:").unwrap_or(line)).collect();
    assert_eq!(said, expected, "\n{text}");
}

#[track_caller]
fn assert_overrides_refused(overrides: &str, expected: &[&str]) {
    let said = errors_of(&[TARGETS, ("scenarios/chat.toml", SCENARIO)], &[("TOLLGATE_SET", overrides)]);
    assert_eq!(said.to_string().lines().collect::<Vec<_>>(), expected, "\n{overrides}");
}

#[test]
fn the_unchanged_suite_is_accepted() {
    let root = suite_of(&[TARGETS, ("scenarios/chat.toml", SCENARIO)]);
    assert_eq!(load(root.path(), &[]).unwrap().scenarios.len(), 1);
}

#[test]
fn text_that_is_not_toml_is_pointed_at() {
    assert_scenario_refused(
        &scenario_with("[gates]", "[gates"),
        &["10:7: not TOML: unclosed table, expected `]`"],
    );
    assert_scenario_refused(&scenario_with("[run]", "[workload]"), &["8:2: not TOML: duplicate key"]);
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_valid_one() {
    assert_scenario_refused(
        &scenario_with("concurrency = 4", "concurency = 4"),
        &[
            "6:1: unknown key `concurency` (did you mean `concurrency`? Valid here: `concurrency`, `think_time`, `rate`, `arrival`, `burstiness`, `trace`, `speed`, `max_in_flight`, `ramp`, `requests`, `duration`)",
        ],
    );
    assert_scenario_refused(
        &scenario_with("[run]", "[runs]"),
        &[
            "8:2: unknown key `runs` (did you mean `run`? Valid here: `targets`, `workload`, `load`, `run`, `gates`)",
        ],
    );
    assert_scenario_refused(
        &scenario_with("[\"Why is the sky blue?\"]", "{ fil = \"a.txt\" }"),
        &[
            "3:13: unknown key `fil` (did you mean `file`? Valid here: `file`, `synthetic`, `sharegpt`, `trace`)",
        ],
    );
    assert_scenario_refused(
        &scenario_with("output_tokens = 16", "output_tokens = 16\nsampling = { temprature = 0.0 }"),
        &[
            "5:14: unknown key `temprature` (did you mean `temperature`? Valid here: `temperature`, `top_p`, `top_k`)",
        ],
    );
}

#[test]
fn an_unknown_word_is_answered_with_the_nearest_valid_one() {
    assert_scenario_refused(
        &scenario_with("\"sim\"", "\"simm\""),
        &["1:12: unknown target `simm` (did you mean `sim`? Only `sim` is valid here)"],
    );
    assert_scenario_refused(
        &scenario_with("ttft_ms_p95", "ttft_p95_ms"),
        &["11:1: unknown metric `ttft_p95_ms` (did you mean `ttft_ms_p95`?)"],
    );
    assert_scenario_refused(
        &scenario_with("output_tokens = 16", "output_tokens = 16\napi = \"chats\""),
        &["5:7: unknown api `chats` (did you mean `chat`? Valid here: `chat`, `completions`)"],
    );
}

#[test]
fn a_missing_key_is_named_with_an_example() {
    assert_scenario_refused(
        &scenario_with("concurrency = 4", ""),
        &["5:1: nothing says when requests of load `users-4` come \
           (add concurrency = 4 for users that wait for their answers, rate = 2.5 for requests per second, \
           or trace = \"…\" for those of a file)"],
    );
    assert_scenario_refused(
        &scenario_with("output_tokens = 16", ""),
        &["2:1: missing key `output_tokens` (add output_tokens = 128)"],
    );
}

#[test]
fn a_value_of_the_wrong_type_is_told_what_was_expected() {
    assert_scenario_refused(
        &scenario_with("concurrency = 4", "concurrency = \"4\""),
        &["6:15: `concurrency`: expected a whole number from 0 to 4294967295, found string \"4\""],
    );
    assert_scenario_refused(
        &scenario_with("requests = 8", "requests = -8"),
        &["7:12: `requests`: expected a whole number from 0 to 4294967295, found integer `-8`"],
    );
    assert_scenario_refused(
        &scenario_with("[\"sim\"]", "\"sim\""),
        &["1:11: `targets`: expected an array, found string \"sim\""],
    );
    assert_scenario_refused(
        &scenario_with("[\"Why is the sky blue?\"]", "\"Why?\""),
        &["3:11: `prompts`: expected an array or a table, found a string \
           (write prompts = [\"…\"] for one prompt, prompts = { file = \"…\" } for a file)"],
    );
}

#[test]
fn a_bare_or_wrong_unit_is_shown_the_right_form() {
    assert_scenario_refused(
        &scenario_with("\"1s\"", "5"),
        &["9:10: the number 5 has no unit (write \"5s\" for seconds or \"5ms\" for milliseconds)"],
    );
    assert_scenario_refused(
        &scenario_with("\"1s\"", "\"5 sec\""),
        &["9:10: unknown unit `sec` (valid units: ms, s, m, h)"],
    );
    assert_scenario_refused(
        &scenario_with("\"10%\"", "10"),
        &["11:29: the number 10 has no unit (write \"10%\" for 10 percent)"],
    );
    assert_scenario_refused(
        &scenario_with("\"10%\"", "\"ten\""),
        &["11:29: expected a percentage such as \"3%\", found \"ten\""],
    );
}

#[test]
fn a_gate_that_could_not_judge_is_refused() {
    let gate = "ttft_ms_p95 = { tolerance = \"10%\", max = 800 }";
    assert_scenario_refused(
        &scenario_with(gate, ""),
        &["10:1: no gate: such a scenario could never fail \
           (add one to [gates], such as output_tokens_per_s = { tolerance = \"3%\" })"],
    );
    assert_scenario_refused(
        &scenario_with(gate, "ttft_ms_p95 = {}"),
        &["11:15: the gate on `ttft_ms_p95` has no limit (write ttft_ms_p95 = { tolerance = \"5%\" })"],
    );
    assert_scenario_refused(
        &scenario_with("\"10%\"", "\"0%\""),
        &["11:29: a tolerance has to be greater than 0 \
           (no two measurements are equal; for throughput 3% is usual, for a p95 latency 10%)"],
    );
    assert_scenario_refused(
        &scenario_with(gate, "success_rate = { tolerance = \"1%\" }"),
        &["11:18: `success_rate` takes no tolerance: it is a share that should be 1 \
           (write success_rate = { min = 1.0 })"],
    );
    assert_scenario_refused(
        &scenario_with(gate, "queue_lag_ms_p95 = { tolerance = \"1%\" }"),
        &[
            "11:22: `queue_lag_ms_p95` takes no tolerance: it is the load client's own lateness, not the engine's \
           (write queue_lag_ms_p95 = { max = 10 })",
        ],
    );
    assert_scenario_refused(
        &scenario_with(gate, "success_rate = { min = 100 }"),
        &["11:24: success rate is a share from 0 to 1, so `min = 100` can't be reached \
           (write 1.0 for 100 %, 0.99 for 99 %)"],
    );
    assert_scenario_refused(
        &scenario_with(gate, "output_tokens_per_s = { max = 100 }"),
        &["11:25: `max` makes no sense for output throughput: more of it is better (write `min`)"],
    );
    assert_scenario_refused(
        &scenario_with("max = 800", "min = 800"),
        &["11:36: `min` makes no sense for p95 time to first token: less of it is better (write `max`)"],
    );
    assert_scenario_refused(
        &scenario_with("output_tokens = 16", "output_tokens = 16\nstream = false"),
        &["12:1: `ttft_ms_p95` can't be measured with stream = false \
           (without streaming every token arrives at once; gate e2e_ms instead)"],
    );
}

#[test]
fn a_load_that_could_not_run_is_refused() {
    assert_scenario_refused(
        &scenario_with("[load.users-4]\nconcurrency = 4\nrequests = 8", ""),
        &["1:1: no load: nothing says how the engine is asked \
           (add a table such as [load.users-4] with concurrency = 4, requests = 100)"],
    );
    assert_scenario_refused(
        &scenario_with("requests = 8", ""),
        &["5:1: nothing says when a round of load `users-4` is over \
           (add requests = 100, or duration = \"30s\")"],
    );
    assert_scenario_refused(
        &scenario_with("requests = 8", "requests = 8\nduration = \"3s\""),
        &["8:1: load `users-4` has both `requests` and `duration` \
           (a round ends by one of them; remove the other)"],
    );
    assert_scenario_refused(
        &scenario_with("requests = 8", "requests = 3"),
        &["7:12: 3 requests for 4 users: 1 of them would never send one \
           (`requests` counts all users together; make it at least 4)"],
    );
    assert_scenario_refused(
        &scenario_with("concurrency = 4", "concurrency = 0"),
        &["6:15: `concurrency` has to be at least 1"],
    );
    assert_scenario_refused(
        &scenario_with("[load.users-4]", "[load.\"a::b\"]"),
        &[
            "5:7: not a load's name: `a::b` has `:` in it; a name is made of letters, digits and `-` `_` `.`, \
           beginning and ending with a letter or digit",
        ],
    );
}

#[test]
fn a_key_of_the_other_kind_of_load_is_refused_where_it_stands() {
    let refused = |keys: &str, expected: &str| {
        assert_scenario_refused(&scenario_with("concurrency = 4", keys), &[expected]);
    };
    refused(
        "concurrency = 4\nrate = 2.5",
        "7:1: load `users-4` has both `concurrency` and `rate` \
         (requests come from users that wait, or by the clock, or as a trace has them; remove one of the two)",
    );
    refused(
        "concurrency = 4\nmax_in_flight = 9",
        "7:1: `max_in_flight` goes with `rate` only (remove it, or give `rate` instead)",
    );
    refused(
        "rate = 2.5\nthink_time = \"1s\"",
        "7:1: `think_time` goes with `concurrency` only (remove it, or give `concurrency` instead)",
    );
    refused("rate = 0", "6:8: `rate` has to be a number greater than 0");
    refused("rate = nan", "6:8: `rate` has to be a number greater than 0");
    refused(
        "rate = 2.5\narrival = \"gamma\"",
        "7:11: \"gamma\" needs `burstiness`: the shape of its gaps (add burstiness = 0.5 for bursts; 1 is Poisson)",
    );
    refused(
        "rate = 2.5\nburstiness = 0.5",
        "7:1: `burstiness` goes with arrival = \"gamma\" only (remove it, or add arrival = \"gamma\")",
    );
    refused(
        "rate = 2.5\narrival = \"poison\"",
        "7:11: unknown arrival `poison` (did you mean `poisson`? Valid here: `constant`, `poisson`, `gamma`)",
    );
}

#[test]
fn a_trace_that_could_not_be_replayed_is_refused() {
    let refused = |keys: &str, expected: &str| {
        assert_scenario_refused(&scenario_with("concurrency = 4\nrequests = 8", keys), &[expected]);
    };
    refused(
        "trace = \"traces/no.csv\"",
        "6:9: `traces/no.csv` can't be read: No such file or directory (os error 2) \
         (paths are relative to perf-tests/, so perf-tests/traces/no.csv has to exist)",
    );
    refused(
        "trace = \"t.csv\"\nramp = { from = 1, over = \"1s\" }",
        "7:1: `ramp` goes with `rate` only (remove it, or give `rate` instead)",
    );
    refused(
        "trace = \"t.csv\"\nrate = 2",
        "6:1: load `users-4` has both `rate` and `trace` \
         (requests come from users that wait, or by the clock, or as a trace has them; remove one of the two)",
    );
    refused("trace = \"t.csv\"\nspeed = 0", "7:9: `speed` has to be a number greater than 0");
    refused(
        "concurrency = 4\nrequests = 8\nspeed = 2",
        "8:1: `speed` goes with `trace` only (remove it, or give `trace` instead)",
    );
    let line = "{\"at_s\": 0, \"input_tokens\": 5, \"output_tokens\": 6}\n";
    let text = scenario_with("concurrency = 4", "trace = \"t.jsonl\"");
    let files = [TARGETS, ("scenarios/chat.toml", text.as_str()), ("t.jsonl", line)];
    assert_eq!(
        errors_of(&files, &[]).to_string(),
        "perf-tests/scenarios/chat.toml:7:12: 8 requests of a trace that has 1 (make it at most 1, or leave it out)"
    );
    let files = [TARGETS, ("scenarios/chat.toml", text.as_str()), ("t.jsonl", "{\"at\": 0}")];
    let said = errors_of(&files, &[]).to_string();
    assert!(said.starts_with("perf-tests/t.jsonl:1:1: unknown key `at`"), "{said}");
}

#[test]
fn conversations_without_users_are_refused() {
    let text = scenario_with("concurrency = 4", "rate = 4").replace(
        "prompts = [\"Why is the sky blue?\"]",
        "prompts = { synthetic = { input_tokens = 8, turns = 2 } }",
    );
    assert_scenario_refused(
        &text,
        &["5:1: load `users-4` has no users, who hold the workload's conversations \
           (give `concurrency` instead, or ask for one turn only)"],
    );
}

#[test]
fn a_ramp_or_think_time_that_makes_no_sense_is_refused() {
    let refused = |keys: &str, expected: &str| {
        assert_scenario_refused(&scenario_with("concurrency = 4", keys), &[expected]);
    };
    refused(
        "concurrency = 4\nramp = { from = 5, over = \"1s\" }",
        "7:17: a ramp of users begins with 1 to 4 of them, not with 5",
    );
    refused(
        "rate = 2.5\nramp = { from = 0, over = \"1s\" }",
        "7:17: a ramp of the rate begins above 0, not with 0 (for example from = 0.1: a request every 10 s)",
    );
    refused("concurrency = 4\nramp = { from = 1, over = \"0s\" }", "7:27: `over` has to be at least \"1ms\"");
    refused(
        "concurrency = 4\nthink_time = { uniform = [\"3s\", \"1s\"] }",
        "7:26: the second duration is the longer one",
    );
    refused(
        "concurrency = 4\nthink_time = {}",
        "7:14: `think_time` needs exactly one of `uniform`, `exponential` and `lognormal`",
    );
    refused(
        "concurrency = 4\nthink_time = 2",
        "7:14: `think_time`: expected a duration such as \"2s\", or a table such as { exponential = \"2s\" }, found integer `2`",
    );
}

#[test]
fn every_mistake_of_a_file_is_reported() {
    let text = scenario_with("[run]", "[run]\nrounds = 0\nrequest_timeout = \"0s\"")
        .replace("\"sim\"", "\"sim\", \"sim\"")
        .replace("output_tokens = 16", "output_tokens = 0");
    assert_scenario_refused(
        &text,
        &[
            "1:19: target `sim` is named twice (remove one)",
            "4:17: `output_tokens` has to be at least 1",
            "9:10: `rounds` has to be at least 1",
            "10:19: `request_timeout` has to be at least \"1ms\"",
        ],
    );
}

#[test]
fn prompts_that_are_not_there_are_refused() {
    assert_scenario_refused(
        &scenario_with("[\"Why is the sky blue?\"]", "[]"),
        &["3:11: `prompts` is empty (give at least one prompt)"],
    );
    assert_scenario_refused(
        &scenario_with("[\"Why is the sky blue?\"]", "{ file = \"prompts/no.txt\" }"),
        &["3:20: `prompts/no.txt` can't be read: No such file or directory (os error 2) \
           (paths are relative to perf-tests/, so perf-tests/prompts/no.txt has to exist)"],
    );
    assert_scenario_refused(
        &scenario_with("[\"Why is the sky blue?\"]", "{ file = \"prompts.csv\" }"),
        &["3:20: prompt file `prompts.csv` is neither .txt nor .jsonl \
           (in a .txt every line is a prompt; in a .jsonl every line is {\"prompt\": \"…\"})"],
    );
    assert_scenario_refused(
        &scenario_with("[\"Why is the sky blue?\"]", "[\"${QUESTION}\"]"),
        &["3:12: environment variable QUESTION is not set (set it; `$${` stands for a literal `${`)"],
    );
}

#[test]
fn a_bad_line_of_a_prompt_file_is_pointed_at_in_that_file() {
    let scenario = scenario_with("[\"Why is the sky blue?\"]", "{ file = \"prompts/a.jsonl\" }");
    let prompts = "{\"prompt\": \"fine\"}\n{\"promt\": \"x\"}\n\n{\"prompt\": \"x\"\n{}\n{\"messages\": [{\"role\": 1}]}\n";
    let files = [TARGETS, ("scenarios/chat.toml", &scenario), ("prompts/a.jsonl", prompts)];
    let said = errors_of(&files, &[]).to_string();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "perf-tests/prompts/a.jsonl:2:1: unknown key `promt` \
             (did you mean `prompt`? Valid here: `prompt`, `messages`)",
            "perf-tests/prompts/a.jsonl:4:14: not JSON: EOF while parsing an object",
            "perf-tests/prompts/a.jsonl:5:1: a line needs exactly one of `prompt` and `messages` \
             (for example {\"prompt\": \"Why is the sky blue?\"})",
            "perf-tests/prompts/a.jsonl:6:1: expected a string, found integer `1` (put it in quotes)",
        ]
    );
}

#[test]
fn a_target_that_could_not_be_reached_is_refused() {
    assert_targets_refused(
        "",
        &["1:1: no target: nothing could be measured (add [targets.sim] with engine = \"simulator\")"],
    );
    assert_targets_refused(
        "[target.sim]\nengine = \"simulator\"",
        &["1:2: unknown key `target` (did you mean `targets`? Only `targets` is valid here)"],
    );
    assert_targets_refused(
        "[targets.sim]\nengine = \"simulater\"",
        &["2:10: unknown engine `simulater` \
           (did you mean `simulator`? Valid here: `simulator`, `vllm`, `sglang`, `ollama`, `tgi`, `llamacpp`, `openai`, `auto`)"],
    );
    assert_targets_refused(
        "[targets.sim]\nengine = \"vllm\"",
        &["2:10: target `sim` needs a `url` or an `image` \
           (add url = \"http://127.0.0.1:8000\", or image = \"vllm/vllm-openai:v0.31.0\")"],
    );
    assert_targets_refused(
        "[targets.sim]\nengine = \"vllm\"\nurl = \"localhost:8000\"",
        &["3:7: `localhost:8000` begins with `localhost:`, expected http:// or https:// \
           (for example \"http://127.0.0.1:8000\" or \"https://llm.example.com/v1\")"],
    );
    assert_targets_refused(
        "[targets.sim]\nengine = \"simulator\"\nurl = \"http://x\"",
        &[
            "3:1: the simulator takes no `url`: it runs inside this process (remove it, or choose another engine)",
        ],
    );
    assert_targets_refused(
        "[targets.sim]\nengine = \"vllm\"\nurl = \"http://x\"\nsimulator = {}",
        &[
            "4:1: simulator settings go with engine = \"simulator\" only (remove `simulator`, or change the engine)",
        ],
    );
}

#[test]
fn a_container_that_could_not_be_started_is_refused() {
    let of_vllm = |keys: &str| format!("[targets.sim]\nengine = \"vllm\"\n{keys}\n");
    for (keys, expected) in [
        (
            "image = \"a b\"",
            "3:9: not an image: an image's name consists of lower-case letters, digits and . _ - / :, and `a b` does \
             not (for example \"vllm/vllm-openai:v0.31.0\", or \"NAME@sha256:…\")",
        ),
        (
            "image = \"a@sha256:12\"",
            "3:9: not an image: `sha256:12` is no digest: it is `sha256:` and 64 hexadecimal digits \
             (for example \"vllm/vllm-openai:v0.31.0\", or \"NAME@sha256:…\")",
        ),
        (
            "image = \"a:1\"\nurl = \"http://x\"",
            "4:1: a target with an `image` takes no `url`: the engine is started here (remove one of the two)",
        ),
        (
            "url = \"http://x\"\ngpus = 1",
            "4:1: `gpus` goes with `image` only (remove it, or give the engine's image)",
        ),
        (
            "image = \"a:1\"\nvolumes = [\"/a:/b\", \"./c:/d\"]",
            "4:21: not a volume: `./c` is neither an absolute path nor a volume's name",
        ),
        ("image = \"a:1\"\nshm = 16", "4:7: the number 16 has no unit (write \"16GiB\" or \"16MB\")"),
        ("image = \"a:1\"\ngpus = 0", "4:8: `gpus` has to be 1 or more, or \"all\" (leave it out for none)"),
        (
            "image = \"a:1\"\npull = \"maybe\"",
            "4:8: unknown pull `maybe` (Valid here: `missing`, `always`, `never`)",
        ),
        (
            "image = \"a:1\"\nuser = \"root\"",
            "4:8: `root` is no user: expected \"UID:GID\" in numbers, or \"me\"",
        ),
        ("image = \"a:1\"\nport = 0", "4:8: `port` has to be 1 or more"),
    ] {
        assert_targets_refused(&of_vllm(keys), &[expected]);
    }
    assert_targets_refused(
        "[targets.sim]\nengine = \"openai\"\nimage = \"a:1\"",
        &["3:9: images of this engine listen at no port that is known \
           (add `port`: where the engine listens inside the container)"],
    );
    assert_targets_refused(
        "[targets.sim]\nengine = \"auto\"\nimage = \"a:1\"",
        &["2:10: the engine of an image has to be said (for example \"vllm\")"],
    );
}

#[test]
fn simulator_settings_out_of_range_are_refused() {
    let settings = |setting: &str| format!("[targets.sim]\nengine = \"simulator\"\nsimulator.{setting}\n");
    for (setting, expected) in [
        ("decode_scale = 0", "3:26: `decode_scale` has to be a number greater than 0"),
        ("prefill_tokens_per_s = -1", "3:34: `prefill_tokens_per_s` has to be a number greater than 0"),
        (
            "jitter = 0.9",
            "3:20: `jitter` has to be from 0 to 0.3: three standard deviations have to leave a step some time",
        ),
        ("profile = 3", "3:21: `profile`: expected a string (for example profile = \"vllm-4210-sick\")"),
        (
            "profile = \"vllm-4210-sic\"",
            "3:21: unknown profile `vllm-4210-sic` (did you mean `vllm-4210-sick`?)",
        ),
        ("faults.stall_rate = 2", "3:31: `faults.stall_rate` has to be a share from 0 to 1"),
        (
            "faults = { error_rate = 0.7, reset_rate = 0.7 }",
            "3:20: `faults` has to be rates that are no more than 1 together",
        ),
        ("max_seqs = 0", "3:22: `max_seqs` has to be at least 1"),
        ("decode_step_ms = nan", "3:28: `decode_step_ms` has to be a number greater than 0"),
    ] {
        assert_targets_refused(&settings(setting), &[expected]);
    }
}

#[test]
fn a_mistake_in_an_override_is_pointed_at_in_the_variable() {
    assert_overrides_refused(
        "scenarios.chat.run.rounds=2,scenarios.chat.run.round=2",
        &["TOLLGATE_SET:1:48: unknown key `round` \
           (did you mean `rounds`? Valid here: `warmup`, `rounds`, `sessions`, `request_timeout`, `on_suspected`, `records`)"],
    );
    assert_overrides_refused(
        "targets.simm.model=x",
        &["TOLLGATE_SET:1:9: unknown target `simm` (did you mean `sim`? Only `sim` is valid here)"],
    );
    assert_overrides_refused(
        "scenarios.chats.run.rounds=2",
        &[
            "TOLLGATE_SET:1:11: unknown scenario file `chats` (did you mean `chat`? Only `chat` is valid here)",
        ],
    );
    assert_overrides_refused(
        "target.sim.model=x",
        &[
            "TOLLGATE_SET:1:1: unknown key `target` (did you mean `targets`? Valid here: `targets`, `scenarios`)",
        ],
    );
    assert_overrides_refused(
        "scenarios.chat.run.rounds",
        &["TOLLGATE_SET:1:1: expected key=value (for example targets.sim.simulator.decode_scale=1.08)"],
    );
    assert_overrides_refused(
        "scenarios.chat.run.rounds=0",
        &["TOLLGATE_SET:1:27: `rounds` has to be at least 1"],
    );
    assert_overrides_refused(
        "targets.sim.simulator.version=1.0",
        &["TOLLGATE_SET:1:31: `version`: expected a string, found floating point `1.0` (put it in quotes)"],
    );
    assert_overrides_refused(
        "scenarios.chat.targets.x=2",
        &["TOLLGATE_SET:1:16: `targets` is no table but an array (set it as a whole: targets=…)"],
    );
}

#[test]
fn every_bad_file_is_reported_at_once() {
    let bad_run = scenario_with("[run]", "[runs]");
    let files = [
        ("targets.toml", "[targets.sim]\nengine = 3\n"),
        ("scenarios/a.toml", bad_run.as_str()),
        ("scenarios/b.toml", "targets = \n"),
        ("scenarios/c.yaml", ""),
        ("scenarios/d e.toml", SCENARIO),
    ];
    let said = errors_of(&files, &[]).to_string();
    let places: Vec<&str> = said.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "perf-tests/scenarios/c.yaml",
            "perf-tests/targets.toml:2:10",
            "perf-tests/scenarios/a.toml:8:2",
            "perf-tests/scenarios/b.toml:1:11",
            "perf-tests/scenarios/d e.toml",
        ]
    );
}

#[test]
fn an_empty_scenario_folder_is_an_error() {
    assert_eq!(
        errors_of(&[TARGETS], &[]).to_string(),
        "perf-tests/scenarios: no scenario file (*.toml) in this folder \
         (write a scenario, for example perf-tests/scenarios/chat.toml)"
    );
}

#[test]
fn a_folder_without_a_suite_is_an_error() {
    let root = TempDir::new().unwrap();
    let said = load(root.path(), &[]).unwrap_err().to_string();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "perf-tests/targets.toml: can't be read: No such file or directory (os error 2) \
             (every suite has this file; the shortest is [targets.sim] with engine = \"simulator\")",
            "perf-tests/scenarios: can't be read: No such file or directory (os error 2) \
             (write a scenario, for example perf-tests/scenarios/chat.toml)",
        ]
    );
}

#[test]
fn a_terminal_is_shown_the_line() {
    let text = scenario_with("concurrency = 4", "concurency = 4");
    let errors = errors_of(&[TARGETS, ("scenarios/chat.toml", &text)], &[]);
    insta::assert_snapshot!(errors.fancy(false), @r#"
     × unknown key `concurency`
      ╭─[perf-tests/scenarios/chat.toml:6:1]
    5 │ [load.users-4]
    6 │ concurency = 4
      · ──────────
    7 │ requests = 8
      ╰────
     help: did you mean `concurrency`? Valid here: `concurrency`, `think_time`, `rate`, `arrival`,
           `burstiness`, `trace`, `speed`, `max_in_flight`, `ramp`, `requests`, `duration`
    "#);
}

#[test]
fn a_terminal_is_shown_the_override() {
    let variables = [("TOLLGATE_SET", "targets.sim.simulator.decode_scal=1.08")];
    let errors = errors_of(&[TARGETS, ("scenarios/chat.toml", SCENARIO)], &variables);
    insta::assert_snapshot!(errors.fancy(false), @r#"
     × unknown key `decode_scal`
      ╭─[TOLLGATE_SET:1:23]
    1 │ targets.sim.simulator.decode_scal=1.08
      ·                       ───────────
      ╰────
     help: did you mean `decode_scale`?
    "#);
}

#[test]
fn a_terminal_is_shown_the_folder_where_there_is_no_line() {
    insta::assert_snapshot!(errors_of(&[TARGETS], &[]).fancy(false), @r#"
    × perf-tests/scenarios: no scenario file (*.toml) in this folder
    help: write a scenario, for example perf-tests/scenarios/chat.toml
    "#);
}

#[test]
fn no_single_slip_of_a_finger_makes_it_panic() {
    let file = |path: &str, text: &str| TextFile { path: path.to_owned(), text: text.to_owned() };
    let try_it = |targets: &str, scenario: &str, overrides: &str| {
        let suite = parse(&SuiteText {
            targets: file("perf-tests/targets.toml", targets),
            scenarios: vec![file("perf-tests/scenarios/chat.toml", scenario)],
            overrides: overrides.to_owned(),
            environment: &|_| None,
            prompts: &|_| Ok("{".to_owned()),
        });
        suite.is_err_and(|errors| !errors.fancy(true).is_empty())
    };
    let overrides = "targets.sim.simulator={ jitter = 0.1 },scenarios.chat.run.rounds=2";
    let mut refused = 0;
    for slip in ["", "\"", "{", "]", "=", ",", "é", "\0", "\n", "-", "9", "${"] {
        let slips = |text: &str| -> Vec<String> {
            text.char_indices()
                .map(|(at, c)| format!("{}{slip}{}", &text[..at], &text[at + c.len_utf8()..]))
                .collect()
        };
        refused += slips(TARGETS.1).iter().filter(|text| try_it(text, SCENARIO, overrides)).count();
        refused += slips(SCENARIO).iter().filter(|text| try_it(TARGETS.1, text, overrides)).count();
        refused += slips(overrides).iter().filter(|text| try_it(TARGETS.1, SCENARIO, text)).count();
    }
    assert!(refused > 1000, "hardly a slip was noticed: {refused}");
}
