// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import pomona.Model;
import pomona.ModelException;
import pomona.ModelOptions;
import pomona.ModelOptions.Precision;
import pomona.Session;
import pomona.SessionOptions;

class ModelRegistryTest {
    private static final long HOUR = TimeUnit.HOURS.toNanos(1);
    private static final SessionOptions DEFAULTS = new SessionOptions();

    private static ModelKey key(String sum) {
        return new ModelKey(sum, Precision.FP32);
    }

    private static Model open() {
        return Model.open(System.getProperty("pomona.root") + "/models/tiny_test_net.safetensors", new ModelOptions());
    }

    @Test
    void oneLoadsWhileTheOthersWait() throws Exception {
        ModelRegistry registry = new ModelRegistry(HOUR, Long.MAX_VALUE);
        AtomicInteger opened = new AtomicInteger();
        CyclicBarrier together = new CyclicBarrier(16);
        ExecutorService threads = Executors.newFixedThreadPool(16);
        List<Future<Model>> models = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            models.add(threads.submit(() -> {
                together.await();
                return registry.borrow(key("a"), () -> {
                    opened.incrementAndGet();
                    return open();
                }).model();
            }));
        }
        Model first = models.get(0).get(30, TimeUnit.SECONDS);
        for (Future<Model> model : models) {
            assertSame(first, model.get(30, TimeUnit.SECONDS));
        }
        threads.shutdown();
        assertEquals(1, opened.get());
        assertEquals(1, registry.loadCount());
        first.close();
    }

    @Test
    void aFailureReachesAllAndTheNextTriesAgain() {
        ModelRegistry registry = new ModelRegistry(HOUR, Long.MAX_VALUE);
        assertThrows(ModelException.class, () -> registry.borrow(key("a"), () -> {
            throw new ModelException("damaged");
        }));
        assertEquals(0, registry.modelCount());
        try (ModelRegistry.Loan loan = registry.borrow(key("a"), ModelRegistryTest::open)) {
            assertFalse(loan.model().isClosed());
            loan.model().close();
        }
    }

    @Test
    void anIdleModelStaysAndItsSessionsGo() {
        ModelRegistry registry = new ModelRegistry(HOUR, Long.MAX_VALUE);
        ModelRegistry.Loan one = registry.borrow(key("a"), ModelRegistryTest::open);
        ModelRegistry.Loan two = registry.borrow(key("a"), ModelRegistryTest::open);
        Session session = one.takeSession(DEFAULTS);
        one.giveSession(DEFAULTS, session);
        assertSame(session, two.takeSession(DEFAULTS));
        SessionOptions others = new SessionOptions().withBatch(1);
        Session other = two.takeSession(others);
        assertNotSame(session, other);
        two.giveSession(others, other);
        two.giveSession(DEFAULTS, session);
        one.close();
        one.close(); // counts once
        assertFalse(session.isClosed());
        two.close();
        assertTrue(session.isClosed());
        assertFalse(one.model().isClosed());
        assertEquals(1, registry.modelCount());
        one.model().close();
    }

    @Test
    void idleModelsGoByBytesTheOldestFirst() {
        ModelRegistry registry = new ModelRegistry(HOUR, 1);
        ModelRegistry.Loan used = registry.borrow(key("a"), ModelRegistryTest::open);
        ModelRegistry.Loan idle = registry.borrow(key("b"), ModelRegistryTest::open);
        idle.close();
        assertTrue(idle.model().isClosed());
        assertFalse(used.model().isClosed());
        used.close();
        assertTrue(used.model().isClosed());
        assertEquals(0, registry.modelCount());
    }

    @Test
    void idleModelsGoByTime() throws InterruptedException {
        ModelRegistry registry = new ModelRegistry(TimeUnit.MILLISECONDS.toNanos(10), Long.MAX_VALUE);
        ModelRegistry.Loan old = registry.borrow(key("a"), ModelRegistryTest::open);
        old.close();
        assertFalse(old.model().isClosed());
        Thread.sleep(30);
        ModelRegistry.Loan other = registry.borrow(key("b"), ModelRegistryTest::open);
        other.close();
        assertTrue(old.model().isClosed());
        assertFalse(other.model().isClosed());
        other.model().close();
    }

    @Test
    void aCallIsSizedByTheTimeOfThoseBefore() {
        CallBudget budget = new CallBudget(8);
        assertEquals(1, budget.images());
        budget.measured(1, TimeUnit.MILLISECONDS.toNanos(1));
        assertEquals(8, budget.images());
        budget.measured(8, TimeUnit.MILLISECONDS.toNanos(800));
        assertEquals(2, budget.images());
        budget.measured(2, TimeUnit.SECONDS.toNanos(5));
        assertEquals(1, budget.images());
        budget.measured(0, 0);
        assertEquals(1, budget.images());
    }
}
