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
import pomona.Reason;
import pomona.Session;

/** Rows with their features and error. */
final class FeatureRows extends BatchedRows {
    /** What a task that is killed was at. */
    static final String WORK = "computed image features";

    private final Session session;
    private final FeaturizeSettings settings;
    private final CallBudget budget;
    private final byte[][] images;
    private final float[] features;
    private final int[] reasons;

    FeatureRows(Iterator<Row> input, Session session, FeaturizeSettings settings, TaskContext task) {
        super(input, settings.pathColumn, task, WORK);
        this.session = session;
        this.settings = settings;
        this.budget = new CallBudget(settings.batchSize);
        this.images = new byte[settings.batchSize][];
        this.features = new float[Math.multiplyExact(settings.batchSize, session.outputLength())];
        this.reasons = new int[settings.batchSize];
    }

    @Override
    void computeBatch() {
        List<Row> rows = read(budget.images());
        int count = run(rows);
        int image = 0;
        for (Row row : rows) {
            boolean present = !row.isNullAt(settings.contentColumn);
            emit(featurized(row, present ? image++ : -1));
        }
        Arrays.fill(images, 0, count, null); // the bytes may go before the next batch comes
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

    /**
     * The row with its outputs, or null: the mode drops it.
     *
     * @param image position in the batch of images, -1 for a row without content: null in, null out
     */
    private Row featurized(Row row, int image) {
        if (image < 0) {
            return output(row, null, null);
        }
        if (Reason.isOk(reasons[image])) {
            return output(row, value(image), null);
        }
        Reason reason = Reason.of(reasons[image]);
        if (settings.mode == ErrorMode.FAILFAST) {
            throw new BadImageException(nameOf(row).toString(), reason);
        }
        return settings.mode == ErrorMode.PERMISSIVE ? output(row, null, reason.toString()) : null;
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
}
