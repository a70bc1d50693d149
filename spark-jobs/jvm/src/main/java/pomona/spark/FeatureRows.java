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
import pomona.Reason;
import pomona.Session;

/** Rows with their features and error, in the order of the input, computed batch by batch as they are asked for. */
final class FeatureRows implements Iterator<Row> {
    private final Iterator<Row> input;
    private final Session session;
    private final FeaturizeSettings settings;
    private final TaskContext task;
    private final CallBudget budget;
    private final Queue<Row> ready = new ArrayDeque<>();
    private final byte[][] images;
    private final float[] features;
    private final int[] reasons;
    private long rowsSeen;

    FeatureRows(Iterator<Row> input, Session session, FeaturizeSettings settings, TaskContext task) {
        this.input = input;
        this.session = session;
        this.settings = settings;
        this.task = task;
        this.budget = new CallBudget(settings.batchSize);
        this.images = new byte[settings.batchSize][];
        this.features = new float[Math.multiplyExact(settings.batchSize, session.outputLength())];
        this.reasons = new int[settings.batchSize];
    }

    @Override
    public boolean hasNext() {
        while (ready.isEmpty() && input.hasNext()) {
            featurizeBatch();
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

    private void featurizeBatch() {
        TaskSession.stopIfKilled(task);
        List<Row> rows = readBatch();
        int count = run(rows);
        int image = 0;
        for (Row row : rows) {
            boolean present = !row.isNullAt(settings.contentColumn);
            emit(row, present ? image++ : -1);
            rowsSeen++;
        }
        Arrays.fill(images, 0, count, null); // the bytes may go before the next batch comes
    }

    private List<Row> readBatch() {
        List<Row> rows = new ArrayList<>(budget.images());
        while (rows.size() < budget.images() && input.hasNext()) {
            rows.add(input.next());
        }
        return rows;
    }

    /** Features of the rows that have content; returns how many there are. */
    private int run(List<Row> rows) {
        int count = 0;
        for (Row row : rows) {
            if (!row.isNullAt(settings.contentColumn)) {
                images[count++] = (byte[]) row.get(settings.contentColumn);
            }
        }
        long start = System.nanoTime();
        session.run(images, count, features, reasons);
        budget.measured(count, System.nanoTime() - start);
        return count;
    }

    /** @param image position in the batch of images, -1 for a row without content: null in, null out */
    private void emit(Row row, int image) {
        if (image < 0) {
            ready.add(output(row, null, null));
        } else if (Reason.isOk(reasons[image])) {
            ready.add(output(row, value(image), null));
        } else if (settings.mode == ErrorMode.PERMISSIVE) {
            ready.add(output(row, null, Reason.of(reasons[image]).toString()));
        } else if (settings.mode == ErrorMode.FAILFAST) {
            throw new BadImageException(nameOf(row), Reason.of(reasons[image]));
        }
    }

    private Object value(int image) {
        int length = session.outputLength();
        int start = image * length;
        if (settings.top != null) {
            return settings.top.of(features, start);
        }
        if (settings.vector) {
            double[] values = new double[length];
            for (int i = 0; i < length; i++) {
                values[i] = features[start + i];
            }
            return Vectors.dense(values);
        }
        return Arrays.copyOfRange(features, start, start + length); // the row encoder copies primitive arrays whole
    }

    private Row output(Row row, Object value, String error) {
        List<Object> values = new ArrayList<>(row.size() + 2);
        for (int i = 0; i < row.size(); i++) {
            if (i != settings.contentColumn || !settings.dropInput) {
                values.add(row.get(i));
            }
        }
        values.add(value);
        values.add(error);
        return RowFactory.create(values.toArray());
    }

    private String nameOf(Row row) {
        if (settings.pathColumn >= 0 && !row.isNullAt(settings.pathColumn)) {
            return row.getString(settings.pathColumn);
        }
        return "row " + rowsSeen + " of partition " + task.partitionId();
    }
}
