//! SQL of our own behind a script's, in its transaction.

use memchr::memmem;

use crate::engine::Filter;

/// What ends the transaction that a script runs in.
const COMMIT: &[u8] = b"\nCOMMIT;\n";
/// Behind it there are only remarks and `\unrestrict`: so many bytes at the most.
const MAX_TAIL_BYTES: usize = 1 << 10;

/// Puts statements before the COMMIT of a script that another filter has adapted.
pub struct Epilogue {
    inner: Box<dyn Filter>,
    sql: String,
    held: Vec<u8>,
}

impl Epilogue {
    pub fn new(inner: Box<dyn Filter>, sql: String) -> Self {
        Self { inner, sql, held: Vec::new() }
    }
}

impl Filter for Epilogue {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.inner.push(bytes, &mut self.held);
        let passes = self.held.len().saturating_sub(MAX_TAIL_BYTES);
        out.extend(self.held.drain(..passes));
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.inner.finish(&mut self.held);
        match memmem::rfind(&self.held, COMMIT) {
            Some(at) => {
                out.extend(self.held.drain(..=at));
                // The script's own encoding may be another.
                out.extend_from_slice(format!("SET client_encoding = 'UTF8';\n{}", self.sql).as_bytes());
                out.append(&mut self.held);
            }
            // Without these statements nothing may be committed: psql stops here.
            None => out.extend_from_slice(b"\nROLLBACK; SELECT 'the end of the transaction was not found' / 0;\n"),
        }
    }

    fn adaptations(&self) -> Vec<(String, u64)> {
        self.inner.adaptations()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::postgres::restore::filter::{Adapter, Restriction};

    fn with_epilogue(script: &str, size: usize) -> String {
        let inner = Box::new(Adapter::new(false, Restriction::AsItIs));
        let (mut filter, mut out) = (Epilogue::new(inner, "SELECT 1;\n".into()), Vec::new());
        script.as_bytes().chunks(size).for_each(|chunk| filter.push(chunk, &mut out));
        filter.finish(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn statements_stand_before_the_last_commit_however_the_bytes_come() {
        let rows = "COMMIT;\n".repeat(500);
        let tail = "\n\nCOMMIT;\n\n--\n-- complete\n--\n\n";
        let script = format!("BEGIN;\n\nCOPY t FROM stdin;\n{rows}\\.\n{tail}");
        let wanted = tail.replace("COMMIT", "SET client_encoding = 'UTF8';\nSELECT 1;\nCOMMIT");
        let wanted = script.replace(tail, &wanted);
        for size in [1, 7, 1000, script.len()] {
            assert_eq!(with_epilogue(&script, size), wanted, "pieces of {size}");
        }
    }

    #[test]
    fn a_script_without_an_end_of_its_transaction_is_not_committed() {
        for script in ["SELECT 1;\n", ""] {
            assert!(with_epilogue(script, 5).contains("ROLLBACK; SELECT "), "{script}");
        }
    }
}
