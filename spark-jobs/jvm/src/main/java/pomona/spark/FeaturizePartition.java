// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Iterator;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.sql.Row;
import pomona.Session;

/** The stage's work in a task. */
final class FeaturizePartition implements MapPartitionsFunction<Row, Row> {
    private static final long serialVersionUID = 1L;

    private final ModelReference model;
    private final FeaturizeSettings settings;

    FeaturizePartition(ModelReference model, FeaturizeSettings settings) {
        this.model = model;
        this.settings = settings;
    }

    @Override
    public Iterator<Row> call(Iterator<Row> rows) {
        TaskContext task = TaskContext.get();
        Session session = TaskSession.of(task, model, settings.session);
        return new FeatureRows(rows, session, settings, task);
    }
}
