// SPDX-License-Identifier: Apache-2.0
package pomona;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.Arrays;
import java.util.Collections;
import org.junit.jupiter.api.Test;

class ModelTest {
    private static byte[] bytes() throws IOException {
        return Files.readAllBytes(Paths.get(Material.tinyModel()));
    }

    @Test
    void fileAndChunksGiveTheSameModel() throws IOException {
        byte[] bytes = bytes();
        byte[][] chunks = {
            Arrays.copyOfRange(bytes, 0, 9), {}, Arrays.copyOfRange(bytes, 9, bytes.length)
        };
        try (Model file = Model.open(Material.tinyModel(), new ModelOptions());
                Model memory = Model.open(chunks, new ModelOptions());
                Session one = Session.open(file, new SessionOptions());
                Session two = Session.open(memory, new SessionOptions())) {
            assertEquals(file.name(), memory.name());
            assertTrue(file.weightBytes() > 0 && file.arenaBytes() > 0 && file.macs() > 0 && file.parameters() > 0);
            assertTrue(file.provenance().startsWith("{"));
            byte[] image = Material.jpeg(9);
            assertArrayEquals(Material.features(one, image), Material.features(two, image));
        }
    }

    /** Beside the numbers of pomona.h there is the session itself, and where its vectors go. */
    @Test
    void aSessionTakesTheBytesThatTheModelSays() {
        try (Model model = Model.open(Material.tinyModel(), new ModelOptions())) {
            for (int batch : new int[] {1, 3, 16}) {
                long before = Library.memoryInUse();
                try (Session session = Session.open(model, new SessionOptions().withBatch(batch))) {
                    long rest = Library.memoryInUse() - before - model.sessionBytes(batch);
                    assertTrue(rest > 0 && rest < 1024, rest + " bytes more than " + model.sessionBytes(batch));
                    assertTrue(session.outputLength() > 0);
                }
            }
        }
    }

    @Test
    void aClassifierNamesItsNumbers() {
        try (Model features = Model.open(Material.tinyModel(), new ModelOptions());
                Model classifier = Model.open(Material.tinyClassifier(), new ModelOptions());
                Session session = Session.open(classifier, new SessionOptions())) {
            assertEquals(Collections.emptyList(), features.classNames());
            assertEquals(
                    Arrays.asList("apple", "banana, ripe", "pear \"Conf\u00e9rence\"", "cherry", "date palm"),
                    classifier.classNames());
            assertThrows(UnsupportedOperationException.class, () -> classifier.classNames().set(0, "other"));
            assertEquals(classifier.classNames().size(), session.outputLength());
        }
    }

    @Test
    void aSessionOutlivesItsModel() {
        Model model = Model.open(Material.tinyModel(), new ModelOptions());
        Session session = Session.open(model, new SessionOptions());
        model.close();
        assertTrue(Material.features(session, Material.jpeg(1)).length > 0);
        session.close();
    }

    @Test
    void failuresHaveTheirTypes() throws IOException {
        byte[] broken = bytes();
        broken[broken.length - 1] ^= 1;
        ModelOptions options = new ModelOptions();
        assertThrows(NativeIOException.class, () -> Model.open("/no/such/model", options));
        assertThrows(ModelException.class, () -> Model.open(new byte[][] {broken}, options));
        assertThrows(ModelException.class, () -> Model.open(new byte[0][], options));
        assertThrows(IllegalArgumentException.class, () -> Model.open("", options));
        assertThrows(IllegalArgumentException.class, () -> Model.open("a\0b", options));
        assertThrows(NullPointerException.class, () -> Model.open(new byte[1][], options));
    }

    @Test
    void aPathMayHaveAnyName() throws IOException {
        java.nio.file.Path folder = Files.createTempDirectory("pömona \uD83C\uDF4E");
        java.nio.file.Path copy = Files.copy(Paths.get(Material.tinyModel()), folder.resolve("mödel.safetensors"));
        try {
            Model.open(copy.toString(), new ModelOptions()).close();
            String missing = folder.resolve("\uD83C\uDF4F").toString();
            String message = assertThrows(NativeIOException.class, () -> Model.open(missing, new ModelOptions())).getMessage();
            assertTrue(message.contains(missing), message);
        } finally {
            Files.delete(copy);
            Files.delete(folder);
        }
    }
}
