//! Settings of servers, databases and roles: they change nothing of what is read, written and compared.

mod harmless_mysql;
mod mysql;
mod other_tables;
mod pooled;
mod postgres;
mod sweep;
mod sweep_mysql;
mod sweep_postgres;

/// The first of these that is another number than the current one, and within the bounds.
fn another_number(now: &str, least: &str, most: &str) -> Option<String> {
    let [now, least, most] = [now, least, most].map(|text| text.parse::<f64>().ok());
    let now = now?;
    let candidates = [least.unwrap_or(0.0), 0.0, 1.0, now * 2.0 + 1.0, now / 2.0];
    let fits = |n: &f64| (*n - now).abs() > 1e-9 && least.is_none_or(|l| *n >= l) && most.is_none_or(|m| *n <= m);
    candidates.into_iter().find(fits).map(|number| number.to_string())
}

/// Settings of which alone a sweep is asked.
fn only() -> Option<Vec<String>> {
    let list = std::env::var("DBHAUL_SWEEP_ONLY").ok()?;
    Some(list.split(',').map(str::to_owned).collect())
}
