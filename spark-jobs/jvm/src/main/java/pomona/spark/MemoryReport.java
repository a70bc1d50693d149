// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.spark.SparkConf;
import org.apache.spark.SparkEnv;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import pomona.Library;
import pomona.Model;
import pomona.SessionOptions;

/** The line in an executor's log that compares what a model needs with the memory that the executor has beside its heap. */
final class MemoryReport {
    private static final Logger LOG = LoggerFactory.getLogger("pomona");
    private static final Set<String> LOGGED = ConcurrentHashMap.newKeySet();
    private static final long MIB = 1 << 20;
    /** Spark's own default for spark.executor.memoryOverhead. */
    private static final long LEAST_OVERHEAD_MIB = 384;

    private static final double OVERHEAD_FACTOR = 0.1;

    private MemoryReport() {}

    /** Logs once for a model and its options in this process. */
    static void logOnce(Model model, SessionOptions options) {
        if (!LOGGED.add(model.name() + " " + options.hashCode())) {
            return;
        }
        SparkConf conf = SparkEnv.get().conf();
        int cores = conf.getInt("spark.executor.cores", Runtime.getRuntime().availableProcessors());
        long session = model.sessionBytes(options.batch());
        long needed = (model.weightBytes() + cores * session) / MIB;
        String line = String.format(
                "Pomona %s (%s, build %s): model %s needs %d MiB of native memory: weights %d MiB + %d sessions x %.1f MiB"
                        + " for batches of %d images; images under decode come on top",
                Library.version(), Library.cpuLevel(), Library.buildId(), model.name(), needed,
                model.weightBytes() / MIB, cores, (double) session / MIB, options.batch());
        long overhead = overheadMib(conf);
        if (conf.get("spark.master", "local").startsWith("local[") || needed < overhead) {
            LOG.info(line);
        } else {
            LOG.warn("{}. The executor has {} MiB beside its heap: raise spark.executor.memoryOverhead", line, overhead);
        }
    }

    private static long overheadMib(SparkConf conf) {
        long executor = conf.getSizeAsMb("spark.executor.memory", "1g");
        long usual = Math.max(LEAST_OVERHEAD_MIB, (long) (OVERHEAD_FACTOR * executor));
        return conf.getSizeAsMb("spark.executor.memoryOverhead", usual + "m");
    }
}
