// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Collections;
import java.util.Iterator;
import org.apache.spark.TaskContext;
import org.apache.spark.TaskContext$;
import org.apache.spark.TaskContextImpl;
import org.apache.spark.TaskKilledException;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.junit.jupiter.api.Test;

class TaskSessionTest {
    private static TaskContext killed() {
        TaskContextImpl task = TaskContext$.MODULE$.empty();
        task.markInterrupted("by the test");
        return task;
    }

    @Test
    void aKilledTaskSaysWhatItWasAt() {
        TaskSession.stopIfKilled(null, "waited");
        TaskSession.stopIfKilled(TaskContext$.MODULE$.empty(), "waited");
        Iterator<Row> rows = new BatchedRows(Collections.singleton(RowFactory.create(1)).iterator(), -1, killed(), "read") {
            @Override
            void computeBatch() {
                throw new AssertionError("a killed task goes on");
            }
        };
        TaskKilledException stopped = assertThrows(TaskKilledException.class, rows::hasNext);
        assertEquals("killed while it read", stopped.reason());
    }
}
