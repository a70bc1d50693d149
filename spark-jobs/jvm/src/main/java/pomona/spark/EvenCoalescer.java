// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.Partition;
import org.apache.spark.Partitioner;
import org.apache.spark.rdd.PartitionCoalescer;
import org.apache.spark.rdd.PartitionGroup;
import org.apache.spark.rdd.RDD;

/**
 * Puts neighbouring partitions together. Spark's own coalescer groups them by where their blocks lie, which changes from run
 * to run, and with it the last bits of sums.
 *
 * <p>A coalescer must be Serializable by Scala's type of that name, which in Scala 2.12 is another than Java's: it comes from
 * Partitioner on both lines.
 */
final class EvenCoalescer extends Partitioner implements PartitionCoalescer {
    private static final long serialVersionUID = 1L;

    private final int partitions;
    private final int groups;

    /** @param groups no more than there are partitions */
    EvenCoalescer(int partitions, int groups) {
        this.partitions = partitions;
        this.groups = groups;
    }

    @Override
    public int numPartitions() {
        return groups;
    }

    /** The group of a partition: group i begins at partition floor(partitions * i / groups). */
    @Override
    public int getPartition(Object partition) {
        return (int) ((((Integer) partition + 1L) * groups - 1) / partitions);
    }

    @Override
    public PartitionGroup[] coalesce(int wanted, RDD<?> parent) {
        List<List<String>> blocks = Stream.generate(ArrayList<String>::new).limit(groups).collect(Collectors.toList());
        for (Partition partition : parent.partitions()) {
            blocks.get(getPartition(partition.index())).addAll(SparkLines.preferredHosts(parent, partition.index()));
        }
        GroupHosts hosts = new GroupHosts(blocks);
        PartitionGroup[] found = new PartitionGroup[groups];
        Arrays.setAll(found, group -> new PartitionGroup(hosts.next(blocks.get(group))));
        for (Partition partition : parent.partitions()) {
            SparkLines.append(found[getPartition(partition.index())].partitions(), partition);
        }
        return found;
    }
}
