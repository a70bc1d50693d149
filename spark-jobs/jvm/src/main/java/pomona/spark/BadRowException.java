// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import pomona.PomonaException;

/** A row that PCA cannot use, where badRows is error. */
public class BadRowException extends PomonaException {
    private static final long serialVersionUID = 1L;

    /** @param fault what is wrong, as in {@code holds NaN at position 3} */
    public BadRowException(Object row, String column, String fault) {
        super(row + ": column " + column + " " + fault + ". Repair the row, or set badRows to skip to go on without it");
    }
}
