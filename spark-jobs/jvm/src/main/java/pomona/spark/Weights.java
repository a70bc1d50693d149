// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.IOException;
import java.io.Serializable;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Paths;
import org.apache.spark.SparkFiles;
import org.apache.spark.broadcast.Broadcast;
import pomona.Model;
import pomona.ModelOptions;

/** A model file on its way to the executors: broadcast, or for large ones a file that Spark distributes. */
final class Weights implements Serializable {
    private static final long serialVersionUID = 1L;

    private final String sha256;
    private final Broadcast<byte[][]> content; // null when Spark distributes a file
    private final String fileName;

    Weights(String sha256, Broadcast<byte[][]> content) {
        this.sha256 = sha256;
        this.content = content;
        this.fileName = null;
    }

    Weights(String sha256, String fileName) {
        this.sha256 = sha256;
        this.content = null;
        this.fileName = fileName;
    }

    String sha256() {
        return sha256;
    }

    /** The file in consecutive pieces. */
    byte[][] content() {
        try {
            return content != null ? content.value() : new byte[][] {Files.readAllBytes(Paths.get(SparkFiles.get(fileName)))};
        } catch (IOException e) {
            throw new UncheckedIOException("Spark's copy of the model cannot be read: " + e.getMessage(), e);
        }
    }

    Model open(ModelOptions options) {
        return content != null ? Model.open(content.value(), options) : Model.open(SparkFiles.get(fileName), options);
    }
}
