// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Collections;
import java.util.Iterator;
import org.apache.spark.api.java.function.FlatMapFunction;
import org.apache.spark.sql.catalyst.InternalRow;

/** Numbers in the first vector of a partition that is not null; nothing where there is none. */
final class FirstLength implements FlatMapFunction<Iterator<InternalRow>, Integer> {
    private static final long serialVersionUID = 1L;

    private final VectorColumn column;

    FirstLength(VectorColumn column) {
        this.column = column;
    }

    @Override
    public Iterator<Integer> call(Iterator<InternalRow> rows) {
        while (rows.hasNext()) {
            Object vector = column.value(rows.next());
            if (vector != null) {
                return Collections.singleton(RowBatch.length(vector)).iterator();
            }
        }
        return Collections.emptyIterator();
    }
}
