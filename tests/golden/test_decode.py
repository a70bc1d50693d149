# SPDX-License-Identifier: Apache-2.0
"""pomona_image_decode against Pillow 13: Image.open(...).convert("RGB").resize(...), equal on every byte."""

import io
import subprocess
from typing import Iterator, List, Tuple

import numpy as np
import pytest
from PIL import Image, ImageFile

from support.built import built
from support.decoder import FILTERS, Decoder
from support.jpeg_writer import Jpeg
from support.material import shared

PILLOW = {name: getattr(Image.Resampling, name.upper()) for name in FILTERS}
NAMES = list(FILTERS)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    assert int(Image.__version__.split(".")[0]) >= 13, "Pillow 13 resizes in another order than the ones before"
    decoder = Decoder()
    yield decoder
    assert decoder.memory() == 0


def pillow(image: bytes) -> Image.Image:
    return Image.open(io.BytesIO(image)).convert("RGB")


def differs(decoder: Decoder, image: bytes, size: Tuple[int, int], resample: str) -> bool:
    reason, pixels = decoder.decode(image, size, resample)
    return reason != "OK" or not np.array_equal(pixels, np.asarray(pillow(image).resize(size, PILLOW[resample])))


def compare(decoder: Decoder, cases: List[Tuple[str, bytes, Tuple[int, int], str]], least: int) -> None:
    """Cases are (label, JPEG, target size, filter); all must be equal, and there must be `least` of them."""
    wrong = [
        (label, size, resample) for label, image, size, resample in cases if differs(decoder, image, size, resample)
    ]
    assert not wrong, f"{len(wrong)} of {len(cases)} differ: {wrong[:10]}"
    assert len(cases) >= least


