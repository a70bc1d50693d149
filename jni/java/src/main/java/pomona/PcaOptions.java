// SPDX-License-Identifier: Apache-2.0
package pomona;

/** How components are found: so many, or as many as a share of the variance needs. Immutable. */
public final class PcaOptions {
    private final int components;
    private final double variance;
    private final boolean standardize;
    private final int threads;

    private PcaOptions(int components, double variance, boolean standardize, int threads) {
        this.components = components;
        this.variance = variance;
        this.standardize = standardize;
        this.threads = threads;
    }

    /** The first {@code k} components. */
    public static PcaOptions components(int k) {
        if (k < 1) {
            throw new IllegalArgumentException("k is " + k + ": ask for at least one component");
        }
        return new PcaOptions(k, 0, false, 1);
    }

    /** The fewest components that keep this share of the variance. */
    public static PcaOptions variance(double share) {
        if (!(share > 0 && share <= 1)) {
            throw new IllegalArgumentException("variance is " + share + ": a share lies above 0 and is at most 1");
        }
        return new PcaOptions(0, share, false, 1);
    }

    /** Columns centred and divided by their deviation first; a column without variance becomes 0, as in Spark ML. */
    public PcaOptions withStandardize(boolean value) {
        return new PcaOptions(components, variance, value, threads);
    }

    /** Threads that the call may use; default 1. */
    public PcaOptions withThreads(int value) {
        if (value < 1) {
            throw new IllegalArgumentException("threads is " + value + ": at least one does the work");
        }
        return new PcaOptions(components, variance, standardize, value);
    }

    /** 0: as many as the variance asks for. */
    int components() {
        return components;
    }

    /** 0: by the number of components. */
    double variance() {
        return variance;
    }

    boolean standardize() {
        return standardize;
    }

    int threads() {
        return threads;
    }
}
