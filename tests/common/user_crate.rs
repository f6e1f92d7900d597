//! A crate with a perf suite through `tollgate::main!()`, like any user's.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use toml::Table;

const PERF: &str = "fn main() -> std::process::ExitCode {
    tollgate::main!()
}
";

pub struct UserCrate {
    /// Its perf suite's test binary.
    pub perf: PathBuf,
}

impl UserCrate {
    /// Built once per process. Across processes, cargo's own lock lets one build while the others wait.
    pub fn built() -> &'static UserCrate {
        static BUILT: OnceLock<UserCrate> = OnceLock::new();
        BUILT.get_or_init(|| {
            let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("user-crate");
            write_crate(&root);
            UserCrate { perf: build(&root) }
        })
    }
}

/// Our own target folder, where the dependencies are already compiled.
pub fn target_dir() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("cargo's folder for tests is within its target folder")
}

/// A cargo that builds a user's crate, without the variables that our cargo sets for these tests: some build scripts
/// (ring's) rerun when those change, and all their dependents would be rebuilt each time.
pub fn cargo(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let shown = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "INSTA_"].iter().any(|prefix| shown.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.current_dir(root).args(arguments);
    command
}

/// The same profile, lock file, and dev-dependencies as ours, so that all dependencies have the same features and none
/// is compiled twice.
pub fn write_crate(root: &Path) {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest: Table = fs::read_to_string(ours.join("Cargo.toml")).unwrap().parse().unwrap();
    let mut theirs: Table = r#"
        package = { version = "0.0.0", edition = "2024", publish = false }
        lib = { path = "lib.rs" }
        workspace = {}
        test = [{ name = "perf", harness = false }]
    "#
    .parse()
    .unwrap();
    // A unique name gives it its own test binary in the shared target folder.
    let name = root.file_name().unwrap().to_str().unwrap();
    theirs["package"].as_table_mut().unwrap().insert("name".into(), name.into());
    let mut dependencies = manifest["dev-dependencies"].as_table().unwrap().clone();
    dependencies.insert(
        "tollgate".into(),
        Table::from_iter([("path".to_owned(), ours.to_str().unwrap().into())]).into(),
    );
    theirs.insert("dev-dependencies".into(), dependencies.into());
    theirs.insert("profile".into(), manifest["profile"].clone());
    write(&root.join("Cargo.toml"), &theirs.to_string());
    write(&root.join("lib.rs"), "");
    write(&root.join("tests/perf.rs"), PERF);
    // Cargo adds the crate itself to its lock file; the copy next to it shows when ours has changed.
    if write(&root.join("ours.lock"), &fs::read_to_string(ours.join("Cargo.lock")).unwrap()) {
        fs::copy(root.join("ours.lock"), root.join("Cargo.lock")).unwrap();
    }
}

/// Writes a file only if its content changes, because cargo checks timestamps. Returns whether it wrote. Another
/// process may be reading.
fn write(path: &Path, text: &str) -> bool {
    if fs::read_to_string(path).is_ok_and(|found| found == text) {
        return false;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let part = path.with_extension(format!("part-{}", std::process::id()));
    fs::write(&part, text).unwrap();
    fs::rename(part, path).unwrap();
    true
}

fn build(root: &Path) -> PathBuf {
    let arguments = ["test", "--offline", "--test", "perf", "--no-run", "--message-format", "json"];
    let output = cargo(root, &arguments).arg("--target-dir").arg(target_dir()).output().unwrap();
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut executables = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message["executable"].as_str()?))
    });
    let errors = String::from_utf8_lossy(&output.stderr);
    executables.next_back().unwrap_or_else(|| panic!("the user's crate does not build:\n{errors}"))
}
