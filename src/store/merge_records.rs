//! The records of several workers in one file.

use std::path::{Path, PathBuf};

use crate::record::RecordSink;
use crate::record_file::{Header, Part};
use crate::store::{RecordFile, RecordFileError, RecordReader};

/// Worker by worker, on the first one's clock; a record at a time, so that it takes no memory. What could not be read
/// to its end is told in words.
pub fn merge_records(from: &[PathBuf], to: &Path) -> Result<Vec<String>, RecordFileError> {
    let mut readers = Vec::new();
    for path in from {
        readers.push(RecordReader::open(path)?);
    }
    let Some(first) = readers.first() else { return Ok(Vec::new()) };
    let mut header: Header = first.header.clone();
    header.run.worker = None;
    let clock = header.clock.clone();
    let mut log = RecordFile::replacing(to.to_owned(), header)?.append()?;
    let mut warnings = Vec::new();
    for reader in readers {
        let (of, worker) = (reader.header.clock.clone(), reader.header.run.worker);
        let mut last: Option<Part> = None;
        for item in reader {
            let (part, mut record) = match item {
                Ok(item) => item,
                Err(why) => {
                    warnings.push(why.to_string());
                    break;
                }
            };
            if last.as_ref() != Some(&part) {
                let session =
                    worker.map_or(part.session.clone(), |worker| format!("worker {}", worker.number));
                log.begin_part(&Part { session, began_ns: clock.from_other(&of, part.began_ns), ..part });
                last = Some(part);
            }
            let moved = |at_ns: &mut u64| *at_ns = clock.from_other(&of, *at_ns);
            [&mut record.due_ns, &mut record.sent_ns, &mut record.end_ns].into_iter().for_each(moved);
            record.content_ns.iter_mut().for_each(moved);
            log.take(&record);
        }
    }
    log.finish()?;
    Ok(warnings)
}
