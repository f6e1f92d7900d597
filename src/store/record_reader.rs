//! A file of records, read to its end or to where it was cut off.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::metrics::record::RequestRecord;
use crate::results::record_file::{
    Damage, Decoder, FRAME_MAX_BYTES, Frame, Header, MAGIC, OLDEST_VERSION, Part, VERSION,
};
use crate::store::StoreError;

/// Yields records one by one, so that a file may be larger than the memory. An error is the last that comes.
pub struct RecordReader {
    pub header: Header,
    frames: Frames,
    part: Part,
    /// Since the last end; `None` right behind one.
    open_records: Option<u64>,
    is_over: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum RecordFileError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{}: expected a file of records, which begins with `tollgate-records`", path.display())]
    Other { path: PathBuf },
    #[error("{}: expected version {OLDEST_VERSION} to {VERSION} of the format, found {found}: another tollgate wrote it", path.display())]
    Version { path: PathBuf, found: u8 },
    #[error("{}: cut off after {bytes} bytes, since what wrote it was ended; what is before that is whole", path.display())]
    Cut { path: PathBuf, bytes: u64 },
    #[error("{}: damaged at byte {at}: {damage}; what is before that is whole", path.display())]
    Damaged { path: PathBuf, at: u64, damage: Damage },
}

impl RecordReader {
    pub fn open(path: &Path) -> Result<RecordReader, RecordFileError> {
        let file = File::open(path).map_err(|cause| StoreError::new("read", path, cause))?;
        let mut frames = Frames::new(path.to_owned(), BufReader::new(file))?;
        let header = match frames.next()? {
            Some(Frame::Header(header)) => *header,
            Some(_) => return Err(frames.damaged(Damage("the first frame is no header".into()))),
            None => return Err(frames.cut()),
        };
        Ok(RecordReader { header, frames, part: Part::default(), open_records: Some(0), is_over: false })
    }

    fn read(&mut self) -> Result<Option<(Part, RequestRecord)>, RecordFileError> {
        loop {
            let open_records = self.open_records.unwrap_or(0);
            match self.frames.next()? {
                Some(Frame::Record(record)) => {
                    self.open_records = Some(open_records + 1);
                    return Ok(Some((self.part.clone(), *record)));
                }
                Some(Frame::Part(part)) => {
                    self.part = part;
                    self.open_records = Some(open_records);
                }
                Some(Frame::End { records }) if records == open_records => self.open_records = None,
                Some(Frame::End { records }) => {
                    let damage = format!("{records} records were written, {open_records} are there");
                    return Err(self.frames.damaged(Damage(damage)));
                }
                Some(Frame::Header(_)) => {
                    return Err(self.frames.damaged(Damage("a second header".into())));
                }
                None if self.open_records.is_some() => return Err(self.frames.cut()),
                None => return Ok(None),
            }
        }
    }
}

impl Iterator for RecordReader {
    type Item = Result<(Part, RequestRecord), RecordFileError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let next = self.read().transpose();
        self.is_over = !matches!(next, Some(Ok(_)));
        next
    }
}

/// The file as frames.
struct Frames {
    path: PathBuf,
    file: BufReader<File>,
    /// Bytes of whole frames.
    read: u64,
    decoder: Decoder,
}

impl Frames {
    fn new(path: PathBuf, mut file: BufReader<File>) -> Result<Frames, RecordFileError> {
        let mut begin = [0; MAGIC.len() + 1];
        let is_ours = file.read_exact(&mut begin).is_ok() && begin.starts_with(MAGIC);
        match begin[MAGIC.len()] {
            _ if !is_ours => Err(RecordFileError::Other { path }),
            version @ OLDEST_VERSION..=VERSION => {
                Ok(Frames { path, file, read: begin.len() as u64, decoder: Decoder::new(version) })
            }
            found => Err(RecordFileError::Version { path, found }),
        }
    }

    /// `None` at the end of the file.
    fn next(&mut self) -> Result<Option<Frame>, RecordFileError> {
        if self.file.fill_buf().map_err(|cause| StoreError::new("read", &self.path, cause))?.is_empty() {
            return Ok(None);
        }
        let (kind, body, length) = self.raw().map_err(|cause| match cause.kind() {
            io::ErrorKind::UnexpectedEof => self.cut(),
            io::ErrorKind::InvalidData => self.damaged(Damage(cause.to_string())),
            _ => StoreError::new("read", &self.path, cause).into(),
        })?;
        let frame = self.decoder.frame(kind, &body).map_err(|damage| self.damaged(damage))?;
        self.read += length;
        Ok(Some(frame))
    }

