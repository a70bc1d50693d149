// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.functions;
import scala.collection.Seq;
import scala.runtime.AbstractFunction1;

/**
 * The SQL function {@code image_top(content, k[, model])}: the k likeliest classes of an image, array of struct of class and
 * probability, largest first; null where the image is null or bad. The model must be a classifier that names its classes.
 * Model and settings as for {@link ImageFeatures}.
 */
final class ImageTop implements UDF1<byte[], Row[]> {
    private static final long serialVersionUID = 1L;

    static final String NAME = "image_top";

    private final ImageFunction function;
    private final TopClasses top;

    private ImageTop(SparkSession session, String location, int count) {
        function = new ImageFunction(session, location);
        top = new TopClasses(function.model(), count);
    }

    @Override
    public Row[] call(byte[] content) {
        float[] values = function.run(content);
        return values == null ? null : top.of(values, 0);
    }

    /** Makes the expression for a call, on the driver. */
    static final class Builder extends AbstractFunction1<Seq<Expression>, Expression> implements Serializable {
        private static final long serialVersionUID = 1L;

        @Override
        public Expression apply(Seq<Expression> arguments) {
            int count = arguments.size();
            if (count != 2 && count != 3) {
                throw new IllegalArgumentException(
                        NAME + " takes (content, k) or (content, k, model), not " + count + " arguments");
            }
            Expression content = arguments.apply(0);
            ImageFunction.checkContent(content, NAME);
            Object k = ImageFunction.literal(arguments.apply(1), NAME, "k must be a literal whole number");
            if (!(k instanceof Integer)) {
                throw new IllegalArgumentException(NAME + ": k is " + k + ": it must be a literal whole number");
            }
            SparkSession session = SparkSession.active();
            String location = count == 3
                    ? ImageFunction.modelLiteral(arguments.apply(2), NAME)
                    : ImageFunction.configuredModel(session.conf(), NAME, "third");
            ImageTop function = new ImageTop(session, location, (Integer) k);
            return SparkLines.call(functions.udf(function, TopClasses.TYPE).withName(NAME), content);
        }
    }
}
