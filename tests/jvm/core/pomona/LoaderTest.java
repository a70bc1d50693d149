// SPDX-License-Identifier: Apache-2.0
package pomona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LoaderTest {
    private static final String PROBE = "pomona.LoaderProbe";
    private static final String RESOURCE = BuildInfo.read().libraryResource();
    private static final String LOADED = "loaded " + BuildInfo.read().id();

    @TempDir
    Path folder;

    private Path temporary;

    @BeforeEach
    void makeTemporary() throws IOException {
        temporary = Files.createDirectory(folder.resolve("tmp"));
    }

    private ChildJvm probe(Path classes, String... options) throws Exception {
        String[] all = Stream.concat(Stream.of("-Djava.io.tmpdir=" + temporary), Stream.of(options)).toArray(String[]::new);
        return ChildJvm.run(classes, PROBE, all);
    }

    private ChildJvm probe(String... options) throws Exception {
        return probe(ChildJvm.classes(), options);
    }

    private static void assertLoaded(ChildJvm jvm) {
        assertEquals(0, jvm.status, jvm.output);
        assertTrue(jvm.output.contains(LOADED), jvm.output);
        assertFalse(jvm.output.contains("WARNING in native"), jvm.output);
    }

    private static void assertRefused(ChildJvm jvm, String... parts) {
        assertEquals(3, jvm.status, jvm.output);
        for (String part : parts) {
            assertTrue(jvm.output.contains(part), "no '" + part + "' in: " + jvm.output);
        }
        assertTrue(jvm.output.contains(System.getProperty("os.arch")), jvm.output);
    }

    private Path copyOfClasses(String name) throws IOException {
        Path source = ChildJvm.classes();
        Path target = folder.resolve(name);
        try (Stream<Path> files = Files.walk(source)) {
            for (Path file : files.collect(Collectors.toList())) {
                Files.copy(file, target.resolve(source.relativize(file).toString()));
            }
        }
        return target;
    }

    private static byte[] replace(byte[] bytes, String from, String to) {
        String text = new String(bytes, StandardCharsets.ISO_8859_1);
        return text.replace(from, to).getBytes(StandardCharsets.ISO_8859_1);
    }

    private Path otherBuild() throws IOException {
        Path directory = Files.createDirectories(folder.resolve("installed"));
        byte[] library = replace(Files.readAllBytes(Material.library()), BuildInfo.read().id(), otherId());
        return Files.write(directory.resolve("libpomona_jni.so"), library);
    }

    private static String otherId() {
        return BuildInfo.read().id().replaceAll(".", "x");
    }

    @Test
    void theCopyInTheJarLoadsAndLeavesNothingBehind() throws Exception {
        assertLoaded(probe());
        assertEquals(0, temporary.toFile().list().length);
    }

    @Test
    void thePropertyNamesTheFile() throws Exception {
        assertLoaded(probe("-Dpomona.native.path=" + Material.library()));
    }

    @Test
    void thePropertyHasNoFallback() throws Exception {
        assertRefused(probe("-Dpomona.native.path=/no/such.so"), "-Dpomona.native.path=/no/such.so", "no such file");
    }

    @Test
    void anEmptyOrForeignFileIsRefusedWithItsReason() throws Exception {
        Path empty = Files.createFile(folder.resolve("empty.so"));
        assertRefused(probe("-Dpomona.native.path=" + empty), "file too short");
        byte[] foreign = Files.readAllBytes(Material.library());
        foreign[18] ^= 0x55; // e_machine of the ELF header
        Path other = Files.write(folder.resolve("foreign.so"), foreign);
        assertRefused(probe("-Dpomona.native.path=" + other), other.toString());
    }

    @Test
    void theInstalledLibraryGoesBeforeTheJars() throws Exception {
        Path classes = copyOfClasses("bare");
        Files.delete(inside(classes, RESOURCE));
        assertRefused(probe(classes), "System.loadLibrary", "the jar holds no " + RESOURCE);
        assertLoaded(probe(classes, "-Djava.library.path=" + Material.library().getParent()));
    }

    private static Path inside(Path classes, String resource) {
        return classes.resolve(resource.substring(1));
    }

    @Test
    void aLibraryOfAnotherBuildIsRefusedAndTheNextIsTried() throws Exception {
        Path other = otherBuild();
        assertRefused(probe("-Dpomona.native.path=" + other), otherId(), BuildInfo.read().id());
        assertLoaded(probe("-Djava.library.path=" + other.getParent()));
    }

    @Test
    void aChangedByteInTheJarIsNeverLoaded() throws Exception {
        Path classes = copyOfClasses("changed");
        byte[] library = Files.readAllBytes(inside(classes, RESOURCE));
        library[library.length / 2] ^= 1;
        Files.write(inside(classes, RESOURCE), library);
        assertRefused(probe(classes), "the jar is damaged");
    }

    @Test
    void relocatedClassesSaySo() throws Exception {
        Path source = ChildJvm.classes().resolve("pomona");
        Path target = Files.createDirectories(folder.resolve("relocated/banana"));
        List<Path> all = new ArrayList<>();
        try (Stream<Path> files = Stream.concat(Files.list(source), Files.list(ChildJvm.testClasses().resolve("pomona")))) {
            files.filter(file -> file.toString().endsWith(".class")).forEach(all::add);
        }
        for (Path file : all) { // equal lengths, so that a plain replacement does what a shading tool would
            byte[] bytes = replace(replace(Files.readAllBytes(file), "pomona/", "banana/"), "pomona.", "banana.");
            Files.write(target.resolve(file.getFileName().toString()), bytes);
        }
        Path properties = ChildJvm.classes().resolve("pomona-build.properties");
        Files.copy(properties, target.getParent().resolve("banana-build.properties"));
        Files.copy(properties, target.getParent().resolve("pomona-build.properties"));
        ChildJvm jvm = ChildJvm.run(target.getParent(), "banana.LoaderProbe");
        assertEquals(3, jvm.status, jvm.output);
        assertTrue(jvm.output.contains("relocated to banana.NativeLoader"), jvm.output);
    }

    @Test
    void aDirectoryThatDoesNotServeIsFollowedByTheNext() throws Exception {
        assertLoaded(probe("-Dpomona.native.tempdir=/no/such/directory"));
        assertRefused(
                probe("-Dpomona.native.tempdir=/no/such/directory", "-Djava.io.tmpdir=/no/other"),
                "/no/such/directory", "/no/other", "pomona.native.tempdir");
    }

    @Test
    void aDirectoryWithoutExecutionIsFollowedByTheNext() throws Exception {
        Path mounted = Files.createDirectory(folder.resolve("noexec"));
        assumeTrue(status("mount", "-t", "tmpfs", "-o", "noexec,size=64m", "tmpfs", mounted.toString()) == 0,
                "mounting needs root");
        try {
            assertLoaded(probe("-Dpomona.native.tempdir=" + mounted));
            assertRefused(probe("-Djava.io.tmpdir=" + mounted), mounted.toString(), "failed to map segment");
            assertEquals(0, mounted.toFile().list().length);
        } finally {
            assertEquals(0, status("umount", mounted.toString()));
        }
    }

    private static int status(String... command) throws Exception {
        return new ProcessBuilder(command).redirectErrorStream(true).start().waitFor();
    }

    @Test
    void manyJvmsStartAtOnce() throws Exception {
        List<Process> started = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            started.add(ChildJvm.start(ChildJvm.classes(), PROBE, "-Djava.io.tmpdir=" + temporary));
        }
        for (Process process : started) {
            assertLoaded(ChildJvm.finish(process));
        }
        assertEquals(0, temporary.toFile().list().length);
    }

    @Test
    void whatAKilledProcessLeftGoesWithTheNextStart() throws Exception {
        Path old = Files.createDirectory(temporary.resolve("pomona-native-1"));
        Files.createFile(old.resolve("libpomona_jni.so"));
        Files.setLastModifiedTime(old, FileTime.fromMillis(System.currentTimeMillis() - 7_200_000));
        Path young = Files.createDirectory(temporary.resolve("pomona-native-2"));
        assertLoaded(probe());
        assertFalse(Files.exists(old));
        assertTrue(Files.exists(young));
    }

    @Test
    void aSecondClassLoaderGetsItsOwnCopy() throws Exception {
        ChildJvm jar = ChildJvm.run(ChildJvm.classes(), "pomona.LoaderTest$TwoLoaders", "-Djava.io.tmpdir=" + temporary);
        assertEquals(0, jvm(jar), jar.output);
        ChildJvm path = ChildJvm.run(ChildJvm.classes(), "pomona.LoaderTest$TwoLoaders",
                "-Djava.io.tmpdir=" + temporary, "-Dpomona.native.path=" + Material.library());
        assertEquals(0, jvm(path), path.output);
        ChildJvm installed = ChildJvm.run(ChildJvm.classes(), "pomona.LoaderTest$TwoLoaders",
                "-Djava.io.tmpdir=" + temporary, "-Djava.library.path=" + Material.library().getParent());
        assertEquals(0, jvm(installed), installed.output);
    }

    private static int jvm(ChildJvm jvm) {
        return jvm.output.equals("both") ? jvm.status : -1;
    }

    /** Main class: the library in two class loaders of one JVM. */
    public static final class TwoLoaders {
        private TwoLoaders() {}

        public static void main(String[] arguments) throws Exception {
            URL[] urls = {ChildJvm.classes().toUri().toURL()};
            Class<?>[] libraries = new Class<?>[2];
            Object[] ids = new Object[2];
            for (int i = 0; i < 2; i++) {
                URLClassLoader loader = new URLClassLoader(urls, null);
                libraries[i] = loader.loadClass("pomona.Library");
                ids[i] = libraries[i].getMethod("buildId").invoke(null);
            }
            System.out.println(libraries[0] != libraries[1] && ids[0].equals(ids[1]) ? "both" : "not both");
        }
    }
}
