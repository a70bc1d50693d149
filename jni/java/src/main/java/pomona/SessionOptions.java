// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.io.Serializable;
import java.lang.annotation.Native;
import java.util.Arrays;

/**
 * How a session decodes, resizes and pools. Immutable: {@code new SessionOptions().withPooling(Pooling.MAX)}. In numbers,
 * 0 stands for the library's default and {@link #UNLIMITED} for no limit.
 */
public final class SessionOptions implements Serializable {
    private static final long serialVersionUID = 1L;

    public static final long UNLIMITED = -1;
    /** Most images that may go through a layer together. */
    @Native public static final int MAX_BATCH = 256;

    @Native static final int POOLING_AVG = 1;
    @Native static final int POOLING_MAX = 2;
    @Native static final int POOLING_NONE = 3;
    @Native static final int RESAMPLE_NEAREST = 1;
    @Native static final int RESAMPLE_BOX = 2;
    @Native static final int RESAMPLE_BILINEAR = 3;
    @Native static final int RESAMPLE_HAMMING = 4;
    @Native static final int RESAMPLE_BICUBIC = 5;
    @Native static final int RESAMPLE_LANCZOS = 6;
    @Native static final int FIT_SQUASH = 1;
    @Native static final int FIT_CROP = 2;
    @Native static final int CORRUPT_DATA_REJECT = 1;
    @Native static final int CORRUPT_DATA_ACCEPT = 2;

    @Native static final int FIELD_POOLING = 0;
    @Native static final int FIELD_BATCH = 1;
    @Native static final int FIELD_RESAMPLE = 2;
    @Native static final int FIELD_FIT = 3;
    @Native static final int FIELD_CORRUPT_DATA = 4;
    @Native static final int FIELD_MAX_SCANS = 5;
    @Native static final int FIELD_MAX_PIXELS = 6;
    @Native static final int FIELD_MAX_BYTES = 7;
    @Native static final int FIELD_FAST_DECODE = 8;
    @Native static final int FIELDS = 9;

    /** From a feature map to a vector; NONE keeps the map: height x width x channels. */
    public enum Pooling {
        AVG(POOLING_AVG),
        MAX(POOLING_MAX),
        NONE(POOLING_NONE);

        final int code;

        Pooling(int code) {
            this.code = code;
        }

        public static Pooling of(String text) {
            return Choice.parse(Pooling.class, "pooling", text);
        }
    }

    /** Pillow's filters. */
    public enum Resample {
        NEAREST(RESAMPLE_NEAREST),
        BOX(RESAMPLE_BOX),
        BILINEAR(RESAMPLE_BILINEAR),
        HAMMING(RESAMPLE_HAMMING),
        BICUBIC(RESAMPLE_BICUBIC),
        LANCZOS(RESAMPLE_LANCZOS);

        final int code;

        Resample(int code) {
            this.code = code;
        }

        public static Resample of(String text) {
            return Choice.parse(Resample.class, "resample", text);
        }
    }

    /** SQUASH scales each side on its own; CROP covers the target and takes the centre. */
    public enum Fit {
        SQUASH(FIT_SQUASH),
        CROP(FIT_CROP);

        final int code;

        Fit(int code) {
            this.code = code;
        }

        public static Fit of(String text) {
            return Choice.parse(Fit.class, "fit", text);
        }
    }

    /** Damaged image data: a reason, or Pillow's pixels. */
    public enum CorruptData {
        REJECT(CORRUPT_DATA_REJECT),
        ACCEPT(CORRUPT_DATA_ACCEPT);

        final int code;

        CorruptData(int code) {
            this.code = code;
        }

        public static CorruptData of(String text) {
            return Choice.parse(CorruptData.class, "corruptData", text);
        }
    }

    private final long[] fields;

    /** The library's defaults. */
    public SessionOptions() {
        this(new long[FIELDS]);
    }

    private SessionOptions(long[] fields) {
        this.fields = fields;
    }

    public SessionOptions withPooling(Pooling pooling) {
        return with(FIELD_POOLING, pooling.code);
    }

    /** Images that go through a layer together, 1 to {@link #MAX_BATCH}; never changes results. */
    public SessionOptions withBatch(int batch) {
        if (batch < 0 || batch > MAX_BATCH) {
            throw new IllegalArgumentException("batch is " + batch + ": choose 1 to " + MAX_BATCH + ", 0 for the default");
        }
        return with(FIELD_BATCH, batch);
    }

    public SessionOptions withResample(Resample resample) {
        return with(FIELD_RESAMPLE, resample.code);
    }

    public SessionOptions withFit(Fit fit) {
        return with(FIELD_FIT, fit.code);
    }

    public SessionOptions withCorruptData(CorruptData corruptData) {
        return with(FIELD_CORRUPT_DATA, corruptData.code);
    }

    /** Large images are decoded at a half, quarter or eighth of their size: faster, and other pixels than Pillow's. */
    public SessionOptions withFastDecode(boolean fastDecode) {
        return with(FIELD_FAST_DECODE, fastDecode ? 1 : 0);
    }

    public SessionOptions withMaxScans(int maxScans) {
        return withLimit(FIELD_MAX_SCANS, "maxScans", maxScans);
    }

    public SessionOptions withMaxPixels(long maxPixels) {
        return withLimit(FIELD_MAX_PIXELS, "maxPixels", maxPixels);
    }

    public SessionOptions withMaxBytes(long maxBytes) {
        return withLimit(FIELD_MAX_BYTES, "maxBytes", maxBytes);
    }

    /** Encoded bytes of one image at most; 0 means the library's default. */
    public long maxBytes() {
        return fields[FIELD_MAX_BYTES];
    }

    private SessionOptions withLimit(int field, String name, long value) {
        if (value < UNLIMITED) {
            throw new IllegalArgumentException(name + " is " + value + ": give a limit, 0 for the default, -1 for none");
        }
        return with(field, value);
    }

    private SessionOptions with(int field, long value) {
        long[] copy = fields.clone();
        copy[field] = value;
        return new SessionOptions(copy);
    }

    /** Images that go through a layer together; 0 means the library's default. */
    public int batch() {
        return (int) fields[FIELD_BATCH];
    }

    long[] fields() {
        return fields.clone();
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof SessionOptions && Arrays.equals(fields, ((SessionOptions) other).fields);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(fields);
    }
}
