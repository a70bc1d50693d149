// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.List;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.JavaRDD;
import org.apache.spark.rdd.RDD;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.StructType;
import pomona.PcaState;
import pomona.PcaState.BadRows;
import scala.Option;
import scala.Tuple2;

/** One pass over a column of vectors: a state for each task, merged in a fixed tree. */
final class PcaFit {
    /** A share of the driver's heap, and of what Spark lets it collect, that states may take there. */
    private static final int HEAP_SHARE = 8;

    private static final int RESULT_SHARE = 2;

    private final Dataset<?> data;
    private final VectorColumn column;
    private final BadRows badRows;
    private final int maxTasks;
    private final JavaRDD<InternalRow> rows;
    /** The rows with their names, a partition for each task. */
    private final JavaRDD<Tuple2<RowName, InternalRow>> shares;

    /** @param maxTasks tasks at most; 0: one for each core of the cluster */
    PcaFit(Dataset<?> data, VectorColumn column, BadRows badRows, int maxTasks) {
        this.data = data;
        this.column = column;
        this.badRows = badRows;
        this.maxTasks = maxTasks;
        rows = internalRows();
        shares = coalesced(rows.mapPartitionsWithIndex(new NameRows(), true));
    }

    /** Numbers in the first vector, by a job of its own. */
    int columns() {
        List<Integer> first = rows.mapPartitions(new FirstLength(column)).take(1);
        Columns.require(!first.isEmpty(), "column " + column.name + " holds no vector: there is nothing to fit");
        Columns.require(first.get(0) > 0, "the first vector of column " + column.name + " is empty");
        return first.get(0);
    }

    /** The tree of all rows; its root is null where there are none. The caller closes it. */
    StateTree run(int columns) {
        long most = Math.max(1, room() / stateBytes(columns));
        try (LocalStates here = new LocalStates()) {
            String place = shares.getNumPartitions() <= most ? here.id() : null; // groups are made of bytes
            JavaPairRDD<Integer, TaskState> states = states(new BuildState(column, columns, columns, badRows, place));
            while (states.getNumPartitions() > most) {
                states = MergeStates.inGroups(states);
            }
            return MergeStates.tree(states.values().collect().iterator());
        }
    }

    /**
     * As the other, where each task takes the vectors' length from its first row: no job goes before. Null where it must be
     * known, since rows are odd, shorter than `fewest`, or the states would be too much for the driver: ask for columns.
     */
    StateTree runAtOnce(int fewest) {
        int most = (int) Math.sqrt(room() / 4 / Math.max(1, shares.getNumPartitions())) - 8; // by stateBytes
        if (badRows == BadRows.SKIP || fewest >= most) {
            return null;
        }
        try (LocalStates here = new LocalStates()) {
            List<TaskState> states = states(new BuildState(column, fewest, most, badRows, here.id())).values().collect();
            int[] lengths = states.stream().mapToInt(state -> state.columns).filter(length -> length != 0).distinct().toArray();
            boolean agreed = lengths.length == 1 && lengths[0] != VectorColumn.UNKNOWN;
            return agreed ? MergeStates.tree(states.iterator()) : null;
        }
    }

    private JavaPairRDD<Integer, TaskState> states(BuildState build) {
        return JavaPairRDD.fromJavaRDD(shares.mapPartitionsWithIndex(build, false));
    }

    /** At least, and a little more: docs/pca.md, State file. */
    private static long stateBytes(long columns) {
        return 4 * columns * (columns + 8);
    }

    /** The vectors, and beside them the paths where there are some, as Spark itself holds them: without boxed numbers. */
    private JavaRDD<InternalRow> internalRows() {
        StructType schema = data.schema();
        Column vectors = Columns.named(column.name);
        boolean named = Columns.path(schema) >= 0;
        Column[] read = named ? new Column[] {vectors, Columns.named("path")} : new Column[] {vectors};
        RDD<InternalRow> rows = data.toDF().select(read).queryExecution().toRdd();
        return new JavaRDD<>(rows, scala.reflect.ClassTag$.MODULE$.apply(InternalRow.class));
    }

    private <T> JavaRDD<T> coalesced(JavaRDD<T> rows) {
        int tasks = maxTasks > 0 ? maxTasks : context().defaultParallelism();
        int partitions = rows.getNumPartitions();
        if (partitions <= tasks) {
            return rows;
        }
        EvenCoalescer coalescer = new EvenCoalescer(partitions, tasks);
        return new JavaRDD<>(rows.rdd().coalesce(tasks, false, Option.apply(coalescer), null), rows.classTag());
    }

    /** Bytes that the driver may collect. */
    private long room() {
        SparkConf conf = context().getConf();
        long limit = conf.getSizeAsBytes("spark.driver.maxResultSize", "1g");
        long heap = Runtime.getRuntime().maxMemory() / HEAP_SHARE;
        return limit == 0 ? heap : Math.min(heap, limit / RESULT_SHARE);
    }

    private SparkContext context() {
        return data.sparkSession().sparkContext();
    }
}
