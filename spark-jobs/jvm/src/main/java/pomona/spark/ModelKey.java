// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Objects;
import pomona.ModelOptions.Precision;

/** What makes packed weights the same. A process has one CPU level, and a file one output layer. */
final class ModelKey {
    private final String sha256;
    private final Precision precision;

    ModelKey(String sha256, Precision precision) {
        this.sha256 = sha256;
        this.precision = precision;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof ModelKey
                && ((ModelKey) other).sha256.equals(sha256)
                && ((ModelKey) other).precision == precision;
    }

    @Override
    public int hashCode() {
        return Objects.hash(sha256, precision);
    }

    @Override
    public String toString() {
        return sha256 + " " + precision;
    }
}
