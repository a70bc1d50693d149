// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Iterator;
import org.apache.spark.api.java.function.Function2;
import org.apache.spark.sql.catalyst.InternalRow;
import scala.Tuple2;

/** Gives each row its name, before partitions are put together. Columns: the vector, and the path where there is one. */
final class NameRows implements Function2<Integer, Iterator<InternalRow>, Iterator<Tuple2<RowName, InternalRow>>> {
    private static final long serialVersionUID = 1L;

    private static final int PATH = 1;

    @Override
    public Iterator<Tuple2<RowName, InternalRow>> call(Integer partition, Iterator<InternalRow> rows) {
        return new Iterator<Tuple2<RowName, InternalRow>>() {
            private long index;

            @Override
            public boolean hasNext() {
                return rows.hasNext();
            }

            @Override
            public Tuple2<RowName, InternalRow> next() {
                InternalRow row = rows.next();
                String path = row.numFields() > PATH && !row.isNullAt(PATH) ? row.getString(PATH) : null;
                return new Tuple2<>(new RowName(path, partition, index++), row);
            }
        };
    }
}
