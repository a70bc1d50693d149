// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Queue;
import org.apache.spark.TaskContext;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import pomona.PcaModel;
import pomona.PcaState.BadRows;

/** Rows with their components, in the order of the input, computed batch by batch as they are asked for. */
final class ProjectedRows implements Iterator<Row> {
    private final Iterator<Row> input;
    private final PcaModel model;
    private final PcaTransform settings;
    private final TaskContext task;
    private final RowBatch batch;
    private final double[] output;
    private final Queue<Row> ready = new ArrayDeque<>();
    private long rowsSeen;

    ProjectedRows(Iterator<Row> input, PcaModel model, PcaTransform settings, TaskContext task) {
        this.input = input;
        this.model = model;
        this.settings = settings;
        this.task = task;
        batch = RowBatch.of(settings.column.kind, model.columns());
        output = new double[Math.multiplyExact(batch.capacity, model.k())];
    }

    @Override
    public boolean hasNext() {
        if (ready.isEmpty() && input.hasNext()) {
            projectBatch();
        }
        return !ready.isEmpty();
    }

    @Override
    public Row next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        return ready.remove();
    }

    private void projectBatch() {
        TaskSession.stopIfKilled(task);
        List<Row> rows = new ArrayList<>(batch.capacity);
        List<String> faults = new ArrayList<>(batch.capacity);
        batch.clear();
        while (!batch.isFull() && input.hasNext()) {
            Row row = input.next();
            rows.add(row);
            faults.add(batch.add(value(row)));
        }
        batch.transform(model, settings.center, output);
        for (int i = 0; i < rows.size(); i++) {
            ready.add(projected(rows.get(i), i, faults.get(i)));
            rowsSeen++;
        }
    }

    private Object value(Row row) {
        if (row.isNullAt(settings.vectorColumn)) {
            return null;
        }
        boolean vector = settings.column.kind == VectorColumn.Kind.VECTORS;
        return vector ? row.get(settings.vectorColumn) : row.getList(settings.vectorColumn);
    }

    /** @param fault what is wrong with the row, or null; NaN and infinity show in the output alone */
    private Row projected(Row row, int position, String fault) {
        int start = position * model.k();
        String found = fault == null && Double.isNaN(output[start]) ? batch.notUsable(position) : fault;
        if (found != null && settings.badRows == BadRows.ERROR) {
            throw new BadRowException(nameOf(row), settings.column.name, found);
        }
        return extended(row, found == null ? components(start) : null);
    }

    private Object components(int start) {
        double[] numbers = Arrays.copyOfRange(output, start, start + model.k());
        return settings.vector ? Vectors.dense(numbers) : numbers; // the row encoder copies primitive arrays whole
    }

    private static Row extended(Row row, Object value) {
        Object[] values = new Object[row.size() + 1];
        for (int i = 0; i < row.size(); i++) {
            values[i] = row.get(i);
        }
        values[row.size()] = value;
        return RowFactory.create(values);
    }

    private RowName nameOf(Row row) {
        boolean named = settings.pathColumn >= 0 && !row.isNullAt(settings.pathColumn);
        return new RowName(named ? row.getString(settings.pathColumn) : null, task.partitionId(), rowsSeen);
    }
}
