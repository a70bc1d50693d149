// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import org.apache.hadoop.fs.FSDataInputStream;
import org.apache.hadoop.fs.FileAlreadyExistsException;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/** A state of the fit as one file on any Hadoop file system, in the form that {@code pomona pca} reads and writes too. */
final class StateFile {
    private StateFile() {}

    static byte[] read(SparkSession session, String location) {
        Path path = new Path(location);
        try {
            FileSystem files = fileSystem(session, path);
            byte[] bytes = new byte[Math.toIntExact(files.getFileStatus(path).getLen())];
            try (FSDataInputStream stream = files.open(path)) {
                stream.readFully(bytes);
            }
            return bytes;
        } catch (IOException e) {
            throw new UncheckedIOException("the PCA state " + location + " cannot be read: " + e.getMessage(), e);
        }
    }

    /** Writes beside the target first: an earlier state stays whole until the new one is. */
    static void write(SparkSession session, String location, byte[] bytes, boolean overwrite) {
        Path target = new Path(location);
        Path draft = new Path(target.getParent(), "." + target.getName() + ".new");
        try {
            FileSystem files = fileSystem(session, target);
            if (!overwrite && files.exists(target)) {
                throw new FileAlreadyExistsException("something is there already: choose another path, or overwrite it");
            }
            try (OutputStream stream = files.create(draft, true)) {
                stream.write(bytes);
            }
            files.delete(target, false);
            if (!files.rename(draft, target)) {
                throw new IOException("it lies complete in " + draft + ", and cannot be renamed");
            }
        } catch (IOException e) {
            throw new UncheckedIOException("the PCA state " + location + " cannot be written: " + e.getMessage(), e);
        }
    }

    private static FileSystem fileSystem(SparkSession session, Path path) throws IOException {
        return path.getFileSystem(session.sparkContext().hadoopConfiguration());
    }
}
