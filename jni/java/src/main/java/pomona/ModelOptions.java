// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.lang.annotation.Native;
import java.util.Objects;

/** How a model is opened. Immutable; {@code new ModelOptions()} holds the defaults. */
public final class ModelOptions {
    @Native static final int FP32 = 1;
    @Native static final int FP32_SPLIT = 2;
    @Native static final int BF16 = 3;
    @Native static final int AUTO = 4;

    /** A promise: where CPU or kernels refuse, opening fails with {@link UnsupportedException}. */
    public enum Precision {
        FP32(ModelOptions.FP32),
        FP32_SPLIT(ModelOptions.FP32_SPLIT),
        BF16(ModelOptions.BF16),
        AUTO(ModelOptions.AUTO);

        final int code;

        Precision(int code) {
            this.code = code;
        }

        public static Precision of(String text) {
            return Choice.parse(Precision.class, "precision", text);
        }
    }

    private final Precision precision;

    public ModelOptions() {
        this(Precision.FP32);
    }

    private ModelOptions(Precision precision) {
        this.precision = Objects.requireNonNull(precision, "precision");
    }

    public ModelOptions withPrecision(Precision value) {
        return new ModelOptions(value);
    }

    public Precision precision() {
        return precision;
    }
}
