// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Collections;
import java.util.Iterator;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.sql.catalyst.InternalRow;
import pomona.PcaState;
import pomona.PcaState.BadRows;
import scala.Tuple2;

/** A task of the fit: all its rows to one state, under the task's number. */
final class BuildState
        implements Function2<Integer, Iterator<Tuple2<RowName, InternalRow>>, Iterator<Tuple2<Integer, TaskState>>> {
    private static final long serialVersionUID = 1L;

    /** Vectors are of different lengths: which is the odd one, this task cannot tell. */
    private static final class LengthNeeded extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    /** So few that a batch and its native copy stay in the L2 cache of a core. */
    private static final int BATCH_NUMBERS = 16 * 2048;

    private final VectorColumn column;
    private final int fewest;
    private final int most;
    private final BadRows badRows;
    private final String place;

    /**
     * @param fewest numbers in each vector; the length is that of the task's first vector unless there is but one choice
     * @param place where states are left if that is in this process, as {@link LocalStates} knows it; null: nowhere
     */
    BuildState(VectorColumn column, int fewest, int most, BadRows badRows, String place) {
        this.column = column;
        this.fewest = fewest;
        this.most = most;
        this.badRows = badRows;
        this.place = place;
    }

    @Override
    public Iterator<Tuple2<Integer, TaskState>> call(Integer task, Iterator<Tuple2<RowName, InternalRow>> rows) {
        TaskState state = rows.hasNext() ? build(rows.next(), rows) : TaskState.NO_ROWS;
        return Collections.singleton(new Tuple2<>(task, state)).iterator();
    }

    private TaskState build(Tuple2<RowName, InternalRow> first, Iterator<Tuple2<RowName, InternalRow>> rest) {
        int columns = columns(first._2());
        if (columns < fewest || columns > most) {
            return TaskState.NO_LENGTH;
        }
        TaskContext task = TaskContext.get();
        PcaState state = PcaState.open(columns, badRows);
        try {
            addAll(state, first, rest, task);
        } catch (LengthNeeded e) {
            state.close();
            return TaskState.NO_LENGTH;
        } catch (Throwable e) { // also what Scala throws unchecked
            state.close();
            throw e;
        }
        return TaskState.of(state, place, task.taskAttemptId());
    }

    private int columns(InternalRow first) {
        if (fewest == most) {
            return most;
        }
        Object vector = column.value(first);
        return vector == null ? VectorColumn.UNKNOWN : RowBatch.length(vector);
    }

    private void addAll(PcaState state, Tuple2<RowName, InternalRow> first, Iterator<Tuple2<RowName, InternalRow>> rest,
            TaskContext task) {
        RowBatch batch = RowBatch.of(column.kind, state.columns(), BATCH_NUMBERS);
        RowName[] names = new RowName[batch.capacity];
        add(first, batch, names);
        do {
            TaskSession.stopIfKilled(task, "summed up rows for PCA");
            while (!batch.isFull() && rest.hasNext()) {
                add(rest.next(), batch, names);
            }
            update(state, batch, names);
            batch.clear();
        } while (rest.hasNext());
    }

    private void add(Tuple2<RowName, InternalRow> row, RowBatch batch, RowName[] names) {
        names[batch.count()] = row._1();
        Object vector = column.value(row._2());
        if (fewest != most && vector != null && RowBatch.length(vector) != batch.columns) {
            throw new LengthNeeded();
        }
        String fault = batch.add(vector);
        if (fault != null && badRows == BadRows.ERROR) {
            throw new BadRowException(row._1(), column.name, fault);
        }
    }

    /** Finds the name of a row that the library refused. */
    private void update(PcaState state, RowBatch batch, RowName[] names) {
        try {
            batch.update(state);
        } catch (IllegalArgumentException e) {
            for (int row = 0; row < batch.count(); row++) {
                String fault = batch.notUsable(row);
                if (fault != null) {
                    throw new BadRowException(names[row], column.name, fault);
                }
            }
            throw e;
        }
    }
}
