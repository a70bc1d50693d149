# SPDX-License-Identifier: Apache-2.0
"""The stage that turns a column of JPEGs into feature vectors."""

from typing import Optional

from pyspark import keyword_only
from pyspark.ml.param import TypeConverters
from pyspark.ml.util import JavaMLReadable, JavaMLWritable
from pyspark.ml.wrapper import JavaTransformer

from pomona.spark.stage import JvmStage, param


class ImageFeaturizer(JvmStage, JavaTransformer, JavaMLReadable["ImageFeaturizer"], JavaMLWritable):
    """JPEGs to feature vectors, in the JVM.

    Adds the columns `outputCol` and `errorCol` to a DataFrame. The executors get the model from the driver, once each;
    a saved stage carries its model file. Defaults are the JVM stage's. All columns of the input are read for the stage,
    and its features are computed even where nobody reads them: select what is needed before it, and set `dropInput`
    when the bytes are not needed after it.

    Parameters
    ----------
    inputCol : str, optional
        Binary column with the encoded bytes of a JPEG; default `content`.
    outputCol : str, optional
        Column for the features, null where the image is null or bad; default `features`.
    errorCol : str, optional
        Column for `CODE: text` where the image is bad, null elsewhere; default `error`.
    modelPath : str, optional
        Model file on any Hadoop file system; only the driver reads it.
    pooling : str, optional
        From the feature map to a vector: `avg` (default), `max`, `none`.
    resample : str, optional
        Pillow's filter: `bicubic` (default), `nearest`, `box`, `bilinear`, `hamming`, `lanczos`.
    fit : str, optional
        `squash` (default) scales each side; `crop` covers the network's input and takes the centre.
    precision : str, optional
        `fp32` (default), `fp32-split`, `bf16`, `auto`; fails where CPU or model refuse.
    batchSize : int, optional
        Images in a native call at most; never changes results.
    mode : str, optional
        Bad images: `PERMISSIVE` (default), `DROPMALFORMED`, `FAILFAST`.
    corruptData : str, optional
        Damaged image data: `reject` (default), or `accept` the pixels that Pillow would show.
    fastDecode : bool, optional
        Decode large images at a half, quarter or eighth of their size: faster, other pixels and so other features;
        default False.
    maxBytes : int, optional
        Encoded bytes of an image at most; 0: the library's default, -1: no limit.
    maxPixels : int, optional
        Pixels of an image at most; 0: the library's default, -1: no limit.
    maxScans : int, optional
        Scans of a progressive image at most; 0: the library's default, -1: no limit.
    outputType : str, optional
        `array` of float (default), `vector`, or `top`: array of struct of class and probability, the likeliest first,
        for models with a classifier.
    topK : int, optional
        Classes that outputType `top` names; default 5.
    dropInput : bool, optional
        Leave the input column out of the output; default False.

    Examples
    --------
    >>> images = spark.read.format("binaryFile").load("s3://bucket/images/*.jpg")  # doctest: +SKIP
    >>> ImageFeaturizer(modelPath="s3://bucket/model.safetensors").transform(images)  # doctest: +SKIP
    """

    # PySpark maps a JVM class to the Python class of the same full name, and back.
    __module__ = "pomona.spark"

    inputCol = param(
        "inputCol", "Binary column with the encoded bytes of a JPEG; default content", TypeConverters.toString
    )
    outputCol = param(
        "outputCol",
        "Column for the features, null where the image is null or bad; default features",
        TypeConverters.toString,
    )
    errorCol = param(
        "errorCol",
        "Column for CODE: text where the image is bad, null elsewhere; default error",
        TypeConverters.toString,
    )
    modelPath = param(
        "modelPath", "Model file on any Hadoop file system; only the driver reads it", TypeConverters.toString
    )
    pooling = param("pooling", "From the feature map to a vector: avg (default), max, none", TypeConverters.toString)
    resample = param(
        "resample",
        "Pillow's filter: bicubic (default), nearest, box, bilinear, hamming, lanczos",
        TypeConverters.toString,
    )
    fit = param(
        "fit",
        "squash (default) scales each side; crop covers the network's input and takes the centre",
        TypeConverters.toString,
    )
    precision = param(
        "precision", "fp32 (default), fp32-split, bf16, auto; fails where CPU or model refuse", TypeConverters.toString
    )
    batchSize = param("batchSize", "Images in a native call at most; never changes results", TypeConverters.toInt)
    mode = param("mode", "Bad images: PERMISSIVE (default), DROPMALFORMED, FAILFAST", TypeConverters.toString)
    corruptData = param(
        "corruptData",
        "Damaged image data: reject (default), or accept the pixels that Pillow would show",
        TypeConverters.toString,
    )
    fastDecode = param(
        "fastDecode",
        "Decode large images at a half, quarter or eighth of their size: faster, other features; default False",
        TypeConverters.toBoolean,
    )
    maxBytes = param(
        "maxBytes", "Encoded bytes of an image at most; 0: the library's default, -1: no limit", TypeConverters.toInt
    )
    maxPixels = param(
        "maxPixels", "Pixels of an image at most; 0: the library's default, -1: no limit", TypeConverters.toInt
    )
    maxScans = param(
        "maxScans", "Scans of a progressive image at most; 0: the library's default, -1: no limit", TypeConverters.toInt
    )
    outputType = param(
        "outputType",
        "array of float (default), vector, or top: the likeliest classes, for models with a classifier",
        TypeConverters.toString,
    )
    topK = param("topK", "Classes that outputType top names; default 5", TypeConverters.toInt)
    dropInput = param("dropInput", "Leave the input column out of the output; default False", TypeConverters.toBoolean)

    @keyword_only
    def __init__(
        self,
        *,
        inputCol: Optional[str] = None,
        outputCol: Optional[str] = None,
        errorCol: Optional[str] = None,
        modelPath: Optional[str] = None,
        pooling: Optional[str] = None,
        resample: Optional[str] = None,
        fit: Optional[str] = None,
        precision: Optional[str] = None,
        batchSize: Optional[int] = None,
        mode: Optional[str] = None,
        corruptData: Optional[str] = None,
        fastDecode: Optional[bool] = None,
        maxBytes: Optional[int] = None,
        maxPixels: Optional[int] = None,
        maxScans: Optional[int] = None,
        outputType: Optional[str] = None,
        topK: Optional[int] = None,
        dropInput: Optional[bool] = None,
    ):
        super().__init__()
        self._start("ImageFeaturizer", self._input_kwargs)

    @keyword_only
    def setParams(
        self,
        *,
        inputCol: Optional[str] = None,
        outputCol: Optional[str] = None,
        errorCol: Optional[str] = None,
        modelPath: Optional[str] = None,
        pooling: Optional[str] = None,
        resample: Optional[str] = None,
        fit: Optional[str] = None,
        precision: Optional[str] = None,
        batchSize: Optional[int] = None,
        mode: Optional[str] = None,
        corruptData: Optional[str] = None,
        fastDecode: Optional[bool] = None,
        maxBytes: Optional[int] = None,
        maxPixels: Optional[int] = None,
        maxScans: Optional[int] = None,
        outputType: Optional[str] = None,
        topK: Optional[int] = None,
        dropInput: Optional[bool] = None,
    ) -> "ImageFeaturizer":
        """Set the Params that are given; they are those of the constructor."""
        return self._set(**self._input_kwargs)

    def setInputCol(self, value: str) -> "ImageFeaturizer":
        return self._set(inputCol=value)

    def getInputCol(self) -> str:
        return self.getOrDefault(self.inputCol)

    def setOutputCol(self, value: str) -> "ImageFeaturizer":
        return self._set(outputCol=value)

    def getOutputCol(self) -> str:
        return self.getOrDefault(self.outputCol)

    def setErrorCol(self, value: str) -> "ImageFeaturizer":
        return self._set(errorCol=value)

    def getErrorCol(self) -> str:
        return self.getOrDefault(self.errorCol)

    def setModelPath(self, value: str) -> "ImageFeaturizer":
        return self._set(modelPath=value)

    def getModelPath(self) -> str:
        return self.getOrDefault(self.modelPath)

    def setPooling(self, value: str) -> "ImageFeaturizer":
        return self._set(pooling=value)

    def getPooling(self) -> str:
        return self.getOrDefault(self.pooling)

    def setResample(self, value: str) -> "ImageFeaturizer":
        return self._set(resample=value)

    def getResample(self) -> str:
        return self.getOrDefault(self.resample)

    def setFit(self, value: str) -> "ImageFeaturizer":
        return self._set(fit=value)

    def getFit(self) -> str:
        return self.getOrDefault(self.fit)

    def setPrecision(self, value: str) -> "ImageFeaturizer":
        return self._set(precision=value)

    def getPrecision(self) -> str:
        return self.getOrDefault(self.precision)

    def setBatchSize(self, value: int) -> "ImageFeaturizer":
        return self._set(batchSize=value)

    def getBatchSize(self) -> int:
        return self.getOrDefault(self.batchSize)

    def setMode(self, value: str) -> "ImageFeaturizer":
        return self._set(mode=value)

    def getMode(self) -> str:
        return self.getOrDefault(self.mode)

    def setCorruptData(self, value: str) -> "ImageFeaturizer":
        return self._set(corruptData=value)

    def getCorruptData(self) -> str:
        return self.getOrDefault(self.corruptData)

    def setFastDecode(self, value: bool) -> "ImageFeaturizer":
        return self._set(fastDecode=value)

    def getFastDecode(self) -> bool:
        return self.getOrDefault(self.fastDecode)

    def setMaxBytes(self, value: int) -> "ImageFeaturizer":
        return self._set(maxBytes=value)

    def getMaxBytes(self) -> int:
        return self.getOrDefault(self.maxBytes)

    def setMaxPixels(self, value: int) -> "ImageFeaturizer":
        return self._set(maxPixels=value)

    def getMaxPixels(self) -> int:
        return self.getOrDefault(self.maxPixels)

    def setMaxScans(self, value: int) -> "ImageFeaturizer":
        return self._set(maxScans=value)

    def getMaxScans(self) -> int:
        return self.getOrDefault(self.maxScans)

    def setOutputType(self, value: str) -> "ImageFeaturizer":
        return self._set(outputType=value)

    def getOutputType(self) -> str:
        return self.getOrDefault(self.outputType)

    def setTopK(self, value: int) -> "ImageFeaturizer":
        return self._set(topK=value)

    def getTopK(self) -> int:
        return self.getOrDefault(self.topK)

    def setDropInput(self, value: bool) -> "ImageFeaturizer":
        return self._set(dropInput=value)

    def getDropInput(self) -> bool:
        return self.getOrDefault(self.dropInput)
