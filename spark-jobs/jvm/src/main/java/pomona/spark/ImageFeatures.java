// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import scala.Function1;
import scala.Option;
import scala.collection.Seq;
import scala.runtime.AbstractFunction1;

/**
 * The SQL function {@code image_features(content[, model])}: array of float, null where the image is null or bad.
 *
 * <p>It is there with the jar alone (see {@link ImageFeaturesExtension}), or after {@link #register}. The model is a literal,
 * or {@code spark.pomona.model} when left out; the driver reads and checks it when the query is analysed, and the executors
 * get it from there, once each. Settings of the session: {@code spark.pomona.pooling}, {@code resample}, {@code fit}, {@code
 * precision}, {@code corruptData}, {@code fastDecode}, {@code maxBytes}, {@code maxPixels}, {@code maxScans} and {@code mode},
 * named and meant as the Params of {@link ImageFeaturizer}; under FAILFAST a bad image is an exception.
 *
 * <p>The class is a plain Java UDF too, for {@code spark.udf.registerJavaFunction("image_features",
 * "pomona.spark.ImageFeatures")}: of one argument, with the model and settings of that moment.
 */
public final class ImageFeatures implements UDF1<byte[], float[]> {
    private static final long serialVersionUID = 1L;

    public static final String NAME = "image_features";
    private static final DataType TYPE = DataTypes.createArrayType(DataTypes.FloatType, false);

    private final ImageFunction function;

    /** Takes model and settings from the active session, on the driver. */
    public ImageFeatures() {
        this(SparkSession.active(), ImageFunction.configuredModel(SparkSession.active().conf(), NAME, "second"));
    }

    private ImageFeatures(SparkSession session, String location) {
        function = new ImageFunction(session, location);
    }

    /** Adds the SQL functions to a session that was started without the extension. */
    public static void register(SparkSession session) {
        FunctionRegistry registry = SparkLines.functionRegistry(session);
        add(registry, NAME, new Builder());
        add(registry, ImageTop.NAME, new ImageTop.Builder());
        add(registry, Diagnostics.NAME, new Diagnostics.Builder());
    }

    private static void add(FunctionRegistry registry, String name, Function1<Seq<Expression>, Expression> builder) {
        Option<?> known = registry.lookupFunctionBuilder(new FunctionIdentifier(name));
        if (known.isEmpty() || known.get().getClass() != builder.getClass()) {
            registry.createOrReplaceTempFunction(name, builder, "java_udf");
        }
    }

    @Override
    public float[] call(byte[] content) {
        return function.run(content);
    }

    /** Makes the expression for a call, on the driver. */
    static final class Builder extends AbstractFunction1<Seq<Expression>, Expression> implements Serializable {
        private static final long serialVersionUID = 1L;

        @Override
        public Expression apply(Seq<Expression> arguments) {
            int count = arguments.size();
            if (count != 1 && count != 2) {
                throw new IllegalArgumentException(NAME + " takes (content) or (content, model), not " + count + " arguments");
            }
            Expression content = arguments.apply(0);
            ImageFunction.checkContent(content, NAME);
            SparkSession session = SparkSession.active();
            String location = count == 2
                    ? ImageFunction.modelLiteral(arguments.apply(1), NAME)
                    : ImageFunction.configuredModel(session.conf(), NAME, "second");
            return SparkLines.call(
                    functions.udf(new ImageFeatures(session, location), TYPE).withName(NAME), content);
        }
    }
}
