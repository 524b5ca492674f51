"""dbhaul and its peers, in turns: see scripts/bench.sh and docs/performance.md."""

import argparse
import contextlib
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import data
import measure
import report
import servers
import work as plan

SIZES = {"small": (100, 1), "half": (2, 3), "full": (1, 5)}  # the rows' divisor, and runs


def main():
    arguments = parse()
    divisor, runs = SIZES[arguments.size]
    divisor, runs = arguments.rows_divisor or divisor, arguments.runs or runs
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    def works(gigabytes):
        works = [work for work in plan.all_work(gigabytes, arguments.isal) if re.search(arguments.only, work.name)]
        for work in works if arguments.goals else []:
            named = {c.name for c in work.contenders for goal in work.goals if goal.text.endswith(c.name)}
            work.contenders = [c for c in work.contenders if c.ours or c.name in named]
        return works
    wanted = works({})
    engines = {work.engine for work in wanted}
    with contextlib.ExitStack() as stack:
        started = [stack.enter_context(kind()) for kind in (servers.Postgres, servers.Mysql) if kind.name in engines]
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="dbhaul-bench-"))
        say(f"data, a {divisor}th of the rows" if divisor > 1 else "data")
        data.generate(started, divisor, {name for work in wanted for name in work.databases} | {"shop"})
        bench = Bench({server.name: server for server in started}, folder)
        gigabytes = {server.name: bench.gigabytes(server.name) for server in started}
        done = [(work, bench.compare(work, runs)) for work in works(gigabytes)]
        machine = report.machine(started, sys.argv[1:], gigabytes)
    tables = "\n".join(report.table(*each) for each in done)
    little = " (they say little at this size)" if divisor >= 10 else ""
    text = f"{machine}\n### Goals{little}\n\n{report.goals(done)}\n### All figures\n\nMinimum, **median**, maximum.\n\n{tables}"
    print(text)
    if arguments.write:
        report.write("docs/performance.md", text)
    for wrong in bench.wrong:
        say(f"WRONG: {wrong}")
    sys.exit(1 if bench.wrong else 0)


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench.sh")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--rows-divisor", type=int)
    parser.add_argument("--runs", type=int)
    parser.add_argument("--only", default="", metavar="REGEX")
    parser.add_argument("--goals", action="store_true", help="only dbhaul and those that a goal names")
    parser.add_argument("--isal", action="store_true", help="dumps of a dbhaul with ISA-L, too")
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    return parser.parse_args()


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Bench:
    """Runs contenders in turns, and checks what they make."""

    def __init__(self, running, folder):
        self.servers = running
        self.folder = folder
        self.wrong = []
        self.fingerprints = {}
        self.tables = {}

    def environment(self, engine):
        env = self.servers[engine].environment()
        keep, out = f"{self.folder}/{engine}", f"{self.folder}/out"
        os.makedirs(keep, exist_ok=True)
        binary = os.path.dirname(os.environ["DBHAUL_BENCH_BINARY"])
        return {**env, "PATH": f"{binary}:{env['PATH']}", "KEEP": keep, "OUT": out}

    def need(self, engine, what):
        """Makes an input, once. Where a peer can't make its own, its turn will say so."""
        env = self.environment(engine)
        path = f"{env['KEEP']}/{what}"
        if os.path.isdir(path):
            return
        os.mkdir(path)
        try:
            measure.run(plan.INPUTS[engine, what], env, self.folder)
        except measure.Failed as failed:
            say(f"{engine}, {what}: {failed}")

    def gigabytes(self, engine):
        """Of SQL in `shop`, by the manifest of an archive."""
        self.need(engine, "archive")
        env = self.environment(engine)
        archive = glob.glob(f"{env['KEEP']}/archive/*.tar.gz")
        if not archive:
            raise SystemExit(f"bench: dbhaul makes no archive of {engine}")
        members = self.inspect(env, archive)["members"]
        return sum(member["bytes"] for member in members if not member["path"].endswith("/manifest.json")) / 1e9

    @staticmethod
    def inspect(env, archive):
        command = ["dbhaul", "inspect", "--json", *archive]
        return json.loads(subprocess.run(command, env=env, capture_output=True, check=True).stdout)

    def compare(self, work, runs):
        for what in work.needs:
            self.need(work.engine, what)
        results = {contender.name: report.Results() for contender in work.contenders}
        for turn in range(1, runs * work.times + 1):
            for contender in work.contenders:
                found = results[contender.name]
                if found.missing is None:
                    self.turn(work, contender, found, turn)
        return results

    def turn(self, work, contender, found, turn):
        server, env = self.servers[work.engine], self.environment(work.engine)
        shutil.rmtree(env["OUT"], ignore_errors=True)
        os.mkdir(env["OUT"])
        if work.result == "target":
            server.fresh("target")
        os.sync()
        about = f"{work.name}, {contender.name}"
        try:
            cost = measure.run(contender.command, env, self.folder)
        except measure.Failed as failed:
            found.missing, found.costs = str(failed), []
            if contender.ours and not (contender.may_refuse and failed.code in (2, 10)):
                self.wrong.append(f"{about}: {failed.said}")
            say(f"{about}: {failed}")
            return
        cost.size = sum(os.path.getsize(os.path.join(path, name))
                        for path, _, names in os.walk(env["OUT"]) for name in names)
        say(f"{about}, run {turn}: {cost.wall:.2f} s")
        found.costs.append(cost)
        if contender.ours or turn == 1:
            self.check(work, contender, env, about)

    def check(self, work, contender, env, about):
        """An archive must be whole; a target must equal its source."""
        if work.result == "archive" and contender.ours:
            self.check_archive(work, env, about)
        if work.result == "target":
            server = self.servers[work.engine]
            if work.engine not in self.fingerprints:
                self.fingerprints[work.engine] = server.fingerprint("shop")
            if server.fingerprint("target") != self.fingerprints[work.engine]:
                self.wrong.append(f"{about}: the target does not equal its source")

    def check_archive(self, work, env, about):
        """It verifies, has as many rows as the server, and the checksums of every archive of that database before it."""
        try:
            measure.run("dbhaul verify $OUT/*.tar.gz", env, self.folder)
        except measure.Failed as failed:
            self.wrong.append(f"{about}: {failed.said}")
            return
        manifest = self.inspect(env, glob.glob(f"{env['OUT']}/*.tar.gz"))["manifest"]
        tables = {table["name"]: (table["rows"], table["checksum"]) for table in manifest["tables"]}
        if (work.engine, manifest["database"]) not in self.tables:
            counts = self.servers[work.engine].counts(manifest["database"])
            if {name: rows for name, (rows, _) in tables.items()} != counts:
                self.wrong.append(f"{about}: other rows than the server's")
        if self.tables.setdefault((work.engine, manifest["database"]), tables) != tables:
            self.wrong.append(f"{about}: other rows than the archive before it")


main()
