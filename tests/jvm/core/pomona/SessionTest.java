// SPDX-License-Identifier: Apache-2.0
package pomona;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class SessionTest {
    private Model model;
    private Session session;

    @BeforeEach
    void open() {
        model = Model.open(Material.tinyModel(), new ModelOptions());
        session = Session.open(model, new SessionOptions());
    }

    @AfterEach
    void close() {
        session.close();
        model.close();
    }

    @Test
    void anImageGivesTheSameNumbersAloneAndInAnyBatch() {
        byte[][] images = Material.jpegs(37);
        int length = session.outputLength();
        for (int batch : new int[] {1, 2, 8, 256}) {
            try (Session other = Session.open(model, new SessionOptions().withBatch(batch))) {
                float[] output = new float[images.length * length];
                other.run(images, images.length, output, new int[images.length]);
                for (int i = 0; i < images.length; i++) {
                    float[] alone = Material.features(session, images[i]);
                    assertArrayEquals(alone, Arrays.copyOfRange(output, i * length, (i + 1) * length));
                }
            }
        }
    }

    @Test
    void aBadImageGetsItsReasonAndLeavesItsNeighboursAlone() {
        byte[] good = Material.jpeg(3);
        byte[][] images = {good, {}, "GIF89a".getBytes(), Arrays.copyOf(good, good.length / 2), good};
        int length = session.outputLength();
        float[] output = new float[images.length * length];
        int[] reasons = new int[images.length];
        session.run(images, images.length, output, reasons);
        String[] names = Arrays.stream(reasons).mapToObj(code -> Reason.of(code).name()).toArray(String[]::new);
        assertArrayEquals(new String[] {"OK", "EMPTY", "NOT_JPEG", "TRUNCATED", "OK"}, names);
        float[] expected = Material.features(session, good);
        assertArrayEquals(expected, Arrays.copyOfRange(output, 4 * length, 5 * length));
        assertTrue(Float.isNaN(output[length]) && Float.isNaN(output[4 * length - 1]));
    }

    @Test
    void anImageOverMaxBytesIsRefusedByItsLength() {
        byte[] good = Material.jpeg(1);
        byte[] large = Arrays.copyOf(good, 100_000_000);
        try (Session limited = Session.open(model, new SessionOptions().withMaxBytes(good.length))) {
            int[] reasons = new int[2];
            limited.run(new byte[][] {large, good}, 2, new float[2 * limited.outputLength()], reasons);
            assertEquals("TOO_LARGE", Reason.of(reasons[0]).name());
            assertEquals("OK", Reason.of(reasons[1]).name());
            limited.run(new byte[][] {large}, 1, new float[limited.outputLength()], reasons);
            assertEquals("TOO_LARGE", Reason.of(reasons[0]).name());
        }
    }

    @Test
    void imagesThatDoNotFitTheScratchTogetherRunInParts() {
        byte[] good = Material.jpeg(1);
        byte[] padded = Arrays.copyOf(good, 20 << 20); // what follows the end of image is ignored
        byte[][] images = {padded, good, padded, padded};
        int length = session.outputLength();
        float[] output = new float[4 * length];
        session.run(images, 4, output, new int[4]);
        for (int i = 0; i < 4; i++) {
            assertArrayEquals(Material.features(session, good), Arrays.copyOfRange(output, i * length, (i + 1) * length));
        }
    }

    @Test
    void anEmptyCallDoesNothing() {
        session.run(new byte[0][], 0, new float[0], new int[0]);
    }

    @Test
    void wrongArgumentsThrowBeforeTheNativeCall() {
        byte[][] images = Material.jpegs(2);
        int length = session.outputLength();
        float[] output = new float[2 * length];
        int[] reasons = new int[2];
        assertThrows(IllegalArgumentException.class, () -> session.run(images, -1, output, reasons));
        assertThrows(IllegalArgumentException.class, () -> session.run(images, 3, output, reasons));
        assertThrows(IllegalArgumentException.class, () -> session.run(images, 2, new float[2 * length - 1], reasons));
        assertThrows(IllegalArgumentException.class, () -> session.run(images, 2, output, new int[1]));
        assertThrows(NullPointerException.class, () -> session.run(new byte[2][], 2, output, reasons));
        assertThrows(NullPointerException.class, () -> session.run(null, 0, output, reasons));
        assertThrows(NullPointerException.class, () -> session.run(images, 2, null, reasons));
        assertThrows(NullPointerException.class, () -> session.run(images, 2, output, null));
    }

    @Test
    void wrongOptionsSayWhatIsAllowed() {
        SessionOptions options = new SessionOptions();
        assertThrows(IllegalArgumentException.class, () -> options.withBatch(257));
        assertThrows(IllegalArgumentException.class, () -> options.withMaxPixels(-2));
        IllegalArgumentException e =
                assertThrows(IllegalArgumentException.class, () -> SessionOptions.Pooling.of("median"));
        assertEquals("pooling is 'median': choose one of avg, max, none", e.getMessage());
    }

    @Test
    void poolingNoneGivesTheMapThatAveragesToTheVector() {
        SessionOptions none = new SessionOptions().withPooling(SessionOptions.Pooling.NONE);
        try (Session whole = Session.open(model, none)) {
            assertEquals(model.outputLength(SessionOptions.Pooling.NONE), whole.outputLength());
            float[] map = Material.features(whole, Material.jpeg(5));
            float[] average = Material.features(session, Material.jpeg(5));
            int channels = model.featureChannels();
            for (int channel = 0; channel < channels; channel++) {
                double sum = 0;
                for (int i = channel; i < map.length; i += channels) {
                    sum += map[i];
                }
                double mean = sum * channels / map.length;
                assertEquals(mean, average[channel], 1e-5 * Math.max(1, Math.abs(mean)));
            }
        }
    }
}
