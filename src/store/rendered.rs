//! Reports that a person names, and what is made of them at a place of the person's choice.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::results::file::ReportFile;
use crate::store::{ReadError, StoreError, read_any_report, write_bytes};

/// Files as they are named, folders with all their reports in the order of their names.
pub fn read_reports(paths: &[PathBuf]) -> Result<Vec<ReportFile>, ReadError> {
    let mut files = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|cause| StoreError::new("read", path, cause))?;
        match metadata.is_dir() {
            true => files.extend(reports_in(path)?),
            false => files.push(path.clone()),
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

pub fn write_rendered(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_bytes(path, bytes)
}

/// `name` may hold foreign text: whatever leads out of the folder becomes `_`.
pub fn write_rendered_in(folder: &Path, name: &str, bytes: &[u8]) -> Result<PathBuf, StoreError> {
    let harmless = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let path = folder.join(name.chars().map(harmless).collect::<String>());
    write_rendered(&path, bytes)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let path = write_rendered_in(folder.path(), "../../a<b>\x1b/c.svg", b"<svg/>").unwrap();
        assert_eq!(path, folder.path().join(".._.._a_b___c.svg"));
        assert_eq!(fs::read(path).unwrap(), b"<svg/>");
    }

    #[test]
    fn what_can_not_be_read_is_named() {
        let error = read_reports(&["no/such/report.json".into()]).unwrap_err().to_string();
        assert!(error.starts_with("can't read no/such/report.json: No such file"), "{error}");
    }
}
