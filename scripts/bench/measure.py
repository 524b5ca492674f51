"""Runs one command and says what it cost.

A child that has ended and is not yet reaped still has its /proc entry, whose counters take in the children that it
waited for: that is where CPU time and bytes written come from, exactly. Memory is gone by then, so the high-water mark
of each process is read while it runs; it only grows, and is looked at ten times a second.
"""

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A command ended with a code other than 0. What it said is in the text."""

    def __init__(self, code, said):
        lines = [line for line in said.splitlines() if line.strip()]
        errors = [line for line in lines if "rror" in line]
        super().__init__((errors or lines or [f"exit code {code}, without a word"])[0].strip())
        self.code = code
        self.said = said


@dataclass
class Cost:
    """What a command took. Seconds and bytes."""

    wall: float
    cpu: float  # children included
    own_cpu: float
    peak: int  # of the largest process
    own_peak: int
    written: int  # to disk; children included
    size: int = 0  # of what it made


def run(command, env, cwd):
    """Runs a line of bash. A single command takes the shell's place, so that "own" means that program."""
    with open(os.path.join(cwd, "stderr"), "w+b") as stderr:
        start = time.monotonic()
        child = subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", command],
            env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
            start_new_session=True,
        )
        peaks, ended = {}, threading.Event()
        watcher = threading.Thread(target=_watch, args=(child.pid, peaks, ended))
        watcher.start()
        try:
            os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
            wall = time.monotonic() - start
            own_cpu, cpu = _cpu(child.pid)
            written = _written(child.pid)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            raise
        finally:
            ended.set()
            watcher.join()
            child.wait()
        if child.returncode != 0:
            stderr.seek(0)
            raise Failed(child.returncode, stderr.read().decode(errors="replace"))
    return Cost(wall, cpu, own_cpu, max(peaks.values(), default=0), peaks.get(child.pid, 0), written)


def _cpu(pid):
    """The process's own seconds, and those with its children's."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    user, system, child_user, child_system = (int(field) / TICKS for field in fields[11:15])
    return user + system, user + system + child_user + child_system


def _written(pid):
    with open(f"/proc/{pid}/io") as file:
        fields = dict(line.split(": ") for line in file)
    # What a file that is removed again takes back (cancelled_write_bytes) had its place on the disk all the same.
    return int(fields["write_bytes"])


def _watch(root, peaks, ended):
    while not ended.wait(0.02 if not peaks.get(root) else 0.1):
        for pid in _tree(root):
            try:
                with open(f"/proc/{pid}/status") as status:
                    peak = next((int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")), 0)
            except OSError:
                continue
            peaks[pid] = max(peak, peaks.get(pid, 0))


def _tree(pid):
    yield pid
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children") as children:
                for child in children.read().split():
                    yield from _tree(int(child))
    except OSError:
        pass
