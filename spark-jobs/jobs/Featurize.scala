// SPDX-License-Identifier: Apache-2.0
//
// featurize.py for Scala shells: a folder of JPEGs to OUT/features (path, label, features, error).
//
//   spark-shell --jars pomona-spark.jar --conf spark.pomona.images=URI --conf spark.pomona.model=FILE \
//       --conf spark.pomona.out=DIR [--conf spark.pomona.mode=PERMISSIVE|DROPMALFORMED|FAILFAST] -i Featurize.scala
//
// Without a terminal (`< /dev/null`) the shell ends with status 0, or 3 and the reason as the last line.
import org.apache.spark.sql.{DataFrame, SparkSession}
import org.apache.spark.sql.functions.{col, element_at, split}
import pomona.spark.ImageFeaturizer

object Featurize {
  private def setting(spark: SparkSession, name: String): String = spark.conf
    .getOption(s"spark.pomona.$name")
    .getOrElse(throw new IllegalArgumentException(s"spark.pomona.$name is not set: give --conf spark.pomona.$name=VALUE"))

  /** One row an image: path, label (its parent folder), content. */
  def readImages(spark: SparkSession, uri: String): DataFrame = spark.read
    .format("binaryFile")
    .option("recursiveFileLookup", "true")
    .option("pathGlobFilter", "*.[jJ][pP]{[gG],[eE][gG]}")
    .load(uri)
    .select(col("path"), element_at(split(col("path"), "/"), -2).as("label"), col("content"))

  def featurize(spark: SparkSession): Unit = {
    val featurizer = new ImageFeaturizer()
      .setInputCol("content")
      .setOutputCol("features")
      .setErrorCol("error")
      .setModelPath(setting(spark, "model"))
      .setMode(spark.conf.get("spark.pomona.mode", "PERMISSIVE"))
      .setOutputType("array")
      .setDropInput(true)
    val out = setting(spark, "out") + "/features"
    featurizer.transform(readImages(spark, setting(spark, "images"))).write.parquet(out)
    val written = spark.read.parquet(out)
    println(s"images=${written.count()} errors=${written.where(col("error").isNotNull).count()} out=$out")
  }

  /** Innermost message of a failed Spark action. */
  private def reason(failure: Throwable): String =
    if (failure.getCause == null) failure.toString else reason(failure.getCause)

  def main(spark: SparkSession): Unit = {
    val batch = System.console() == null
    try featurize(spark)
    catch {
      case failure: Exception =>
        System.err.println(s"featurize: ${reason(failure)}")
        if (batch) sys.exit(3)
    }
  }
}

Featurize.main(spark)
