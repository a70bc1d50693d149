# Databricks notebook source
# SPDX-License-Identifier: Apache-2.0

# COMMAND ----------

# MAGIC %md
# MAGIC # Pictures to features to principal components
# MAGIC Needs a cluster with **dedicated access** and the Pomona jar among its libraries. Every parameter is a widget;
# MAGIC outside Databricks the environment variables `POMONA_IMAGES`, `POMONA_MODEL` ... take the widgets' place.

# COMMAND ----------

import os

DEFAULTS = {
    "images": "/Volumes/main/default/fruits/Training",
    "model": "/Volumes/main/default/pomona/efficientnet_lite0.safetensors",
    "components": "20",
}


def parameter(name):
    """The widget of this name, or its stand-in where there is no Databricks."""
    if "dbutils" not in globals():
        return os.environ.get(f"POMONA_{name.upper()}", DEFAULTS[name])
    dbutils.widgets.text(name, DEFAULTS[name])  # noqa: F821
    return dbutils.widgets.get(name)  # noqa: F821


images, model, components = parameter("images"), parameter("model"), int(parameter("components"))

# COMMAND ----------

# MAGIC %md
# MAGIC ## Features
# MAGIC `image_features(content, model)` is an SQL function: null for a picture that cannot be decoded. Cluster
# MAGIC libraries arrive after Spark has started, so it is registered here.

# COMMAND ----------

spark._jvm.pomona.spark.ImageFeatures.register(spark._jsparkSession)  # noqa: F821
pictures = (
    spark.read.format("binaryFile")  # noqa: F821
    .option("recursiveFileLookup", "true")
    .option("pathGlobFilter", "*.[jJ][pP]{[gG],[eE][gG]}")
    .load(images)
)
pictures.createOrReplaceTempView("pictures")
features = spark.sql(  # noqa: F821
    f"""SELECT path, element_at(split(path, '/'), -2) AS label, image_features(content, '{model}') AS features
        FROM pictures"""
).cache()
display(features.selectExpr("label", "features IS NULL AS bad").groupBy("label", "bad").count().orderBy("label"))  # noqa: F821

# COMMAND ----------

# MAGIC %md
# MAGIC ## Principal components
# MAGIC Standardised first, as the components of unscaled features follow the channels with the largest numbers.

# COMMAND ----------

from pyspark.ml import Pipeline
from pyspark.ml.feature import PCA, StandardScaler
from pyspark.ml.functions import array_to_vector
from pyspark.sql import functions as F

vectors = features.where("features IS NOT NULL").withColumn("vector", array_to_vector("features"))
scaler = StandardScaler(inputCol="vector", outputCol="scaled", withMean=True, withStd=True)
pca = PCA(k=components, inputCol="scaled", outputCol="pca")
fitted = Pipeline(stages=[scaler, pca]).fit(vectors)
explained = fitted.stages[-1].explainedVariance.toArray()
print(f"{components} components keep {explained.sum():.1%} of the variance")

# COMMAND ----------

reduced = fitted.transform(vectors).select("path", "label", "pca")
display(reduced.orderBy(F.col("path")).limit(20))  # noqa: F821
