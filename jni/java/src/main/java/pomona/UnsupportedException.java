// SPDX-License-Identifier: Apache-2.0
package pomona;

/** The model, the options or the CPU ask for what this build does not do. */
public class UnsupportedException extends PomonaException {
    private static final long serialVersionUID = 1L;

    public UnsupportedException(String message) {
        super(message);
    }
}
