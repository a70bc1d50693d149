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

    /** @param maxTasks tasks at most; 0: one for each core of the cluster */
    PcaFit(Dataset<?> data, VectorColumn column, BadRows badRows, int maxTasks) {
        this.data = data;
        this.column = column;
        this.badRows = badRows;
        this.maxTasks = maxTasks;
        rows = internalRows();
    }

    /** Numbers in each vector: as the metadata says, else as the first row has it. */
    int columns() {
        if (column.length != VectorColumn.UNKNOWN) {
            return column.length;
        }
        List<Integer> first = rows.mapPartitions(new FirstLength(column)).take(1);
        Columns.require(!first.isEmpty(), "column " + column.name + " holds no vector: there is nothing to fit");
        Columns.require(first.get(0) > 0, "the first vector of column " + column.name + " is empty");
        return first.get(0);
    }

    /** The tree of all rows; its root is null where there are none. The caller closes it. */
    StateTree run(int columns) {
        JavaRDD<Tuple2<RowName, InternalRow>> shares = coalesced(rows.mapPartitionsWithIndex(new NameRows(), true));
        long room = Math.max(1, room() / (4L * columns * (columns + 8))); // states: docs/pca.md, State file
        try (LocalStates here = new LocalStates()) {
            String place = shares.getNumPartitions() <= room ? here.id() : null; // groups are made of bytes
            JavaPairRDD<Integer, TaskState> states = JavaPairRDD.fromJavaRDD(
                    shares.mapPartitionsWithIndex(new BuildState(column, columns, badRows, place), false));
            while (states.getNumPartitions() > room) {
                states = MergeStates.inGroups(states);
            }
            return MergeStates.tree(states.values().collect().iterator());
        }
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
