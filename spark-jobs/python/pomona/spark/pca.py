# SPDX-License-Identifier: Apache-2.0
"""Principal components: the estimator and its model."""

from typing import Optional, TypeVar

from pyspark import keyword_only
from pyspark.ml.linalg import DenseMatrix, DenseVector
from pyspark.ml.param import TypeConverters
from pyspark.ml.util import JavaMLReadable, JavaMLWritable
from pyspark.ml.wrapper import JavaEstimator, JavaModel, JavaParams
from pyspark.sql import SparkSession

from pomona.spark.functions import java_class
from pomona.spark.stage import JvmStage, param

_Stage = TypeVar("_Stage", bound="_PCAParams")  # what a setter is called on, it returns


class _PCAParams(JavaParams):
    """The Params that estimator and model share, with the setters of those that do not belong to the fit."""

    inputCol = param(
        "inputCol",
        "Column of vectors: vector, array<float> or array<double>; default features",
        TypeConverters.toString,
    )
    outputCol = param("outputCol", "Column for the components; default pca", TypeConverters.toString)
    k = param("k", "Components to keep; either this or varianceTarget", TypeConverters.toInt)
    varianceTarget = param(
        "varianceTarget",
        "The fewest components that keep this share of the variance, in (0, 1]; either this or k",
        TypeConverters.toFloat,
    )
    standardize = param(
        "standardize",
        "Columns centred and divided by their deviation, as by StandardScaler(withMean, withStd); default False",
        TypeConverters.toBoolean,
    )
    center = param(
        "center",
        "transform subtracts the mean; Spark ML's PCAModel does not. A standardising model always does; default False",
        TypeConverters.toBoolean,
    )
    badRows = param(
        "badRows",
        "Null, wrong length, NaN or infinity: error (default), or skip (left out of the fit and counted; null in the"
        " output)",
        TypeConverters.toString,
    )
    outputType = param("outputType", "vector (default) or array (of double)", TypeConverters.toString)

    def setInputCol(self: _Stage, value: str) -> _Stage:
        return self._set(inputCol=value)

    def getInputCol(self) -> str:
        return self.getOrDefault(self.inputCol)

    def setOutputCol(self: _Stage, value: str) -> _Stage:
        return self._set(outputCol=value)

    def getOutputCol(self) -> str:
        return self.getOrDefault(self.outputCol)

    def getK(self) -> int:
        """Components; of a model, those that it has."""
        return self.getOrDefault(self.k)

    def getVarianceTarget(self) -> float:
        return self.getOrDefault(self.varianceTarget)

    def getStandardize(self) -> bool:
        return self.getOrDefault(self.standardize)

    def setCenter(self: _Stage, value: bool) -> _Stage:
        return self._set(center=value)

    def getCenter(self) -> bool:
        return self.getOrDefault(self.center)

    def setBadRows(self: _Stage, value: str) -> _Stage:
        return self._set(badRows=value)

    def getBadRows(self) -> str:
        return self.getOrDefault(self.badRows)

    def setOutputType(self: _Stage, value: str) -> _Stage:
        return self._set(outputType=value)

    def getOutputType(self) -> str:
        return self.getOrDefault(self.outputType)


