// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Arrays;
import javax.imageio.ImageIO;

/** Images and files for the tests. */
final class Material {
    private Material() {}

    static Path root() {
        return Paths.get(System.getProperty("pomona.root"));
    }

    static Path library() {
        return Paths.get(System.getProperty("pomona.native.dir"), "libpomona_jni.so");
    }

    static String tinyModel() {
        return root().resolve("models/tiny_test_net.safetensors").toString();
    }

    /** The same network with a classifier of five classes behind it. */
    static String tinyClassifier() {
        return root().resolve("models/tiny_test_classifier.safetensors").toString();
    }

    /** A JPEG that the JDK encodes; another seed, another picture. */
    static byte[] jpeg(int seed) {
        BufferedImage image = new BufferedImage(40 + seed % 7, 30 + seed % 5, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = image.createGraphics();
        graphics.setColor(new Color((seed * 73) & 255, (seed * 151) & 255, (seed * 199) & 255));
        graphics.fillRect(0, 0, 40, 30);
        graphics.setColor(Color.WHITE);
        graphics.fillOval(seed % 20, seed % 10, 12, 12);
        graphics.dispose();
        try (ByteArrayOutputStream bytes = new ByteArrayOutputStream()) {
            ImageIO.write(image, "jpg", bytes);
            return bytes.toByteArray();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    static byte[][] jpegs(int count) {
        byte[][] images = new byte[count][];
        Arrays.setAll(images, Material::jpeg);
        return images;
    }

    static float[] features(Session session, byte[] image) {
        float[] output = new float[session.outputLength()];
        int[] reasons = new int[1];
        session.run(new byte[][] {image}, 1, output, reasons);
        if (reasons[0] != 0) {
            throw new AssertionError(Reason.of(reasons[0]));
        }
        return output;
    }
}
