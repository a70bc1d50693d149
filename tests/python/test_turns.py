# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: whose turn it is, what the ratios mean, the table."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[1] / "bench"
sys.path.insert(0, str(BENCH))
import turns  # noqa: E402


def report(lower_is_better: bool) -> turns.Report:
    samples = {"Ours": [10.0, 11.0, 100.0], "Theirs": [20.0, 22.0, 24.0]}
    return turns.Report("Title", "Ours", "ms", lower_is_better, [turns.Row("small", samples)], {"Theirs": "1.2"})


def test_ratios_are_in_our_favour_above_one():
    faster, slower = report(lower_is_better=True), report(lower_is_better=False)
    assert faster.ratio(faster.rows[0], "Theirs") == 2.0  # of the medians: one bad round does not count
    assert slower.ratio(slower.rows[0], "Theirs") == 0.5
    assert faster.ratios(faster.rows[0], "Theirs") == [2.0, 2.0, 0.24]


def test_table_holds_medians_spread_and_versions():
    table = report(lower_is_better=True)
    table.rows.append(turns.Row("alone", {"Ours": [3.0]}))
    lines = table.markdown().splitlines()
    assert lines[4] == "| small | 11 (10.5-55.5) | 22 (21-23) | **2.00** (1.12-2.00) |"
    assert lines[5] == "| alone | 3 (3-3) | - | - |"
    assert "- Theirs: 1.2" in lines and any(line.startswith("- CPU: ") for line in lines)


def test_every_side_has_a_turn_in_every_round():
    calls = []
    sides = {name: lambda name=name: calls.append(name) or 1.0 for name in "abc"}
    row = turns.take_turns("row", sides, 20)
    assert all(len(samples) == 20 for samples in row.samples.values())
    rounds = [tuple(calls[i : i + 3]) for i in range(0, len(calls), 3)]
    assert all(sorted(order) == ["a", "b", "c"] for order in rounds)
    assert len(set(rounds)) > 2  # and in changing orders


def test_microseconds_are_cpu_time():
    assert turns.microseconds_each(lambda: sum(range(200000)), 2, at_least=0.02) > 100
    # In a process of its own: threads of libraries that other tests loaded take CPU time too.
    program = "import time, turns; begin = turns.cpu_seconds(); time.sleep(1); print(turns.cpu_seconds() - begin)"
    environment = {**os.environ, "PYTHONPATH": str(BENCH)}
    slept = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert float(slept.stdout) < 0.5


def test_worker_measures_in_its_own_process():
    program = "import os, turns; turns.serve(lambda: float(os.environ['X']))"
    worker = turns.Worker([sys.executable, "-c", program], {"X": "2.5", "PYTHONPATH": str(BENCH)})
    assert [worker(), worker()] == [2.5, 2.5]
    worker.close()


def test_worker_that_fails_says_so():
    with pytest.raises(RuntimeError, match="last words"):
        turns.Worker([sys.executable, "-c", "raise SystemExit('no such thing')"])


def test_pinned_and_published(tmp_path, capsys):
    before = os.sched_getaffinity(0)
    options = turns.arguments("Title").parse_args(["--json", str(tmp_path / "a"), "--markdown", str(tmp_path / "b")])
    with turns.pinned(options.core):
        assert os.sched_getaffinity(0) == {max(before)}
        turns.publish(report(lower_is_better=True), options)
    assert os.sched_getaffinity(0) == before
    found = json.loads((tmp_path / "a").read_text())
    assert found["rows"][0]["medians"] == {"Ours": 11.0, "Theirs": 22.0}
    assert f"ran on core {max(before)}" in found["machine"]["CPU"]
    assert (tmp_path / "b").read_text() == capsys.readouterr().out
