//! Stored generated columns: no dump holds their values, and a target computes them anew.

use std::collections::BTreeMap;

/// What a trial can't compare: there is no source to ask.
pub const GENERATED_VALUES: &str = "values of generated columns";

/// Sums of a table's rows, in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeneratedSums {
    /// The stored generated columns.
    pub columns: Vec<String>,
    /// The rows, and the sum of hashes of all other columns.
    pub others: (String, String),
    /// The sum of hashes of the generated columns.
    pub generated: String,
}

/// By table: `public.orders`, or `orders`.
pub type GeneratedColumns = BTreeMap<String, GeneratedSums>;
