// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import pomona.Library;
import pomona.PcaState;
import pomona.PcaState.BadRows;

class PcaFitTest {
    private static final int COLUMNS = 3;

    private static PcaState state(int seed) {
        double[] rows = new Random(seed).doubles(10 * COLUMNS).toArray();
        PcaState state = PcaState.open(COLUMNS, BadRows.ERROR);
        state.update(rows, 10);
        return state;
    }

    /** Every seventh task had no rows; each attempt has the number of its task, where it leaves its state. */
    private static List<TaskState> leaves(int count, String place) {
        List<TaskState> leaves = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            leaves.add(i % 7 == 5 ? TaskState.NO_ROWS : TaskState.of(state(i), place, i));
        }
        return leaves;
    }

    private static TaskState merged(List<TaskState> leaves) {
        try (StateTree tree = MergeStates.tree(leaves.iterator())) {
            return TaskState.saved(tree.root());
        }
    }

    private static byte[] bytes(TaskState state) {
        try (PcaState opened = state.open()) {
            return opened.save();
        }
    }

    @Test
    void groupsOfEightMergeToTheBitsOfAll() {
        long before = Library.memoryInUse();
        for (int count : new int[] {1, 2, 7, 8, 9, 43, 64, 67, 130}) {
            List<TaskState> leaves = leaves(count, null);
            List<TaskState> groups = new ArrayList<>();
            for (int begin = 0; begin < count; begin += 8) {
                groups.add(merged(leaves.subList(begin, Math.min(begin + 8, count))));
            }
            assertArrayEquals(bytes(merged(leaves)), bytes(merged(groups)), count + " leaves");
        }
        assertEquals(before, Library.memoryInUse());
    }

    @Test
    void statesInThisProcessMergeToTheBitsOfSavedOnes() {
        long before = Library.memoryInUse();
        for (int count : new int[] {1, 2, 9, 43}) {
            try (LocalStates here = new LocalStates()) {
                List<TaskState> left = leaves(count, here.id());
                assertArrayEquals(bytes(merged(leaves(count, null))), bytes(merged(left)), count + " leaves");
            }
        }
        assertEquals(before, Library.memoryInUse());
    }

    @Test
    void aFitThatIsOverTakesNoStates() {
        long before = Library.memoryInUse();
        LocalStates here = new LocalStates();
        TaskState.of(state(1), here.id(), 1);
        try (PcaState late = state(2)) {
            assertTrue(LocalStates.leave(here.id(), 2, late));
            here.close();
            assertTrue(late.isClosed());
        }
        assertEquals(before, Library.memoryInUse());
        try (PcaState late = state(3)) {
            assertFalse(LocalStates.leave(here.id(), 3, late));
            assertEquals(10, late.rows());
        }
    }

    @Test
    void noRowsMakeNoState() {
        try (StateTree tree = new StateTree()) {
            assertNull(tree.root());
            tree.add(TaskState.NO_ROWS.open());
            tree.add(TaskState.NO_ROWS.open());
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

    @Test
    void hostsGetGroupsByTheirBlocks() {
        List<List<String>> blocks = Arrays.asList( // b holds most of each group
                Arrays.asList("a", "b", "b"), Arrays.asList("b", "b", "a"), Arrays.asList("b", "b", "c"), Arrays.asList("b", "a", "a"));
        GroupHosts hosts = new GroupHosts(blocks);
        List<String> found = blocks.stream().map(group -> hosts.next(group).get()).collect(Collectors.toList());
        assertEquals(Arrays.asList("b", "b", "a", "a"), found); // 7, 4 and 1 of 12 blocks: 2.3, 1.3 and 0.3 of 4 groups
    }

    @Test
    void groupsWithoutBlocksMayRunAnywhere() {
        List<String> nowhere = Collections.emptyList();
        assertTrue(new GroupHosts(Arrays.asList(nowhere, nowhere)).next(nowhere).isEmpty());
        GroupHosts hosts = new GroupHosts(Arrays.asList(nowhere, Arrays.asList("a", "b")));
        assertEquals("a", hosts.next(nowhere).get());
        assertEquals("b", hosts.next(Arrays.asList("a", "b")).get());
    }
}
