# SPDX-License-Identifier: Apache-2.0
"""`python -m pomona models list | fetch | convert`."""

import argparse
import hashlib
import importlib.util
from pathlib import Path

from pomona.models import ModelError, manifest

HELP = "List known models, fetch one by name, or convert weights to a model file."
_PREPROCESS = ("tf", "caffe", "torch", "lite", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="list|fetch|convert", required=True)
    listing = actions.add_parser("list", help="the models of the manifest")
    listing.set_defaults(action=_list)
    _add_fetch(actions.add_parser("fetch", help="official weights by name, checked and converted"))
    _add_convert(actions.add_parser("convert", help="weights of your own to a model file"))


def run(arguments: argparse.Namespace) -> int:
    return arguments.action(arguments)


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a name that `models list` shows")
    parser.add_argument(
        "--from", dest="source", metavar="FILE", type=Path, help="a downloaded file; no network is used"
    )
    parser.add_argument("--cache", metavar="DIR", type=Path, help="where downloads stay (default ~/.cache/pomona)")
    parser.add_argument("--out", metavar="FILE", type=Path, help="the model file (default: NAME's own, in this folder)")
    parser.add_argument(
        "--allow-other-checksum", action="store_true", help="take a --from FILE that is not the published one"
    )
    parser.set_defaults(action=_fetch)


def _add_convert(parser: argparse.ArgumentParser) -> None:
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--keras", metavar="NAME_OR_FILE", help="a Keras Applications name, or a .keras or whole-model .h5 file"
    )
    parser.add_argument(
        "--weights", metavar="FILE", type=Path, help="take weights from a .h5, .weights.h5 or .keras file"
    )
    parser.add_argument("--preprocess", choices=_PREPROCESS, help="bytes to floats (a known NAME brings its own)")
    parser.add_argument("--input-size", metavar="N", type=_side, help="side of the image (a known NAME brings its own)")
    parser.add_argument("out", metavar="OUT.safetensors", type=Path)
    parser.set_defaults(action=_convert)


def _side(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of pixels")
    return int(text)


def _list(arguments: argparse.Namespace) -> int:
    print(manifest.table())
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    _require_numpy()
    from pomona.models import convert, fetch

    entry = manifest.find(arguments.name)
    convert.check_ready(entry)
    cache = arguments.cache or fetch.default_cache()
    weights = fetch.weights(entry, cache, arguments.source, arguments.allow_other_checksum)
    print(f"weights  {weights}  sha256 {fetch.digest(weights)}")
    return _write(arguments.out or Path(entry["output"]), convert.from_entry(entry, weights))


def _convert(arguments: argparse.Namespace) -> int:
    _require_numpy()
    from pomona.models import convert

    data = convert.from_keras(arguments.keras, arguments.weights, arguments.preprocess, arguments.input_size)
    return _write(arguments.out, data)


def _write(path: Path, data: bytes) -> int:
    from pomona.models.files import atomic

    with atomic(path) as file:
        file.write(data)
    print(f"model    {path}  sha256 {hashlib.sha256(data).hexdigest()}")
    return 0


def _require_numpy() -> None:
    if not importlib.util.find_spec("numpy"):
        raise ModelError("numpy is needed to make model files: pip install numpy")
