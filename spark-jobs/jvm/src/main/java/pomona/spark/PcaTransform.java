// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Iterator;
import org.apache.spark.TaskContext;
import org.apache.spark.api.java.function.MapPartitionsFunction;
import org.apache.spark.broadcast.Broadcast;
import org.apache.spark.ml.attribute.AttributeGroup;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.util.TaskCompletionListener;
import pomona.PcaModel;
import pomona.PcaState.BadRows;
import pomona.spark.PcaParamSet.OutputType;

/** The model's work in a task, and the columns that it makes. Columns are positions in the input row. */
final class PcaTransform implements MapPartitionsFunction<Row, Row> {
    private static final long serialVersionUID = 1L;

    private final Broadcast<FittedPca> content;
    final VectorColumn column;
    final int vectorColumn;
    final int pathColumn;
    final boolean center;
    final boolean vector;
    final BadRows badRows;

    PcaTransform(Broadcast<FittedPca> content, StructType schema, PCAModel model) {
        this.content = content;
        column = VectorColumn.of(schema, model.getInputCol());
        vectorColumn = schema.fieldIndex(column.name);
        pathColumn = Columns.path(schema);
        center = model.getCenter();
        vector = isVector(model);
        badRows = BadRows.of(model.getBadRows());
    }

    private static boolean isVector(PcaParams<?> stage) {
        return OutputType.of(stage.getOutputType()) == OutputType.VECTOR;
    }

    /** The input with the column of components; k may be UNKNOWN. */
    static StructType outputSchema(StructType schema, PcaParams<?> stage, int k) {
        String output = stage.getOutputCol();
        Columns.require(!Columns.contains(schema, output),
                "output column " + output + " exists already: rename or drop it, or set another name");
        if (!isVector(stage)) {
            return schema.add(output, DataTypes.createArrayType(DataTypes.DoubleType, false), true);
        }
        Metadata size = k == VectorColumn.UNKNOWN ? Metadata.empty() : new AttributeGroup(output, k).toMetadata();
        return schema.add(new StructField(output, SQLDataTypes.VectorType(), true, size));
    }

    @Override
    public Iterator<Row> call(Iterator<Row> rows) {
        TaskContext task = TaskContext.get();
        PcaModel model = content.value().open();
        task.addTaskCompletionListener((TaskCompletionListener) context -> model.close());
        return new ProjectedRows(rows, model, this, task);
    }
}
