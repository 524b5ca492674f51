//! Names that somebody may have meant.

/// As many are worth showing.
const SHOWN: usize = 3;

/// The known names nearest to one that is not among them, best first; a schema before a dot may be left out.
#[must_use]
pub fn suggest(wanted: &str, known: impl Iterator<Item = String>) -> Vec<String> {
    let wanted = wanted.to_lowercase();
    let distance = |name: &str| {
        let bare = name.rsplit('.').next().unwrap_or(name);
        [name, bare].map(|form| edits(&wanted, &form.to_lowercase())).into_iter().min().unwrap_or(usize::MAX)
    };
    let mut close: Vec<_> = known.map(|name| (distance(&name), name)).collect();
    close.retain(|(distance, name)| *distance <= 2 && *distance < name.len());
    close.sort();
    close.dedup();
    close.into_iter().take(SHOWN).map(|(_, name)| name).collect()
}

/// How many letters must be put in, taken out or changed (Levenshtein's distance).
fn edits(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, b) in other.iter().enumerate() {
            let changed = corner + usize::from(a != *b);
            corner = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(corner + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_and_other_cases_are_near() {
        let known = || ["public.users", "public.orders", "sales.Orders", "x"].map(str::to_owned).into_iter();
        assert_eq!(suggest("user", known()), ["public.users"]);
        assert_eq!(suggest("ORDERS", known()), ["public.orders", "sales.Orders"]);
        assert_eq!(suggest("sales.orders", known()), ["sales.Orders"]);
        assert!(suggest("nowhere", known()).is_empty());
    }
}
