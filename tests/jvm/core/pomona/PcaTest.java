// SPDX-License-Identifier: Apache-2.0
package pomona;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import pomona.PcaState.BadRows;

class PcaTest {
    private static final int ROWS = 300;
    private static final int COLUMNS = 5;
    private static final double[] VALUES = rows(ROWS);

    private long before;

    /** Rows whose columns have deviations of about 5, 4, 3, 2 and 1, along the axes. */
    private static double[] rows(int count) {
        Random random = new Random(7);
        double[] rows = new double[count * COLUMNS];
        Arrays.setAll(rows, i -> 10 + (COLUMNS - i % COLUMNS) * random.nextGaussian());
        return rows;
    }

    private static float[] floats(double[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }

    private static PcaState state(double[] rows) {
        PcaState state = PcaState.open(COLUMNS, BadRows.ERROR);
        state.update(rows, rows.length / COLUMNS);
        return state;
    }

    @BeforeEach
    void count() {
        before = Library.memoryInUse();
    }

    @AfterEach
    void nothingStays() {
        assertEquals(before, Library.memoryInUse());
    }

    @Test
    void componentsOfIndependentColumnsAreTheAxes() {
        try (PcaState state = state(VALUES); PcaModel model = state.solve(PcaOptions.components(COLUMNS))) {
            assertEquals(COLUMNS, model.k());
            assertEquals(COLUMNS, model.columns());
            assertEquals(ROWS, model.rows());
            assertFalse(model.standardize());
            double[] components = model.components();
            for (int i = 0; i < COLUMNS; i++) {
                assertTrue(components[i * COLUMNS + i] > 0.9, Arrays.toString(components));
                assertEquals(10, model.mean()[i], 1);
                assertEquals(COLUMNS - i, model.deviation()[i], 0.5);
            }
            assertEquals(1, Arrays.stream(model.explainedVariance()).sum(), 1e-12);
            assertEquals(25.0 / 55, model.explainedVariance()[0], 0.1);
        }
    }

    @Test
    void aShareOfTheVarianceNeedsTheFewestComponents() {
        try (PcaState state = state(VALUES); PcaModel model = state.solve(PcaOptions.variance(0.7).withThreads(2))) {
            double[] shares = model.explainedVariance();
            assertEquals(COLUMNS, shares.length);
            assertTrue(Arrays.stream(shares).limit(model.k()).sum() >= 0.7);
            assertTrue(Arrays.stream(shares).limit(model.k() - 1).sum() < 0.7);
        }
    }

    @Test
    void projectionsAreSumsOverColumns() {
        double[] output = new double[2 * ROWS];
        double[] fromFloats = new double[2 * ROWS];
        try (PcaState state = state(VALUES); PcaModel model = state.solve(PcaOptions.components(2))) {
            double[] components = model.components();
            double[] mean = model.mean();
            for (boolean center : new boolean[] {false, true}) {
                model.transform(VALUES, ROWS, center, output);
                model.transform(floats(VALUES), ROWS, center, fromFloats);
                for (int i = 0; i < 2 * ROWS; i++) {
                    double sum = 0;
                    for (int j = 0; j < COLUMNS; j++) {
                        double value = VALUES[i / 2 * COLUMNS + j] - (center ? mean[j] : 0);
                        sum += value * components[i % 2 * COLUMNS + j];
                    }
                    assertEquals(sum, output[i], 1e-12);
                    assertEquals(sum, fromFloats[i], 1e-4);
                }
            }
        }
    }

    @Test
    void aModelOfArraysIsTheModel() {
        double[] expected = new double[3 * ROWS];
        double[] actual = new double[3 * ROWS];
        PcaOptions options = PcaOptions.components(3).withStandardize(true);
        try (PcaState state = state(VALUES); PcaModel model = state.solve(options);
                PcaModel again = PcaModel.open(model.components(), model.explainedVariance(), model.mean(),
                        model.deviation(), model.rows(), model.standardize())) {
            model.transform(VALUES, ROWS, false, expected);
            again.transform(VALUES, ROWS, false, actual);
            assertTrue(again.standardize());
            assertEquals(model.rows(), again.rows());
            assertArrayEquals(model.explainedVariance(), again.explainedVariance());
        }
        assertArrayEquals(expected, actual);
    }

    @Test
    void statesTravelAndMerge() {
        double[] first = Arrays.copyOf(VALUES, 100 * COLUMNS);
        double[] rest = Arrays.copyOfRange(VALUES, first.length, VALUES.length);
        try (PcaState one = state(first); PcaState two = state(rest); PcaState whole = state(VALUES)) {
            byte[] saved = one.save();
            assertEquals(one.stateBytes(), saved.length);
            try (PcaState loaded = PcaState.load(saved)) {
                assertArrayEquals(saved, loaded.save());
                loaded.merge(two);
                assertEquals(ROWS, loaded.rows());
                assertEquals(COLUMNS, loaded.columns());
                try (PcaModel merged = loaded.solve(PcaOptions.components(2));
                        PcaModel expected = whole.solve(PcaOptions.components(2))) {
                    assertArrayEquals(expected.components(), merged.components(), 1e-12);
                    assertArrayEquals(expected.mean(), merged.mean(), 1e-12);
                }
            }
            assertArrayEquals(saved, one.save());
            saved[saved.length / 2] ^= 1;
            assertThrows(ModelException.class, () -> PcaState.load(saved));
            assertThrows(ModelException.class, () -> PcaState.load(new byte[0]));
        }
    }

    @Test
    void twoStatesMayTakeEachOtherAtOnce() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(2);
        try (PcaState one = state(VALUES); PcaState two = state(VALUES)) {
            Future<?> there = threads.submit(() -> repeat(() -> one.merge(two)));
            Future<?> back = threads.submit(() -> repeat(() -> two.merge(one)));
            there.get(60, TimeUnit.SECONDS);
            back.get(60, TimeUnit.SECONDS);
            assertTrue(one.rows() > ROWS && two.rows() > ROWS);
        } finally {
            threads.shutdownNow();
        }
    }

