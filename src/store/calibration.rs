//! This machine's calibration. It is stored in the user's cache because it belongs to no crate.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::metrics::calibration::Calibration;
use crate::store::{StoreError, write};
use crate::sys::machine;

/// `$XDG_CACHE_HOME/tollgate/calibration.json`; without that variable, below `~/.cache`.
fn path() -> Option<PathBuf> {
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")))?;
    Some(cache.join("tollgate").join("calibration.json"))
}

pub(crate) fn calibration_path() -> Result<PathBuf, StoreError> {
    path().ok_or_else(|| {
        let why = "neither XDG_CACHE_HOME nor HOME is set";
        StoreError::new("write", "calibration.json".as_ref(), io::Error::new(io::ErrorKind::NotFound, why))
    })
}

pub(crate) fn save_calibration(path: &Path, calibration: &Calibration) -> Result<(), StoreError> {
    let mut json = serde_json::to_string_pretty(calibration).expect("a calibration is plain data");
    json.push('\n');
    write(path, &json)
}

/// This machine's calibration, if there is one. A damaged one, or one from another machine, is ignored.
pub(crate) fn calibration() -> Option<Calibration> {
    let text = fs::read_to_string(path()?).ok()?;
    let calibration: Calibration = serde_json::from_str(&text).ok()?;
    (calibration.machine == machine::describe()).then_some(calibration)
}
