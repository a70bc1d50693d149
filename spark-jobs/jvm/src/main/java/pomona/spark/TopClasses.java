// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import java.util.List;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** The likeliest classes of a vector of probabilities, with their names. */
final class TopClasses implements Serializable {
    private static final long serialVersionUID = 1L;

    /** array of struct of class and probability. */
    static final DataType TYPE = DataTypes.createArrayType(
            new StructType().add("class", DataTypes.StringType, false).add("probability", DataTypes.FloatType, false),
            false);

    private final String[] names;
    private final int count;

    /** Checks on the driver that the model can name so many. */
    TopClasses(ModelReference model, int count) {
        List<String> classes = model.classNames();
        if (classes.isEmpty()) {
            throw new IllegalArgumentException("the model " + model.name()
                    + " has no classifier with named classes: take one that was converted with them, or ask for its features");
        }
        if (count < 1 || count > classes.size()) {
            throw new IllegalArgumentException("the model " + model.name() + " has " + classes.size()
                    + " classes: the likeliest " + count + " cannot be named");
        }
        this.names = classes.toArray(new String[0]);
        this.count = count;
    }

    /** Of the values that begin at {@code start}, largest first, of equals the first. */
    Row[] of(float[] values, int start) {
        Row[] rows = new Row[count];
        int last = -1;
        for (int i = 0; i < count; i++) {
            last = next(values, start, last);
            rows[i] = RowFactory.create(names[last], values[start + last]);
        }
        return rows;
    }

    /** The place of the largest value that comes after {@code last} in falling order; -1: the largest of all. */
    private int next(float[] values, int start, int last) {
        int best = -1;
        for (int i = 0; i < names.length; i++) {
            int order = last < 0 ? -1 : Float.compare(values[start + i], values[start + last]);
            boolean left = order < 0 || (order == 0 && i > last);
            if (left && (best < 0 || Float.compare(values[start + i], values[start + best]) > 0)) {
                best = i;
            }
        }
        return best;
    }
}
