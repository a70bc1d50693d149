# SPDX-License-Identifier: Apache-2.0
"""The command line contract: exit statuses, outputs, messages."""

import csv
import json
import shutil
from pathlib import Path
from typing import Dict, List

import numpy as np
import pytest
from PIL import Image

from pomona.models.graph import GraphBuilder
from support import reference
from support.built import TINY, run_cli
from support.material import worst_difference

COMMANDS = ["features", "decode", "pca", "bench", "model", "doctor"]
LENGTH = 40  # numbers in a vector of the tiny test net


def draw(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (30 + seed, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "JPEG")
    return path


@pytest.fixture
def images(tmp_path) -> List[Path]:
    return [draw(tmp_path / "images" / name, seed) for seed, name in enumerate(("b.jpg", "a.jpg", "c.jpg"))]


def features(*words, **options):
    return run_cli("features", "--model", TINY, *words, **options)


def vectors(out: Path, *words) -> np.ndarray:
    done = features("--out", out, *words)
    assert (done.returncode, done.stderr) == (0, "")
    return np.load(out)


def refused(done, status: int, *words: str) -> None:
    """One message on stderr that holds the words, nothing on stdout."""
    assert done.returncode == status, done.stderr
    assert done.stdout == ""
    for word in words:
        assert str(word) in done.stderr


# ---- usage ----


@pytest.mark.parametrize("words", [["--help"], ["-h"], *([command, "--help"] for command in COMMANDS)])
def test_help(words):
    done = run_cli(*words)
    assert done.returncode == 0 and "usage: pomona" in done.stdout and done.stderr == ""


def test_every_command_is_in_the_help():
    text = run_cli("--help").stdout
    assert all(f"\n  {command} " in text for command in COMMANDS)


def test_every_option_is_in_the_help():
    text = run_cli("features", "--help").stdout
    for (
        option
    ) in "model out pooling resample fit precision batch threads mode top corrupt-data max-pixels fast-decode".split():
        assert f"--{option}" in text


def test_version():
    assert run_cli("--version").stdout.startswith("pomona ")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["featurize"],
        ["features"],
        ["features", "x.jpg"],
        ["features", "--model", TINY],
        ["features", "--model", TINY, "--colour", "x.jpg"],
        ["features", "--model", TINY, "--pooling", "mean", "x.jpg"],
        ["features", "--model", TINY, "--batch", "0", "x.jpg"],
        ["features", "--model", TINY, "--batch", "257", "x.jpg"],
        ["features", "--model", TINY, "--threads", "two", "x.jpg"],
        ["features", "--model", TINY, "--max-pixels", "-1", "x.jpg"],
        ["features", "--model", TINY, "--mode", "dropmalformed", "x.jpg"],
        ["features", "--seconds", "3", "--model", TINY, "x.jpg"],
        ["decode", "x.jpg"],
        ["decode", "--out", "x.npy"],
        ["decode", "--out", "x.npy", "--size", "3by4", "x.jpg"],
        ["decode", "--out", "x.npy", "x.jpg", "y.jpg"],
        ["bench"],
        ["bench", "--model", TINY, "x.jpg"],
        ["bench", "--model", TINY, "--seconds", "0"],
        ["model"],
        ["model", "show", TINY],
        ["model", "info"],
        ["doctor", "now"],
    ],
)
def test_usage(words):
    done = run_cli(*words)
    assert done.returncode == 2 and done.stderr and done.stdout == ""


# ---- outputs ----


def test_npy(images, tmp_path):
    found = vectors(tmp_path / "out.npy", *images)
    assert found.dtype == np.dtype("<f4") and found.shape == (3, LENGTH) and np.isfinite(found).all()
    turned = vectors(tmp_path / "turned.npy", *reversed(images))
    assert np.array_equal(turned, found[::-1]) and not np.array_equal(found[0], found[1])


def read_csv(text: str) -> Dict[str, np.ndarray]:
    return {row[0]: np.array(row[1:], np.float32) for row in csv.reader(text.splitlines())}


def test_csv(images, tmp_path):
    """Nine digits give the very floats back; stdout gets what a file would."""
    expected = vectors(tmp_path / "out.npy", *images)
    assert features("--out", tmp_path / "out.csv", *images).returncode == 0
    text = (tmp_path / "out.csv").read_text()
    assert features(*images).stdout == text
    rows = read_csv(text)
    assert list(rows) == [str(image) for image in images]
    assert np.array_equal(np.stack(list(rows.values())), expected)


def test_csv_quotes_odd_names(tmp_path):
    image = draw(tmp_path / 'a "red", ripe.jpg', 1)
    assert list(read_csv(features(image).stdout)) == [str(image)]


def test_pooling(images, tmp_path):
    whole = vectors(tmp_path / "none.npy", "--pooling", "none", *images).reshape(3, -1, LENGTH)
    assert np.array_equal(whole.max(1), vectors(tmp_path / "max.npy", "--pooling", "max", *images))
    np.testing.assert_allclose(vectors(tmp_path / "avg.npy", *images), whole.mean(1), rtol=1e-5, atol=1e-6)


