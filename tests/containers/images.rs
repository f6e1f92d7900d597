//! Images of the simulated engine, built locally, so that no registry is needed.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// One name with a tag per engine.
pub struct Images {
    pub name: String,
}

/// The settings of every engine; as fast as in the other tests.
const ENGINE: [&str; 12] = [
    "/tollgate",
    "simulate",
    "--host",
    "0.0.0.0",
    "--port",
    "8080",
    "--set",
    "prefill_base_ms=40",
    "--set",
    "decode_step_ms=6",
    "--set",
    "cold_start_ms=0",
];

impl Images {
    pub fn make() -> Images {
        let images = Images { name: format!("tollgate-test-{}", std::process::id()) };
        images.import();
        images.tag("1.0", &[]);
        images.tag("2.0", &["--set", "decode_scale=3"]);
        images.tag("asleep", &["--set", "cold_start_ms=3600000"]);
        images.tag("dying", &["--set", "no_such_setting=1"]);
        docker(&["tag", &images.of("1.0"), &images.of("1.0-same")]);
        images
    }

    pub fn of(&self, tag: &str) -> String {
        format!("{}:{tag}", self.name)
    }

    /// IDs of all containers of these images, running or not.
    pub fn containers(&self) -> Vec<String> {
        let listed = docker(&["ps", "-a", "--format", "{{.ID}} {{.Image}}", "--no-trunc"]);
        let images = docker(&["images", "--no-trunc", "-q", &self.name]);
        let ours = |line: &&str| {
            let image = line.split(' ').nth(1).unwrap_or_default();
            image.starts_with(&self.name) || images.lines().any(|id| id.ends_with(image))
        };
        listed.lines().filter(ours).map(str::to_owned).collect()
    }

    pub fn remove(&self) {
        for tag in ["1.0-same", "1.0", "2.0", "asleep", "dying", "base"] {
            let _ = Command::new("docker").args(["rmi", "-f", &self.of(tag)]).output();
        }
    }

    /// The engine's executable with the libraries it links to.
    fn import(&self) {
        let root = TempDir::new().unwrap();
        let program = env!("CARGO_BIN_EXE_tollgate");
        fs::copy(program, root.path().join("tollgate")).unwrap();
        let ldd = Command::new("ldd").arg(program).output().expect("ldd is part of the C library's tools");
        for library in
            String::from_utf8(ldd.stdout).unwrap().split_whitespace().filter(|word| word.starts_with('/'))
        {
            let into = root.path().join(library.trim_start_matches('/'));
            fs::create_dir_all(into.parent().unwrap()).unwrap();
            fs::copy(library, into).unwrap();
        }
        import(root.path(), &self.of("base"));
    }

    /// With an anonymous volume, as many images have. It must be removed with its container.
    pub fn tag(&self, tag: &str, settings: &[&str]) {
        let version = format!("version={tag}");
        let entry_point = serde_json::to_string(&[&ENGINE, settings, &["--set", &version]].concat()).unwrap();
        let recipe = format!("FROM {}\nVOLUME /data\nENTRYPOINT {entry_point}\n", self.of("base"));
        let mut build = Command::new("docker");
        build.args(["build", "-q", "-t", &self.of(tag), "-"]);
        let mut build =
            build.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        build.stdin.take().unwrap().write_all(recipe.as_bytes()).unwrap();
        assert!(build.wait().unwrap().success(), "docker build:\n{recipe}");
    }
}

fn import(root: &Path, image: &str) {
    let mut tar = Command::new("tar");
    let mut tar = tar.arg("-C").arg(root).args(["-c", "."]).stdout(Stdio::piped()).spawn().unwrap();
    let mut import = Command::new("docker");
    import.args(["import", "-", image]).stdin(tar.stdout.take().unwrap()).stdout(Stdio::null());
    assert!(import.status().unwrap().success(), "docker import");
    assert!(tar.wait().unwrap().success(), "tar");
}

/// The output of a `docker` command.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("Docker was there a moment ago");
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

pub fn is_there() -> bool {
    Command::new("docker").arg("version").output().is_ok_and(|output| output.status.success())
}
