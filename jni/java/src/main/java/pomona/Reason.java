// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

/** Why an image has no features. Codes, names and texts are the native library's. */
public final class Reason {
    private static final ConcurrentMap<Integer, Reason> KNOWN = new ConcurrentHashMap<>();

    private final int code;
    private final String name;
    private final String text;

    private Reason(int code) {
        this.code = code;
        this.name = Library.reasonName(code);
        this.text = Library.reasonText(code);
    }

    /** The reason with this code. */
    public static Reason of(int code) {
        return KNOWN.computeIfAbsent(code, Reason::new);
    }

    /** Whether this code means that the image is well. */
    public static boolean isOk(int code) {
        return code == 0;
    }

    /** Stable number, 0 when the image is well. */
    public int code() {
        return code;
    }

    /** Stable name, such as {@code TRUNCATED}. */
    public String name() {
        return name;
    }

    /** One line for people. */
    public String text() {
        return text;
    }

    /** {@code NAME: text}, as the error column shows it. */
    @Override
    public String toString() {
        return name + ": " + text;
    }
}
