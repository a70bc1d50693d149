# SPDX-License-Identifier: Apache-2.0
"""One side of tests/bench/spark.py: two passes of featurize and write in one Spark application, a line with
`-> N img/s` for each.

    spark_side.py ours IMAGES OUT MODEL JAR [PRECISION]
    spark_side.py synapseml IMAGES OUT ONNX FOLDER_OF_JARS"""

import sys
import time
from pathlib import Path
from typing import Callable, Dict

from pyspark.sql import DataFrame, SparkSession

Transform = Callable[[DataFrame], DataFrame]
# A part of it holds one native session; the peers' scripts of the other sides take as many.
SYNAPSEML_PARTITIONS = 8
SYNAPSEML_BATCH = 16


def start(jars: str, settings: Dict[str, object]) -> SparkSession:
    """With the settings of the peers' scripts, and more."""
    builder = SparkSession.builder.master("local[2]").config("spark.jars", jars)
    builder = builder.config("spark.driver.memory", "6g").config("spark.ui.enabled", "false")
    for name, value in settings.items():
        builder.config(name, value)
    session = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session


def our_settings() -> Dict[str, object]:
    """Those of quickstart.sh and the jobs: docs/tuning.md, Spark."""
    from pomona.pipeline.command import OPEN_COST

    return {"spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1", **OPEN_COST}


def ours(model: str, precision: str) -> Transform:
    from pomona.pipeline.features import make_featurizer

    settings = {"modelPath": model, "inputCol": "content", "outputCol": "features", "precision": precision}
    return make_featurizer(settings, outputType="array", dropInput=True).transform


def planar(model: str, out: Path) -> "onnx.ModelProto":  # noqa: F821
    """The model with its input as SynapseML gives it, channels first, and in the version of its ONNX Runtime, 1.8.1."""
    import onnx

    loaded = onnx.load(model)
    name, shape = loaded.graph.input[0].name, loaded.graph.input[0].type.tensor_type.shape.dim
    height, width = shape[1].dim_value, shape[2].dim_value
    loaded.graph.node.insert(0, onnx.helper.make_node("Transpose", ["planes"], [name], perm=[0, 2, 3, 1]))
    entry = onnx.helper.make_tensor_value_info("planes", onnx.TensorProto.FLOAT, ["N", 3, height, width])
    loaded.graph.input[0].CopyFrom(entry)
    loaded.ir_version = min(loaded.ir_version, 7)
    for imported in loaded.opset_import:
        if not imported.domain:
            imported.version = min(imported.version, 14)
    onnx.save(loaded, str(out))
    return loaded


def synapseml(onnx_file: str, out: str) -> Transform:
    from synapse.ml.onnx import ImageFeaturizer

    path = Path(f"{out}.onnx")
    model = planar(onnx_file, path)
    _, _, height, width = (side.dim_value for side in model.graph.input[0].type.tensor_type.shape.dim)
    stage = ImageFeaturizer(inputCol="content", outputCol="features", headless=False, ignoreDecodingErrors=True)
    stage.setImageTensorName("planes").setOutputTensorName(model.graph.output[0].name)
    stage.setImageHeight(height).setImageWidth(width).setColorScaleFactor(1 / 255)
    stage.setChannelNormalizationMeans([0.5] * 3).setChannelNormalizationStds([0.5] * 3)
    stage.setModelLocation(str(path)).setMiniBatchSize(SYNAPSEML_BATCH)
    return lambda images: stage.transform(images.repartition(SYNAPSEML_PARTITIONS))


def run(spark: SparkSession, transform: Transform, uri: str, out: str) -> None:
    from pomona.pipeline.features import read_images

    images = read_images(spark, uri)
    count = images.count()
    for _ in range(2):
        begin = time.monotonic()
        transform(images).select("path", "label", "features").write.mode("overwrite").parquet(out)
        print(f"n={count} -> {count / (time.monotonic() - begin):.2f} img/s", flush=True)


def jars_in(folder: str) -> str:
    """Of Maven's dependency:copy-dependencies, without what Spark has. Their Python lies in them."""
    spark_has = ("scala-library", "scala-reflect", "slf4j-api", "spark-tags")
    found = [path for path in sorted(Path(folder).glob("*.jar")) if not path.name.startswith(spark_has)]
    sys.path[:0] = [str(path) for path in found if path.name.startswith("synapseml")]
    return ",".join(map(str, found))


def main() -> None:
    side, images, out, model, jars = sys.argv[1:6]
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "spark-jobs/python"))
    spark = start(jars, our_settings()) if side == "ours" else start(jars_in(jars), {})
    transform = ours(model, sys.argv[6]) if side == "ours" else synapseml(model, out)
    run(spark, transform, images, out)


if __name__ == "__main__":
    main()
