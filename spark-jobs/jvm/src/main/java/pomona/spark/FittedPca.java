// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import java.util.Arrays;
import pomona.PcaModel;

/** What a fit found, as arrays: what is broadcast, saved, and made into Spark ML's own models. */
final class FittedPca implements Serializable {
    private static final long serialVersionUID = 1L;

    final int columns;
    final int k;
    /** k x columns: also the values of a columns x k matrix in the order of Spark's matrices. */
    final double[] components;
    /** Shares of the variance: of all components, or of k where the model came from elsewhere. */
    final double[] spectrum;
    final double[] mean;
    final double[] deviation;
    final boolean standardize;
    /** Rows in the fit; 0 where the model came from elsewhere. */
    final long rows;

    final long skipped;
    /** What made the vectors, or null. */
    final FeatureSource source;

    FittedPca(double[] components, double[] spectrum, double[] mean, double[] deviation, boolean standardize, long rows,
            long skipped, FeatureSource source) {
        this.columns = mean.length;
        this.k = components.length / mean.length;
        this.components = components;
        this.spectrum = spectrum;
        this.mean = mean;
        this.deviation = deviation;
        this.standardize = standardize;
        this.rows = rows;
        this.skipped = skipped;
        this.source = source;
    }

    static FittedPca of(PcaModel model, long skipped, FeatureSource source) {
        return new FittedPca(model.components(), model.explainedVariance(), model.mean(), model.deviation(),
                model.standardize(), model.rows(), skipped, source);
    }

    PcaModel open() {
        return PcaModel.open(components, spectrum, mean, deviation, rows, standardize);
    }

    double[] explainedVariance() {
        return Arrays.copyOf(spectrum, k);
    }
}
