// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.util.function.LongConsumer;
import java.util.function.LongFunction;

/**
 * A Java object that owns a native one. {@link #close} may be called any number of times and from any thread: calls that
 * are running finish first, the last of them frees the memory, and later calls throw. An object that is lost without close
 * is freed by a background thread, which warns once and counts it.
 */
public abstract class NativeHandle implements AutoCloseable {
    private final NativeReference reference;

    NativeHandle(long pointer, LongConsumer free) {
        reference = new NativeReference(this, pointer, free);
    }

    /** Runs the action with the pointer, which stays valid until it returns. */
    final <T> T use(LongFunction<T> action) {
        long pointer = reference.acquire();
        try {
            return action.apply(pointer);
        } finally {
            reference.release();
        }
    }

    public final boolean isClosed() {
        return reference.isClosed();
    }

    @Override
    public final void close() {
        reference.close();
    }

    /** Native objects that exist now in this process. */
    public static int openCount() {
        return NativeReference.openCount();
    }

    /** Native objects that were lost without close since the process began. */
    public static long leakCount() {
        return NativeReference.leakCount();
    }
}
