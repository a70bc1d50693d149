// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.util.Objects;

/**
 * Turns JPEG bytes into vectors with one model. Holds the memory for its activations; one image gives the same numbers in
 * every batch. Calls from several threads wait for each other: give each thread a session of its own.
 */
public final class Session extends NativeHandle {
    static {
        NativeLoader.load();
    }

    private final Object turn = new Object();
    private final int outputLength;
    private final long maxBytes;

    private Session(long pointer, SessionOptions options) {
        super(pointer, Session::close);
        outputLength = Math.toIntExact(outputLength(pointer));
        maxBytes = options.maxBytes();
    }

    /** Opens a session; the model may be closed before it. */
    public static Session open(Model model, SessionOptions options) {
        long[] fields = options.fields();
        return model.use(pointer -> new Session(open(pointer, fields), options));
    }

    /** Numbers in the vector of one image. */
    public int outputLength() {
        return outputLength;
    }

    /**
     * Featurizes {@code images[0..count)}. Row i of {@code output} ({@link #outputLength} numbers from
     * {@code i * outputLength}) is filled and {@code reasons[i]} set to 0, or the row is NaN and {@code reasons[i]} holds
     * the code of a {@link Reason}.
     *
     * @throws NullPointerException when an array or one of the images is null
     * @throws IllegalArgumentException when an array is shorter than {@code count} asks for
     * @throws IllegalStateException after close
     */
    public void run(byte[][] images, int count, float[] output, int[] reasons) {
        check(images, count, output, reasons);
        synchronized (turn) {
            use(pointer -> {
                run(pointer, images, count, output, reasons, maxBytes);
                return null;
            });
        }
    }

    private void check(byte[][] images, int count, float[] output, int[] reasons) {
        if (count < 0 || count > images.length) {
            throw new IllegalArgumentException("count is " + count + " for " + images.length + " images");
        }
        for (int i = 0; i < count; i++) {
            if (images[i] == null) {
                throw new NullPointerException("image " + i + " is null: leave it out");
            }
        }
        if ((long) count * outputLength > Objects.requireNonNull(output, "output").length) {
            throw new IllegalArgumentException("output holds " + output.length + " numbers: " + count + " images of "
                    + outputLength + " numbers need " + (long) count * outputLength);
        }
        if (count > Objects.requireNonNull(reasons, "reasons").length) {
            throw new IllegalArgumentException("reasons holds " + reasons.length + " numbers for " + count + " images");
        }
    }

    private static native long open(long model, long[] options);

    private static native void close(long pointer);

    private static native long outputLength(long pointer);

    private static native void run(
            long pointer, byte[][] images, int count, float[] output, int[] reasons, long maxBytes);
}
