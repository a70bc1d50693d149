// SPDX-License-Identifier: Apache-2.0
package pomona;

/** A limit was reached: the message names it and how to raise it. */
public class LimitException extends PomonaException {
    private static final long serialVersionUID = 1L;

    public LimitException(String message) {
        super(message);
    }
}
