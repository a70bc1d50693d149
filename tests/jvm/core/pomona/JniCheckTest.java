// SPDX-License-Identifier: Apache-2.0
package pomona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** The JVM's own checks of JNI calls, over every native method, in success and failure, with small thread stacks. */
class JniCheckTest {
    @Test
    void xcheckIsSilent() throws Exception {
        ChildJvm jvm = ChildJvm.run(ChildJvm.classes(), "pomona.JniCheckTest$Tour", "-Xss256k",
                "-Dpomona.root=" + Material.root());
        assertEquals(0, jvm.status, jvm.output);
        assertTrue(jvm.output.endsWith("done"), jvm.output);
        assertFalse(jvm.output.contains("WARNING"), jvm.output);
    }

    /** Main class that calls everything. */
    public static final class Tour {
        private Tour() {}

        public static void main(String[] arguments) throws InterruptedException {
            Thread thread = new Thread(Tour::run); // main's own stack has another size
            thread.start();
            thread.join();
            System.out.println("done");
        }

        private static void run() {
            Library.version();
            Library.memoryInUse();
            try (Model model = Model.open(Material.tinyModel(), new ModelOptions());
                    Session session = Session.open(model, new SessionOptions())) {
                byte[][] images = Material.jpegs(300);
                images[7] = new byte[0];
                images[8] = new byte[] {(byte) 0xff, (byte) 0xd8};
                float[] output = new float[images.length * session.outputLength()];
                int[] reasons = new int[images.length];
                session.run(images, images.length, output, reasons);
                if (!Reason.of(reasons[7]).name().equals("EMPTY")) {
                    throw new AssertionError(Reason.of(reasons[7]).toString());
                }
            }
            components();
            try {
                Model.open("/no/such", new ModelOptions());
            } catch (NativeIOException e) {
                return;
            }
            throw new AssertionError("no exception");
        }

        private static void components() {
            double[] rows = {1, 2, 3, 5, 5, 9, Double.NaN, 0};
            try (PcaState state = PcaState.open(2, PcaState.BadRows.SKIP);
                    PcaState other = PcaState.open(2, PcaState.BadRows.ERROR)) {
                state.update(rows, 4);
                other.update(new float[] {1, 2, 3, 4}, 2);
                state.merge(other);
                try (PcaState loaded = PcaState.load(state.save());
                        PcaModel model = loaded.solve(PcaOptions.components(1));
                        PcaModel again = PcaModel.open(model.components(), model.explainedVariance(), model.mean(),
                                model.deviation(), model.rows(), false)) {
                    again.transform(rows, 4, true, new double[4]);
                    again.transform(new float[] {1, 2}, 1, false, new double[1]);
                }
                other.update(rows, 4);
            } catch (IllegalArgumentException e) {
                return;
            }
            throw new AssertionError("no exception");
        }
    }
}
