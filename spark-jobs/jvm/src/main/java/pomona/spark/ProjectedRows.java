// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Iterator;
import java.util.List;
import org.apache.spark.TaskContext;
import org.apache.spark.ml.linalg.Vectors;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import pomona.PcaModel;
import pomona.PcaState.BadRows;

/** Rows with their components. */
final class ProjectedRows extends BatchedRows {
    /** A few ms of work: a killed task stops between two calls. */
    private static final int BATCH_NUMBERS = 256 * 2048;

    private final PcaModel model;
    private final PcaTransform settings;
    private final RowBatch batch;
    private final double[] output;

    ProjectedRows(Iterator<Row> input, PcaModel model, PcaTransform settings, TaskContext task) {
        super(input, settings.pathColumn, task, "projected rows onto components");
        this.model = model;
        this.settings = settings;
        batch = RowBatch.of(settings.column.kind, model.columns(), BATCH_NUMBERS);
        output = new double[Math.multiplyExact(batch.capacity, model.k())];
    }

    @Override
    void computeBatch() {
        List<Row> rows = read(batch.capacity);
        List<String> faults = new ArrayList<>(rows.size());
        batch.clear();
        for (Row row : rows) {
            faults.add(batch.add(value(row)));
        }
        batch.transform(model, settings.center, output);
        for (int i = 0; i < rows.size(); i++) {
            emit(projected(rows.get(i), i, faults.get(i)));
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
}
