// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/** A JVM of its own, for what can happen only once in one. */
final class ChildJvm {
    final int status;
    final String output;

    private ChildJvm(int status, String output) {
        this.status = status;
        this.output = output;
    }

    static Path classes() {
        return Paths.get(NativeLoader.class.getProtectionDomain().getCodeSource().getLocation().getPath());
    }

    static Path testClasses() {
        return Paths.get(ChildJvm.class.getProtectionDomain().getCodeSource().getLocation().getPath());
    }

    /** Starts {@code main} with these classes in front of the tests' own. */
    static Process start(Path classes, String main, String... options) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Paths.get(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(Arrays.asList("-Xcheck:jni", "-Xshare:auto", "-XX:TieredStopAtLevel=1"));
        command.addAll(Arrays.asList(options));
        command.addAll(Arrays.asList("-cp", classes + ":" + testClasses(), main));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().keySet().removeAll(Arrays.asList("SPARK_LOCAL_DIRS", "LOCAL_DIRS"));
        return builder.start();
    }

    static ChildJvm finish(Process process) throws IOException, InterruptedException {
        try (BufferedReader reader =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            String output = reader.lines().collect(Collectors.joining("\n"));
            return new ChildJvm(process.waitFor(), output);
        }
    }

    static ChildJvm run(Path classes, String main, String... options) throws IOException, InterruptedException {
        return finish(start(classes, main, options));
    }
}
