// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Map;
import java.util.TreeMap;
import org.apache.spark.SparkEnv;
import org.apache.spark.sql.api.java.UDF0;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataTypes;
import pomona.Library;
import pomona.NativeHandle;
import pomona.NativeLoader;
import scala.collection.Seq;
import scala.runtime.AbstractFunction1;

/**
 * What Pomona holds in a process. {@code SELECT pomona_diagnostics() FROM range(0, 8, 1, 8)} asks the executors that run its
 * tasks.
 */
public final class Diagnostics {
    public static final String NAME = "pomona_diagnostics";

    private Diagnostics() {}

    /** Counters and facts of this process, by name; sizes in bytes. */
    public static Map<String, String> snapshot() {
        Map<String, String> facts = new TreeMap<>();
        facts.put("version", Library.version());
        facts.put("build", Library.buildId());
        facts.put("cpuLevel", Library.cpuLevel());
        facts.put("library", NativeLoader.source());
        facts.put("executor", SparkEnv.get() == null ? "none" : SparkEnv.get().executorId());
        facts.put("modelLoads", Long.toString(ModelRegistry.get().loadCount()));
        facts.put("models", Integer.toString(ModelRegistry.get().modelCount()));
        facts.put("handles", Integer.toString(NativeHandle.openCount()));
        facts.put("leaks", Long.toString(NativeHandle.leakCount()));
        facts.put("nativeBytes", Long.toString(Library.memoryInUse()));
        facts.put("residentBytes", Long.toString(residentBytes()));
        return facts;
    }

    /** Memory of this process that is in RAM, or -1 where Linux does not tell. */
    private static long residentBytes() {
        try {
            for (String line : Files.readAllLines(Paths.get("/proc/self/status"), StandardCharsets.UTF_8)) {
                if (line.startsWith("VmRSS:")) {
                    return Long.parseLong(line.replaceAll("[^0-9]", "")) << 10;
                }
            }
        } catch (IOException e) {
            return -1;
        }
        return -1;
    }

    /** Makes the expression for a call of the SQL function. */
    static final class Builder extends AbstractFunction1<Seq<Expression>, Expression> implements Serializable {
        private static final long serialVersionUID = 1L;

        @Override
        public Expression apply(Seq<Expression> arguments) {
            if (arguments.size() != 0) {
                throw new IllegalArgumentException(NAME + " takes no arguments");
            }
            UDF0<Map<String, String>> function = Diagnostics::snapshot;
            return SparkLines.call(
                    functions.udf(function, DataTypes.createMapType(DataTypes.StringType, DataTypes.StringType))
                            .asNondeterministic()
                            .withName(NAME));
        }
    }
}
