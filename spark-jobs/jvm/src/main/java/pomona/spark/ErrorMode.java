// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import pomona.Choice;

/** What becomes of a row whose image has no features; Spark's own words for malformed records. */
public enum ErrorMode {
    /** Keeps the row: null features, and the reason in the error column. */
    PERMISSIVE,
    /** Leaves the row out. */
    DROPMALFORMED,
    /** Fails the job, naming the file and the reason. */
    FAILFAST;

    /** The mode with this name, in any case. */
    public static ErrorMode of(String text) {
        return Choice.parse(ErrorMode.class, "mode", text);
    }
}
