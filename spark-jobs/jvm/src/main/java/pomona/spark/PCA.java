// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.ml.Estimator;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.param.ParamValidators;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.DefaultParamsWritable;
import org.apache.spark.ml.util.DefaultParamsWriter;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.ml.util.MLWriter;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pomona.PcaModel;
import pomona.PcaOptions;
import pomona.PcaState;
import pomona.PcaState.BadRows;

/**
 * Principal components of a column of vectors in one pass: {@code new PCA().setVarianceTarget(0.9).setStandardize(true)
 * .fit(features)}. Gives what Spark ML's StandardScaler and PCA give, but for the sign of components: the entry of largest
 * magnitude is positive.
 *
 * <p>Each of {@code maxTasks} tasks makes one state of its share of the input's partitions; they merge in a fixed order, so the
 * same input in the same partitions gives the same bits, also when tasks are lost and run again.
 */
public final class PCA extends Estimator<PCAModel> implements PcaParams<PCA>, DefaultParamsWritable {
    private static final long serialVersionUID = 1L;

    private static final Logger LOG = LoggerFactory.getLogger("pomona");

    private final String uid;
    private final PcaParamSet paramSet;
    private final IntParam maxTasks;
    private final Param<String> initialState;

    public PCA() {
        this(Identifiable$.MODULE$.randomUID("PCA"));
    }

    public PCA(String uid) {
        this.uid = uid;
        paramSet = new PcaParamSet(this);
        maxTasks = new IntParam(this, "maxTasks",
                "tasks that each make one state of their rows; 0: one for each core of the cluster", ParamValidators.gtEq(0));
        initialState = new Param<>(this, "initialState",
                "file that PCAModel.saveState wrote, on any Hadoop file system: its rows count with those of the input");
        setDefault(maxTasks, 0);
    }

    public static PCA load(String path) {
        return read().load(path);
    }

    public static MLReader<PCA> read() {
        return new DefaultParamsReader<>();
    }

    @Override
    public MLWriter write() {
        return new DefaultParamsWriter(this);
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
    public PCA self() {
        return this;
    }

    @Override
    public PCA copy(ParamMap extra) {
        return defaultCopy(extra);
    }

    @Override
    public StructType transformSchema(StructType schema) {
        VectorColumn.of(schema, getInputCol());
        options();
        return PcaTransform.outputSchema(schema, this, isSet(k()) ? getK() : VectorColumn.UNKNOWN);
    }

    @Override
    public PCAModel fit(Dataset<?> dataset) {
        transformSchema(dataset.schema());
        SparkSession session = dataset.sparkSession();
        VectorColumn column = VectorColumn.of(dataset.schema(), getInputCol());
        PcaFit fit = new PcaFit(dataset, column, BadRows.of(getBadRows()), getMaxTasks());
        try (PcaState before = initial(session);
                StateTree tree = run(fit, column, before)) {
            return solve(joined(before, tree.root()), column, session.sparkContext());
        }
    }

    private StateTree run(PcaFit fit, VectorColumn column, PcaState before) {
        int known = before == null ? column.length : before.columns();
        StateTree found = known == VectorColumn.UNKNOWN ? fit.runAtOnce(isSet(k()) ? getK() : 1) : null;
        if (found != null) {
            return found;
        }
        int columns = known == VectorColumn.UNKNOWN ? fit.columns() : known;
        checkColumns(column, columns);
        return fit.run(columns);
    }

    private PcaState initial(SparkSession session) {
        return isDefined(initialState) ? PcaState.load(StateFile.read(session, getInitialState())) : null;
    }

    private void checkColumns(VectorColumn column, int columns) {
        if (column.length != VectorColumn.UNKNOWN && column.length != columns) {
            throw new IllegalArgumentException("initialState " + getInitialState() + " is of vectors of " + columns
                    + " numbers: column " + column.name + " holds " + column.length);
        }
        if (isSet(k()) && getK() > columns) {
            throw new IllegalArgumentException(
                    "k is " + getK() + ": vectors of " + columns + " numbers have no more components than that");
        }
    }

    /** One of both, where the other may be null. */
    private static PcaState joined(PcaState before, PcaState found) {
        if (before != null && found != null) {
            before.merge(found);
        }
        return before != null ? before : found;
    }

    private PCAModel solve(PcaState state, VectorColumn column, SparkContext context) {
        long rows = state == null ? 0 : state.rows();
        long skipped = state == null ? 0 : state.skipped();
        Columns.require(rows >= 2, "PCA needs at least 2 rows: column " + column.name + " gave " + rows
                + (skipped > 0 ? ", and " + skipped + " were skipped" : ""));
        if (skipped > 0) {
            LOG.warn("PCA skipped {} rows of column {} that are null, of another length or not finite", skipped, column.name);
        }
        try (PcaModel solved = state.solve(options().withThreads(threads(context)))) {
            FittedPca fitted = FittedPca.of(solved, skipped, column.source);
            PCAModel model = new PCAModel(uid, fitted, state.save());
            return copyValues(model.setParent(this), ParamMap.empty()).withFittedK();
        }
    }

    private PcaOptions options() {
        Columns.require(isSet(k()) != isSet(varianceTarget()),
                isSet(k()) ? "k and varianceTarget are both set: clear one" : "neither k nor varianceTarget is set: set one");
        PcaOptions options = isSet(k()) ? PcaOptions.components(getK()) : PcaOptions.variance(getVarianceTarget());
        return options.withStandardize(getStandardize());
    }

    /**
     * Cores that are the driver's while it solves: those of local mode, where no task runs then; else spark.driver.cores, or
     * without it all that a driver outside the cluster sees, and the one that Spark asks for inside.
     */
    private static int threads(SparkContext context) {
        SparkConf conf = context.getConf();
        int cores = Runtime.getRuntime().availableProcessors();
        int own = context.isLocal()
                ? context.defaultParallelism()
                : conf.getInt("spark.driver.cores", "client".equals(context.deployMode()) ? cores : 1);
        return Math.max(1, Math.min(own, cores));
    }

    public PCA setK(int value) {
        set(k(), value);
        return this;
    }

    public PCA setVarianceTarget(double value) {
        set(varianceTarget(), value);
        return this;
    }

    public PCA setStandardize(boolean value) {
        set(standardize(), value);
        return this;
    }

    public IntParam maxTasks() {
        return maxTasks;
    }

    public int getMaxTasks() {
        return (Integer) getOrDefault(maxTasks);
    }

    public PCA setMaxTasks(int value) {
        set(maxTasks, value);
        return this;
    }

    public Param<String> initialState() {
        return initialState;
    }

    public String getInitialState() {
        return getOrDefault(initialState);
    }

    public PCA setInitialState(String value) {
        set(initialState, value);
        return this;
    }
}
