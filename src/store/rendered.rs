//! Reads the reports that a user names, and writes what is rendered from them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::results::file::ReportFile;
use crate::store::{ReadError, StoreError, read_any_report, write_bytes};

/// Reads files in the given order, and all reports of folders in the order of their names.
pub(crate) fn read_reports(paths: &[PathBuf]) -> Result<Vec<ReportFile>, ReadError> {
    let mut files = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|cause| StoreError::new("read", path, cause))?;
        if metadata.is_dir() {
            files.extend(reports_in(path)?);
        } else {
            files.push(path.clone());
        }
    }
    files.iter().map(|path| read_any_report(path)).collect()
}

pub(super) fn reports_in(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let list = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    let mut paths = list().map_err(|cause| StoreError::new("list", folder, cause))?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    Ok(paths)
}

pub(crate) fn write_rendered(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_bytes(path, bytes)
}

/// `name` may contain external text: anything that could point outside of the folder becomes `_`.
pub(crate) fn write_rendered_in(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
    let harmless = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let path = folder.join(name.chars().map(harmless).collect::<String>());
    write_rendered(&path, bytes)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_points_outside_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = write_rendered_in(folder.path(), "../../a<b>\x1b/c.svg", b"<svg/>").unwrap();
        assert_eq!(path, folder.path().join(".._.._a_b___c.svg"));
        assert_eq!(fs::read(path).unwrap(), b"<svg/>");
    }

    #[test]
    fn an_error_names_the_unreadable_file() {
        let error = read_reports(&["no/such/report.json".into()]).unwrap_err().to_string();
        assert!(error.starts_with("can't read no/such/report.json: No such file"), "{error}");
    }
}
