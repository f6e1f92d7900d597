//! Merges the records of several workers into one file.

use std::path::{Path, PathBuf};

use crate::metrics::record::RecordSink;
use crate::results::record_file::{Header, Part};
use crate::store::{RecordFile, RecordReader, StoreError};

/// The result of a merge.
#[derive(Debug, Default)]
pub(crate) struct MergedRecords {
    /// Whether the file was written.
    pub are_kept: bool,
    /// What is missing from it.
    pub warnings: Vec<String>,
}

/// Merges worker by worker, on the first worker's clock, holding only one record in memory. Missing or damaged records
/// don't prevent the others from being merged.
pub(crate) fn merge_records(from: &[PathBuf], to: &Path) -> MergedRecords {
    let mut merged = MergedRecords::default();
    let mut readers = Vec::new();
    for path in from {
        match RecordReader::open(path) {
            Ok(reader) => readers.push(reader),
            Err(why) => merged.warnings.push(format!("a worker's records were not merged: {why}")),
        }
    }
    let Some(first) = readers.first() else { return merged };
    let header = first.header.clone();
    match append_all(readers, to, header, &mut merged) {
        Ok(()) => {}
        Err(why) if merged.are_kept => merged.warnings.push(format!("not all records were kept: {why}")),
        Err(why) => merged.warnings.push(format!("no records were kept: {why}")),
    }
    merged
}

fn append_all(
    readers: Vec<RecordReader>,
    to: &Path,
    mut header: Header,
    merged: &mut MergedRecords,
) -> Result<(), StoreError> {
    header.run.worker = None;
    let clock = header.clock.clone();
    let mut log = RecordFile::replacing(to.to_owned(), header)?.append()?;
    merged.are_kept = true;
    for reader in readers {
        let (of, worker) = (reader.header.clock.clone(), reader.header.run.worker);
        let mut last: Option<Part> = None;
        for item in reader {
            let (part, mut record) = match item {
                Ok(item) => item,
                Err(why) => {
                    merged.warnings.push(why.to_string());
                    break;
                }
            };
            if last.as_ref() != Some(&part) {
                let session =
                    worker.map_or(part.session.clone(), |worker| format!("worker {}", worker.number));
                log.begin_part(&Part { session, began_ns: clock.translate(&of, part.began_ns), ..part });
                last = Some(part);
            }
            let moved = |at_ns: &mut u64| *at_ns = clock.translate(&of, *at_ns);
            [&mut record.due_ns, &mut record.taken_ns, &mut record.sent_ns, &mut record.end_ns]
                .into_iter()
                .for_each(moved);
            record.content_ns.iter_mut().for_each(moved);
            log.take(&record);
        }
    }
    log.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::load::worker::Worker;
    use crate::results::record_file::example;

    /// Writes a worker's records file with one record.
    fn write_worker(number: u32, path: &Path) {
        let mut header = example::header();
        header.run.worker = Some(Worker { number, of: 2 });
        let mut log = RecordFile { path: path.to_owned(), header }.append().unwrap();
        log.begin_part(&example::part("bench"));
        log.take(&example::record(1));
        log.finish().unwrap();
    }

    fn sessions(path: &Path) -> Vec<String> {
        RecordReader::open(path).unwrap().map(|item| item.unwrap().0.session).collect()
    }

    #[test]
    fn missing_or_damaged_records_do_not_prevent_a_merge() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        write_worker(2, &at("2.records"));
        fs::write(at("3.records"), "no records").unwrap();
        let merged =
            merge_records(&[at("1.records"), at("2.records"), at("3.records")], &at("whole.records"));
        assert!(merged.are_kept);
        assert_eq!(sessions(&at("whole.records")), ["worker 2"]);
        let [missing, foreign] = &merged.warnings[..] else { panic!("{:?}", merged.warnings) };
        assert!(missing.contains("not merged: can't read") && missing.contains("1.records"), "{missing}");
        assert!(foreign.contains("3.records: expected a records file"), "{foreign}");
    }

    #[test]
    fn a_merge_that_keeps_nothing_warns() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let merged = merge_records(&[at("1.records")], &at("whole.records"));
        assert_eq!((merged.are_kept, merged.warnings.len()), (false, 1));
        assert!(!at("whole.records").exists());
        write_worker(1, &at("1.records"));
        let merged = merge_records(&[at("1.records")], &at("missing/whole.records"));
        assert!(!merged.are_kept);
        assert!(merged.warnings[0].starts_with("no records were kept: can't"), "{:?}", merged.warnings);
    }
}