class PCA(_PCAParams, JvmStage, JavaEstimator["PCAModel"], JavaMLReadable["PCA"], JavaMLWritable):
    """Principal components of a column of vectors, in one pass and in the JVM.

    Gives what Spark ML's StandardScaler and PCA give, but for the sign of components: the entry of largest magnitude
    is positive. The same input in the same partitions gives the same bits, also when tasks are lost and run again.

    Parameters
    ----------
    inputCol : str, optional
        Column of vectors: vector, array<float> or array<double>; default `features`.
    outputCol : str, optional
        Column for the components; default `pca`.
    k : int, optional
        Components to keep; either this or `varianceTarget`.
    varianceTarget : float, optional
        The fewest components that keep this share of the variance, in (0, 1]; either this or `k`.
    standardize : bool, optional
        Columns centred and divided by their deviation (n - 1), as by StandardScaler(withMean, withStd); a column
        without variance becomes 0. Default False.
    center : bool, optional
        The model's `transform` subtracts the mean. Spark ML's PCAModel does not, and so it is False by default; a
        standardising model always does.
    badRows : str, optional
        Rows whose vector is null, of another length, or not finite: `error` (default) fails and names the row; `skip`
        leaves it out of the fit, counts it, and gives null in the output.
    outputType : str, optional
        `vector` (default) or `array` of double.
    maxTasks : int, optional
        Tasks that each make one state of their rows; 0 (default): one for each core of the cluster.
    initialState : str, optional
        File that `PCAModel.saveState` wrote, on any Hadoop file system: its rows count with those of the input.

    Examples
    --------
    >>> model = PCA(varianceTarget=0.9, standardize=True).fit(features)  # doctest: +SKIP
    >>> model.transform(features).select("path", "pca").write.parquet("s3://bucket/pca")  # doctest: +SKIP
    """

    # PySpark maps a JVM class to the Python class of the same full name, and back.
    __module__ = "pomona.spark"

    maxTasks = param(
        "maxTasks",
        "Tasks that each make one state of their rows; 0 (default): one for each core of the cluster",
        TypeConverters.toInt,
    )
    initialState = param(
        "initialState",
        "File that PCAModel.saveState wrote, on any Hadoop file system: its rows count with those of the input",
        TypeConverters.toString,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCol: Optional[str] = None,
        outputCol: Optional[str] = None,
        k: Optional[int] = None,
        varianceTarget: Optional[float] = None,
        standardize: Optional[bool] = None,
        center: Optional[bool] = None,
        badRows: Optional[str] = None,
        outputType: Optional[str] = None,
        maxTasks: Optional[int] = None,
        initialState: Optional[str] = None,
    ):
        super().__init__()
        self._start("PCA", self._input_kwargs)

    @keyword_only
    def setParams(
        self,
        *,
        inputCol: Optional[str] = None,
        outputCol: Optional[str] = None,
        k: Optional[int] = None,
        varianceTarget: Optional[float] = None,
        standardize: Optional[bool] = None,
        center: Optional[bool] = None,
        badRows: Optional[str] = None,
        outputType: Optional[str] = None,
        maxTasks: Optional[int] = None,
        initialState: Optional[str] = None,
    ) -> "PCA":
        """Set the Params that are given; they are those of the constructor."""
        return self._set(**self._input_kwargs)

    def _create_model(self, java_model) -> "PCAModel":
        model = PCAModel(java_model)
        model._transfer_params_from_java()  # k, where the fit found it
        return model

    def setK(self, value: int) -> "PCA":
        return self._set(k=value)

    def setVarianceTarget(self, value: float) -> "PCA":
        return self._set(varianceTarget=value)

    def setStandardize(self, value: bool) -> "PCA":
        return self._set(standardize=value)

    def setMaxTasks(self, value: int) -> "PCA":
        return self._set(maxTasks=value)

    def getMaxTasks(self) -> int:
        return self.getOrDefault(self.maxTasks)

    def setInitialState(self, value: str) -> "PCA":
        return self._set(initialState=value)

    def getInitialState(self) -> str:
        return self.getOrDefault(self.initialState)


class PCAModel(_PCAParams, JavaModel, JavaMLReadable["PCAModel"], JavaMLWritable):
    """Fitted principal components; `transform` adds the column of components.

    All columns of the input are read for it, and the components are computed even where nobody reads them: select what
    is needed before it.
    """

    __module__ = "pomona.spark"

    @property
    def pc(self) -> DenseMatrix:
        """Components as columns x k."""
        return self._call_java("pc")

    @property
    def explainedVariance(self) -> DenseVector:
        """Shares of the variance that the k components have."""
        return self._call_java("explainedVariance")

    @property
    def spectrum(self) -> DenseVector:
        """Shares of the variance of all components, kept or not; of k alone in a model from Spark ML."""
        return self._call_java("spectrum")

    @property
    def mean(self) -> DenseVector:
        """Mean of each column; zeros in a model from Spark ML that knows none."""
        return self._call_java("mean")

    @property
    def std(self) -> DenseVector:
        """Deviation of each column, with n - 1."""
        return self._call_java("std")

    @property
    def rowCount(self) -> int:
        """Rows that the fit used, those of an initial state among them; 0 in a model from Spark ML."""
        return self._call_java("rowCount")

    @property
    def skippedCount(self) -> int:
        """Rows that the fit skipped."""
        return self._call_java("skippedCount")

    def componentsFor(self, share: float) -> int:
        """The fewest components that keep this share of the variance, or 0 where those that are known keep less."""
        return self._call_java("componentsFor", float(share))

    @property
    def hasState(self) -> bool:
        """Whether the state of the fit is at hand: in the model that fit returned, and not in one that was loaded."""
        return self._call_java("hasState")

    def saveState(self, path: str, overwrite: bool = False) -> None:
        """Write the state of the fit to one file, for `PCA(initialState=...)` and the command `pomona pca`.

        Parameters
        ----------
        path : str
            On any Hadoop file system.
        overwrite : bool
            Replace what is there.
        """
        self._call_java("saveState", path, overwrite)

    def toSpark(self):
        """Spark ML's own model that does the same.

        Returns
        -------
        pyspark.ml.feature.PCAModel or pyspark.ml.PipelineModel
            The pipeline, of a StandardScalerModel and a PCAModel, where the model standardises or centres.
        """
        return JavaParams._from_java(self._to_java().toSpark())

    @staticmethod
    def fromSpark(model) -> "PCAModel":
        """The model that does what Spark ML's does.

        Parameters
        ----------
        model : pyspark.ml.feature.PCAModel or pyspark.ml.PipelineModel
            A pipeline of a StandardScalerModel (with mean) and a PCAModel.
        """
        java = java_class(SparkSession.builder.getOrCreate(), "PCAModel")
        return JavaParams._from_java(java.fromSpark(model._to_java()))
