// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.List;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskKilledException;
import org.apache.spark.util.TaskCompletionListener;
import pomona.Session;
import pomona.SessionOptions;

/** A session on loan from the registry: to a task until it completes, whatever its end, or until it is closed. */
final class TaskSession implements AutoCloseable {
    private static final Map<List<Object>, TaskSession> OF_TASKS = new ConcurrentHashMap<>();

    private final ModelRegistry.Loan loan;
    private final SessionOptions options;
    private final Session session;

    private TaskSession(ModelReference reference, SessionOptions options) {
        this.loan = ModelRegistry.get().borrow(reference.key(), reference::open);
        this.options = options;
        try {
            this.session = loan.takeSession(options);
        } catch (RuntimeException e) {
            loan.close();
            throw e;
        }
    }

    /** The session of this task for that model and those options. */
    static Session of(TaskContext task, ModelReference reference, SessionOptions options) {
        List<Object> key = Arrays.asList(task.taskAttemptId(), reference.key(), options);
        TaskSession lent = OF_TASKS.get(key);
        if (lent == null) {
            lent = new TaskSession(reference, options);
            MemoryReport.logOnce(lent.loan.model(), options);
            OF_TASKS.put(key, lent);
            TaskSession toReturn = lent;
            task.addTaskCompletionListener((TaskCompletionListener) context -> {
                OF_TASKS.remove(key);
                toReturn.close();
            });
        }
        return lent.session;
    }

    /** A session outside tasks, where Spark evaluates a function on the driver; the caller closes it. */
    static TaskSession outside(ModelReference reference, SessionOptions options) {
        return new TaskSession(reference, options);
    }

    Session session() {
        return session;
    }

    /**
     * Spark only sets a flag: long work looks at it between native calls.
     *
     * @param work as in {@code computed image features}
     */
    static void stopIfKilled(TaskContext task, String work) {
        if (task != null && task.isInterrupted()) {
            throw new TaskKilledException("killed while it " + work);
        }
    }

    @Override
    public void close() {
        loan.giveSession(options, session);
        loan.close();
    }
}
