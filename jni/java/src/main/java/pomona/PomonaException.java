// SPDX-License-Identifier: Apache-2.0
package pomona;

/** What every failure of Pomona extends, but wrong arguments ({@link IllegalArgumentException}) and use after close. */
public class PomonaException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    public PomonaException(String message) {
        super(message);
    }

    public PomonaException(String message, Throwable cause) {
        super(message, cause);
    }
}
