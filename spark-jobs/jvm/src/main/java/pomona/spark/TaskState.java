// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import pomona.PcaState;

/** What a task of the fit gives: its state as bytes, or where it left it in the fit's own process. */
final class TaskState implements Serializable {
    private static final long serialVersionUID = 1L;

    static final TaskState NO_ROWS = new TaskState(0, null, null, 0);
    /** The task cannot tell the vectors' length from its own rows. */
    static final TaskState NO_LENGTH = new TaskState(VectorColumn.UNKNOWN, null, null, 0);

    /** Numbers in each vector; 0 without rows. */
    final int columns;

    private final byte[] bytes;
    private final String place; // of LocalStates
    private final long attempt;

    private TaskState(int columns, byte[] bytes, String place, long attempt) {
        this.columns = columns;
        this.bytes = bytes;
        this.place = place;
        this.attempt = attempt;
    }

    static TaskState saved(PcaState state) {
        return new TaskState(state.columns(), state.save(), null, 0);
    }

    /** Takes the state over. */
    static TaskState of(PcaState state, String place, long attempt) {
        if (LocalStates.leave(place, attempt, state)) {
            return new TaskState(state.columns(), null, place, attempt);
        }
        try (PcaState closing = state) {
            return saved(closing);
        }
    }

    /** The state, once and for the caller to close; null without rows. */
    PcaState open() {
        if (place != null) {
            return LocalStates.take(place, attempt);
        }
        return bytes == null ? null : PcaState.load(bytes);
    }
}
