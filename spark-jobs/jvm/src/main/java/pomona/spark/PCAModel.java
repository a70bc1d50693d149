// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.ml.Model;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.linalg.DenseMatrix;
import org.apache.spark.ml.linalg.DenseVector;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.ml.util.MLWritable;
import org.apache.spark.ml.util.MLWriter;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;

/**
 * Fitted principal components. {@link #transform} adds the column of components, in {@code mapPartitions} and native batches:
 * Spark reads all columns of the input for it, so select those that are needed before.
 */
public final class PCAModel extends Model<PCAModel> implements PcaParams<PCAModel>, MLWritable {
    private static final long serialVersionUID = 1L;

    /** Of a sum of shares: all of them may sum to a little less than 1. */
    private static final double ROUNDING = 1e-12;

    private final String uid;
    private final PcaParamSet paramSet;
    private FittedPca fitted;
    private transient byte[] state;
    private transient Broadcast<FittedPca> sent;
    private transient SparkContext sender;

    /** A model without content, for the reader to fill. */
    public PCAModel(String uid) {
        this.uid = uid;
        paramSet = new PcaParamSet(this);
    }

    PCAModel(String uid, FittedPca fitted, byte[] state) {
        this(uid);
        this.fitted = fitted;
        this.state = state;
    }

    public static PCAModel load(String path) {
        return read().load(path);
    }

    public static MLReader<PCAModel> read() {
        return new PCAModelFiles.Reader();
    }

    /** A model that does what Spark ML's does: a PCAModel, or a pipeline of a StandardScalerModel with mean and a PCAModel. */
    public static PCAModel fromSpark(Transformer model) {
        return StockModels.read(model);
    }

    /** Spark ML's own models that do the same: a PCAModel; with standardize or center, a pipeline with a StandardScalerModel. */
    public Transformer toSpark() {
        return StockModels.make(this);
    }

    @Override
    public MLWriter write() {
        return new PCAModelFiles.Writer(this);
    }

    @Override
    public String uid() {
        return uid;
    }

    @Override
    public PcaParamSet paramSet() {
        return paramSet;
    }

    @Override
    public PCAModel self() {
        return this;
    }

    @Override
    public PCAModel copy(ParamMap extra) {
        return copyValues(new PCAModel(uid, fitted, state), extra).setParent(parent());
    }

    FittedPca fitted() {
        if (fitted == null) {
            throw new IllegalStateException("this PCAModel is empty: PCA.fit or PCAModel.load makes one");
        }
        return fitted;
    }

    PCAModel fill(FittedPca content) {
        fitted = content;
        return withFittedK();
    }

    /** k as it is, where the fit was told a share of the variance. */
    PCAModel withFittedK() {
        set(k(), fitted.k);
        return this;
    }

    /** Components as columns x k. */
    public DenseMatrix pc() {
        return new DenseMatrix(fitted().columns, fitted().k, fitted().components);
    }

    /** Shares of the variance that the k components have. */
    public DenseVector explainedVariance() {
        return new DenseVector(fitted().explainedVariance());
    }

    /** Shares of the variance of all components, kept or not; of k alone in a model from Spark ML. */
    public DenseVector spectrum() {
        return new DenseVector(fitted().spectrum.clone());
    }

    /** Mean of each column; zeros in a model from Spark ML that knows none. */
    public DenseVector mean() {
        return new DenseVector(fitted().mean.clone());
    }

    /** Deviation of each column, with n - 1. */
    public DenseVector std() {
        return new DenseVector(fitted().deviation.clone());
    }

    /** Rows that the fit used, those of an initial state among them; 0 in a model from Spark ML. */
    public long rowCount() {
        return fitted().rows;
    }

    /** Rows that the fit skipped. */
    public long skippedCount() {
        return fitted().skipped;
    }

    /** The fewest components that keep this share of the variance, or 0 where those that are known keep less. */
    public int componentsFor(double share) {
        double kept = 0;
        double[] spectrum = fitted().spectrum;
        for (int i = 0; i < spectrum.length; i++) {
            kept += spectrum[i];
            if (kept >= share - ROUNDING) {
                return i + 1;
            }
        }
        return 0;
    }

    /** Whether the state of the fit is at hand: in the model that fit returned, and not in one that was loaded. */
    public boolean hasState() {
        return state != null;
    }

    /** As the other, refusing a path where something is. */
    public void saveState(String path) {
        saveState(path, false);
    }

    /** Writes the state of the fit to one file, for {@link PCA#setInitialState} and {@code pomona pca}. */
    public void saveState(String path, boolean overwrite) {
        if (state == null) {
            throw new IllegalStateException(
                    "this PCAModel has no state: only the model that fit returned has; a saved model goes without");
        }
        StateFile.write(SparkSession.active(), path, state, overwrite);
    }

    @Override
    public StructType transformSchema(StructType schema) {
        VectorColumn column = VectorColumn.of(schema, getInputCol());
        FeatureSource source = fitted().source;
        Columns.require(source == null || column.source == null || source.sameAs(column.source), "column " + column.name
                + " holds vectors of " + column.source + ": the components are those of " + source
                + ". Take vectors of that model, or fit again");
        Columns.require(column.length == VectorColumn.UNKNOWN || column.length == fitted().columns, "column " + column.name
                + " holds vectors of " + column.length + " numbers: the components are of " + fitted().columns);
        return PcaTransform.outputSchema(schema, this, fitted().k);
    }

    @Override
    public Dataset<Row> transform(Dataset<?> dataset) {
        StructType schema = transformSchema(dataset.schema());
        PcaTransform work = new PcaTransform(content(dataset.sparkSession().sparkContext()), dataset.schema(), this);
        return Columns.described(dataset.toDF().mapPartitions(work, SparkLines.rowEncoder(schema)), schema);
    }

    /** Sent to the executors once in a SparkContext. */
    private synchronized Broadcast<FittedPca> content(SparkContext context) {
        if (sender != context) {
            sent = JavaSparkContext.fromSparkContext(context).broadcast(fitted());
            sender = context;
        }
        return sent;
    }
}