def test_fit(images, tmp_path):
    """Pillow's pixels, squashed or cut from the middle, through the network in float64."""
    size, found = 32, {fit: vectors(tmp_path / f"{fit}.npy", "--fit", fit, *images) for fit in ("squash", "crop")}
    for index, image in enumerate(Image.open(path).convert("RGB") for path in images):
        larger = max(size / image.width, size / image.height)
        wide, high = int(image.width * larger), int(image.height * larger)
        left, top = round((wide - size) / 2), round((high - size) / 2)
        cut = image.resize((wide, high), Image.Resampling.BICUBIC).crop((left, top, left + size, top + size))
        whole = image.resize((size, size), Image.Resampling.BICUBIC)
        for fit, pixels in (("squash", whole), ("crop", cut)):
            exact = reference.run(TINY, np.asarray(pixels)[None])
            assert worst_difference(found[fit][index : index + 1], exact) < 1e-5, fit
        assert worst_difference(found["crop"][index : index + 1], reference.run(TINY, np.asarray(whole)[None])) > 1e-3


def test_batch_and_threads(images, tmp_path):
    """More images than one round of one thread takes."""
    many = (images * 60)[:170]
    expected = vectors(tmp_path / "expected.npy", "--batch", "1", *many).tobytes()
    for options in (["--batch", "5"], ["--batch", "200"], ["--threads", "3"], ["--threads", "5", "--batch", "64"]):
        assert vectors(tmp_path / "out.npy", *options, *many).tobytes() == expected, options


def test_folders_are_sorted_and_recursive(tmp_path):
    names = ["B.jpg", "a/b/1.jpeg", "a/b/10.jpg", "a/b/2.JPG", "a/z.JPEG", "c.jpg"]
    for seed, name in enumerate(names):
        draw(tmp_path / "in" / name, seed)
    (tmp_path / "in/notes.txt").write_text("no image")
    draw(tmp_path / "in/.hidden.jpg", 1)
    (tmp_path / "in/empty").mkdir()
    rows = read_csv(features(tmp_path / "in").stdout)
    assert [str(Path(row).relative_to(tmp_path / "in")) for row in rows] == names
    assert features(tmp_path / "in/c.jpg", tmp_path / "in").stdout.startswith(str(tmp_path / "in/c.jpg"))


def test_decode(images, tmp_path):
    done = run_cli("decode", "--size", "20x10", "--out", tmp_path / "out.npy", *images)
    pixels = np.load(tmp_path / "out.npy")
    assert done.returncode == 0 and pixels.shape == (3, 10, 20, 3) and pixels.dtype == np.uint8
    assert run_cli("decode", "--out", tmp_path / "own.npy", images[1]).returncode == 0
    assert np.load(tmp_path / "own.npy").shape == (1, 31, 40, 3)


# ---- bad images ----


@pytest.fixture
def spoilt(images, tmp_path) -> List[Path]:
    """A good image between two bad ones."""
    cut, text = tmp_path / "cut.jpg", tmp_path / "text.jpg"
    cut.write_bytes(images[0].read_bytes()[:-200])
    text.write_text("<html>not found</html>")
    return [cut, images[1], text]


def test_permissive(spoilt, tmp_path):
    done = features("--out", tmp_path / "out.npy", *spoilt)
    assert done.returncode == 1
    assert [line.split(": ")[:2] for line in done.stderr.splitlines()] == [
        [str(spoilt[0]), "TRUNCATED"],
        [str(spoilt[2]), "NOT_JPEG"],
    ]
    found = np.load(tmp_path / "out.npy")
    assert np.isnan(found[[0, 2]]).all()
    assert np.array_equal(found[1], vectors(tmp_path / "alone.npy", spoilt[1])[0])
    assert features("--mode", "permissive", *spoilt).returncode == 1


def test_accepted_damage(spoilt):
    assert features("--corrupt-data", "accept", *spoilt[:2]).returncode == 0


def test_failfast(spoilt, tmp_path):
    done = features("--mode", "failfast", "--out", tmp_path / "out.npy", *spoilt)
    refused(done, 3, spoilt[0], "TRUNCATED")
    assert not (tmp_path / "out.npy").exists()
    assert features("--mode", "failfast", spoilt[1]).returncode == 0


@pytest.mark.parametrize(
    ("option", "reason"), [("--max-pixels", "TOO_MANY_PIXELS"), ("--max-bytes", "TOO_LARGE"), (None, "EMPTY")]
)
def test_reasons(images, tmp_path, option, reason):
    (tmp_path / "empty.jpg").write_bytes(b"")
    done = features(*([option, "100", images[0]] if option else [tmp_path / "empty.jpg"]))
    assert done.returncode == 1 and f": {reason}: " in done.stderr


