// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import org.apache.spark.ml.attribute.AttributeGroup;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.sql.catalyst.InternalRow;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.sql.types.UserDefinedType;

/** A column of vectors: how they are stored, and what the column's metadata tells of them. */
final class VectorColumn implements Serializable {
    private static final long serialVersionUID = 1L;

    static final int UNKNOWN = -1;

    /** A vector's struct: type, size, indices, values. Its type reads it, but a dense one's values are all that counts. */
    private static final int STRUCT_FIELDS = 4;

    private static final int STRUCT_TYPE = 0;
    private static final int STRUCT_VALUES = 3;
    private static final byte DENSE = 1;

    enum Kind {
        FLOATS,
        DOUBLES,
        VECTORS
    }

    final String name;
    final Kind kind;
    /** Numbers in each vector, or UNKNOWN. */
    final int length;
    /** What made the vectors, or null. */
    final FeatureSource source;

    private VectorColumn(StructField field) {
        name = field.name();
        kind = kindOf(field);
        length = lengthOf(field, kind);
        source = FeatureSource.of(field.metadata());
    }

    static VectorColumn of(StructType schema, String name) {
        return new VectorColumn(Columns.input(schema, name));
    }

    private static Kind kindOf(StructField field) {
        DataType type = field.dataType();
        if (type.equals(SQLDataTypes.VectorType())) {
            return Kind.VECTORS;
        }
        DataType element = type instanceof ArrayType ? ((ArrayType) type).elementType() : null;
        Columns.require(DataTypes.FloatType.equals(element) || DataTypes.DoubleType.equals(element), "inputCol "
                + field.name() + " is " + type.simpleString() + ": it must be vector, array<float> or array<double>");
        return DataTypes.FloatType.equals(element) ? Kind.FLOATS : Kind.DOUBLES;
    }

    /** The vector of an internal row whose first column this is; as RowBatch takes it. */
    Object value(InternalRow row) {
        if (row.isNullAt(0)) {
            return null;
        }
        if (kind != Kind.VECTORS) {
            return row.getArray(0);
        }
        InternalRow vector = row.getStruct(0, STRUCT_FIELDS);
        return vector.getByte(STRUCT_TYPE) == DENSE
                ? vector.getArray(STRUCT_VALUES)
                : ((UserDefinedType<?>) SQLDataTypes.VectorType()).deserialize(vector);
    }

    private static int lengthOf(StructField field, Kind kind) {
        Metadata metadata = field.metadata();
        if (metadata.contains(FeatureSource.KEY) && metadata.getMetadata(FeatureSource.KEY).contains("length")) {
            return Math.toIntExact(metadata.getMetadata(FeatureSource.KEY).getLong("length"));
        }
        return kind == Kind.VECTORS ? AttributeGroup.fromStructField(field).size() : UNKNOWN;
    }
}
