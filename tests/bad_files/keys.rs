//! Keys, words, values, and units, in files and in `TOLLGATE_SET`.

use super::{assert_overrides_rejected, assert_scenario_rejected, scenario_with};

#[test]
fn invalid_toml_is_reported_with_its_position() {
    assert_scenario_rejected(
        &scenario_with("[gates]", "[gates"),
        &["10:7: not TOML: unclosed table, expected `]`"],
    );
    assert_scenario_rejected(&scenario_with("[run]", "[workload]"), &["8:2: not TOML: duplicate key"]);
}

#[test]
fn an_unknown_key_gets_the_nearest_valid_one_suggested() {
    assert_scenario_rejected(
        &scenario_with("concurrency = 4", "concurency = 4"),
        &[
            "6:1: unknown key `concurency` (did you mean `concurrency`? Valid here: `concurrency`, `think_time`, `rate`, `arrival`, `burstiness`, `trace`, `speed`, `max_in_flight`, `ramp`, `requests`, `duration`)",
        ],
    );
    assert_scenario_rejected(
        &scenario_with("[run]", "[runs]"),
        &[
            "8:2: unknown key `runs` (did you mean `run`? Valid here: `targets`, `workload`, `load`, `run`, `gates`)",
        ],
    );
    assert_scenario_rejected(
        &scenario_with("[\"Why is the sky blue?\"]", "{ fil = \"a.txt\" }"),
        &[
            "3:13: unknown key `fil` (did you mean `file`? Valid here: `file`, `synthetic`, `sharegpt`, `trace`)",
        ],
    );
    assert_scenario_rejected(
        &scenario_with("output_tokens = 16", "output_tokens = 16\nsampling = { temprature = 0.0 }"),
        &[
            "5:14: unknown key `temprature` (did you mean `temperature`? Valid here: `temperature`, `top_p`, `top_k`)",
        ],
    );
}

#[test]
fn an_unknown_word_gets_the_nearest_valid_one_suggested() {
    assert_scenario_rejected(
        &scenario_with("\"sim\"", "\"simm\""),
        &["1:12: unknown target `simm` (did you mean `sim`? Only `sim` is valid here)"],
    );
    assert_scenario_rejected(
        &scenario_with("ttft_ms_p95", "ttft_p95_ms"),
        &["11:1: unknown metric `ttft_p95_ms` (did you mean `ttft_ms_p95`?)"],
    );
    assert_scenario_rejected(
        &scenario_with("output_tokens = 16", "output_tokens = 16\napi = \"chats\""),
        &["5:7: unknown api `chats` (did you mean `chat`? Valid here: `chat`, `completions`)"],
    );
}

#[test]
fn a_missing_key_is_named_with_an_example() {
    assert_scenario_rejected(
        &scenario_with("concurrency = 4", ""),
        &["5:1: nothing says when load `users-4` sends requests \
           (add concurrency = 4 for users that wait for their answers, rate = 2.5 for requests per second, \
           or trace = \"…\" for the requests of a file)"],
    );
    assert_scenario_rejected(
        &scenario_with("output_tokens = 16", ""),
        &["2:1: missing key `output_tokens` (add output_tokens = 128)"],
    );
}

#[test]
fn a_wrong_type_is_reported_with_the_expected_one() {
    assert_scenario_rejected(
        &scenario_with("concurrency = 4", "concurrency = \"4\""),
        &["6:15: `concurrency`: expected a whole number from 0 to 4294967295, found string \"4\""],
    );
    assert_scenario_rejected(
        &scenario_with("requests = 8", "requests = -8"),
        &["7:12: `requests`: expected a whole number from 0 to 4294967295, found integer `-8`"],
    );
    assert_scenario_rejected(
        &scenario_with("[\"sim\"]", "\"sim\""),
        &["1:11: `targets`: expected an array, found string \"sim\""],
    );
    assert_scenario_rejected(
        &scenario_with("[\"Why is the sky blue?\"]", "\"Why?\""),
        &["3:11: `prompts`: expected an array or a table, found a string \
           (write prompts = [\"…\"] for one prompt, prompts = { file = \"…\" } for a file)"],
    );
}

#[test]
fn a_missing_or_wrong_unit_gets_an_example() {
    assert_scenario_rejected(
        &scenario_with("\"1s\"", "5"),
        &["9:10: the number 5 has no unit (write \"5s\" for seconds or \"5ms\" for milliseconds)"],
    );
    assert_scenario_rejected(
        &scenario_with("\"1s\"", "\"5 sec\""),
        &["9:10: unknown unit `sec` (valid units: ms, s, m, h)"],
    );
    assert_scenario_rejected(
        &scenario_with("\"10%\"", "10"),
        &["11:29: the number 10 has no unit (write \"10%\" for 10 percent)"],
    );
    assert_scenario_rejected(
        &scenario_with("\"10%\"", "\"ten\""),
        &["11:29: expected a percentage such as \"3%\", found \"ten\""],
    );
}

#[test]
fn a_mistake_in_an_override_is_marked_in_the_variable() {
    assert_overrides_rejected(
        "scenarios.chat.run.rounds=2,scenarios.chat.run.round=2",
        &["TOLLGATE_SET:1:48: unknown key `round` \
           (did you mean `rounds`? Valid here: `warmup`, `rounds`, `sessions`, `request_timeout`, `on_suspected`, `records`)"],
    );
    assert_overrides_rejected(
        "targets.simm.model=x",
        &["TOLLGATE_SET:1:9: unknown target `simm` (did you mean `sim`? Only `sim` is valid here)"],
    );
    assert_overrides_rejected(
        "scenarios.chats.run.rounds=2",
        &[
            "TOLLGATE_SET:1:11: unknown scenario file `chats` (did you mean `chat`? Only `chat` is valid here)",
        ],
    );
    assert_overrides_rejected(
        "target.sim.model=x",
        &[
            "TOLLGATE_SET:1:1: unknown key `target` (did you mean `targets`? Valid here: `targets`, `scenarios`)",
        ],
    );
    assert_overrides_rejected(
        "scenarios.chat.run.rounds",
        &["TOLLGATE_SET:1:1: expected key=value (for example targets.sim.simulator.decode_scale=1.08)"],
    );
    assert_overrides_rejected(
        "scenarios.chat.run.rounds=0",
        &["TOLLGATE_SET:1:27: `rounds` must be at least 1"],
    );
    assert_overrides_rejected(
        "targets.sim.simulator.version=1.0",
        &["TOLLGATE_SET:1:31: `version`: expected a string, found floating point `1.0` (put it in quotes)"],
    );
    assert_overrides_rejected(
        "scenarios.chat.targets.x=2",
        &["TOLLGATE_SET:1:16: `targets` is not a table but an array (set it as a whole: targets=…)"],
    );
}
