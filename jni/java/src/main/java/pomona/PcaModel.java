// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.lang.annotation.Native;
import java.util.Objects;

/** Principal components, ready to project rows. Immutable: any number of threads may use one. */
public final class PcaModel extends NativeHandle {
    static {
        NativeLoader.load();
    }

    @Native static final int COLUMNS = 0;
    @Native static final int K = 1;
    @Native static final int ROWS = 2;
    @Native static final int STANDARDIZE = 3;
    @Native static final int NUMBERS = 4;

    @Native static final int COMPONENTS = 0;
    @Native static final int EXPLAINED_VARIANCE = 1;
    @Native static final int MEAN = 2;
    @Native static final int DEVIATION = 3;

    private final long[] numbers = new long[NUMBERS];

    PcaModel(long pointer) {
        super(pointer, PcaModel::close);
        numbers(pointer, numbers);
    }

    /**
     * A model from the arrays of one that was found before.
     *
     * @param components k x columns
     * @param explainedVariance shares of the variance, of k components or of all
     * @param mean by column
     * @param deviation by column
     */
    public static PcaModel open(double[] components, double[] explainedVariance, double[] mean, double[] deviation,
            long rows, boolean standardize) {
        int columns = mean.length;
        if (columns == 0 || deviation.length != columns || components.length == 0 || components.length % columns != 0) {
            throw new IllegalArgumentException("components, mean and deviation do not fit together: they hold "
                    + components.length + ", " + columns + " and " + deviation.length + " numbers");
        }
        return new PcaModel(open(components, explainedVariance, mean, deviation, rows, standardize ? 1 : 0));
    }

    public int columns() {
        return (int) numbers[COLUMNS];
    }

    /** Components: numbers in a projected row. */
    public int k() {
        return (int) numbers[K];
    }

    /** Rows that the model was found from. */
    public long rows() {
        return numbers[ROWS];
    }

    public boolean standardize() {
        return numbers[STANDARDIZE] != 0;
    }

    /** Components by rows: k x columns; the entry of largest magnitude in each is positive. */
    public double[] components() {
        return use(pointer -> array(pointer, COMPONENTS));
    }

    /** Shares of the variance, largest first; of all components where the model was solved here. */
    public double[] explainedVariance() {
        return use(pointer -> array(pointer, EXPLAINED_VARIANCE));
    }

    public double[] mean() {
        return use(pointer -> array(pointer, MEAN));
    }

    /** Deviation by column, with n - 1. */
    public double[] deviation() {
        return use(pointer -> array(pointer, DEVIATION));
    }

    /**
     * Projects {@code count} rows that lie end to end; row i of {@code output} ({@link #k} numbers) is NaN where row i holds
     * NaN or infinity.
     *
     * @param center subtract the mean first; a standardising model always does
     */
    public void transform(float[] rows, int count, boolean center, double[] output) {
        check(rows.length, count, output);
        use(pointer -> {
            transformFloats(pointer, rows, count, center, output);
            return null;
        });
    }

    /** As the other, for doubles. */
    public void transform(double[] rows, int count, boolean center, double[] output) {
        check(rows.length, count, output);
        use(pointer -> {
            transformDoubles(pointer, rows, count, center, output);
            return null;
        });
    }

    private void check(int length, int count, double[] output) {
        if (count < 0 || (long) count * columns() > length) {
            throw new IllegalArgumentException(
                    "count is " + count + ": an array of " + length + " numbers holds no such rows of " + columns());
        }
        if ((long) count * k() > Objects.requireNonNull(output, "output").length) {
            throw new IllegalArgumentException("output holds " + output.length + " numbers: " + count + " rows of " + k()
                    + " components need " + (long) count * k());
        }
    }

    private static native long open(double[] components, double[] explainedVariance, double[] mean, double[] deviation,
            long rows, int standardize);

    private static native void close(long pointer);

    private static native void numbers(long pointer, long[] numbers);

    private static native double[] array(long pointer, int which);

    private static native void transformFloats(long pointer, float[] rows, int count, boolean center, double[] output);

    private static native void transformDoubles(long pointer, double[] rows, int count, boolean center, double[] output);
}
