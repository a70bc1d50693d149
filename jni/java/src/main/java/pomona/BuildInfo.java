// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Locale;
import java.util.Properties;

/** What the build wrote into the jar: its identifier and, for each architecture, the library and its sha256. */
final class BuildInfo {
    private static final String RESOURCE = "/pomona-build.properties";
    private static BuildInfo instance;

    private final Properties properties;

    private BuildInfo(Properties properties) {
        this.properties = properties;
    }

    static synchronized BuildInfo read() {
        if (instance == null) {
            try {
                Properties properties = new Properties();
                properties.load(new java.io.ByteArrayInputStream(readResource(RESOURCE)));
                instance = new BuildInfo(properties);
            } catch (IOException e) {
                throw new NativeLoadException("the jar holds no readable " + RESOURCE + ": it was repacked without it", e);
            }
        }
        return instance;
    }

    String id() {
        return properties.getProperty("build.id", "unknown");
    }

    /** Where the jar holds the library of this machine: {@code /linux/amd64/libpomona_jni.so}. */
    String libraryResource() {
        return "/" + osName() + "/" + architecture() + "/" + System.mapLibraryName("pomona_jni");
    }

    /** The library of this machine, checked against the sum that the build wrote. */
    byte[] readLibrary() throws IOException {
        byte[] library = readResource(libraryResource());
        String expected = properties.getProperty("sha256." + osName() + "." + architecture());
        String found = sha256(library);
        if (!found.equals(expected)) {
            throw new IOException("its sha256 is " + found + ", not " + expected + ": the jar is damaged");
        }
        return library;
    }

    private static String osName() {
        return System.getProperty("os.name").toLowerCase(Locale.ROOT);
    }

    private static String architecture() {
        String name = System.getProperty("os.arch");
        switch (name) {
            case "x86_64":
                return "amd64";
            case "arm64":
                return "aarch64";
            default:
                return name;
        }
    }

    private static byte[] readResource(String name) throws IOException {
        // The classes' own loader: Spark adds jars to a loader that the system's does not see.
        try (InputStream stream = BuildInfo.class.getResourceAsStream(name)) {
            if (stream == null) {
                throw new IOException("the jar holds no " + name);
            }
            return readAll(stream);
        }
    }

    private static byte[] readAll(InputStream stream) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        byte[] buffer = new byte[1 << 16];
        for (int length = stream.read(buffer); length >= 0; length = stream.read(buffer)) {
            bytes.write(buffer, 0, length);
        }
        return bytes.toByteArray();
    }

    static String sha256(byte[] bytes) {
        try {
            StringBuilder text = new StringBuilder();
            for (byte b : MessageDigest.getInstance("SHA-256").digest(bytes)) {
                text.append(String.format("%02x", b));
            }
            return text.toString();
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
