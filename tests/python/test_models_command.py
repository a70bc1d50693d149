# SPDX-License-Identifier: Apache-2.0
"""`python -m pomona models ...`, and the manifest that it reads."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_models_efficientnet_lite import random_state

import pomona
from pomona import _places
from pomona.__main__ import main
from pomona.models import container, manifest
from pomona.models.preprocess import PREPROCESS
from support import material, torch_nets
from support.torch_writer import save, save_zip, whole
from support.web import serve

PACKAGE = material.TOP / "spark-jobs/python"


def test_version_is_the_headers():
    header = (material.TOP / "native/include/pomona.h").read_text(encoding="utf-8")
    assert f'#define POMONA_VERSION "{pomona.__version__}"' in header


def test_fetch_converts_a_file_that_the_user_brings(tmp_path, capsys):
    """Weights of the right names and shapes, but not the published ones."""
    weights, out = tmp_path / "weights.pth", tmp_path / "deep/net.safetensors"
    weights.write_bytes(whole(random_state("lite0")))
    arguments = ["models", "fetch", "efficientnet-lite0", "--from", str(weights), "--out", str(out)]
    assert main(arguments) == 3
    assert "--allow-other-checksum" in capsys.readouterr().err
    assert not out.exists()
    assert main([*arguments, "--allow-other-checksum"]) == 0
    assert f"model    {out}  sha256 " in capsys.readouterr().out
    graph, tensors = container.read(out.read_bytes())
    assert graph["provenance"]["source"] == "weights.pth"
    assert graph["provenance"]["licence"] == "Apache-2.0"
    assert graph["preprocess"] == PREPROCESS["lite"]
    assert tensors["head/kernel"].shape == (1, 1, 320, 1280)


@pytest.mark.parametrize("write", [save, save_zip])
def test_fetch_makes_a_classifier_with_its_names(tmp_path, monkeypatch, capsys, write):
    """Everything at hand: weights from a file, labels from the cache."""
    net, names = torch_nets.Layers(seed=0), {str(n): [f"n{n}", f"fruit {n}"] for n in range(1000)}
    torch_nets.run("squeezenet1_1", net, np.zeros((3, 64, 64)))
    weights, labels = tmp_path / "weights.pth", tmp_path / "labels.json"
    weights.write_bytes(whole(net.state, write))
    labels.write_text(json.dumps(names))
    monkeypatch.chdir(tmp_path)
    arguments = ["models", "fetch", "torchvision/squeezenet1_1", "--from", str(weights), "--allow-other-checksum"]
    assert main([*arguments, "--classes", str(labels)]) == 3
    assert "--include-top" in capsys.readouterr().err
    assert main([*arguments, "--include-top", "--classes", str(labels)]) == 0
    graph, _ = container.read((tmp_path / "torchvision_squeezenet1_1_top.safetensors").read_bytes())
    assert graph["classes"] == [f"fruit {number}" for number in range(1000)]
    assert main(arguments) == 0
    graph, _ = container.read((tmp_path / "torchvision_squeezenet1_1.safetensors").read_bytes())
    assert "classes" not in graph and graph["provenance"]["licence"] == "BSD-3-Clause"


def test_fetch_downloads_checks_and_converts(tmp_path, monkeypatch, capsys):
    """The whole way, from a server on this machine; the second time from the cache."""
    net = torch_nets.Layers(seed=0)
    torch_nets.run("squeezenet1_1", net, np.zeros((3, 64, 64)))
    data = whole(net.state, save_zip)
    entry = {**manifest.find("torchvision/squeezenet1_1"), "name": "Mine", "output": "mine.safetensors"}
    prefix = hashlib.sha256(data).hexdigest()[:8]
    out, cache = tmp_path / "mine.safetensors", tmp_path / "cache"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve(body=data) as server:
        entry["weights"] = {"addresses": [server.url("whole")], "file": "mine.pth", "sha256_prefix": prefix}
        monkeypatch.setattr(manifest, "_read", lambda: {"models": [entry]})
        for _ in range(2):
            assert main(["models", "fetch", "mine", "--out", str(out), "--cache", str(cache)]) == 0
        assert server.asked == ["/whole"]
    assert f"weights  {cache / 'mine.pth'}  sha256 {prefix}" in capsys.readouterr().out
    assert container.read(out.read_bytes())[0]["provenance"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert main(["models", "list", "--cache", str(cache)]) == 0
    assert capsys.readouterr().out.splitlines()[1].endswith("yes")


def test_fetch_says_how_to_bring_the_class_names(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pomona.models.download.TRIES", 1)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "")
    assert main(["models", "fetch", "EfficientNet-Lite0", "--include-top", "--cache", str(tmp_path)]) == 3
    error = capsys.readouterr().err
    assert "take imagenet_class_index.json from https://" in error
    assert "models fetch EfficientNet-Lite0 --include-top --classes FILE" in error


def test_fetch_asks_for_keras_before_it_downloads(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "keras", None)  # as if it were not installed
    monkeypatch.setattr("pomona.models.fetch.bring", lambda *arguments: pytest.fail("went on to download"))
    assert main(["models", "fetch", "MobileNetV2"]) == 3
    assert "pip install 'pomona[convert]'" in capsys.readouterr().err


def test_fetch_refuses_a_damaged_file_with_its_name(tmp_path, capsys):
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"not weights")
    arguments = ["models", "fetch", "EfficientNet-Lite0", "--from", str(weights), "--allow-other-checksum"]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 3
    assert f"error: {weights}: damaged pickle" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["models", "fetch", "NoNet"], 3, "no model is called 'NoNet'; `python -m pomona models list` shows all"),
        (["models", "convert", "--keras", "none.keras", "--preprocess", "tf", "out"], 3, "none.keras: no such file"),
    ],
)
def test_errors_are_one_line_and_a_status(arguments, status, words, capsys):
    assert main(arguments) == status
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["models"],
        ["models", "convert", "out"],
        ["models", "convert", "--keras", "x", "--preprocess", "vgg", "out"],
        ["models", "convert", "--keras", "x", "--input-size", "0", "out"],
        ["unknown"],
    ],
)
def test_usage_errors_give_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2


def test_convert_makes_the_same_file_as_the_library(tmp_path, capsys):
    keras_files = pytest.importorskip("pomona.models.keras_files")
    try:
        keras_files.start_keras()
    except pomona.PomonaError as error:
        pytest.skip(str(error))
    out = tmp_path / "net.safetensors"
    weights = material.shared(material.MOBILENET_V2_H5)
    assert main(["models", "convert", "--keras", "MobileNetV2", "--weights", str(weights), str(out)]) == 0
    graph, _ = container.read(out.read_bytes())
    assert graph["provenance"]["sha256"] == "98c53bd330a399b3916e497916dace1a784d7dafd8f65cb49c4ba2ad46fd0936"


def test_list_needs_nothing_but_python(tmp_path):
    """Without site-packages there is no numpy, no Keras, no PySpark."""
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(PACKAGE)!r}); import runpy; "]
    command[-1] += "sys.argv[1:] = ['models', 'list']; runpy.run_module('pomona', run_name='__main__')"
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "MobileNetV2" in result.stdout


def test_installed_copy_finds_version_and_manifest(tmp_path):
    """What the build puts into a wheel, unpacked far from the repository."""
    pytest.importorskip("hatchling")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
    ]
    subprocess.run([*command, str(PACKAGE)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    target = tmp_path / "site"
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*install, str(wheel)], check=True, capture_output=True)
    code = f"import sys; sys.path.insert(0, {str(target)!r}); import pomona; from pomona import _places\n"
    code += "print(pomona.__version__, _places.manifest_path())"
    result = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    version, path = result.stdout.split()
    assert version == pomona.__version__
    assert Path(path).read_bytes() == _places.manifest_path().read_bytes()
    assert Path(path).is_relative_to(target)
