// SPDX-License-Identifier: Apache-2.0
package pomona;

/** A file could not be read by the native library. */
public class NativeIOException extends PomonaException {
    private static final long serialVersionUID = 1L;

    public NativeIOException(String message) {
        super(message);
    }
}
