// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;
import pomona.ModelException;

/** A model file on any Hadoop file system, as the driver sees it. */
final class ModelFile {
    /** Pieces of the file: far under the heap's region sizes, so that a large model needs no large block. */
    private static final int CHUNK_BYTES = 4 << 20;

    private static final Pattern NAMED_BY_SUM = Pattern.compile("([0-9a-f]{64})\\.safetensors");

    private final FileSystem fileSystem;
    private final FileStatus status;

    private ModelFile(FileSystem fileSystem, FileStatus status) {
        this.fileSystem = fileSystem;
        this.status = status;
    }

    static ModelFile find(SparkSession session, String location) {
        Configuration configuration = session.sparkContext().hadoopConfiguration();
        try {
            Path path = new Path(location);
            FileSystem fileSystem = path.getFileSystem(configuration);
            FileStatus status = fileSystem.getFileStatus(path);
            if (!status.isFile()) {
                throw new IllegalArgumentException("modelPath " + location + " is a directory: name the model file in it");
            }
            return new ModelFile(fileSystem, status);
        } catch (FileNotFoundException e) {
            throw new IllegalArgumentException("modelPath " + location + " does not exist: " + e.getMessage(), e);
        } catch (IOException e) {
            throw new UncheckedIOException("modelPath " + location + " cannot be read: " + e.getMessage(), e);
        }
    }

    Path path() {
        return status.getPath();
    }

    long length() {
        return status.getLen();
    }

    /** Changes whenever the content may have changed. */
    String version() {
        return status.getPath() + " " + status.getLen() + " " + status.getModificationTime();
    }

    /** The content in consecutive pieces. */
    byte[][] read() {
        List<byte[]> chunks = new ArrayList<>();
        try (InputStream stream = fileSystem.open(status.getPath())) {
            for (long left = length(); left > 0; left -= CHUNK_BYTES) {
                byte[] chunk = new byte[(int) Math.min(CHUNK_BYTES, left)];
                readFully(stream, chunk);
                chunks.add(chunk);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("model file " + path() + " cannot be read: " + e.getMessage(), e);
        }
        return chunks.toArray(new byte[0][]);
    }

    private static void readFully(InputStream stream, byte[] target) throws IOException {
        for (int filled = 0; filled < target.length; ) {
            int count = stream.read(target, filled, target.length - filled);
            if (count < 0) {
                throw new IOException("it ends before the length that its file system tells");
            }
            filled += count;
        }
    }

    /** The sum that a file is named by, or null. */
    static String sumInName(Path path) {
        Matcher name = NAMED_BY_SUM.matcher(path.getName());
        return name.matches() ? name.group(1) : null;
    }

    /** The sum of the content, which a file that is named by its sum must match. */
    String sha256(byte[][] content) {
        String sum = sum(content);
        String expected = sumInName(path());
        if (expected != null && !expected.equals(sum)) {
            throw new ModelException(
                    "model file " + path() + " is damaged: its sha256 is " + sum + ", not that of its name");
        }
        return sum;
    }

    static String sum(byte[][] content) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (byte[] chunk : content) {
                digest.update(chunk);
            }
            StringBuilder text = new StringBuilder();
            for (byte b : digest.digest()) {
                text.append(String.format("%02x", b));
            }
            return text.toString();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
