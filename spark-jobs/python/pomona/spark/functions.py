# SPDX-License-Identifier: Apache-2.0
"""The SQL functions, for DataFrames."""

from typing import Dict, List, Optional, Union

from py4j.java_gateway import JavaPackage
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F


def register(spark: SparkSession) -> None:
    """Add the SQL functions `image_features`, `image_top` and `pomona_diagnostics` to a session.

    For SQL text: the functions of this module register by themselves. Sessions that Scala, Java or spark-sql starts
    with the jar have them; PySpark starts its sessions in another way, and needs this call or the setting
    `spark.sql.extensions=pomona.spark.ImageFeaturesExtension`.

    Parameters
    ----------
    spark : SparkSession
    """
    java_class(spark, "ImageFeatures").register(spark._jsparkSession)


def image_features(content: Union[str, Column], model: Optional[str] = None) -> Column:
    """Features of the JPEG in each row: array<float>, null where the image is null or bad.

    Parameters
    ----------
    content : str or Column
        Binary column.
    model : str, optional
        Path of the model file on any Hadoop file system; default: the setting `spark.pomona.model`.

    Returns
    -------
    Column

    Examples
    --------
    >>> images.select("path", image_features("content", "s3://bucket/model.safetensors"))  # doctest: +SKIP
    """
    return _call("image_features", content, model)


def image_top(content: Union[str, Column], k: int = 5, model: Optional[str] = None) -> Column:
    """The k likeliest classes of the JPEG in each row: array<struct<class: string, probability: float>>, largest first,
    null where the image is null or bad.

    Parameters
    ----------
    content : str or Column
        Binary column.
    k : int
        How many classes.
    model : str, optional
        Path of the model file, a classifier that names its classes; default: the setting `spark.pomona.model`.

    Returns
    -------
    Column

    Examples
    --------
    >>> images.select("path", image_top("content", 3, "s3://bucket/classifier.safetensors"))  # doctest: +SKIP
    """
    return _call("image_top", content, k, model)


def _call(function: str, content: Union[str, Column], *arguments: Union[int, str, None]) -> Column:
    """The SQL function, registered; an argument that is None is left out."""
    register(SparkSession.builder.getOrCreate())
    column = F.col(content) if isinstance(content, str) else content
    return F.call_udf(function, column, *(F.lit(argument) for argument in arguments if argument is not None))


def diagnostics(spark: SparkSession, tasks: int = 64) -> List[Dict[str, str]]:
    """What Pomona holds in the executors that run a handful of small tasks: one record for each of them.

    Parameters
    ----------
    spark : SparkSession
    tasks : int
        Tasks to run; more find more of the executors.

    Returns
    -------
    list of dict
        Counters and facts by name: modelLoads, handles, nativeBytes, residentBytes, cpuLevel, build...
    """
    register(spark)
    rows = spark.range(0, tasks, 1, tasks).selectExpr("pomona_diagnostics() AS facts").collect()
    return list({row.facts["executor"]: row.facts for row in rows}.values())


def java_class(spark: SparkSession, name: str):
    """The jar's class `pomona.spark.NAME`; a RuntimeError that says how to add the jar when it is not there."""
    found = getattr(spark._jvm.pomona.spark, name)
    if isinstance(found, JavaPackage):  # what py4j makes of a name that no class has
        raise RuntimeError("the session has no jar of Pomona: start it with --jars pomona-spark.jar or spark.jars")
    return found
