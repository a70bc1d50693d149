// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Arrays;
import java.util.List;
import org.apache.spark.ml.linalg.DenseVector;
import org.apache.spark.ml.linalg.SparseVector;
import org.apache.spark.ml.linalg.Vector;
import org.apache.spark.sql.catalyst.expressions.UnsafeArrayData;
import org.apache.spark.sql.catalyst.util.ArrayData;
import org.apache.spark.unsafe.Platform;
import org.apache.spark.unsafe.bitset.BitSetMethods;
import pomona.PcaModel;
import pomona.PcaState;

/**
 * Rows of numbers end to end, as a native call takes them. A value is an {@link ArrayData} or {@link Vector}, as Spark's
 * internal rows hold them, or a list, as its outer rows do.
 */
abstract class RowBatch {
    private static final int FEWEST_ROWS = 16;
    private static final int MOST_ROWS = 4096;
    /** The library refuses numbers of this magnitude and above: about 1e304. */
    private static final double TOO_LARGE = 0x1p1010;

    final int columns;
    final int capacity;
    private int count;

    private RowBatch(int columns, int numbers) {
        this.columns = columns;
        this.capacity = Math.max(FEWEST_ROWS, Math.min(MOST_ROWS, numbers / columns));
    }

    /** @param numbers about as many in all; how many a call takes changes no result */
    static RowBatch of(VectorColumn.Kind kind, int columns, int numbers) {
        return kind == VectorColumn.Kind.FLOATS ? new Floats(columns, numbers) : new Doubles(columns, numbers);
    }

    final int count() {
        return count;
    }

    final boolean isFull() {
        return count == capacity;
    }

    final void clear() {
        count = 0;
    }

    /** Takes a row and returns null; or tells why it is none, and takes a row that begins with NaN in its place. */
    final String add(Object value) {
        String fault = fault(value);
        if (fault == null) {
            put(count * columns, value);
        } else {
            spoil(count * columns);
        }
        count++;
        return fault;
    }

    private String fault(Object value) {
        if (value == null) {
            return "is null";
        }
        int length = length(value);
        if (length != columns) {
            return "holds " + length + " numbers instead of " + columns;
        }
        int hole = firstNull(value, length);
        return hole < 0 ? null : "holds null at position " + hole;
    }

    static int length(Object value) {
        if (value instanceof ArrayData) {
            return ((ArrayData) value).numElements();
        }
        return value instanceof Vector ? ((Vector) value).size() : ((List<?>) value).size();
    }

    private static int firstNull(Object value, int length) {
        if (value instanceof ArrayData) {
            return firstNull((ArrayData) value, length);
        }
        return value instanceof List ? ((List<?>) value).indexOf(null) : -1;
    }

    private static int firstNull(ArrayData array, int length) {
        if (array instanceof UnsafeArrayData) {
            UnsafeArrayData flat = (UnsafeArrayData) array; // its length, a bit for each null, the numbers
            return BitSetMethods.nextSetBit(
                    flat.getBaseObject(), flat.getBaseOffset() + Long.BYTES, 0, (length + Long.SIZE - 1) / Long.SIZE);
        }
        for (int i = 0; i < length; i++) {
            if (array.isNullAt(i)) {
                return i;
            }
        }
        return -1;
    }

    /** Why a row that was taken cannot be used, or null: what the library refuses too, but names by its call. */
    final String notUsable(int row) {
        for (int i = 0; i < columns; i++) {
            double number = get(row * columns + i);
            if (!(Math.abs(number) < TOO_LARGE)) {
                return "holds " + number + " at position " + i;
            }
        }
        return null;
    }

    abstract void put(int start, Object value);

    /** Copies the numbers, which are so many bytes, without an array in between. */
    private static void copy(UnsafeArrayData from, Object to, long place, long bytes) {
        long numbers = from.getBaseOffset() + UnsafeArrayData.calculateHeaderPortionInBytes(from.numElements());
        Platform.copyMemory(from.getBaseObject(), numbers, to, place, bytes);
    }

    abstract void spoil(int start);

    abstract double get(int index);

    /** Adds the rows to the state. */
    abstract void update(PcaState state);

    abstract void transform(PcaModel model, boolean center, double[] output);

    private static final class Floats extends RowBatch {
        private final float[] numbers;

        Floats(int columns, int numbers) {
            super(columns, numbers);
            this.numbers = new float[Math.multiplyExact(capacity, columns)];
        }

        @Override
        void put(int start, Object value) {
            if (value instanceof UnsafeArrayData) {
                long place = Platform.FLOAT_ARRAY_OFFSET + (long) start * Float.BYTES;
                copy((UnsafeArrayData) value, numbers, place, (long) columns * Float.BYTES);
            } else if (value instanceof ArrayData) {
                System.arraycopy(((ArrayData) value).toFloatArray(), 0, numbers, start, columns);
            } else {
                List<?> list = (List<?>) value;
                for (int i = 0; i < columns; i++) {
                    numbers[start + i] = (Float) list.get(i);
                }
            }
        }

        @Override
        void spoil(int start) {
            numbers[start] = Float.NaN;
        }

        @Override
        double get(int index) {
            return numbers[index];
        }

        @Override
        void update(PcaState state) {
            state.update(numbers, count());
        }

        @Override
        void transform(PcaModel model, boolean center, double[] output) {
            model.transform(numbers, count(), center, output);
        }
    }

    private static final class Doubles extends RowBatch {
        private final double[] numbers;

        Doubles(int columns, int numbers) {
            super(columns, numbers);
            this.numbers = new double[Math.multiplyExact(capacity, columns)];
        }

        @Override
        void put(int start, Object value) {
            if (value instanceof UnsafeArrayData) {
                long place = Platform.DOUBLE_ARRAY_OFFSET + (long) start * Double.BYTES;
                copy((UnsafeArrayData) value, numbers, place, (long) columns * Double.BYTES);
            } else if (value instanceof SparseVector) {
                putSparse(start, (SparseVector) value);
            } else if (value instanceof List) {
                List<?> list = (List<?>) value;
                for (int i = 0; i < columns; i++) {
                    numbers[start + i] = (Double) list.get(i);
                }
            } else {
                boolean vector = value instanceof DenseVector;
                double[] source = vector ? ((DenseVector) value).values() : ((ArrayData) value).toDoubleArray();
                System.arraycopy(source, 0, numbers, start, columns);
            }
        }

        private void putSparse(int start, SparseVector vector) {
            Arrays.fill(numbers, start, start + columns, 0);
            int[] places = vector.indices();
            double[] values = vector.values();
            for (int i = 0; i < places.length; i++) {
                numbers[start + places[i]] = values[i];
            }
        }

        @Override
        void spoil(int start) {
            numbers[start] = Double.NaN;
        }

        @Override
        double get(int index) {
            return numbers[index];
        }

        @Override
        void update(PcaState state) {
            state.update(numbers, count());
        }

        @Override
        void transform(PcaModel model, boolean center, double[] output) {
            model.transform(numbers, count(), center, output);
        }
    }
}
