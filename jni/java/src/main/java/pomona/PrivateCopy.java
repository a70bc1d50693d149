// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.io.File;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.LinkedHashSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;

/**
 * Loads a library from bytes through a file that nobody else can replace: in a new directory of mode 0700 with a random
 * name, created by us, re-read before it is loaded, and deleted at once (the mapping stays).
 */
final class PrivateCopy {
    static final String DIRECTORY_PROPERTY = "pomona.native.tempdir";
    private static final String PREFIX = "pomona-native-";
    /** A process needs a second between writing and deleting; what is older was left by one that was killed. */
    private static final long LEFTOVER_MILLIS = TimeUnit.HOURS.toMillis(1);

    private PrivateCopy() {}

    /** Where to try, in this order: the property, Spark's local directories, the JVM's temporary directory. */
    static Set<Path> directories() {
        Set<Path> directories = new LinkedHashSet<>();
        add(directories, System.getProperty(DIRECTORY_PROPERTY));
        add(directories, System.getenv("SPARK_LOCAL_DIRS"));
        add(directories, System.getenv("LOCAL_DIRS")); // YARN's containers
        add(directories, System.getProperty("spark.local.dir"));
        add(directories, System.getProperty("java.io.tmpdir"));
        return directories;
    }

    private static void add(Set<Path> directories, String list) {
        if (list != null) {
            for (String directory : list.split(",")) {
                if (!directory.isEmpty()) {
                    directories.add(Paths.get(directory));
                }
            }
        }
    }

    static void load(Path parent, byte[] library) throws IOException {
        removeLeftovers(parent);
        Path directory = Files.createTempDirectory(
                parent, PREFIX, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
        Path file = directory.resolve("libpomona_jni.so");
        try {
            Files.write(file, library, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
            check(file, library);
            System.load(file.toString());
        } finally {
            Files.deleteIfExists(file);
            Files.deleteIfExists(directory);
        }
    }

    private static void check(Path file, byte[] library) throws IOException {
        if (!BuildInfo.sha256(Files.readAllBytes(file)).equals(BuildInfo.sha256(library))) {
            throw new IOException(file + " does not hold what was written to it");
        }
    }

    /** Best effort: what belongs to others, or goes away meanwhile, stays. */
    private static void removeLeftovers(Path parent) {
        long limit = System.currentTimeMillis() - LEFTOVER_MILLIS;
        try (DirectoryStream<Path> entries = Files.newDirectoryStream(parent, PREFIX + "*")) {
            for (Path entry : entries) {
                File directory = entry.toFile();
                if (directory.lastModified() < limit && isOurs(entry)) {
                    Files.deleteIfExists(entry.resolve("libpomona_jni.so"));
                    Files.deleteIfExists(entry);
                }
            }
        } catch (IOException e) {
            return;
        }
    }

    private static boolean isOurs(Path entry) throws IOException {
        return Files.isDirectory(entry, java.nio.file.LinkOption.NOFOLLOW_LINKS)
                && Files.getOwner(entry).getName().equals(System.getProperty("user.name"));
    }
}
