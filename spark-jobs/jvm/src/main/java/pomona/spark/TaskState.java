// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import pomona.PcaState;

/** What a task of the fit gives: its state as bytes, or where it left it in the fit's own process; neither without rows. */
final class TaskState implements Serializable {
    private static final long serialVersionUID = 1L;

    static final TaskState NO_ROWS = new TaskState(null, null, 0);

    private final byte[] bytes;
    private final String place; // of LocalStates
    private final long attempt;

    private TaskState(byte[] bytes, String place, long attempt) {
        this.bytes = bytes;
        this.place = place;
        this.attempt = attempt;
    }

    static TaskState of(byte[] bytes) {
        return new TaskState(bytes, null, 0);
    }

    /** Takes the state over. */
    static TaskState of(PcaState state, String place, long attempt) {
        if (LocalStates.leave(place, attempt, state)) {
            return new TaskState(null, place, attempt);
        }
        try (PcaState saved = state) {
            return of(saved.save());
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
