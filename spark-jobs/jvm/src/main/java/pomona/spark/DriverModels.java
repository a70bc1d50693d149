// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.WeakHashMap;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.SparkSession;
import pomona.Choice;
import pomona.Model;
import pomona.ModelOptions;
import pomona.ModelOptions.Precision;
import pomona.UnsupportedException;

/**
 * The driver's side of the models of one SparkContext: reads a file once while it does not change, opens it before anything
 * is sent, and sends each content once.
 */
final class DriverModels {
    static final String BROADCAST_LIMIT = "spark.pomona.broadcastLimit";
    private static final String DEFAULT_BROADCAST_LIMIT = "256m";

    private static final Map<SparkContext, DriverModels> CONTEXTS = new WeakHashMap<>();

    private final Map<String, ModelReference> byFile = new HashMap<>();
    private final Map<String, Weights> bySum = new HashMap<>();

    private DriverModels() {}

    /** The model of this file, opened and checked here and ready for the executors. */
    static ModelReference resolve(SparkSession session, String location, Precision precision) {
        return of(session).reference(session, ModelFile.find(session, location), precision);
    }

    /**
     * The content of this file, or of the one that this context read when it is gone: a loaded stage may be saved over
     * itself, and Spark clears the folder first.
     */
    static byte[][] content(SparkSession session, String location) {
        ModelFile file;
        try {
            file = ModelFile.find(session, location);
        } catch (IllegalArgumentException missing) {
            return of(session).known(location).orElseThrow(() -> missing);
        }
        byte[][] content = file.read();
        file.sha256(content);
        return content;
    }

    private static DriverModels of(SparkSession session) {
        synchronized (CONTEXTS) {
            return CONTEXTS.computeIfAbsent(session.sparkContext(), context -> new DriverModels());
        }
    }

    private synchronized Optional<byte[][]> known(String location) {
        String sum = ModelFile.sumInName(new org.apache.hadoop.fs.Path(location));
        return Optional.ofNullable(bySum.get(sum)).map(Weights::content);
    }

    private synchronized ModelReference reference(SparkSession session, ModelFile file, Precision precision) {
        String key = Choice.text(precision) + " " + file.version();
        ModelReference known = byFile.get(key);
        if (known == null) {
            known = read(session.sparkContext(), file, precision);
            byFile.put(key, known);
        }
        return known;
    }

    private ModelReference read(SparkContext context, ModelFile file, Precision precision) {
        byte[][] content = file.read();
        String sum = file.sha256(content);
        Precision resolved = precision == Precision.AUTO ? fastest(sum, content) : precision;
        try (ModelRegistry.Loan loan = borrow(sum, resolved, content)) {
            Weights weights = bySum.computeIfAbsent(sum, unknown -> send(context, file, sum, content));
            return new ModelReference(weights, resolved, loan.model());
        }
    }

    private static ModelRegistry.Loan borrow(String sum, Precision precision, byte[][] content) {
        ModelOptions options = new ModelOptions().withPrecision(precision);
        return ModelRegistry.get().borrow(new ModelKey(sum, precision), () -> Model.open(content, options));
    }

    /** The fastest precision that is as accurate as fp32; settled here, so that all executors use the same. */
    private static Precision fastest(String sum, byte[][] content) {
        try {
            borrow(sum, Precision.FP32_SPLIT, content).close();
            return Precision.FP32_SPLIT;
        } catch (UnsupportedException e) {
            return Precision.FP32;
        }
    }

    private static Weights send(SparkContext context, ModelFile file, String sum, byte[][] content) {
        if (file.length() <= context.getConf().getSizeAsBytes(BROADCAST_LIMIT, DEFAULT_BROADCAST_LIMIT)) {
            return new Weights(sum, JavaSparkContext.fromSparkContext(context).broadcast(content));
        }
        Path copy = writeCopy(sum, content);
        context.addFile(copy.toUri().toString());
        return new Weights(sum, copy.getFileName().toString());
    }

    /** Spark knows its files by their last name alone: the sum keeps two models apart. */
    private static Path writeCopy(String sum, byte[][] content) {
        try {
            Path directory = Files.createTempDirectory("pomona-model-");
            Path copy = directory.resolve(sum + ".safetensors");
            copy.toFile().deleteOnExit();
            directory.toFile().deleteOnExit();
            try (OutputStream stream = Files.newOutputStream(copy)) {
                for (byte[] chunk : content) {
                    stream.write(chunk);
                }
            }
            return copy;
        } catch (IOException e) {
            throw new UncheckedIOException("no room for a copy of the model on the driver: " + e.getMessage(), e);
        }
    }
}
