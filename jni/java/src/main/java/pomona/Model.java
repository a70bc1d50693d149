// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;

/**
 * A network with its weights, checked and packed. Immutable: any number of threads may open sessions on it. Closing it
 * while sessions are open is safe; they keep the weights until the last of them is closed.
 */
public final class Model extends NativeHandle {
    static {
        NativeLoader.load();
    }

    static final int INPUT_HEIGHT = 0;
    static final int INPUT_WIDTH = 1;
    static final int FEATURE_HEIGHT = 2;
    static final int FEATURE_WIDTH = 3;
    static final int FEATURE_CHANNELS = 4;
    static final int PARAMETERS = 5;
    static final int MACS = 6;
    static final int WEIGHT_BYTES = 7;
    static final int ARENA_BYTES = 8;
    static final int SCRATCH_BYTES = 9;
    static final int NUMBERS = 10;

    private final String name;
    private final String provenance;
    private final List<String> classNames;
    private final long[] numbers = new long[NUMBERS];

    private Model(long pointer) {
        super(pointer, Model::close);
        name = name(pointer);
        provenance = provenance(pointer);
        classNames = Collections.unmodifiableList(Arrays.asList(classNames(pointer)));
        numbers(pointer, numbers);
    }

    /** Opens a model file (docs/model-format.md) of the local file system. */
    public static Model open(String path, ModelOptions options) {
        if (path.isEmpty() || path.indexOf('\0') >= 0) {
            throw new IllegalArgumentException("the model's path is empty or holds a NUL character: '" + path + "'");
        }
        return new Model(openFile(path.getBytes(StandardCharsets.UTF_8), options.precision().code));
    }

    /** Opens a model from the bytes of its file, in consecutive pieces; they are not kept. */
    public static Model open(byte[][] chunks, ModelOptions options) {
        for (byte[] chunk : chunks) {
            Objects.requireNonNull(chunk, "a chunk of the model");
        }
        return new Model(openChunks(chunks, options.precision().code));
    }

    public String name() {
        return name;
    }

    /** The file's provenance object, as JSON. */
    public String provenance() {
        return provenance;
    }

    /** What the numbers of the vector stand for, in their order; empty for a model that is no classifier. */
    public List<String> classNames() {
        return classNames;
    }

    public int inputHeight() {
        return (int) numbers[INPUT_HEIGHT];
    }

    public int inputWidth() {
        return (int) numbers[INPUT_WIDTH];
    }

    /** Height of the feature map before pooling. */
    public int featureHeight() {
        return (int) numbers[FEATURE_HEIGHT];
    }

    public int featureWidth() {
        return (int) numbers[FEATURE_WIDTH];
    }

    public int featureChannels() {
        return (int) numbers[FEATURE_CHANNELS];
    }

    public long parameters() {
        return numbers[PARAMETERS];
    }

    /** Multiply-accumulates for one image. */
    public long macs() {
        return numbers[MACS];
    }

    /** Bytes of the packed weights, once in a process. */
    public long weightBytes() {
        return numbers[WEIGHT_BYTES];
    }

    /** Bytes of activations for one image of a session's batch. */
    public long arenaBytes() {
        return numbers[ARENA_BYTES];
    }

    /** Bytes that a session takes: activations of its batch, scratch of the layers at work, the pixels of one image. */
    public long sessionBytes(int batch) {
        return arenaBytes() * batch + numbers[SCRATCH_BYTES] + 3L * inputHeight() * inputWidth();
    }

    /** Numbers in the vector of one image. */
    public long outputLength(SessionOptions.Pooling pooling) {
        long channels = featureChannels();
        return pooling == SessionOptions.Pooling.NONE ? channels * featureHeight() * featureWidth() : channels;
    }

    private static native long openFile(byte[] path, int precision);

    private static native long openChunks(byte[][] chunks, int precision);

    private static native void close(long pointer);

    private static native String name(long pointer);

    private static native String provenance(long pointer);

    private static native String[] classNames(long pointer);

    private static native void numbers(long pointer, long[] numbers);
}