    /// A frame's kind, its body, and how many bytes it takes with both.
    fn raw(&mut self) -> io::Result<(u8, Vec<u8>, u64)> {
        let mut byte = [0];
        self.file.read_exact(&mut byte)?;
        let kind = byte[0];
        let (mut length, mut head) = (0u64, 1);
        for shift in (0..64).step_by(7) {
            self.file.read_exact(&mut byte)?;
            head += 1;
            length |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] & 0x80 == 0 {
                break;
            }
        }
        if length > FRAME_MAX_BYTES {
            let why = format!("a frame of {length} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        let mut body = Vec::new();
        // What is announced may not be there: memory is taken for what is.
        self.file.by_ref().take(length).read_to_end(&mut body)?;
        match body.len() as u64 == length {
            true => Ok((kind, body, head + length)),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn cut(&self) -> RecordFileError {
        RecordFileError::Cut { path: self.path.clone(), bytes: self.read }
    }

    fn damaged(&self, damage: Damage) -> RecordFileError {
        RecordFileError::Damaged { path: self.path.clone(), at: self.read, damage }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::metrics::record::RecordSink;
    use crate::results::record_file::example::{header, part, record};
    use crate::store::{RecordFile, RecordLog};

    fn open(path: &Path) -> RecordLog {
        RecordFile { path: path.to_owned(), header: header() }.append().unwrap()
    }

    /// A session of its own, with these records.
    fn append(path: &Path, session: &str, numbers: std::ops::Range<u64>) {
        let mut log = open(path);
        log.begin_part(&part(session));
        numbers.for_each(|number| log.take(&record(number)));
        log.finish().unwrap();
    }

    /// What can be read, and what ended it.
    fn read(path: &Path) -> (Vec<(String, RequestRecord)>, Option<RecordFileError>) {
        let (mut records, mut error) = (Vec::new(), None);
        match RecordReader::open(path) {
            Ok(reader) => {
                for item in reader {
                    match item {
                        Ok((part, record)) => records.push((part.session, record)),
                        Err(why) => error = Some(why),
                    }
                }
            }
            Err(why) => error = Some(why),
        }
        (records, error)
    }

    #[test]
    fn several_sessions_read_back_from_one_file() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.records");
        append(&path, "session 1", 0..5);
        append(&path, "session 2", 5..9);
        let (records, error) = read(&path);
        assert!(error.is_none(), "{error:?}");
        let expected: Vec<_> = (0..9)
            .map(|number| ((if number < 5 { "session 1" } else { "session 2" }).to_owned(), record(number)))
            .collect();
        assert_eq!(records, expected);
        assert_eq!(RecordReader::open(&path).unwrap().header, header());
    }

    #[test]
    fn a_file_that_was_cut_off_anywhere_reads_up_to_its_last_whole_record_and_says_so() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.records");
        append(&path, "session 1", 0..4);
        let whole = fs::read(&path).unwrap();
        let mut seen = Vec::new();
        for length in MAGIC.len() + 1..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (records, error) = read(&path);
            assert!(matches!(error, Some(RecordFileError::Cut { .. })), "{length}: {error:?}");
            let expected: Vec<_> = (0..records.len() as u64).map(record).collect();
            assert_eq!(records.iter().map(|(_, record)| record.clone()).collect::<Vec<_>>(), expected);
            seen.push(records.len());
        }
        assert!(seen.is_sorted() && seen.last() == Some(&4), "{seen:?}");
    }

    #[test]
    fn what_a_crash_left_is_there_although_nobody_finished_it() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.records");
        let mut log = open(&path);
        log.begin_part(&part("session 1"));
        (0..3).for_each(|number| log.take(&record(number)));
        // The writer's thread goes on for itself; the log is never closed, and nothing more comes.
        std::mem::forget(log);
        let written = std::time::Instant::now();
        while read(&path).0.len() < 3 && written.elapsed().as_secs() < 60 {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let (records, error) = read(&path);
        assert!(records.len() == 3 && matches!(error, Some(RecordFileError::Cut { .. })), "{error:?}");
    }

    #[test]
    fn other_files_other_versions_and_damage_are_distinguished() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("a.records");
        fs::write(&path, "{}").unwrap();
        assert!(matches!(read(&path).1, Some(RecordFileError::Other { .. })));
        append(&folder.path().join("b.records"), "session 1", 0..4);
        let whole = fs::read(folder.path().join("b.records")).unwrap();
        let mut newer = whole.clone();
        newer[MAGIC.len()] = VERSION + 1;
        fs::write(&path, newer).unwrap();
        let error = read(&path).1.unwrap();
        assert!(error.to_string().contains(&format!("found {}", VERSION + 1)), "{error}");
        let zeroed: Vec<u8> = whole.iter().copied().chain([0; 512]).collect();
        fs::write(&path, zeroed).unwrap();
        let (records, error) = read(&path);
        assert_eq!(records.len(), 4);
        assert!(matches!(error, Some(RecordFileError::Damaged { at, .. }) if at == whole.len() as u64));
    }
}
