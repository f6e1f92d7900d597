//! Prompts and gates.

use super::{TARGETS, assert_scenario_rejected, errors_of, scenario_with};

#[test]
fn a_gate_that_cant_judge_is_rejected() {
    let gate = "ttft_ms_p95 = { tolerance = \"10%\", max = 800 }";
    assert_scenario_rejected(
        &scenario_with(gate, ""),
        &["10:1: no gate: this scenario could never fail \
           (add one to [gates], such as output_tokens_per_s = { tolerance = \"3%\" })"],
    );
    assert_scenario_rejected(
        &scenario_with(gate, "ttft_ms_p95 = {}"),
        &["11:15: the gate on `ttft_ms_p95` has no limit (write ttft_ms_p95 = { tolerance = \"5%\" })"],
    );
    assert_scenario_rejected(
        &scenario_with("\"10%\"", "\"0%\""),
        &["11:29: a tolerance must be greater than 0 \
           (no two measurements are equal; 3% is usual for throughput, 10% for a p95 latency)"],
    );
    assert_scenario_rejected(
        &scenario_with(gate, "success_rate = { tolerance = \"1%\" }"),
        &["11:18: `success_rate` takes no tolerance: it is a share that should be 1 \
           (write success_rate = { min = 1.0 })"],
    );
    assert_scenario_rejected(
        &scenario_with(gate, "queue_lag_ms_p95 = { tolerance = \"1%\" }"),
        &[
            "11:22: `queue_lag_ms_p95` takes no tolerance: it is the load client's own lateness, not the engine's \
           (write queue_lag_ms_p95 = { max = 10 })",
        ],
    );
    assert_scenario_rejected(
        &scenario_with(gate, "success_rate = { min = 100 }"),
        &["11:24: success rate is a share from 0 to 1, so `min = 100` can't be reached \
           (write 1.0 for 100 %, 0.99 for 99 %)"],
    );
    assert_scenario_rejected(
        &scenario_with(gate, "output_tokens_per_s = { max = 100 }"),
        &["11:25: `max` makes no sense for output throughput: more of it is better (write `min`)"],
    );
    assert_scenario_rejected(
        &scenario_with("max = 800", "min = 800"),
        &["11:36: `min` makes no sense for p95 time to first token: less of it is better (write `max`)"],
    );
    assert_scenario_rejected(
        &scenario_with("output_tokens = 16", "output_tokens = 16\nstream = false"),
        &["12:1: `ttft_ms_p95` can't be measured with stream = false \
           (without streaming every token arrives at once; gate e2e_ms instead)"],
    );
}

#[test]
fn missing_prompts_are_rejected() {
    assert_scenario_rejected(
        &scenario_with("[\"Why is the sky blue?\"]", "[]"),
        &["3:11: a workload needs at least 1 prompt (give at least one prompt)"],
    );
    assert_scenario_rejected(
        &scenario_with("[\"Why is the sky blue?\"]", "{ file = \"prompts/no.txt\" }"),
        &["3:20: `prompts/no.txt` can't be read: No such file or directory (os error 2) \
           (paths are relative to perf-tests/, so perf-tests/prompts/no.txt has to exist)"],
    );
    assert_scenario_rejected(
        &scenario_with("[\"Why is the sky blue?\"]", "{ file = \"prompts.csv\" }"),
        &["3:20: prompt file `prompts.csv` is neither .txt nor .jsonl \
           (in a .txt every line is a prompt; in a .jsonl every line is {\"prompt\": \"…\"})"],
    );
    assert_scenario_rejected(
        &scenario_with("[\"Why is the sky blue?\"]", "[\"${QUESTION}\"]"),
        &["3:12: environment variable QUESTION is not set (set it; `$${` stands for a literal `${`)"],
    );
}

#[test]
fn a_bad_line_of_a_prompt_file_is_marked_in_that_file() {
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
fn every_mistake_of_a_file_is_reported() {
    let text = scenario_with("[run]", "[run]\nrounds = 0\nrequest_timeout = \"0s\"")
        .replace("\"sim\"", "\"sim\", \"sim\"")
        .replace("output_tokens = 16", "output_tokens = 0");
    assert_scenario_rejected(
        &text,
        &[
            "1:19: target `sim` is named twice (remove one)",
            "4:17: an answer has at least 1 token",
            "9:10: `rounds` must be at least 1",
            "10:19: `request_timeout` must be at least \"1ms\"",
        ],
    );
}
