// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import pomona.Library;
import pomona.PcaState;
import pomona.PcaState.BadRows;

class PcaFitTest {
    private static final int COLUMNS = 3;

    private static byte[] leaf(int seed) {
        Random random = new Random(seed);
        double[] rows = random.doubles(10 * COLUMNS).toArray();
        try (PcaState state = PcaState.open(COLUMNS, BadRows.ERROR)) {
            state.update(rows, 10);
            return state.save();
        }
    }

    /** Every seventh task had no rows. */
    private static List<byte[]> leaves(int count) {
        List<byte[]> leaves = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            leaves.add(i % 7 == 5 ? new byte[0] : leaf(i));
        }
        return leaves;
    }

    private static byte[] merged(List<byte[]> leaves) {
        try (StateTree tree = MergeStates.tree(leaves.iterator())) {
            return tree.root().save();
        }
    }

    @Test
    void groupsOfEightMergeToTheBitsOfAll() {
        long before = Library.memoryInUse();
        for (int count : new int[] {1, 2, 7, 8, 9, 43, 64, 67, 130}) {
            List<byte[]> leaves = leaves(count);
            List<byte[]> groups = new ArrayList<>();
            for (int begin = 0; begin < count; begin += 8) {
                groups.add(merged(leaves.subList(begin, Math.min(begin + 8, count))));
            }
            assertArrayEquals(merged(leaves), merged(groups), count + " leaves");
        }
        assertEquals(before, Library.memoryInUse());
    }

    @Test
    void noRowsMakeNoState() {
        try (StateTree tree = new StateTree()) {
            assertNull(tree.root());
            tree.add(new byte[0]);
            tree.add(new byte[0]);
            assertNull(tree.root());
        }
    }

    @Test
    void partitionsFallIntoEvenGroupsInOrder() {
        for (int partitions = 1; partitions < 40; partitions++) {
            for (int groups = 1; groups <= partitions; groups++) {
                EvenCoalescer coalescer = new EvenCoalescer(partitions, groups);
                int[] sizes = new int[groups];
                int last = 0;
                for (int partition = 0; partition < partitions; partition++) {
                    int group = coalescer.getPartition(partition);
                    assertTrue(group >= last);
                    last = group;
                    sizes[group]++;
                }
                for (int size : sizes) {
                    assertTrue(size == partitions / groups || size == partitions / groups + 1, partitions + " in " + groups);
                }
            }
        }
    }
}
