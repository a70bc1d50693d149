// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Loads the native library once a class loader, from the first of these that works:
 *
 * <ol>
 *   <li>the file that {@code -Dpomona.native.path} names; then nothing else is tried
 *   <li>{@code System.loadLibrary("pomona_jni")}: {@code java.library.path}, which {@code spark.executor.extraLibraryPath}
 *       sets
 *   <li>the copy in the jar, written to a private directory, checked, loaded and deleted: under {@code
 *       -Dpomona.native.tempdir}, Spark's local directories, or {@code java.io.tmpdir}
 * </ol>
 *
 * A library of another build than the jar is turned away. The outcome is remembered: a failure lists all that was tried.
 */
public final class NativeLoader {
    static final String PATH_PROPERTY = "pomona.native.path";
    private static final String LIBRARY = "pomona_jni";
    private static final String CURE = "Install the library of the same build and name it by -D" + PATH_PROPERTY
            + "=FILE or spark.executor.extraLibraryPath, or name a directory that may hold executable files by -D"
            + PrivateCopy.DIRECTORY_PROPERTY + "=DIR";
    /** In pieces, so that a tool that relocates the classes does not rewrite it. */
    private static final String PACKAGE = new StringBuilder("anomop").reverse().toString();

    private static boolean loaded;
    private static NativeLoadException failure;
    private static String offeredBuild;
    private static String source;

    private final List<String> tried = new ArrayList<>();
    private final BuildInfo build;

    private NativeLoader(BuildInfo build) {
        this.build = build;
    }

    /**
     * Loads the library unless it is loaded.
     *
     * @throws NativeLoadException when no source works, at the first call and at every later one
     */
    public static synchronized void load() {
        if (loaded) {
            return;
        }
        if (failure != null) {
            throw new NativeLoadException(failure.getMessage(), failure);
        }
        try {
            new NativeLoader(BuildInfo.read()).loadFirst();
            loaded = true;
        } catch (NativeLoadException e) {
            failure = e;
            throw e;
        }
    }

    /**
     * Where the library came from: the path of its file, or the directory of the copy that was loaded and deleted. Loads
     * the library unless it is loaded.
     */
    public static synchronized String source() {
        load();
        return source;
    }

    /** Called by the library while it loads: whether it is of the same build as these classes. */
    static boolean accepts(String buildId) {
        offeredBuild = buildId;
        return buildId.equals(BuildInfo.read().id());
    }

    private void loadFirst() {
        refuseRelocation();
        String path = System.getProperty(PATH_PROPERTY);
        boolean done = path != null
                ? attempt("-D" + PATH_PROPERTY + "=" + path, () -> loadFile(Paths.get(path)))
                : attempt("System.loadLibrary(\"" + LIBRARY + "\")", this::loadInstalled) || loadResource();
        if (!done) {
            throw new NativeLoadException(
                    "Pomona's native library " + build.id() + " does not load on " + platform() + ". Tried:\n  "
                            + String.join("\n  ", tried) + "\n" + CURE,
                    null);
        }
    }

    private static void refuseRelocation() {
        String name = NativeLoader.class.getName();
        if (!name.equals(PACKAGE + ".NativeLoader")) {
            throw new NativeLoadException("Pomona's classes were relocated to " + name + ", but the native library knows them"
                    + " as " + PACKAGE + ".*: leave " + PACKAGE + " out of the shading tool's relocations", null);
        }
    }

    private static String platform() {
        return System.getProperty("os.name") + " " + System.getProperty("os.arch") + ", Java "
                + System.getProperty("java.version");
    }

    private interface Action {
        void run() throws IOException;
    }

    private boolean attempt(String source, Action action) {
        offeredBuild = null;
        try {
            action.run();
            return true;
        } catch (LinkageError | IOException | RuntimeException e) {
            tried.add(source + ": " + reason(e));
            return false;
        }
    }

    private String reason(Throwable e) {
        if (offeredBuild != null && !offeredBuild.equals(build.id())) {
            return "it is of build " + offeredBuild + ", the jar of build " + build.id();
        }
        return e instanceof LinkageError ? e.getMessage() : e.toString();
    }

    /** The JVM lets one class loader have a file; another one gets a copy of its own, with weights of its own. */
    private static boolean isTaken(UnsatisfiedLinkError e) {
        return e.getMessage() != null && e.getMessage().contains("already loaded in another classloader");
    }

    private void loadFile(Path file) throws IOException {
        if (!Files.isReadable(file)) {
            throw new IOException("no such file, or not readable by " + System.getProperty("user.name"));
        }
        try {
            System.load(file.toAbsolutePath().toString());
            source = file.toAbsolutePath().toString();
        } catch (UnsatisfiedLinkError e) {
            if (!isTaken(e)) {
                throw e;
            }
            loadCopy(Files.readAllBytes(file));
        }
    }

    private void loadInstalled() throws IOException {
        try {
            System.loadLibrary(LIBRARY);
            source = findInstalled().map(Path::toString).orElse("the JVM's own library path");
        } catch (UnsatisfiedLinkError e) {
            if (!isTaken(e)) {
                throw e;
            }
            Path file = findInstalled().orElseThrow(() -> new IOException(
                    "another class loader has the library, and java.library.path does not show its file"));
            loadCopy(Files.readAllBytes(file));
        }
    }

    private static Optional<Path> findInstalled() {
        String directories = System.getProperty("java.library.path", "");
        for (String directory : directories.split(java.io.File.pathSeparator)) {
            Path file = Paths.get(directory, System.mapLibraryName(LIBRARY));
            if (Files.isRegularFile(file)) {
                return Optional.of(file);
            }
        }
        return Optional.empty();
    }

    private boolean loadResource() {
        String resource = build.libraryResource();
        byte[][] content = new byte[1][];
        boolean found = attempt("jar resource " + resource, () -> content[0] = build.readLibrary());
        return found && loadFromDirectories(resource, content[0]);
    }

    private boolean loadFromDirectories(String origin, byte[] library) {
        for (Path directory : PrivateCopy.directories()) {
            if (attempt("copy of " + origin + " in " + directory, () -> PrivateCopy.load(directory, library))) {
                source = "a copy of " + origin + " in " + directory;
                return true;
            }
        }
        return false;
    }

    /** For a file that another class loader has. */
    private void loadCopy(byte[] library) throws IOException {
        if (!loadFromDirectories("the library that another class loader has", library)) {
            throw new IOException("another class loader has this file, and no copy of it loads");
        }
    }
}
