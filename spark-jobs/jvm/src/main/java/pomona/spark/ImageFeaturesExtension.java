// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.SparkSessionExtensionsProvider;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import scala.Function1;
import scala.Tuple3;
import scala.collection.Seq;
import scala.runtime.BoxedUnit;

/**
 * Brings the SQL functions with the jar alone: Spark finds this class as a service. PySpark, which makes its sessions past
 * the builder that looks for services, takes it from {@code spark.sql.extensions=pomona.spark.ImageFeaturesExtension}.
 */
public final class ImageFeaturesExtension implements SparkSessionExtensionsProvider {
    @Override
    public BoxedUnit apply(SparkSessionExtensions extensions) {
        inject(extensions, ImageFeatures.NAME, ImageFeatures.class, new ImageFeatures.Builder());
        inject(extensions, ImageTop.NAME, ImageTop.class, new ImageTop.Builder());
        inject(extensions, Diagnostics.NAME, Diagnostics.class, new Diagnostics.Builder());
        return BoxedUnit.UNIT;
    }

    private static void inject(SparkSessionExtensions extensions, String name, Class<?> type,
            Function1<Seq<Expression>, Expression> builder) {
        ExpressionInfo info = new ExpressionInfo(type.getName(), name);
        extensions.injectFunction(new Tuple3<>(new FunctionIdentifier(name), info, builder));
    }
}
