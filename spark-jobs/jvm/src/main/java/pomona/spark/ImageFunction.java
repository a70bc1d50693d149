// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import org.apache.spark.TaskContext;
import org.apache.spark.sql.RuntimeConfig;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.types.DataTypes;
import pomona.ModelOptions.Precision;
import pomona.Reason;
import pomona.Session;
import pomona.SessionOptions;
import pomona.SessionOptions.CorruptData;
import pomona.SessionOptions.Fit;
import pomona.SessionOptions.Pooling;
import pomona.SessionOptions.Resample;

/** One image to its vector, in SQL: the model, and the settings {@code spark.pomona.*} of the session that asked. */
final class ImageFunction implements Serializable {
    private static final long serialVersionUID = 1L;
    private static final String CONF = "spark.pomona.";

    private final ModelReference model;
    private final SessionOptions options;
    private final boolean failFast;

    /** On the driver, which reads and checks the model. */
    ImageFunction(SparkSession session, String location) {
        RuntimeConfig conf = session.conf();
        options = options(conf);
        failFast = ErrorMode.of(conf.get(CONF + "mode", "PERMISSIVE")) == ErrorMode.FAILFAST;
        model = DriverModels.resolve(session, location, Precision.of(conf.get(CONF + "precision", "fp32")));
    }

    ModelReference model() {
        return model;
    }

    /** The vector of one image, null where it is null or bad; the native session is the task's. */
    float[] run(byte[] content) {
        if (content == null) {
            return null;
        }
        TaskContext task = TaskContext.get();
        if (task != null) {
            TaskSession.stopIfKilled(task, FeatureRows.WORK);
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

    /** The model that {@code spark.pomona.model} names; `argument` is where the call could have named one. */
    static String configuredModel(RuntimeConfig conf, String function, String argument) {
        String location = conf.get(CONF + "model", "");
        if (location.isEmpty()) {
            throw new IllegalArgumentException(
                    function + ": name the model file as the " + argument + " argument, or set " + CONF + "model");
        }
        return location;
    }

    static void checkContent(Expression content, String function) {
        if (!content.dataType().equals(DataTypes.BinaryType) && !content.dataType().equals(DataTypes.NullType)) {
            throw new IllegalArgumentException(function + ": content is " + content.dataType().simpleString()
                    + ": it must be binary, as the source binaryFile gives it");
        }
    }

    /** The value of an argument that must be known when the query is analysed. */
    static Object literal(Expression argument, String function, String what) {
        Object value = argument.foldable() ? argument.eval(null) : null;
        if (value == null) {
            throw new IllegalArgumentException(function + ": " + what);
        }
        return value;
    }

    static String modelLiteral(Expression argument, String function) {
        return literal(argument, function, "the model must be a literal text, the model file's path").toString();
    }
}
