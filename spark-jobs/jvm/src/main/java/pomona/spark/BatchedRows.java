// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Queue;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.Row;

/** A task's rows in the order of its input, computed batch by batch as they are asked for. */
abstract class BatchedRows implements Iterator<Row> {
    private final Iterator<Row> input;
    private final TaskContext task;
    private final int pathColumn;
    private final Queue<Row> ready = new ArrayDeque<>();
    private final String work;
    private long rowsSeen;

    /**
     * @param pathColumn position in the input row, -1: none
     * @param work what a killed task was at, as in {@code computed image features}
     */
    BatchedRows(Iterator<Row> input, int pathColumn, TaskContext task, String work) {
        this.input = input;
        this.pathColumn = pathColumn;
        this.task = task;
        this.work = work;
    }

    @Override
    public final boolean hasNext() {
        while (ready.isEmpty() && input.hasNext()) {
            TaskSession.stopIfKilled(task, work);
            computeBatch();
        }
        return !ready.isEmpty();
    }

    @Override
    public final Row next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        return ready.remove();
    }

    /** Reads rows, at least one, and for each of them in order calls {@link #emit}. */
    abstract void computeBatch();

    final List<Row> read(int most) {
        List<Row> rows = new ArrayList<>(most);
        while (rows.size() < most && input.hasNext()) {
            rows.add(input.next());
        }
        return rows;
    }

    /** @param output what becomes of the next row that was read, or null: it is dropped */
    final void emit(Row output) {
        if (output != null) {
            ready.add(output);
        }
        rowsSeen++;
    }

    /** @param row the one that is emitted next */
    final RowName nameOf(Row row) {
        boolean named = pathColumn >= 0 && !row.isNullAt(pathColumn);
        return new RowName(named ? row.getString(pathColumn) : null, task.partitionId(), rowsSeen);
    }
}
