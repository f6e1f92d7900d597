//! Fingerprints: equal inputs have equal ones.

use std::io::{self, Write};

use serde::Serialize;
use sha2::{Digest, Sha256};

/// The fingerprint of a text, as 16 hexadecimal digits.
pub(crate) fn fingerprint(text: &str) -> String {
    digits(Sha256::new_with_prefix(text))
}

/// The fingerprint of a sequence, without holding its text in memory.
pub(crate) fn fingerprint_of_all<T: Serialize>(items: &[T]) -> String {
    let mut hash = Hash(Sha256::new());
    for item in items {
        serde_json::to_writer(&mut hash, item).expect("plain data is always JSON");
        hash.0.update("\n");
    }
    digits(hash.0)
}

struct Hash(Sha256);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn digits(hash: Sha256) -> String {
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_has_the_fingerprint_of_its_json_lines() {
        assert_eq!(fingerprint_of_all(&[vec![1, 2], vec![]]), fingerprint("[1,2]\n[]\n"));
        assert_ne!(fingerprint_of_all(&[vec!["a"]]), fingerprint_of_all(&[vec!["a"], vec![]]));
    }
}
