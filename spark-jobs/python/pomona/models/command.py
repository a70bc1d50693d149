# SPDX-License-Identifier: Apache-2.0
"""`python -m pomona models list | fetch | convert`."""

import argparse
import hashlib
import importlib.util
import sys
from pathlib import Path
from typing import List, Optional

from pomona.models import ModelError, manifest

HELP = "List known models, fetch one by name, or convert weights to a model file."
_PREPROCESS = ("tf", "caffe", "torch", "lite", "none")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="list|fetch|convert", required=True)
    _add_list(actions.add_parser("list", help="the models of the manifest, and which of them were fetched"))
    _add_fetch(actions.add_parser("fetch", help="official weights by name, checked and converted"))
    _add_convert(actions.add_parser("convert", help="weights of your own to a model file"))


def run(arguments: argparse.Namespace) -> int:
    return arguments.action(arguments)


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")
    _add_cache(parser)
    parser.set_defaults(action=_list)


def _add_cache(parser: argparse.ArgumentParser) -> None:
    text = "where downloads stay (default: $POMONA_CACHE, else ~/.cache/pomona)"
    parser.add_argument("--cache", metavar="DIR", type=Path, help=text)


def _add_fetch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="a name that `models list` shows")
    parser.add_argument(
        "--from", dest="source", metavar="FILE", type=Path, help="a downloaded file; no network is used"
    )
    parser.add_argument("--include-top", action="store_true", help="the whole classifier, with its class names")
    parser.add_argument(
        "--classes", metavar="FILE", type=Path, help="class names from a file (one a line, or Keras's JSON index)"
    )
    _add_cache(parser)
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
    source.add_argument(
        "--onnx", metavar="FILE", type=Path, help="a network of PyTorch, timm, tf2onnx ... (docs/onnx.md)"
    )
    parser.add_argument(
        "--weights",
        metavar="FILE",
        type=Path,
        help="take weights from a .h5, .weights.h5 or .keras file; `random` draws some, to try a network without them",
    )
    parser.add_argument(
        "--preprocess",
        metavar="MODE",
        type=_preprocess,
        help="bytes to floats (a known NAME brings its own): tf, caffe, torch, lite, none, or rules in JSON, as in "
        "'{\"divide\": 255}'",
    )
    parser.add_argument("--input-size", metavar="N", type=_side, help="side of the image (a known NAME brings its own)")
    parser.add_argument("--include-top", action="store_true", help="of a NAME or an ONNX file: the whole classifier")
    parser.add_argument("--pooling", choices=("avg", "max"), help="of a NAME: end as Keras does with this pooling")
    parser.add_argument("--classes", metavar="FILE", type=Path, help="class names of a classifier, as for fetch")
    parser.add_argument("--output", metavar="LAYER", help="cut behind this layer (ONNX: node or tensor)")
    parser.add_argument("out", metavar="OUT.safetensors", type=Path)
    parser.set_defaults(action=_convert)


def _preprocess(text: str) -> str:
    if text not in _PREPROCESS and not text.startswith("{"):
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(_PREPROCESS)}, nor rules in JSON")
    return text


def _side(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of pixels")
    return int(text)


def _list(arguments: argparse.Namespace) -> int:
    from pomona.models import fetch, listing

    cache = arguments.cache or fetch.default_cache()
    print(listing.as_json(cache) if arguments.json else listing.as_table(cache))
    return 0


def _fetch(arguments: argparse.Namespace) -> int:
    _require_numpy()
    from pomona.models import convert, fetch
    from pomona.models.files import digest

    entry, top = manifest.find(arguments.name), arguments.include_top
    if arguments.classes and not top:
        raise ModelError("--classes names the outputs of a classifier: add --include-top")
    convert.check_ready(entry)
    cache = arguments.cache or fetch.default_cache()
    classes = _classes(entry, cache, arguments.classes) if top else None
    published = manifest.weights(entry, top)
    weights = fetch.bring(arguments.name, published, cache, arguments.source, arguments.allow_other_checksum)
    unchecked = "" if manifest.has_checksum(published) else "  (its publisher gives no checksum to compare with)"
    print(f"weights  {weights}  sha256 {digest(weights)}{unchecked}")
    out = arguments.out or Path(entry["output"].replace(".", "_top." if top else "."))
    return _write(out, convert.from_entry(entry, weights, classes))


def _classes(entry: manifest.Entry, cache: Path, given: Optional[Path]) -> List[str]:
    """The user's class names, or those that the published weights were trained on."""
    from pomona.models import fetch, labels

    return labels.read(given or fetch.bring(entry["name"], manifest.labels(entry), cache))


def _convert(arguments: argparse.Namespace) -> int:
    _require_numpy()
    from pomona.models import convert, labels

    if arguments.onnx:
        return _convert_onnx(arguments)
    data = convert.from_keras(
        arguments.keras,
        arguments.weights,
        arguments.preprocess,
        arguments.input_size,
        include_top=arguments.include_top,
        pooling=arguments.pooling,
        output=arguments.output,
        classes=labels.read(arguments.classes) if arguments.classes else None,
    )
    if str(arguments.weights) == convert.RANDOM:
        print("warning: random weights, of no use but to try the network", file=sys.stderr)
    return _write(arguments.out, data)


def _convert_onnx(arguments: argparse.Namespace) -> int:
    from pomona.models import convert, labels

    if arguments.weights or arguments.pooling:
        raise ModelError("--weights and --pooling go with --keras: an ONNX file holds its weights, and its own pooling")
    converted = convert.from_onnx(
        arguments.onnx,
        arguments.preprocess,
        arguments.input_size,
        include_top=arguments.include_top,
        output=arguments.output,
        classes=labels.read(arguments.classes) if arguments.classes else None,
    )
    print(f"features {converted.features}")
    return _write(arguments.out, converted.data)


def _write(path: Path, data: bytes) -> int:
    from pomona.models.files import atomic

    with atomic(path) as file:
        file.write(data)
    print(f"model    {path}  sha256 {hashlib.sha256(data).hexdigest()}")
    return 0


def _require_numpy() -> None:
    if not importlib.util.find_spec("numpy"):
        raise ModelError("numpy is needed to make model files: pip install numpy")
