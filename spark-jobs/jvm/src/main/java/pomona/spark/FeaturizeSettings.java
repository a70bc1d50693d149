// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import pomona.SessionOptions;

/** What tasks need to know of a stage's Params and its input. Columns are positions in the input row. */
final class FeaturizeSettings implements Serializable {
    private static final long serialVersionUID = 1L;

    SessionOptions session;
    ErrorMode mode;
    int batchSize;
    boolean vector;
    TopClasses top; // null: the output is the vector itself
    boolean dropInput;
    int contentColumn;
    int pathColumn; // -1: none
}
