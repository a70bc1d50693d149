// SPDX-License-Identifier: Apache-2.0
package pomona;

/** The native library could not be loaded; the message lists every place that was tried and why it failed. */
public class NativeLoadException extends PomonaException {
    private static final long serialVersionUID = 1L;

    public NativeLoadException(String message, Throwable cause) {
        super(message, cause);
    }
}
