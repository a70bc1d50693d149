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

    private final VectorColumn column;
    private final int columns;
    private final BadRows badRows;
    private final String place;

    /** @param place where states are left if that is in this process, as {@link LocalStates} knows it; null: nowhere */
    BuildState(VectorColumn column, int columns, BadRows badRows, String place) {
        this.column = column;
        this.columns = columns;
        this.badRows = badRows;
        this.place = place;
    }

    @Override
    public Iterator<Tuple2<Integer, TaskState>> call(Integer task, Iterator<Tuple2<RowName, InternalRow>> rows) {
        TaskState state = rows.hasNext() ? build(rows) : TaskState.NO_ROWS;
        return Collections.singleton(new Tuple2<>(task, state)).iterator();
    }

    private TaskState build(Iterator<Tuple2<RowName, InternalRow>> rows) {
        TaskContext task = TaskContext.get();
        PcaState state = PcaState.open(columns, badRows);
        try {
            addAll(state, rows, task);
        } catch (Throwable e) { // also what Scala throws unchecked
            state.close();
            throw e;
        }
        return TaskState.of(state, place, task.taskAttemptId());
    }

    private void addAll(PcaState state, Iterator<Tuple2<RowName, InternalRow>> rows, TaskContext task) {
        RowBatch batch = RowBatch.of(column.kind, columns);
        RowName[] names = new RowName[batch.capacity];
        while (rows.hasNext()) {
            TaskSession.stopIfKilled(task);
            fill(batch, names, rows);
            update(state, batch, names);
            batch.clear();
        }
    }

    private void fill(RowBatch batch, RowName[] names, Iterator<Tuple2<RowName, InternalRow>> rows) {
        while (!batch.isFull() && rows.hasNext()) {
            Tuple2<RowName, InternalRow> row = rows.next();
            names[batch.count()] = row._1();
            String fault = batch.add(column.value(row._2()));
            if (fault != null && badRows == BadRows.ERROR) {
                throw new BadRowException(row._1(), column.name, fault);
            }
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
