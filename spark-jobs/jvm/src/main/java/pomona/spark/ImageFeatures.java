// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.RuntimeConfig;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import pomona.ModelOptions.Precision;
import pomona.Reason;
import pomona.Session;
import pomona.SessionOptions;
import pomona.SessionOptions.CorruptData;
import pomona.SessionOptions.Fit;
import pomona.SessionOptions.Pooling;
import pomona.SessionOptions.Resample;
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
    private static final String CONF = "spark.pomona.";

    private final ModelReference model;
    private final SessionOptions options;
    private final boolean failFast;

    /** Takes model and settings from the active session, on the driver. */
    public ImageFeatures() {
        this(SparkSession.active(), configuredModel(SparkSession.active().conf()));
    }

    private ImageFeatures(SparkSession session, String location) {
        RuntimeConfig conf = session.conf();
        options = options(conf);
        failFast = ErrorMode.of(conf.get(CONF + "mode", "PERMISSIVE")) == ErrorMode.FAILFAST;
        model = DriverModels.resolve(session, location, Precision.of(conf.get(CONF + "precision", "fp32")));
    }

    /** Adds the SQL functions to a session that was started without the extension. */
    public static void register(SparkSession session) {
        FunctionRegistry registry = SparkLines.functionRegistry(session);
        add(registry, NAME, new Builder());
        add(registry, Diagnostics.NAME, new Diagnostics.Builder());
    }

    private static void add(FunctionRegistry registry, String name, Function1<Seq<Expression>, Expression> builder) {
        Option<?> known = registry.lookupFunctionBuilder(new FunctionIdentifier(name));
        if (known.isEmpty() || known.get().getClass() != builder.getClass()) {
            registry.createOrReplaceTempFunction(name, builder, "java_udf");
        }
    }

    /** One image to its features; the session is the task's. */
    @Override
    public float[] call(byte[] content) {
        if (content == null) {
            return null;
        }
        TaskContext task = TaskContext.get();
        if (task != null) {
            TaskSession.stopIfKilled(task);
            return run(TaskSession.of(task, model, options), content);
        }
        try (TaskSession lent = TaskSession.outside(model, options)) {
            return run(lent.session(), content);
        }
    }

    private float[] run(Session session, byte[] content) {
        float[] features = new float[session.outputLength()];
        int[] reasons = new int[1];
        session.run(new byte[][] {content}, 1, features, reasons);
        if (Reason.isOk(reasons[0])) {
            return features;
        }
        if (failFast) {
            throw new BadImageException("an image of " + content.length + " bytes", Reason.of(reasons[0]));
        }
        return null;
    }

    private static SessionOptions options(RuntimeConfig conf) {
        return new SessionOptions()
                .withBatch(1)
                .withPooling(Pooling.of(conf.get(CONF + "pooling", "avg")))
                .withResample(Resample.of(conf.get(CONF + "resample", "bicubic")))
                .withFit(Fit.of(conf.get(CONF + "fit", "squash")))
                .withCorruptData(CorruptData.of(conf.get(CONF + "corruptData", "reject")))
                .withFastDecode(flag(conf, "fastDecode"))
                .withMaxBytes(number(conf, "maxBytes"))
                .withMaxPixels(number(conf, "maxPixels"))
                .withMaxScans(Math.toIntExact(number(conf, "maxScans")));
    }

    private static boolean flag(RuntimeConfig conf, String name) {
        String text = conf.get(CONF + name, "false");
        if (!text.equals("true") && !text.equals("false")) {
            throw new IllegalArgumentException(CONF + name + " is '" + text + "': it must be true or false");
        }
        return text.equals("true");
    }

    private static long number(RuntimeConfig conf, String name) {
        String text = conf.get(CONF + name, "0");
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(CONF + name + " is '" + text + "': it must be a whole number", e);
        }
    }

    private static String configuredModel(RuntimeConfig conf) {
        String location = conf.get(CONF + "model", "");
        if (location.isEmpty()) {
            throw new IllegalArgumentException(
                    NAME + ": name the model file as the second argument, or set " + CONF + "model");
        }
        return location;
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
            checkType(content);
            SparkSession session = SparkSession.active();
            String location = count == 2 ? literal(arguments.apply(1)) : configuredModel(session.conf());
            return SparkLines.call(
                    functions.udf(new ImageFeatures(session, location), TYPE).withName(NAME), content);
        }

        private static void checkType(Expression content) {
            if (!content.dataType().equals(DataTypes.BinaryType) && !content.dataType().equals(DataTypes.NullType)) {
                throw new IllegalArgumentException(NAME + ": content is " + content.dataType().simpleString()
                        + ": it must be binary, as the source binaryFile gives it");
            }
        }

        private static String literal(Expression model) {
            Object value = model.foldable() ? model.eval(null) : null;
            if (value == null) {
                throw new IllegalArgumentException(NAME + ": the model must be a literal text, the model file's path");
            }
            return value.toString();
        }
    }
}
