// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Arrays;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/** Columns of a schema, as stages check and describe them. */
final class Columns {
    private Columns() {}

    static boolean contains(StructType schema, String column) {
        return Arrays.asList(schema.fieldNames()).contains(column);
    }

    /** The input column of a stage, which must be there. */
    static StructField input(StructType schema, String column) {
        require(contains(schema, column),
                "inputCol " + column + " is not a column; there are: " + String.join(", ", schema.fieldNames()));
        return schema.apply(column);
    }

    static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalArgumentException(message);
        }
    }

    /** The column that names a row for people: binaryFile's path. Its position, or -1 where there is none. */
    static int path(StructType schema) {
        boolean named = contains(schema, "path") && schema.apply("path").dataType().equals(DataTypes.StringType);
        return named ? schema.fieldIndex("path") : -1;
    }

    /** The column, whatever characters its name holds. */
    static Column named(String name) {
        return functions.col("`" + name.replace("`", "``") + "`");
    }

    /** An encoder drops the metadata of columns: gives it back, for those that came with the input too. */
    static Dataset<Row> described(Dataset<Row> rows, StructType schema) {
        return rows.select(Arrays.stream(schema.fields())
                .map(field -> named(field.name()).as(field.name(), field.metadata()))
                .toArray(Column[]::new));
    }
}
