// SPDX-License-Identifier: Apache-2.0
package pomona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class HandleTest {
    private static Model open() {
        return Model.open(Material.tinyModel(), new ModelOptions());
    }

    @Test
    void closeIsIdempotentAndUseAfterItThrows() {
        long before = Library.memoryInUse();
        int open = NativeHandle.openCount();
        Model model = open();
        Session session = Session.open(model, new SessionOptions());
        assertEquals(open + 2, NativeHandle.openCount());
        session.close();
        session.close();
        model.close();
        model.close();
        assertEquals(open, NativeHandle.openCount());
        assertEquals(before, Library.memoryInUse());
        assertThrows(IllegalStateException.class, () -> Material.features(session, Material.jpeg(1)));
        assertThrows(IllegalStateException.class, () -> Session.open(model, new SessionOptions()));
    }

    @Test
    void closingWhileOthersRunFreesOnceAndStopsThem() throws Exception {
        long before = Library.memoryInUse();
        ExecutorService threads = Executors.newFixedThreadPool(16);
        try {
            for (int round = 0; round < 20; round++) {
                closeUnderLoad(threads);
            }
        } finally {
            threads.shutdown();
            assertTrue(threads.awaitTermination(30, TimeUnit.SECONDS));
        }
        assertEquals(before, Library.memoryInUse());
    }

    /** Every user must have run at least once, then met the closed session. */
    private static void closeUnderLoad(ExecutorService threads) throws Exception {
        Model model = open();
        Session session = Session.open(model, new SessionOptions());
        byte[] image = Material.jpeg(2);
        AtomicInteger runs = new AtomicInteger();
        List<Future<?>> users = new ArrayList<>();
        for (int i = 0; i < 15; i++) {
            users.add(threads.submit(() -> {
                while (true) {
                    Material.features(session, image);
                    runs.incrementAndGet();
                }
            }));
        }
        while (runs.get() < 15) {
            Thread.yield();
        }
        Future<?> closer = threads.submit(session::close);
        closer.get(10, TimeUnit.SECONDS);
        for (Future<?> user : users) {
            ExecutionException e = assertThrows(ExecutionException.class, () -> user.get(10, TimeUnit.SECONDS));
            assertTrue(e.getCause() instanceof IllegalStateException, e.toString());
        }
        model.close();
    }

    @Test
    void aLostHandleIsFreedAndCounted() throws InterruptedException {
        long before = Library.memoryInUse();
        long leaks = NativeHandle.leakCount();
        open();
        for (int i = 0; i < 200 && NativeHandle.leakCount() == leaks; i++) {
            System.gc();
            Thread.sleep(20);
        }
        assertEquals(leaks + 1, NativeHandle.leakCount());
        for (int i = 0; i < 200 && Library.memoryInUse() != before; i++) {
            Thread.sleep(5); // it is counted a moment before it is freed
        }
        assertEquals(before, Library.memoryInUse());
    }

    @Test
    void threadsWithTheirOwnSessionsAgree() throws Exception {
        byte[][] images = Material.jpegs(20);
        try (Model model = open()) {
            List<float[]> expected = new ArrayList<>();
            try (Session session = Session.open(model, new SessionOptions())) {
                for (byte[] image : images) {
                    expected.add(Material.features(session, image));
                }
            }
            ExecutorService threads = Executors.newFixedThreadPool(8);
            List<Future<Boolean>> results = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                results.add(threads.submit(() -> agrees(model, images, expected)));
            }
            for (Future<Boolean> result : results) {
                assertTrue(result.get(60, TimeUnit.SECONDS));
            }
            threads.shutdown();
        }
    }

    private static boolean agrees(Model model, byte[][] images, List<float[]> expected) {
        try (Session session = Session.open(model, new SessionOptions())) {
            boolean same = true;
            for (int round = 0; round < 20; round++) {
                for (int i = 0; i < images.length; i++) {
                    same &= java.util.Arrays.equals(expected.get(i), Material.features(session, images[i]));
                }
            }
            return same;
        }
    }
}
