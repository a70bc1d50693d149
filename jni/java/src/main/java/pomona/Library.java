// SPDX-License-Identifier: Apache-2.0
package pomona;

/** Facts about the native library. */
public final class Library {
    static {
        NativeLoader.load();
    }

    private Library() {}

    /** Version of the library, such as {@code 0.1.0}. */
    public static native String version();

    /** Identifier of the build, equal in the jar and in the library. */
    public static native String buildId();

    /** Instruction set in use: {@code scalar}, {@code avx2}, {@code avx512}, {@code neon}; {@code POMONA_CPU} sets an upper limit. */
    public static native String cpuLevel();

    /** Bytes that models, sessions and scratch hold now in this process. */
    public static native long memoryInUse();

    static native String reasonName(int code);

    static native String reasonText(int code);
}
