// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.concurrent.TimeUnit;

/** How many images a native call gets, so that it ends within the time in which a killed task should stop. */
final class CallBudget {
    private static final long CALL_NANOS = TimeUnit.MILLISECONDS.toNanos(250);

    private final int most;
    private int images = 1;

    CallBudget(int most) {
        this.most = most;
    }

    int images() {
        return images;
    }

    /** Learns from a call. Sizes of calls never change results. */
    void measured(int count, long nanos) {
        if (count > 0) {
            long affordable = CALL_NANOS * count / Math.max(nanos, 1);
            images = (int) Math.max(1, Math.min(most, affordable));
        }
    }
}
