// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.lang.annotation.Native;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What one pass over rows leaves for principal components: their number, mean and centred co-moment. States of parts of the
 * rows merge into the state of all; the same calls in the same order give the same bits. Calls from several threads wait for
 * each other.
 */
public final class PcaState extends NativeHandle {
    static {
        NativeLoader.load();
    }

    @Native static final int BAD_ROWS_REJECT = 1;
    @Native static final int BAD_ROWS_SKIP = 2;

    @Native static final int COLUMNS = 0;
    @Native static final int ROWS = 1;
    @Native static final int SKIPPED = 2;
    @Native static final int STATE_BYTES = 3;
    @Native static final int NUMBERS = 4;

    /** A row that holds NaN or infinity: ERROR fails the call and leaves the state as it was, SKIP counts it. */
    public enum BadRows {
        ERROR(BAD_ROWS_REJECT),
        SKIP(BAD_ROWS_SKIP);

        final int code;

        BadRows(int code) {
            this.code = code;
        }

        public static BadRows of(String text) {
            return Choice.parse(BadRows.class, "badRows", text);
        }
    }

    private static final AtomicLong OPENED = new AtomicLong();

    private final Object turn = new Object();
    private final long number = OPENED.incrementAndGet();
    private final int columns;

    private PcaState(long pointer) {
        super(pointer, PcaState::close);
        columns = Math.toIntExact(number(COLUMNS));
    }

    /** A state of no rows. */
    public static PcaState open(int columns, BadRows badRows) {
        if (columns < 1) {
            throw new IllegalArgumentException("columns is " + columns + ": rows have at least one number");
        }
        return new PcaState(open(columns, badRows.code));
    }

    /** The state that {@link #save} wrote; a damaged one is refused. It takes further rows as BadRows.ERROR does. */
    public static PcaState load(byte[] bytes) {
        return new PcaState(loadBytes(bytes));
    }

    public int columns() {
        return columns;
    }

    /** Rows in mean and co-moment. */
    public long rows() {
        return number(ROWS);
    }

    /** Rows that BadRows.SKIP left out. */
    public long skipped() {
        return number(SKIPPED);
    }

    /** Length of what {@link #save} gives. */
    public long stateBytes() {
        return number(STATE_BYTES);
    }

    /** Adds {@code count} rows that lie end to end. */
    public void update(float[] rows, int count) {
        check(rows.length, count);
        inTurn(pointer -> updateFloats(pointer, rows, count));
    }

    /** Adds {@code count} rows that lie end to end. */
    public void update(double[] rows, int count) {
        check(rows.length, count);
        inTurn(pointer -> updateDoubles(pointer, rows, count));
    }

    private void check(int length, int count) {
        if (count < 0 || (long) count * columns > length) {
            throw new IllegalArgumentException(
                    "count is " + count + ": an array of " + length + " numbers holds no such rows of " + columns);
        }
    }

    /** Adds what the other state holds; the other stays as it is. */
    public void merge(PcaState other) {
        if (other == this) {
            throw new IllegalArgumentException("a state cannot be merged into itself");
        }
        PcaState first = number < other.number ? this : other; // one order for all, so that no two wait for each other
        PcaState second = first == this ? other : this;
        synchronized (first.turn) {
            synchronized (second.turn) {
                run(pointer -> other.run(source -> merge(pointer, source)));
            }
        }
    }

    /** The state as bytes, checksummed and the same on every machine. */
    public byte[] save() {
        synchronized (turn) {
            return use(PcaState::saveBytes);
        }
    }

    /** Finds the components; the state stays as it is and can take further rows. */
    public PcaModel solve(PcaOptions options) {
        synchronized (turn) {
            return use(pointer -> new PcaModel(solve(
                    pointer, options.components(), options.variance(), options.standardize(), options.threads())));
        }
    }

    private interface Action {
        void run(long pointer);
    }

    private void inTurn(Action action) {
        synchronized (turn) {
            run(action);
        }
    }

    private void run(Action action) {
        use(pointer -> {
            action.run(pointer);
            return null;
        });
    }

    private long number(int which) {
        long[] numbers = new long[NUMBERS];
        inTurn(pointer -> numbers(pointer, numbers));
        return numbers[which];
    }

    private static native long open(int columns, int badRows);

    private static native long loadBytes(byte[] bytes);

    private static native void close(long pointer);

    private static native void numbers(long pointer, long[] numbers);

    private static native void updateFloats(long pointer, float[] rows, int count);

    private static native void updateDoubles(long pointer, double[] rows, int count);

    private static native void merge(long pointer, long other);

    private static native byte[] saveBytes(long pointer);

    private static native long solve(long pointer, int components, double variance, boolean standardize, int threads);
}
