# SPDX-License-Identifier: Apache-2.0
"""Networks of keras.applications against Keras in float64: the same weights, the same real images, our command line.

Random weights test something only when the features depend on the image: batch-norm statistics are those of the images
(`keras_reference`), and the spread of the features across the images is measured.
"""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, NamedTuple, Optional, Tuple

import numpy as np

import pomona.models
from pomona.models import container, manifest
from support import material
from support.built import TOP, features_by_cli

CACHE = TOP / "build/networks"
IMAGES = 12
LEAST_SPREAD = 0.1  # of rms: below that, features hardly depend on the image and errors hide
BREAKS = 5  # kernels that --break turns over, one at a time
_SMALL = 72  # maps of odd sides, and of 3 x 3 at the end: statistics of fewer pixels enlarge every rounding
_SMALL_TOO = {"InceptionV3": 139, "InceptionResNetV2": 139}


TOP_LAYERS = "top"  # in place of a pooling: the whole classifier and its probabilities


class Case(NamedTuple):
    name: str
    size: int
    pooling: str

    @property
    def include_top(self) -> bool:
        return self.pooling == TOP_LAYERS


@dataclass(frozen=True)
class Result:
    case: Case
    length: int
    ours: float  # max |difference| / rms against float64
    tensorflow: float  # TensorFlow's own in fp32
    spread: float
    seconds: float

    @property
    def gate(self) -> float:
        return max(1e-4, 4 * self.tensorflow)

    @property
    def holds(self) -> bool:
        return self.ours <= self.gate and self.spread >= LEAST_SPREAD

    def __str__(self) -> str:
        name, size, _ = self.case
        return (
            f"{name:18} {size:4d} {self.length:5d}  ours {self.ours:.1e}  tensorflow {self.tensorflow:.1e}  "
            f"spread {self.spread:5.2f}  {self.seconds:6.1f} s  {'ok' if self.holds else 'FAILED'}"
        )


def cases(names: Optional[Iterable[str]], small: bool, pooling: str) -> List[Case]:
    """Those of the manifest, at their own sizes or at small ones."""
    known = manifest.keras_applications()
    unknown = sorted(set(names or ()) - set(known))
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    sizes = {name: _SMALL_TOO.get(name, _SMALL) if small else known[name]["input_size"] for name in known}
    return [Case(name, sizes[name], pooling) for name in names or known]


def images() -> List[Path]:
    """Real photographs, one of each class."""
    folders = sorted((material.shared("data/fruits360") / "Test").iterdir())
    return [sorted(folder.glob("*.jpg"))[0] for folder in folders][:IMAGES]


def pixels(files: Iterable[Path], size: int) -> np.ndarray:
    """As Pillow gives them: uint8 [N, size, size, 3]."""
    from PIL import Image

    resized = [Image.open(file).convert("RGB").resize((size, size), Image.Resampling.BICUBIC) for file in files]
    return np.stack([np.asarray(image) for image in resized])


def prepared(case: Case, references: int) -> Tuple[Path, Dict[str, np.ndarray]]:
    """The model file and Keras's vectors of the first images, from build/networks where they lie already."""
    folder = CACHE / _key()
    stem = folder / f"{case.name}-{case.size}-{case.pooling}-{references}"
    model, vectors = stem.with_suffix(".safetensors"), stem.with_suffix(".npz")
    if not vectors.exists():
        from support import keras_reference

        folder.mkdir(parents=True, exist_ok=True)
        keras_reference.make(case, pixels(images(), case.size), references, model, vectors)
    with np.load(vectors) as archive:
        return model, dict(archive)


def _key() -> str:
    """What model files and references depend on: the converter, the draws, and how they are computed."""
    converter, here = Path(pomona.models.__file__).parent, Path(__file__).parent
    sources = [
        *converter.glob("keras_*.py"),
        *(converter / f"{name}.py" for name in ("container", "graph", "preprocess")),
    ]
    sources += [here / "keras_reference.py", Path(__file__)]
    digest = hashlib.sha256()
    for path in sorted(sources):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def measure(case: Case, references: int, level: Optional[str] = None, batches: Iterable[int] = ()) -> Result:
    """One network by the command line; rows must be the same bytes whatever the batch."""
    begin = time.monotonic()
    model, expected = prepared(case, references)
    rows = _rows(case, model, level)
    for batch in batches:
        other = _rows(case, model, level, "--batch", str(batch))
        assert other.tobytes() == rows.tobytes(), f"{case.name}: --batch {batch} gives other rows"
    exact = expected["float64"]
    return Result(
        case,
        rows.shape[1],
        material.worst_difference(rows[:references], exact),
        material.worst_difference(expected["float32"], exact),
        float(np.sqrt(np.mean(exact.var(axis=0)) / np.mean(exact**2))),
        time.monotonic() - begin,
    )


def _rows(case: Case, model: Path, level: Optional[str], *options: str) -> np.ndarray:
    out = CACHE / f"{case.name}-{case.size}.npy"
    pooling = () if case.include_top else ("--pooling", case.pooling)
    return features_by_cli(model, images(), out, *pooling, *options, level=level)


def broken(case: Case, references: int, level: Optional[str] = None) -> Dict[str, float]:
    """What turning over one kernel does, for kernels spread over the depth: the difference by kernel."""
    model, expected = prepared(case, references)
    graph, tensors = container.read(model.read_bytes())
    found = {}
    for name in _kernels(graph):
        kernel = tensors[name]
        turned = kernel[::-1, ::-1] if kernel.shape[0] * kernel.shape[1] > 1 else kernel[:, :, ::-1]
        path = CACHE / f"{case.name}-{case.size}-broken.safetensors"
        path.write_bytes(container.write(graph, {**tensors, name: turned}))
        rows = _rows(case, path, level)
        found[name] = material.worst_difference(rows[:references], expected["float64"])
        path.unlink()
    return found


def _kernels(graph: Dict[str, Any]) -> List[str]:
    """BREAKS kernels, evenly over the depth."""
    names = [node["weights"]["kernel"] for node in graph["nodes"] if "kernel" in node.get("weights", {})]
    return [names[round(index)] for index in np.linspace(0, len(names) - 1, BREAKS)]