def test_decode_refuses(spoilt, tmp_path):
    refused(run_cli("decode", "--size", "9x9", "--out", tmp_path / "out.npy", *spoilt), 3, spoilt[0], "TRUNCATED")
    assert not (tmp_path / "out.npy").exists()


# ---- what cannot be done at all ----


def test_missing_files(images, tmp_path):
    refused(features(images[0], tmp_path / "gone.jpg"), 3, tmp_path / "gone.jpg")
    refused(run_cli("features", "--model", tmp_path / "gone", images[0]), 3, tmp_path / "gone", "No such file")
    refused(run_cli("model", "info", tmp_path / "gone"), 3, tmp_path / "gone")
    refused(run_cli("bench", "--model", tmp_path / "gone"), 3, tmp_path / "gone")
    (tmp_path / "no images").mkdir()
    refused(features(tmp_path / "no images"), 3, "no .jpg or .jpeg")


def test_bad_model(images, tmp_path):
    """One bit of the last tensor: named, and an output of an earlier run is left alone."""
    bad, out = tmp_path / "bad.safetensors", tmp_path / "out.npy"
    data = bytearray(TINY.read_bytes())
    data[-1] ^= 1
    bad.write_bytes(data)
    out.write_bytes(b"of an earlier run")
    refused(run_cli("features", "--model", bad, "--out", out, images[0]), 3, bad, "tensor ", "CRC-32")
    assert out.read_bytes() == b"of an earlier run"
    refused(run_cli("model", "verify", bad), 3, bad, "tensor ", "CRC-32")
    bad.write_bytes(b"PK\x03\x04 something else")
    refused(run_cli("model", "verify", bad), 3, "not a model file")


def test_unsupported(images):
    refused(features("--precision", "fp32-split", images[0], level="avx512"), 3, "fp32-split", "AMX")
    refused(features("--precision", "bf16", images[0], level="avx2"), 3, "bf16", "AVX512_BF16")
    refused(features("--top", "5", images[0]), 3, "no classifier")


def test_unwritable_output(images, tmp_path):
    refused(features("--out", tmp_path / "no/out.npy", images[0]), 3, tmp_path / "no/out.npy")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_full_disk(images, tmp_path):
    (tmp_path / "out.csv").symlink_to("/dev/full")
    refused(features("--out", tmp_path / "out.csv", images[0]), 3, "cannot write", "No space left")
    assert (tmp_path / "out.csv").is_symlink()  # not a plain file: not ours to remove
    with open("/dev/full", "w") as full:
        done = features(images[0], stdout=full)
    assert done.returncode == 3 and "No space left" in done.stderr


# ---- the other commands ----


def test_model_verify():
    done = run_cli("model", "verify", TINY)
    assert (done.returncode, done.stdout) == (0, "ok\n")


def test_model_info():
    text = run_cli("model", "info", TINY).stdout
    for word in ("TinyTestNet", "32x32x3", f"8x8x{LENGTH}", "tests/support/tiny_net.py", "conv2d", "depthwise_conv2d"):
        assert word in text


def test_model_info_by_path_with_spaces(tmp_path):
    shutil.copy(TINY, tmp_path / "a b.safetensors")
    assert run_cli("model", "verify", tmp_path / "a b.safetensors").returncode == 0


def test_bench():
    words = ["bench", "--model", TINY, "--seconds", "0.05", "--threads", "2", "--batch", "3"]
    found = json.loads(run_cli(*words, "--json").stdout)
    assert found["model"] == "TinyTestNet" and found["batch"] == 3 and found["threads"] == 2
    assert 0 < found["images_per_second"] <= found["best"] and found["peak_gmacs"] > 0
    assert "images_per_second=" in run_cli(*words).stdout


def test_bench_escapes_names(tmp_path):
    """Quotes, backslashes and control characters of the names of a model and its layers."""
    model, layer = 'a "b"\\c\n\u00e9', 'l "1"\\'
    graph = GraphBuilder(model, 8, "tf")
    last = graph.node("conv2d", layer, "input", {"kernel": np.ones((1, 1, 3, 4))})
    (tmp_path / "m.safetensors").write_bytes(graph.finish(last, {}))
    words = ["bench", "--model", tmp_path / "m.safetensors", "--seconds", "0.01", "--json"]
    assert json.loads(run_cli(*words).stdout)["model"] == model
    assert json.loads(run_cli(*words, "--layers").stdout)["layer"] == layer


@pytest.mark.parametrize("mask", ["", "scalar"])
def test_doctor(mask):
    done = run_cli("doctor", level=mask)
    lines = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert done.returncode == 0 and {"pomona", "system", "kernels", "limits", "processors"} <= lines.keys()
    assert lines["kernels"].endswith(f"(POMONA_CPU={mask})")
    assert mask == "" or lines["kernels"].startswith("scalar ")
    assert not mask or "inner products" not in lines["kernels"]
    assert lines["bf16"] in (("none",) if mask else ("amx", "avx512", "none"))
