//! Loads: users, rates, traces, and conversations.

use super::{TARGETS, assert_scenario_rejected, errors_of, scenario_with};

#[test]
fn a_load_that_cant_run_is_rejected() {
    assert_scenario_rejected(
        &scenario_with("[load.users-4]\nconcurrency = 4\nrequests = 8", ""),
        &["1:1: no load: nothing says how to drive the engine \
           (add a table such as [load.users-4] with concurrency = 4, requests = 100)"],
    );
    assert_scenario_rejected(
        &scenario_with("requests = 8", ""),
        &["5:1: nothing says when a round of load `users-4` is over \
           (add requests = 100, or duration = \"30s\")"],
    );
    assert_scenario_rejected(
        &scenario_with("requests = 8", "requests = 8\nduration = \"3s\""),
        &["8:1: load `users-4` has both `requests` and `duration` \
           (a round ends by one of them; remove the other)"],
    );
    assert_scenario_rejected(
        &scenario_with("requests = 8", "requests = 3"),
        &["7:12: 3 requests for 4 users: 1 of them would never send one \
           (`requests` counts all users together; make it at least 4)"],
    );
    assert_scenario_rejected(
        &scenario_with("concurrency = 4", "concurrency = 0"),
        &["6:15: a load needs at least 1 user"],
    );
    assert_scenario_rejected(
        &scenario_with("[load.users-4]", "[load.\"a::b\"]"),
        &[
            "5:7: not a load's name: `a::b` contains `:`; a name consists of letters, digits and `-` `_` `.`, \
           beginning and ending with a letter or digit",
        ],
    );
}

#[test]
fn a_key_of_another_kind_of_load_is_rejected() {
    let refused = |keys: &str, expected: &str| {
        assert_scenario_rejected(&scenario_with("concurrency = 4", keys), &[expected]);
    };
    refused(
        "concurrency = 4\nrate = 2.5",
        "7:1: load `users-4` has both `concurrency` and `rate` \
         (requests come from users that wait, by the clock, or from a trace; remove one of the two)",
    );
    refused(
        "concurrency = 4\nmax_in_flight = 9",
        "7:1: `max_in_flight` goes with `rate` only (remove it, or give `rate` instead)",
    );
    refused(
        "rate = 2.5\nthink_time = \"1s\"",
        "7:1: `think_time` goes with `concurrency` only (remove it, or give `concurrency` instead)",
    );
    refused("rate = 0", "6:8: a rate is a number greater than 0, not 0");
    refused("rate = nan", "6:8: a rate is a number greater than 0, not NaN");
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
fn a_trace_that_cant_be_replayed_is_rejected() {
    let refused = |keys: &str, expected: &str| {
        assert_scenario_rejected(&scenario_with("concurrency = 4\nrequests = 8", keys), &[expected]);
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
         (requests come from users that wait, by the clock, or from a trace; remove one of the two)",
    );
    refused(
        "concurrency = 4\nrequests = 8\nspeed = 2",
        "8:1: `speed` goes with `trace` only (remove it, or give `trace` instead)",
    );
    let line = "{\"at_s\": 0, \"input_tokens\": 5, \"output_tokens\": 6}\n";
    let text = scenario_with("concurrency = 4", "trace = \"t.jsonl\"");
    let files = [TARGETS, ("scenarios/chat.toml", text.as_str()), ("t.jsonl", line)];
    assert_eq!(
        errors_of(&files, &[]).to_string(),
        "perf-tests/scenarios/chat.toml:7:12: 8 requests from a trace that has 1 (make it at most 1, or leave it out)"
    );
    let stopped = scenario_with("concurrency = 4\nrequests = 8", "trace = \"t.jsonl\"\nspeed = 0");
    let files = [TARGETS, ("scenarios/chat.toml", stopped.as_str()), ("t.jsonl", line)];
    assert_eq!(
        errors_of(&files, &[]).to_string(),
        "perf-tests/scenarios/chat.toml:7:9: a speed is a number greater than 0, not 0"
    );
    let files = [TARGETS, ("scenarios/chat.toml", text.as_str()), ("t.jsonl", "{\"at\": 0}")];
    let said = errors_of(&files, &[]).to_string();
    assert!(said.starts_with("perf-tests/t.jsonl:1:1: unknown key `at`"), "{said}");
}

#[test]
fn conversations_without_users_are_rejected() {
    let text = scenario_with("concurrency = 4", "rate = 4").replace(
        "prompts = [\"Why is the sky blue?\"]",
        "prompts = { synthetic = { input_tokens = 8, turns = 2 } }",
    );
    assert_scenario_rejected(
        &text,
        &[
            "5:1: load `users-4`: conversations need users to hold them, and requests that come by the clock have none \
           (give `concurrency` instead, or ask for one turn only)",
        ],
    );
}

#[test]
fn a_nonsensical_ramp_or_think_time_is_rejected() {
    let refused = |keys: &str, expected: &str| {
        assert_scenario_rejected(&scenario_with("concurrency = 4", keys), &[expected]);
    };
    refused(
        "concurrency = 4\nramp = { from = 5, over = \"1s\" }",
        "7:17: a ramp of users starts with 1 to 4 users, not with 5",
    );
    refused(
        "rate = 2.5\nramp = { from = 0, over = \"1s\" }",
        "7:17: a ramp of the rate starts above 0, not at 0 \
         (for example from = 0.1: a request every 10 s)",
    );
    refused(
        "rate = 2.5\nramp = { from = inf, over = \"1s\" }",
        "7:17: a ramp of the rate starts above 0, not at inf \
         (for example from = 0.1: a request every 10 s)",
    );
    refused("concurrency = 4\nramp = { from = 1, over = \"0s\" }", "7:27: a ramp takes at least 1ms");
    refused(
        "concurrency = 4\nthink_time = { uniform = [\"3s\", \"1s\"] }",
        "7:26: the second duration of a uniform think time must not be shorter than the first",
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
