# SPDX-License-Identifier: Apache-2.0
"""Measuring several sides against each other: in turn, on one pinned core, with medians, spread and a table.

A side is a callable that measures once and returns one number. Sides take turns round by round, each round in another
order, so that what else the machine does meets all of them alike. Ratios are those of the medians of one run."""

import argparse
import contextlib
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Optional, Sequence, Tuple

Side = Callable[[], float]


def cpu_seconds() -> float:
    """CPU time of this process so far: unlike the clock, it leaves out what other processes take."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def microseconds_each(work: Callable[[], None], items: int, at_least: float = 0.2) -> float:
    """CPU time of an item; `work` goes through all items and is repeated until the time is worth measuring."""
    begin, calls = cpu_seconds(), 0
    while calls == 0 or cpu_seconds() - begin < at_least:
        work()
        calls += 1
    return (cpu_seconds() - begin) / (calls * items) * 1e6


class Worker:
    """A side in a process of its own, with an interpreter and environment of its own: it prints `ready`, and one
    number for each line that it reads."""

    def __init__(self, command: Sequence[str], environment: Optional[Dict[str, str]] = None):
        self._process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self._read("ready")

    def _read(self, expected: str = "") -> str:
        line = self._process.stdout.readline().strip()
        if not line or (expected and line != expected):
            self.close()
            raise RuntimeError(f"{self._process.args} said {line!r}; its last words are above")
        return line

    def __call__(self) -> float:
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._read())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def serve(side: Side) -> None:
    """The other end of a Worker."""
    print("ready", flush=True)
    for _ in sys.stdin:
        print(side(), flush=True)


@dataclass
class Row:
    """The samples of one line of the table: by side, one a round."""

    name: str
    samples: Dict[str, List[float]]


def take_turns(name: str, sides: Dict[str, Side], rounds: int, warm_up: bool = True) -> Row:
    """One unmeasured round to warm up, then `rounds`, each in an order of its own (the same in every run)."""
    row = Row(name, {side: [] for side in sides})
    order, shuffled = list(sides), random.Random(name)
    for number in range(-1 if warm_up else 0, rounds):
        for side in order:
            value = sides[side]()
            if number >= 0:
                row.samples[side].append(value)
        shuffled.shuffle(order)
    return row


def quartiles(values: Sequence[float]) -> Tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _with_spread(values: Sequence[float], unit: str = "") -> str:
    low, middle, high = quartiles(values)
    return f"{_number(middle)}{unit} ({_number(low)}-{_number(high)})"


@dataclass
class Report:
    """What a benchmark says. `ours` is the side that the others are compared with; a ratio above 1 is in its favour."""

    title: str
    ours: str
    unit: str
    lower_is_better: bool
    rows: List[Row] = field(default_factory=list)
    about: Dict[str, str] = field(default_factory=dict)  # what the sides are: versions, settings

    def ratios(self, row: Row, side: str) -> List[float]:
        """One a round."""
        pairs = zip(row.samples[self.ours], row.samples[side])
        return [theirs / ours if self.lower_is_better else ours / theirs for ours, theirs in pairs]

    def ratio(self, row: Row, side: str) -> float:
        """Of the medians."""
        ours, theirs = (statistics.median(row.samples[name]) for name in (self.ours, side))
        return theirs / ours if self.lower_is_better else ours / theirs

    def _ratio_cell(self, row: Row, side: str) -> str:
        if side not in row.samples:
            return "-"
        low, _, high = quartiles(self.ratios(row, side))
        return f"**{self.ratio(row, side):.2f}** ({low:.2f}-{high:.2f})"

    def markdown(self) -> str:
        sides = list(dict.fromkeys(side for row in self.rows for side in row.samples))
        others = [side for side in sides if side != self.ours]
        better = "less" if self.lower_is_better else "more"
        head = ["", *(f"{side}, {self.unit}" for side in sides), *(f"against {side}" for side in others)]
        lines = [f"### {self.title}", "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
        for row in self.rows:
            cells = [_with_spread(row.samples[side]) if side in row.samples else "-" for side in sides]
            cells += [self._ratio_cell(row, side) for side in others]
            lines.append(f"| {' | '.join([row.name, *cells])} |")
        lines += ["", f"Medians (quartiles); {better} is better, a ratio above 1 is in favour of {self.ours}.", ""]
        lines += [f"- {name}: {text}" for name, text in {**self.about, **machine()}.items()]
        return "\n".join(lines) + "\n"

    def as_json(self) -> Dict[str, object]:
        rows = [
            {
                **asdict(row),
                "medians": {side: statistics.median(values) for side, values in row.samples.items()},
                "ratios": {side: self.ratio(row, side) for side in row.samples if side != self.ours},
            }
            for row in self.rows
        ]
        return {**asdict(self), "rows": rows, "machine": machine()}


def _first(path: str, word: str) -> str:
    """The value of the first line `word : value` of a file."""
    with contextlib.suppress(OSError):
        for line in Path(path).read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == word:
                return value.strip()
    return "unknown"


def machine() -> Dict[str, str]:
    """The machine, in words."""
    flags = _first("/proc/cpuinfo", "flags").split()
    known = [flag for flag in ("avx2", "avx512bw", "avx512_vnni", "avx512_bf16", "amx_bf16") if flag in flags]
    cores = ", ".join(str(core) for core in sorted(os.sched_getaffinity(0)))
    name = _first("/proc/cpuinfo", "model name")
    return {
        "CPU": f"{name}, {os.cpu_count()} cores, {' '.join(known)}; ran on core {cores}",
        "memory": f"{int(_first('/proc/meminfo', 'MemTotal').split()[0]) >> 20} GiB",
        "system": f"Linux {platform.release()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}",
    }


def arguments(description: str, rounds: int = 11) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--core", type=int, metavar="N", help="CPU core to run on; default: the last one allowed")
    parser.add_argument("--rounds", type=int, default=rounds, metavar="N", help=f"turns of each side; default {rounds}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample there")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table there too")
    return parser


@contextlib.contextmanager
def pinned(core: Optional[int] = None) -> Iterator[None]:
    """This process, and those that it starts meanwhile, on one core; other threads of libraries go there too."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before) if core is None else core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def publish(report: Report, options: argparse.Namespace) -> None:
    """Prints the table and writes the files that were asked for. Call it while pinned: it names the core."""
    table = report.markdown()
    print(table, end="")
    if options.markdown:
        options.markdown.write_text(table)
    if options.json:
        options.json.write_text(json.dumps(report.as_json(), indent=1) + "\n")
