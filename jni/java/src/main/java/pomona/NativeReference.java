// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.lang.ref.PhantomReference;
import java.lang.ref.ReferenceQueue;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import java.util.logging.Logger;

/**
 * The native side of a {@link NativeHandle}, freed exactly once. Does the work of java.lang.ref.Cleaner, which Java 8 does
 * not have.
 */
final class NativeReference extends PhantomReference<NativeHandle> {
    private static final Logger LOG = Logger.getLogger("pomona");
    private static final ReferenceQueue<NativeHandle> LOST = new ReferenceQueue<>();
    /** Keeps the references reachable until they are freed. */
    private static final Set<NativeReference> LIVE = ConcurrentHashMap.newKeySet();

    private static final AtomicLong LEAKS = new AtomicLong();
    private static final int CLOSED = Integer.MIN_VALUE;

    static {
        Thread thread = new Thread(NativeReference::freeLost, "pomona-cleaner");
        thread.setDaemon(true);
        thread.setContextClassLoader(null);
        thread.start();
    }

    private final long pointer;
    private final LongConsumer free;
    private final String kind;
    /** Calls that are running, and CLOSED once nobody may begin another. */
    private final AtomicInteger state = new AtomicInteger();

    NativeReference(NativeHandle owner, long pointer, LongConsumer free) {
        super(owner, LOST);
        this.pointer = pointer;
        this.free = free;
        this.kind = owner.getClass().getSimpleName();
        LIVE.add(this);
    }

    long acquire() {
        int before = state.getAndUpdate(users -> users < 0 ? users : users + 1);
        if (before < 0) {
            throw new IllegalStateException("this " + kind + " is closed");
        }
        return pointer;
    }

    void release() {
        if (state.decrementAndGet() == CLOSED) {
            free();
        }
    }

    boolean isClosed() {
        return state.get() < 0;
    }

    /** Returns whether this call was the one that closed. */
    boolean close() {
        int before = state.getAndUpdate(users -> users | CLOSED);
        if (before == 0) {
            free();
        }
        return before >= 0;
    }

    private void free() {
        LIVE.remove(this);
        free.accept(pointer);
    }

    static int openCount() {
        return LIVE.size();
    }

    static long leakCount() {
        return LEAKS.get();
    }

    private static void freeLost() {
        while (true) {
            try {
                NativeReference lost = (NativeReference) LOST.remove();
                if (lost.close() && LEAKS.incrementAndGet() == 1) {
                    LOG.warning("a " + lost.kind + " was lost without close(): its native memory is freed now");
                }
            } catch (InterruptedException e) {
                return;
            }
        }
    }
}