def picture(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """Smooth colours with noise on top: every coefficient is in use, and chroma has edges."""
    coarse = rng.integers(0, 256, (max(1, height // 16), max(1, width // 16), 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC), np.int16)
    return Image.fromarray(np.clip(smooth + rng.integers(-24, 25, smooth.shape), 0, 255).astype(np.uint8))


def save(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def sides(rng: np.random.Generator, high: int) -> Tuple[int, int]:
    return int(rng.integers(1, high + 1)), int(rng.integers(1, high + 1))


def test_real_images(decoder: Decoder) -> None:
    rng = np.random.default_rng(1)
    files = sorted(shared("data/fruits360").rglob("*.jpg"))
    cases = [(path.name, path.read_bytes(), sides(rng, 260), NAMES[i % 6]) for i, path in enumerate(files)]
    cases += [(path.name, path.read_bytes(), (224, 224), NAMES[i % 6]) for i, path in enumerate(files[::10])]
    compare(decoder, cases, 1680)


def test_generated_images(decoder: Decoder) -> None:
    """Grey, RGB-coded, YCbCr and CMYK; every subsampling Pillow writes; progressive, restart markers, any size."""
    rng = np.random.default_rng(2)
    cases = []
    for i in range(1200):
        mode = ("RGB", "RGB", "RGB", "L", "CMYK", "keep")[i % 6]
        image = picture(rng, *sides(rng, 20 if i % 3 == 0 else 150))
        options = {
            "quality": int(rng.integers(1, 101)),
            "progressive": bool(rng.integers(2)),
            "optimize": bool(rng.integers(2)),
            "subsampling": int(rng.integers(3)),
        }
        if mode == "keep":
            options.update(keep_rgb=True, subsampling=0)
        if rng.random() < 0.3:
            options["restart_marker_blocks" if rng.random() < 0.5 else "restart_marker_rows"] = int(rng.integers(1, 9))
        data = save(image if mode == "keep" else image.convert(mode), **options)
        size = image.size if i % 5 == 0 else sides(rng, 200)
        cases.append((f"{i} {mode} {image.size} {options}", data, size, NAMES[int(rng.integers(6))]))
    compare(decoder, cases, 1200)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_all_qualities(decoder: Decoder, subsampling: int) -> None:
    rng = np.random.default_rng(3)
    image = picture(rng, 61, 47)
    cases = [
        (f"quality {q}", save(image, quality=q, subsampling=subsampling, progressive=q % 2 == 0), (q, 40), NAMES[q % 6])
        for q in range(1, 101)
    ]
    compare(decoder, cases, 100)


# 4:4:4, 4:2:2, 4:2:0, 4:4:0, 4:1:1, 4:1:0, chroma finer than luma, factors of 3, and both chroma planes apart.
SAMPLINGS = [
    [(1, 1)] * 3,
    [(2, 1), (1, 1), (1, 1)],
    [(2, 2), (1, 1), (1, 1)],
    [(1, 2), (1, 1), (1, 1)],
    [(4, 1), (1, 1), (1, 1)],
    [(4, 2), (1, 1), (1, 1)],
    [(1, 4), (1, 1), (1, 1)],
    [(1, 1), (2, 2), (2, 2)],
    [(3, 1), (1, 1), (1, 1)],
    [(1, 3), (1, 1), (1, 1)],
    [(2, 2), (2, 1), (1, 2)],
    [(2, 2), (1, 2), (2, 1)],
    [(2, 1), (1, 1), (2, 1)],
    [(2, 1), (2, 1), (2, 1)],
]


def unusual(rng: np.random.Generator) -> Iterator[Tuple[str, bytes]]:
    for i in range(12):
        width, height = sides(rng, 8 if i < 4 else 70)
        restart = int(rng.integers(0, 4))
        for sampling in SAMPLINGS:
            for options in ({"jfif": True}, {"adobe": 0}, {"adobe": 1}, {"ids": b"RGB"}, {"interleaved": False}):
                kind = Jpeg(width, height, sampling, restart=restart, **options)
                yield str(kind), kind.encode(rng)
        for inks in ([(1, 1)] * 4, [(2, 2), (1, 1), (1, 1), (2, 2)], [(2, 1), (1, 1), (1, 1), (2, 1)]):
            for adobe in (None, 0, 2):
                kind = Jpeg(width, height, inks, adobe=adobe, restart=restart)
                yield str(kind), kind.encode(rng)
        for grey in ((1, 1), (2, 2), (4, 1), (3, 3)):
            kind = Jpeg(width, height, [grey], restart=restart)
            yield str(kind), kind.encode(rng)


def test_unusual_samplings_and_colours(decoder: Decoder) -> None:
    rng = np.random.default_rng(4)
    cases = [
        (label, data, pillow(data).size if i % 2 else sides(rng, 100), NAMES[i % 6])
        for i, (label, data) in enumerate(unusual(rng))
    ]
    compare(decoder, cases, 900)


def test_sizes_up_to_3000x2000(decoder: Decoder) -> None:
    rng = np.random.default_rng(5)
    cases = []
    for width, height in ((3000, 2000), (2000, 3000), (1999, 1333), (3000, 1), (1, 3000), (1, 1), (2, 2), (9000, 17)):
        data = save(picture(rng, width, height), quality=90, progressive=width % 2 == 1)
        cases += [
            (f"{width}x{height}", data, size, resample)
            for resample in NAMES
            for size in ((224, 224), (width, 61), (97, height))
        ]
    data = save(picture(rng, 30, 20))
    cases += [("up", data, size, resample) for resample in NAMES for size in ((1500, 1000), (1, 4000), (4000, 1))]
    compare(decoder, cases, 100)


def test_order_of_the_passes(decoder: Decoder) -> None:
    """Around the point where Pillow turns to the vertical pass first: rows lost = 2 x columns lost."""
    rng = np.random.default_rng(6)
    cases = []
    for i in range(400):
        width, lost = int(rng.integers(2, 90)), int(rng.integers(-20, 40))
        height, target = int(rng.integers(90, 200)), max(1, width - lost)
        goal = height - 2 * (width - target) + int(rng.integers(-3, 4))
        if goal >= 1:
            data = save(Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)), quality=95)
            cases.append((f"{width}x{height}", data, (target, goal), NAMES[1 + i % 5]))
    compare(decoder, cases, 350)


def crop_with_pillow(image: Image.Image, width: int, height: int, resample: str) -> Image.Image:
    """torchvision's Resize and CenterCrop, for a target of any shape."""
    across, down = width * image.height, height * image.width
    scaled = (width, int(across / image.width)) if across >= down else (int(down / image.height), height)
    left, top = int(round((scaled[0] - width) / 2.0)), int(round((scaled[1] - height) / 2.0))
    return image.resize(scaled, PILLOW[resample]).crop((left, top, left + width, top + height))


def test_crop(decoder: Decoder) -> None:
    rng = np.random.default_rng(7)
    wrong = []
    for i in range(600):
        image = picture(rng, *sides(rng, 160))
        data = save(image, quality=90)
        if i % 7 == 0:
            size = (image.width, int(rng.integers(1, image.height + 1)))  # a side that is cut but not scaled
        else:
            size = (96, 96) if i % 3 == 0 else sides(rng, 120)
        expected = np.asarray(crop_with_pillow(pillow(data), *size, NAMES[i % 6]))
        reason, pixels = decoder.decode(data, size, NAMES[i % 6], fit="crop")
        if reason != "OK" or not np.array_equal(pixels, expected):
            wrong.append((image.size, size, NAMES[i % 6], reason))
    assert not wrong, f"{len(wrong)} differ: {wrong[:10]}"


def draft(image: bytes, size: Tuple[int, int], resample: str) -> Tuple[Image.Image, bool]:
    """Pillow's way of decoding at a half, quarter or eighth, and whether it did so."""
    picture = Image.open(io.BytesIO(image))
    whole = picture.size
    picture.draft(None, size)
    return picture.convert("RGB").resize(size, PILLOW[resample]), picture.size != whole


def test_fast_decode_is_pillows_draft(decoder: Decoder) -> None:
    rng = np.random.default_rng(10)
    wrong, scaled = [], 0
    for i in range(400):
        image = picture(rng, *sides(rng, 400)).convert(("RGB", "L", "CMYK")[i % 3])
        data = save(image, quality=90, subsampling=i % 3, progressive=i % 4 == 0)
        size = max(1, image.width // (1 + i % 9)), max(1, image.height // (1 + i % 10))
        expected, shrunk = draft(data, size, NAMES[i % 6])
        scaled += shrunk
        reason, pixels = decoder.decode(data, size, NAMES[i % 6], fast=True)
        if reason != "OK" or not np.array_equal(pixels, np.asarray(expected)):
            wrong.append((image.size, size, NAMES[i % 6], reason))
    assert not wrong, f"{len(wrong)} differ: {wrong[:10]}"
    assert scaled >= 200


def test_fast_decode_of_a_crop_covers_the_target(decoder: Decoder) -> None:
    """900 x 200 to 100 x 100: the deciding side shrinks by 2, so the decoder may divide by 2, not by 9."""
    rng = np.random.default_rng(11)
    data = save(picture(rng, 900, 200), quality=95)
    half, _ = draft(data, (450, 100), "bicubic")
    reason, pixels = decoder.decode(data, (100, 100), fit="crop", fast=True)
    assert reason == "OK" and np.array_equal(pixels, np.asarray(half)[:, 175:275])


def damaged(rng: np.random.Generator, progressive_share: int) -> Iterator[bytes]:
    """Files with bytes of the compressed data changed (even places) or cut there (odd places)."""
    for i in range(300):
        data = bytearray(
            save(
                picture(rng, *sides(rng, 120)),
                quality=int(rng.integers(20, 96)),
                subsampling=int(rng.integers(3)),
                progressive=i % 10 < progressive_share,
            )
        )
        start = data.index(b"\xff\xda") + 14
        if i % 2:
            del data[int(rng.integers(start, len(data) - 1)) :]
        else:
            for _ in range(int(rng.integers(1, 4))):
                data[int(rng.integers(start, len(data) - 2))] = int(rng.integers(256))
        yield bytes(data)


def test_accept_gives_pillows_pixels(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sequential files only: versions of libjpeg-turbo smooth an incomplete progressive image differently."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    rng = np.random.default_rng(8)
    wrong, refused = [], []
    for i, data in enumerate(damaged(rng, progressive_share=0)):
        reason, pixels = decoder.decode(data, (100, 100), corrupt_data="accept")
        if reason != "OK":
            refused.append((i, reason))
        elif not np.array_equal(pixels, np.asarray(pillow(data).resize((100, 100)))):
            wrong.append(i)
    assert not wrong, f"{len(wrong)} differ: {wrong[:10]}"
    assert len(refused) <= 10, f"refused: {refused}"  # libjpeg itself gives up on a marker made of changed bytes


def test_reject_is_the_default_for_damage(decoder: Decoder) -> None:
    rng = np.random.default_rng(8)
    reasons = [decoder.decode(data, (10, 10))[0] for data in damaged(rng, progressive_share=3)]
    assert set(reasons[1::2]) == {"TRUNCATED"}
    changed = reasons[::2]
    assert set(changed) <= {"CORRUPT", "TRUNCATED", "OK"}
    # A change that leaves the code in step looks like any other picture; half of them must be found all the same.
    assert changed.count("OK") <= 75, f"{changed.count('OK')} of 150 not noticed"


def test_command_line(decoder: Decoder, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`pomona decode` writes what the library gives, one image a row."""
    command, folder = [built("bin/pomona"), "decode"], tmp_path_factory.mktemp("decode")
    rng = np.random.default_rng(9)
    paths = []
    for i in range(24):
        paths.append(folder / f"{i:02}.jpg")
        paths[-1].write_bytes(save(picture(rng, *sides(rng, 90)), quality=80, progressive=i % 2 == 0))
    for resample in NAMES:
        out = folder / f"{resample}.npy"
        subprocess.run([*command, "--size", "53x37", "--resample", resample, "--out", out, *paths], check=True)
        expected = [np.asarray(pillow(path.read_bytes()).resize((53, 37), PILLOW[resample])) for path in paths]
        assert np.array_equal(np.load(out), np.stack(expected)), resample
    out = folder / "fast.npy"
    subprocess.run([*command, "--size", "9x7", "--fast-decode", "--out", out, *paths], check=True)
    expected = [decoder.decode(path.read_bytes(), (9, 7), fast=True)[1] for path in paths]
    assert np.array_equal(np.load(out), np.stack(expected))
    assert not np.array_equal(np.load(out), np.stack([decoder.decode(path.read_bytes(), (9, 7))[1] for path in paths]))
