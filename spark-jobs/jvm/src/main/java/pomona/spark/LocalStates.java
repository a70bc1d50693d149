// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.HashMap;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import pomona.PcaState;

/**
 * Where tasks leave their states if they run in the process of the fit that waits for them, as in local mode: there a state
 * need not travel as bytes. Found by its id, and nowhere else, while the fit is at work.
 */
final class LocalStates implements AutoCloseable {
    private static final Map<String, LocalStates> OPEN = new ConcurrentHashMap<>();

    private final String id = UUID.randomUUID().toString();
    private final Map<Long, PcaState> states = new HashMap<>(); // by the attempt that made them
    private boolean closed;

    LocalStates() {
        OPEN.put(id, this);
    }

    String id() {
        return id;
    }

    /** Takes over a task's state; false where the fit is in another process, or over: the state stays the caller's. */
    static boolean leave(String id, long attempt, PcaState state) {
        LocalStates there = id == null ? null : OPEN.get(id);
        return there != null && there.put(attempt, state);
    }

    private synchronized boolean put(long attempt, PcaState state) {
        if (!closed) {
            states.put(attempt, state);
        }
        return !closed;
    }

    /** The state that the attempt left; it is the caller's now. */
    static PcaState take(String id, long attempt) {
        LocalStates there = OPEN.get(id);
        synchronized (there) {
            return there.states.remove(attempt);
        }
    }

    /** Closes what attempts left that the fit did not wait for. */
    @Override
    public synchronized void close() {
        OPEN.remove(id);
        closed = true;
        states.values().forEach(PcaState::close);
        states.clear();
    }
}
