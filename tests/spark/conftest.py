# SPDX-License-Identifier: Apache-2.0
"""A Spark session with the jar, and images: whole ones, and a folder in which one of twenty is bad."""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List

import pytest
from PIL import Image, ImageDraw
from pyspark.sql import SparkSession

from support.built import jar_path
from support.spark import SETTINGS


@pytest.fixture(scope="session")
def spark():
    builder = SparkSession.builder.master("local[2]")
    for name, value in {**SETTINGS, "spark.jars": jar_path(), "spark.sql.shuffle.partitions": 2}.items():
        builder.config(name, str(value))
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


def draw(path: Path, number: int) -> Path:
    image = Image.new("RGB", (90 + number % 13, 80 + number % 7), (number * 37 % 256, number * 91 % 256, 60))
    ImageDraw.Draw(image).ellipse((10, 10, 40 + number % 30, 60), fill=(250, number * 11 % 256, 20))
    image.save(path, quality=85, progressive=number % 3 == 0)
    return path


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> List[Path]:
    """Forty JPEGs, baseline and progressive."""
    folder = tmp_path_factory.mktemp("images")
    return [draw(folder / f"{number:03}.jpg", number) for number in range(40)]


@dataclass(frozen=True)
class Spoilt:
    folder: Path
    good: List[Path]
    bad: Dict[str, str]  # by file name, the code of the reason


@pytest.fixture(scope="session")
def spoilt(tmp_path_factory) -> Spoilt:
    """80 files, 4 of them bad, each in its own way. (A file of length 0 never reaches a stage: Spark leaves it out.)"""
    folder = tmp_path_factory.mktemp("spoilt")
    files = [draw(folder / f"{number:03}.jpg", number) for number in range(80)]
    cut, zeros, renamed, huge = files[5], files[23], files[24], files[71]
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    zeros.write_bytes(bytes(zeros.stat().st_size))
    Image.new("RGB", (50, 50), "red").save(renamed, format="PNG")
    huge.write_bytes(with_size(huge.read_bytes(), 65500, 65500))
    bad = {cut.name: "TRUNCATED", zeros.name: "NOT_JPEG", renamed.name: "NOT_JPEG", huge.name: "TOO_MANY_PIXELS"}
    return Spoilt(folder, [file for file in files if file.name not in bad], bad)


def with_size(jpeg: bytes, width: int, height: int) -> bytes:
    """The same file with another size in its frame header."""
    at = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2"))
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


@pytest.fixture(scope="session")
def read(spark):
    """A function: files or a folder to the DataFrame that binaryFile gives."""

    def frame(*paths):
        return spark.read.format("binaryFile").load([str(path) for path in paths])

    return frame
