// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Collections;
import java.util.Iterator;
import org.apache.spark.Partitioner;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.JavaPairRDD;
import org.apache.spark.api.java.function.PairFlatMapFunction;
import pomona.PcaState;
import scala.Tuple2;

/** Merges neighbouring states on the executors, where they are too many for the driver. */
final class MergeStates implements PairFlatMapFunction<Iterator<Tuple2<Integer, TaskState>>, Integer, TaskState> {
    private static final long serialVersionUID = 1L;

    /** A power of two, so that each group is a node of the tree over all. */
    private static final int GROUP = 8;

    private MergeStates() {}

    /** States by number to an eighth of them, by number. */
    static JavaPairRDD<Integer, TaskState> inGroups(JavaPairRDD<Integer, TaskState> states) {
        int groups = (states.getNumPartitions() + GROUP - 1) / GROUP;
        return states.repartitionAndSortWithinPartitions(new Groups(groups)).mapPartitionsToPair(new MergeStates());
    }

    /** The tree of states that come in order; the caller closes it. */
    static StateTree tree(Iterator<TaskState> states) {
        StateTree tree = new StateTree();
        try {
            while (states.hasNext()) {
                tree.add(states.next().open());
            }
            return tree;
        } catch (RuntimeException e) {
            tree.close();
            throw e;
        }
    }

    @Override
    public Iterator<Tuple2<Integer, TaskState>> call(Iterator<Tuple2<Integer, TaskState>> states) {
        Iterator<TaskState> group = new Iterator<TaskState>() {
            @Override
            public boolean hasNext() {
                return states.hasNext();
            }

            @Override
            public TaskState next() {
                TaskSession.stopIfKilled(TaskContext.get(), "merged states of PCA");
                return states.next()._2();
            }
        };
        try (StateTree tree = tree(group)) {
            PcaState root = tree.root();
            TaskState merged = root == null ? TaskState.NO_ROWS : TaskState.saved(root);
            return Collections.singleton(new Tuple2<>(TaskContext.getPartitionId(), merged)).iterator();
        }
    }

    private static final class Groups extends Partitioner {
        private static final long serialVersionUID = 1L;

        private final int groups;

        Groups(int groups) {
            this.groups = groups;
        }

        @Override
        public int numPartitions() {
            return groups;
        }

        @Override
        public int getPartition(Object number) {
            return (Integer) number / GROUP;
        }
    }
}
