//! How much memory this process may take: what its cgroup has, and `ulimit`.

use std::fs;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

/// The lowest limit on this process, in bytes; none where there is none, or none can be read.
#[must_use]
pub fn limit() -> Option<u64> {
    let own = [Resource::Data, Resource::As].into_iter().filter_map(|resource| getrlimit(resource).current);
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    own.chain(of_groups(&groups, Path::new("/sys/fs/cgroup"))).min()
}

/// The lowest limit of the groups that `/proc/self/cgroup` names, and of those around them. In a container a path may be
/// the host's, and only the root be there.
fn of_groups(groups: &str, root: &Path) -> Option<u64> {
    let limits = groups.lines().flat_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, group) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        // Of version 2 there is one tree for all controllers, of version 1 one for each.
        let (tree, file) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            _ => (root.join("memory"), "memory.limit_in_bytes"),
        };
        let inner = tree.join(group.trim_start_matches('/'));
        let folders = inner.ancestors().take_while(|folder| folder.starts_with(&tree)).map(Path::to_owned);
        folders.map(|folder| folder.join(file)).collect::<Vec<_>>()
    });
    // "max" is no number.
    limits.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok()).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_of_all_groups_around_counts() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |file: &str, text: &str| {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
            fs::write(path, text).expect("write");
        };
        let limit = |groups: &str| of_groups(groups, root.path());
        assert_eq!(limit("0::/app/web\n"), None);
        write("app/web/memory.max", "max\n");
        assert_eq!(limit("0::/app/web\n"), None);
        write("app/memory.max", "536870912\n");
        assert_eq!(limit("0::/app/web\n"), Some(512 << 20));
        assert_eq!(limit("0::/\n"), None);
        write("memory.max", "1073741824\n");
        assert_eq!(limit("0::/a/path/of/the/host\n"), Some(1 << 30));
        write("memory/memory.limit_in_bytes", "67108864\n");
        assert_eq!(limit("3:cpu,cpuacct:/\n5:memory:/docker/7f\n0::/app\n"), Some(64 << 20));
    }
}
