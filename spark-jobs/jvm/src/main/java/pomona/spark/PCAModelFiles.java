// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Collections;
import org.apache.hadoop.fs.Path;
import org.apache.spark.ml.linalg.Matrix;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.DefaultParamsWriter;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.ml.util.MLWriter;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/**
 * A saved model in Spark ML's layout: {@code metadata/}, and {@code data/} as parquet of one row, where the columns pc and
 * explainedVariance are those of Spark ML's PCAModel.
 */
final class PCAModelFiles {
    private static final StructType DATA = new StructType()
            .add("pc", SQLDataTypes.MatrixType())
            .add("explainedVariance", SQLDataTypes.VectorType())
            .add("spectrum", SQLDataTypes.VectorType())
            .add("mean", SQLDataTypes.VectorType())
            .add("std", SQLDataTypes.VectorType())
            .add("standardize", DataTypes.BooleanType)
            .add("rowCount", DataTypes.LongType)
            .add("skippedCount", DataTypes.LongType)
            .add("source", DataTypes.StringType);

    private PCAModelFiles() {}

    private static String data(String path) {
        return new Path(path, "data").toString();
    }

    static final class Writer extends MLWriter {
        private final PCAModel model;

        Writer(PCAModel model) {
            this.model = model;
        }

        @Override
        public void saveImpl(String path) {
            FittedPca fitted = model.fitted();
            String source = fitted.source == null ? null : fitted.source.json();
            Row row = RowFactory.create(model.pc(), model.explainedVariance(), model.spectrum(), model.mean(), model.std(),
                    fitted.standardize, fitted.rows, fitted.skipped, source);
            new DefaultParamsWriter(model).saveImpl(path);
            Dataset<Row> table = SparkSession.active().createDataFrame(Collections.singletonList(row), DATA);
            table.coalesce(1).write().parquet(data(path));
        }
    }

    static final class Reader extends MLReader<PCAModel> {
        @Override
        public PCAModel load(String path) {
            PCAModel model = new DefaultParamsReader<PCAModel>().load(path);
            Row row = SparkSession.active().read().parquet(data(path)).head();
            return model.fill(new FittedPca(((Matrix) row.getAs("pc")).toArray(), vector(row, "spectrum"), vector(row, "mean"),
                    vector(row, "std"), row.getAs("standardize"), row.<Long>getAs("rowCount"), row.<Long>getAs("skippedCount"),
                    FeatureSource.ofJson(row.getAs("source"))));
        }

        private static double[] vector(Row row, String column) {
            return ((Vector) row.getAs(column)).toArray();
        }
    }
}
