//! A text's fingerprint: two of them are alike when the texts are.

use sha2::{Digest, Sha256};

/// 16 hexadecimal digits.
pub fn fingerprint(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