    private static void repeat(Runnable action) {
        for (int i = 0; i < 20; i++) {
            action.run();
        }
    }

    @Test
    void aBadRowFailsTheCallOrIsCounted() {
        double[] rows = Arrays.copyOf(VALUES, 4 * COLUMNS);
        rows[2 * COLUMNS + 3] = Double.NaN;
        try (PcaState strict = PcaState.open(COLUMNS, BadRows.ERROR); PcaState lenient = PcaState.open(COLUMNS, BadRows.SKIP)) {
            assertThrows(IllegalArgumentException.class, () -> strict.update(rows, 4));
            assertThrows(IllegalArgumentException.class, () -> strict.update(floats(rows), 4));
            assertEquals(0, strict.rows());
            lenient.update(rows, 4);
            lenient.update(floats(rows), 4);
            assertEquals(6, lenient.rows());
            assertEquals(2, lenient.skipped());
        }
    }

    @Test
    void wrongArgumentsThrowBeforeTheNativeCall() {
        assertThrows(IllegalArgumentException.class, () -> PcaState.open(0, BadRows.ERROR));
        assertThrows(IllegalArgumentException.class, () -> PcaOptions.components(0));
        assertThrows(IllegalArgumentException.class, () -> PcaOptions.variance(1.1));
        assertThrows(IllegalArgumentException.class, () -> PcaOptions.variance(Double.NaN));
        assertThrows(IllegalArgumentException.class, () -> PcaOptions.components(1).withThreads(0));
        assertThrows(IllegalArgumentException.class,
                () -> PcaModel.open(new double[5], new double[1], new double[2], new double[2], 9, false));
        try (PcaState state = state(VALUES); PcaModel model = state.solve(PcaOptions.components(2))) {
            assertThrows(IllegalArgumentException.class, () -> state.merge(state));
            assertThrows(IllegalArgumentException.class, () -> state.update(VALUES, -1));
            assertThrows(IllegalArgumentException.class, () -> state.update(VALUES, ROWS + 1));
            assertThrows(IllegalArgumentException.class, () -> state.update(new float[COLUMNS - 1], 1));
            assertThrows(NullPointerException.class, () -> state.update((float[]) null, 0));
            assertThrows(IllegalArgumentException.class, () -> model.transform(VALUES, 2, false, new double[3]));
            assertThrows(IllegalArgumentException.class, () -> model.transform(new float[3], 1, false, new double[2]));
            assertThrows(NullPointerException.class, () -> model.transform(VALUES, 1, false, null));
            model.transform(VALUES, 0, false, new double[0]);
            state.update(VALUES, 0);
            assertEquals(ROWS, state.rows());
        }
        try (PcaState empty = PcaState.open(COLUMNS, BadRows.ERROR)) {
            assertThrows(IllegalArgumentException.class, () -> empty.solve(PcaOptions.components(1)));
        }
    }

    @Test
    void closingWhileOthersTransformFreesOnceAndStopsThem() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(8);
        AtomicInteger calls = new AtomicInteger();
        List<Future<?>> users = new ArrayList<>();
        try (PcaState state = state(VALUES)) {
            PcaModel model = state.solve(PcaOptions.components(2));
            for (int i = 0; i < 7; i++) {
                users.add(threads.submit(() -> {
                    while (true) {
                        model.transform(VALUES, ROWS, true, new double[2 * ROWS]);
                        calls.incrementAndGet();
                    }
                }));
            }
            while (calls.get() < 50) {
                Thread.yield();
            }
            model.close();
            model.close();
            for (Future<?> user : users) {
                ExecutionException e = assertThrows(ExecutionException.class, () -> user.get(10, TimeUnit.SECONDS));
                assertTrue(e.getCause() instanceof IllegalStateException, e.toString());
            }
        } finally {
            threads.shutdown();
            assertTrue(threads.awaitTermination(10, TimeUnit.SECONDS));
        }
    }

    @Test
    void tasksOfAnExecutorGiveTheBitsOfOne() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(4);
        byte[] expected;
        try (PcaState state = state(VALUES)) {
            expected = state.save();
        }
        List<Future<byte[]>> results = new ArrayList<>();
        for (int i = 0; i < 40; i++) {
            results.add(threads.submit(() -> {
                try (PcaState state = state(VALUES)) {
                    return state.save();
                }
            }));
        }
        for (Future<byte[]> result : results) {
            assertArrayEquals(expected, result.get(60, TimeUnit.SECONDS));
        }
        threads.shutdown();
    }
}
