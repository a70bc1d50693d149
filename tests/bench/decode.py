# SPDX-License-Identifier: Apache-2.0
"""Bytes of a JPEG to 224 x 224 RGB pixels, CPU time of one thread: ours against Pillow and, where they are installed
(tests/bench/requirements.txt), OpenCV and PyTurboJPEG.

    python tests/bench/decode.py --markdown decode.md --json decode.json

Our pixels are compared with Pillow's first. The other two resize by other arithmetic: OpenCV's cubic filter does not
widen when an image shrinks, so it leaves out most of the source; PyTurboJPEG only decodes, and Pillow resizes."""

import importlib
import importlib.metadata
import io
import sys
from functools import partial
from pathlib import Path
from typing import Callable, Dict, List, Tuple

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import turns

from support.built import TOP
from support.decoder import Decoder

SIZE = (224, 224)
PHOTOS = TOP.parent / "shared/data/fruits360"
Decode = Callable[[bytes], np.ndarray]


def drawn(count: int) -> List[Image.Image]:
    """100 x 100, in place of photographs: smooth colours."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 256, (count, 9, 9, 3), dtype=np.uint8)
    return [Image.fromarray(image).resize((100, 100), Image.Resampling.BICUBIC) for image in coarse]


def enlarged(image: Image.Image, size: Tuple[int, int], rng: np.random.Generator) -> bytes:
    """As a camera's file of that size: the noise of a sensor, quality 90, 4:2:0."""
    large = np.asarray(image.resize(size, Image.Resampling.LANCZOS), np.float32)
    noisy = np.clip(large + rng.normal(0, 3, (size[1], size[0], 1)), 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noisy).save(buffer, "JPEG", quality=90, subsampling=2)
    return buffer.getvalue()


def inputs() -> Dict[str, List[bytes]]:
    """Files by the name of their row."""
    files = [path.read_bytes() for path in sorted(PHOTOS.rglob("*.jpg"))[::8]]
    photos = [Image.open(io.BytesIO(data)).convert("RGB") for data in files] or drawn(200)
    rng = np.random.default_rng(2)
    return {
        "100x100": files or [enlarged(photo, photo.size, rng) for photo in photos],
        "400x400": [enlarged(photo, (400, 400), rng) for photo in photos[:40]],
        "2000x1500": [enlarged(photo, (2000, 1500), rng) for photo in photos[:8]],
    }


def pillow(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize(SIZE, Image.Resampling.BICUBIC))


def pillow_draft(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data))
    image.draft("RGB", SIZE)
    return np.asarray(image.convert("RGB").resize(SIZE, Image.Resampling.BICUBIC))


def ours(decoder: Decoder, data: bytes, fast: bool = False) -> np.ndarray:
    reason, pixels = decoder.decode(data, SIZE, fast=fast)
    assert reason == "OK", reason
    return pixels


def opencv() -> Decode:
    cv2 = importlib.import_module("cv2")
    cv2.setNumThreads(1)

    def decode(data: bytes) -> np.ndarray:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        return cv2.resize(image, SIZE, interpolation=cv2.INTER_CUBIC)

    return decode


def turbojpeg() -> Decode:
    module = importlib.import_module("turbojpeg")
    library = module.TurboJPEG()

    def decode(data: bytes) -> np.ndarray:
        image = Image.fromarray(library.decode(data, pixel_format=module.TJPF_RGB))
        return np.asarray(image.resize(SIZE, Image.Resampling.BICUBIC))

    return decode


# By name: the distribution whose version is told, and what makes the decoder.
OPTIONAL = {
    "OpenCV": ("opencv-python-headless", opencv),
    "PyTurboJPEG": ("PyTurboJPEG", turbojpeg),
}


def sides() -> Tuple[Dict[str, Decode], Dict[str, str]]:
    """What can be measured here, ours and Pillow first, and its versions."""
    decoder = Decoder()
    found: Dict[str, Decode] = {"Pomona": partial(ours, decoder), "Pillow": pillow}
    about = {"Pomona": f"CPU level {decoder.level()}", "Pillow": Image.__version__}
    for name, (distribution, make) in OPTIONAL.items():
        try:
            found[name] = make()
            about[name] = importlib.metadata.version(distribution)
        except (ImportError, OSError, RuntimeError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    return found, about


def fast_sides() -> Dict[str, Decode]:
    """Both that decode large images at a part of their size."""
    return {"Pomona": partial(ours, Decoder(), fast=True), "Pillow": pillow_draft}


def through(decode: Decode, images: List[bytes]) -> None:
    for data in images:
        decode(data)


def measure_row(name: str, images: List[bytes], decoders: Dict[str, Decode], rounds: int) -> turns.Row:
    for data in images:
        assert np.array_equal(decoders["Pomona"](data), decoders["Pillow"](data)), f"{name}: not Pillow's pixels"
    contest = {
        side: partial(turns.microseconds_each, partial(through, decode, images), len(images))
        for side, decode in decoders.items()
    }
    return turns.take_turns(name, contest, rounds)


def measure(rounds: int) -> turns.Report:
    decoders, about = sides()
    report = turns.Report("Decode and resize to 224 x 224, bicubic", "Pomona", "µs", True, about=about)
    for name, images in inputs().items():
        kib = sum(map(len, images)) / len(images) / 1024
        report.rows.append(measure_row(f"{name}, {kib:.0f} KiB", images, decoders, rounds))
    report.rows.append(measure_row(f"{name}, fast decode (Pillow: draft)", images, fast_sides(), rounds))
    return report


def main() -> None:
    options = turns.arguments(__doc__.splitlines()[0]).parse_args()
    with turns.pinned(options.core):
        turns.publish(measure(options.rounds), options)


if __name__ == "__main__":
    main()
