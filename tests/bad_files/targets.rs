//! Targets, containers, and the simulated engine.

use super::assert_targets_rejected;

#[test]
fn a_target_that_cant_be_reached_is_rejected() {
    assert_targets_rejected(
        "",
        &["1:1: no target: there is nothing to measure (add [targets.sim] with engine = \"simulator\")"],
    );
    assert_targets_rejected(
        "[target.sim]\nengine = \"simulator\"",
        &["1:2: unknown key `target` (did you mean `targets`? Only `targets` is valid here)"],
    );
    assert_targets_rejected(
        "[targets.sim]\nengine = \"simulater\"",
        &["2:10: unknown engine `simulater` \
           (did you mean `simulator`? Valid here: `simulator`, `vllm`, `sglang`, `ollama`, `tgi`, `llamacpp`, `openai`, `auto`)"],
    );
    assert_targets_rejected(
        "[targets.sim]\nengine = \"vllm\"",
        &["2:10: target `sim` needs a `url` or an `image` \
           (add url = \"http://127.0.0.1:8000\", or image = \"vllm/vllm-openai:v0.31.0\")"],
    );
    assert_targets_rejected(
        "[targets.sim]\nengine = \"vllm\"\nurl = \"localhost:8000\"",
        &["3:7: `localhost:8000` begins with `localhost:`, expected http:// or https:// \
           (for example \"http://127.0.0.1:8000\" or \"https://llm.example.com/v1\")"],
    );
    assert_targets_rejected(
        "[targets.sim]\nengine = \"vllm\"\nurl = \"http://x\"\nold_url = \"http://x\"",
        &["4:11: the same as `url`: a server can't be proven against itself \
           (name the server on which the old version keeps running, or remove it)"],
    );
    assert_targets_rejected(
        "[targets.sim]\nengine = \"simulator\"\nurl = \"http://x\"",
        &[
            "3:1: the simulator takes no `url`: it runs inside this process (remove it, or choose another engine)",
        ],
    );
    assert_targets_rejected(
        "[targets.sim]\nengine = \"vllm\"\nurl = \"http://x\"\nsimulator = {}",
        &[
            "4:1: simulator settings go with engine = \"simulator\" only (remove `simulator`, or change the engine)",
        ],
    );
}

#[test]
fn a_container_that_cant_start_is_rejected() {
    let of_vllm = |keys: &str| format!("[targets.sim]\nengine = \"vllm\"\n{keys}\n");
    for (keys, expected) in [
        (
            "image = \"a b\"",
            "3:9: not an image: invalid image name `a b`: use lower-case letters, digits, and . _ - / : \
             (for example \"vllm/vllm-openai:v0.31.0\", or \"NAME@sha256:…\")",
        ),
        (
            "image = \"a@sha256:12\"",
            "3:9: not an image: invalid digest `sha256:12`: expected `sha256:` and 64 hexadecimal digits \
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
            "4:21: not a volume: `./c` is neither an absolute path nor a volume name",
        ),
        ("image = \"a:1\"\nshm = 16", "4:7: the number 16 has no unit (write \"16GiB\" or \"16MB\")"),
        ("image = \"a:1\"\ngpus = 0", "4:8: `gpus` must be 1 or more, or \"all\" (leave it out for none)"),
        (
            "image = \"a:1\"\npull = \"maybe\"",
            "4:8: unknown pull `maybe` (Valid here: `missing`, `always`, `never`)",
        ),
        (
            "image = \"a:1\"\nuser = \"root\"",
            "4:8: `root` is not a user: expected \"UID:GID\" in numbers, or \"me\"",
        ),
        ("image = \"a:1\"\nport = 0", "4:8: `port` must be 1 or more"),
    ] {
        assert_targets_rejected(&of_vllm(keys), &[expected]);
    }
    assert_targets_rejected(
        "[targets.sim]\nengine = \"openai\"\nimage = \"a:1\"",
        &["3:9: images of this engine listen at no port that is known \
           (add `port`: where the engine listens inside the container)"],
    );
    assert_targets_rejected(
        "[targets.sim]\nengine = \"auto\"\nimage = \"a:1\"",
        &["2:10: a target with an image must name its engine (for example \"vllm\")"],
    );
}

#[test]
fn simulator_settings_out_of_range_are_rejected() {
    let settings = |setting: &str| format!("[targets.sim]\nengine = \"simulator\"\nsimulator.{setting}\n");
    for (setting, expected) in [
        ("decode_scale = 0", "3:26: `decode_scale` must be a number greater than 0"),
        ("prefill_tokens_per_s = -1", "3:34: `prefill_tokens_per_s` must be a number greater than 0"),
        (
            "jitter = 0.9",
            "3:20: `jitter` must be from 0 to 0.3: three standard deviations must leave a step some time",
        ),
        ("profile = 3", "3:21: `profile`: expected a string (for example profile = \"vllm-4210-sick\")"),
        (
            "profile = \"vllm-4210-sic\"",
            "3:21: unknown profile `vllm-4210-sic` (did you mean `vllm-4210-sick`?)",
        ),
        ("faults.stall_rate = 2", "3:31: `faults.stall_rate` must be a share from 0 to 1"),
        (
            "faults = { error_rate = 0.7, reset_rate = 0.7 }",
            "3:20: `faults` must be rates that add up to at most 1",
        ),
        ("max_seqs = 0", "3:22: `max_seqs` must be at least 1"),
        ("decode_step_ms = nan", "3:28: `decode_step_ms` must be a number greater than 0"),
    ] {
        assert_targets_rejected(&settings(setting), &[expected]);
    }
}

#[test]
fn an_unknown_http_version_is_rejected() {
    for (value, expected) in [
        ("\"3\"", "4:16: unknown http_version `3` (Valid here: `1.1`, `2`)"),
        ("\"1\"", "4:16: unknown http_version `1` (did you mean `1.1`? Valid here: `1.1`, `2`)"),
        ("2", "4:16: `http_version`: expected a string, found integer `2` (put it in quotes)"),
    ] {
        assert_targets_rejected(
            &format!("[targets.sim]\nengine = \"vllm\"\nurl = \"http://x\"\nhttp_version = {value}\n"),
            &[expected],
        );
    }
}

#[test]
fn a_duplicate_header_is_rejected() {
    assert_targets_rejected(
        "[targets.sim]\nengine = \"vllm\"\nurl = \"http://x\"\nheaders = { X-Team = \"a\", x-team = \"b\" }",
        &["4:27: the header `x-team` is given twice; header names are case-insensitive (remove one of them)"],
    );
}
