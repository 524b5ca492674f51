"""The results as tables: on the terminal, and in docs/performance.md."""

import platform
import re
import subprocess
from datetime import datetime, timezone
from statistics import median

COLUMNS = {"wall": ("wall, s", 1, 2), "cpu": ("CPU, s", 1, 2), "own_cpu": ("own CPU, s", 1, 2),
           "peak": ("memory, MiB", 2**20, 0), "own_peak": ("own memory, MiB", 2**20, 0),
           "written": ("written, MB", 1e6, 1), "size": ("size, MB", 1e6, 1)}


class Results:
    """What a contender's runs cost, or why there are none."""

    def __init__(self):
        self.costs = []
        self.missing = None

    def values(self, what):
        if not self.costs:
            raise KeyError(what)
        return [getattr(cost, what) for cost in self.costs]

    def median(self, what):
        return median(self.values(what))

    def most(self, what):
        return max(self.values(what))


def table(work, results):
    """Markdown: minimum, median and maximum of each figure, then the goals."""
    lines = [f"#### {work.name}", "", "| | " + " | ".join(title for title, *_ in COLUMNS.values()) + " |",
             "|---|" + "---|" * len(COLUMNS)]
    for contender in work.contenders:
        name, found = contender.name.replace("|", "\\|"), results[contender.name]
        if found.missing:
            lines.append(f"| {name} | n/a: {found.missing.replace('|', '/')} |" + " |" * (len(COLUMNS) - 1))
            continue
        cells = []
        for what, (_, unit, digits) in COLUMNS.items():
            values = found.values(what)
            if what.startswith("own") and not contender.ours or what == "size" and not any(values):
                cells.append("")
                continue
            spread = [f"{value / unit:.{digits}f}" for value in (min(values), median(values), max(values))]
            cells.append(spread[0] if len(set(spread)) == 1 else f"{spread[0]} **{spread[1]}** {spread[2]}")
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def goals(done):
    """Markdown: each goal, what was measured, and whether that meets it."""
    lines = ["| | measured | goal | |", "|---|---|---|---|"]
    for work, results in done:
        for goal in work.goals:
            sign = ">=" if goal.at_least else "<="
            try:
                value = goal.value(results)
                met = value >= goal.limit if goal.at_least else value <= goal.limit
                cells = [f"{value:.2f}{goal.unit}", "met" if met else "**missed**"]
            except (KeyError, ZeroDivisionError):
                cells = ["n/a", ""]
            text = f"{work.name}: {goal.text}".replace("|", "\\|")
            lines.append(f"| {text} | {cells[0]} | {sign} {goal.limit:g}{goal.unit} | {cells[1]} |")
    return "\n".join(lines) + "\n"


def machine(servers, arguments, gigabytes):
    """Where, when and with what."""
    def output(*command):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        return (ended.stdout or ended.stderr).strip().splitlines()[-1] if ended.stdout or ended.stderr else "?"
    with open("/proc/cpuinfo") as file:
        text = file.read()
    cpu = re.search(r"model name\s*: (.*)", text)
    with open("/proc/meminfo") as file:
        memory = int(file.read().split()[1]) / 2**20
    data = ", ".join(f"{size:.2f} GB of SQL on {name}" for name, size in gigabytes.items())
    with open("/proc/loadavg") as file:
        load = file.read().split()[0]
    return "\n".join([
        f"- {datetime.now(timezone.utc):%Y-%m-%d}, dbhaul {output('git', 'rev-parse', '--short=10', 'HEAD')}, "
        f"`scripts/bench.sh {' '.join(arguments)}`; load before it {load}",
        f"- {text.count('processor')} cores ({cpu[1] if cpu else platform.machine()}), {memory:.0f} GiB, "
        f"Linux {platform.release().split('-')[0]}",
        f"- {', '.join(f'{server.name} {server.version}' for server in servers)}; {data}",
        f"- {output('mydumper', '--version').split(',')[0]}, pgcopydb "
        f"{output('dpkg-query', '-W', '-f', '${Version}', 'pgcopydb')}, "
        f"{output('pigz', '--version')}, zstd {output('dpkg-query', '-W', '-f', '${Version}', 'zstd')}, "
        f"MariaDB's client {output('dpkg-query', '-W', '-f', '${Version}', 'mariadb-client')}",
    ]) + "\n"


def write(path, text):
    """Puts the text between the markers."""
    start, end = "<!-- bench: generated -->\n", "<!-- bench: end -->"
    with open(path) as file:
        before, rest = file.read().split(start)
    after = rest.split(end)[1]
    with open(path, "w") as file:
        file.write(f"{before}{start}\n{text.strip()}\n\n{end}{after}")
