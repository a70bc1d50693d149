// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Collections;
import java.util.Iterator;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.UserDefinedType;
import pomona.PcaState;
import pomona.PcaState.BadRows;
import scala.Tuple2;

/** A task of the fit: all its rows to one saved state, under the task's number; no bytes where it has no rows. */
final class BuildState
        implements Function2<Integer, Iterator<Tuple2<RowName, InternalRow>>, Iterator<Tuple2<Integer, byte[]>>> {
    private static final long serialVersionUID = 1L;

    private static final int VECTOR = 0;
    /** A vector's struct: type, size, indices, values. Its type reads it, but a dense one's values are all that counts. */
    private static final int VECTOR_FIELDS = 4;

    private static final int TYPE = 0;
    private static final int VALUES = 3;
    private static final byte DENSE = 1;

    private final VectorColumn column;
    private final int columns;
    private final BadRows badRows;

    BuildState(VectorColumn column, int columns, BadRows badRows) {
        this.column = column;
        this.columns = columns;
        this.badRows = badRows;
    }

    @Override
    public Iterator<Tuple2<Integer, byte[]>> call(Integer task, Iterator<Tuple2<RowName, InternalRow>> rows) {
        byte[] bytes = rows.hasNext() ? build(rows) : new byte[0];
        return Collections.singleton(new Tuple2<>(task, bytes)).iterator();
    }

    private byte[] build(Iterator<Tuple2<RowName, InternalRow>> rows) {
        TaskContext task = TaskContext.get();
        try (PcaState state = PcaState.open(columns, badRows)) {
            RowBatch batch = RowBatch.of(column.kind, columns);
            RowName[] names = new RowName[batch.capacity];
            while (rows.hasNext()) {
                TaskSession.stopIfKilled(task);
                fill(batch, names, rows);
                update(state, batch, names);
                batch.clear();
            }
            return state.save();
        }
    }

    private void fill(RowBatch batch, RowName[] names, Iterator<Tuple2<RowName, InternalRow>> rows) {
        while (!batch.isFull() && rows.hasNext()) {
            Tuple2<RowName, InternalRow> row = rows.next();
            names[batch.count()] = row._1();
            String fault = batch.add(value(row._2()));
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

    private Object value(InternalRow row) {
        if (row.isNullAt(VECTOR)) {
            return null;
        }
        if (column.kind != VectorColumn.Kind.VECTORS) {
            return row.getArray(VECTOR);
        }
        InternalRow vector = row.getStruct(VECTOR, VECTOR_FIELDS);
        return vector.getByte(TYPE) == DENSE
                ? vector.getArray(VALUES)
                : ((UserDefinedType<?>) SQLDataTypes.VectorType()).deserialize(vector);
    }
}
