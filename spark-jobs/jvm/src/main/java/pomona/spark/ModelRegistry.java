// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import pomona.Model;
import pomona.Session;
import pomona.SessionOptions;

/**
 * The models of this process. Each is loaded by the first who asks, while the others wait, and stays when idle, so that it
 * survives the gap between two tasks: until a while has passed or idle models hold too many bytes. Sessions are shared in
 * turn by the tasks that run at the same time, and closed when the last of them has returned its loan.
 */
final class ModelRegistry {
    private static final long IDLE_NANOS = TimeUnit.MINUTES.toNanos(10);
    private static final long IDLE_BYTES = 1L << 30;
    private static final ModelRegistry INSTANCE = new ModelRegistry(IDLE_NANOS, IDLE_BYTES);

    private final Map<ModelKey, Entry> entries = new HashMap<>();
    private final AtomicLong loads = new AtomicLong();
    private final long idleNanos;
    private final long idleBytes;

    ModelRegistry(long idleNanos, long idleBytes) {
        this.idleNanos = idleNanos;
        this.idleBytes = idleBytes;
    }

    static ModelRegistry get() {
        return INSTANCE;
    }

    /** Guarded by the registry, but for the loading. */
    private static final class Entry {
        final CompletableFuture<Model> model = new CompletableFuture<>();
        final Map<SessionOptions, Deque<Session>> sessions = new HashMap<>();
        int loans;
        long idleSince;

        void closeSessions() {
            sessions.values().forEach(pool -> pool.forEach(Session::close));
            sessions.clear();
        }
    }

    /** A use of a model, until it is closed. */
    final class Loan implements AutoCloseable {
        private final Entry entry;
        private boolean returned;

        private Loan(Entry entry) {
            this.entry = entry;
        }

        Model model() {
            return entry.model.join();
        }

        /** A session for one thread, to be given back. */
        Session takeSession(SessionOptions options) {
            synchronized (ModelRegistry.this) {
                Session pooled = entry.sessions.computeIfAbsent(options, o -> new ArrayDeque<>()).poll();
                if (pooled != null) {
                    return pooled;
                }
            }
            return Session.open(model(), options);
        }

        void giveSession(SessionOptions options, Session session) {
            synchronized (ModelRegistry.this) {
                entry.sessions.computeIfAbsent(options, o -> new ArrayDeque<>()).push(session);
            }
        }

        @Override
        public void close() {
            synchronized (ModelRegistry.this) {
                if (!returned) {
                    returned = true;
                    giveBack(entry);
                }
            }
        }
    }

    /** Lends the model, which {@code open} loads if it is not here. Waits while another thread loads it. */
    Loan borrow(ModelKey key, Supplier<Model> open) {
        Entry entry;
        boolean first;
        synchronized (this) {
            first = !entries.containsKey(key);
            entry = entries.computeIfAbsent(key, k -> new Entry());
            entry.loans++;
        }
        if (first) {
            load(key, entry, open);
        }
        try {
            entry.model.join();
        } catch (CompletionException e) {
            throw asUnchecked(e.getCause());
        }
        return new Loan(entry);
    }

    private void load(ModelKey key, Entry entry, Supplier<Model> open) {
        try {
            Model model = open.get();
            loads.incrementAndGet();
            entry.model.complete(model);
        } catch (RuntimeException | Error e) {
            synchronized (this) {
                entries.remove(key); // the next who asks tries again
            }
            entry.model.completeExceptionally(e);
        }
    }

    private static RuntimeException asUnchecked(Throwable cause) {
        if (cause instanceof Error) {
            throw (Error) cause;
        }
        return (RuntimeException) cause;
    }

    private void giveBack(Entry entry) {
        entry.loans--;
        if (entry.loans == 0) {
            entry.closeSessions();
            entry.idleSince = System.nanoTime();
        }
        evict();
    }

    private void evict() {
        long now = System.nanoTime();
        entries.values().removeIf(entry -> isIdle(entry) && now - entry.idleSince > idleNanos && close(entry));
        while (idleBytes() > idleBytes) {
            Entry oldest = entries.values().stream()
                    .filter(ModelRegistry::isIdle)
                    .min(Comparator.comparingLong(entry -> entry.idleSince - now))
                    .get();
            entries.values().remove(oldest);
            close(oldest);
        }
    }

    private long idleBytes() {
        return entries.values().stream()
                .filter(ModelRegistry::isIdle)
                .mapToLong(entry -> entry.model.join().weightBytes())
                .sum();
    }

    private static boolean isIdle(Entry entry) {
        return entry.loans == 0;
    }

    private static boolean close(Entry entry) {
        entry.model.join().close();
        return true;
    }

    /** Models loaded since the process began. */
    long loadCount() {
        return loads.get();
    }

    /** Models that are here now. */
    synchronized int modelCount() {
        return entries.size();
    }
}
