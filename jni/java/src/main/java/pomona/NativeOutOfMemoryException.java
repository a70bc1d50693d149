// SPDX-License-Identifier: Apache-2.0
package pomona;

/**
 * Native memory ran out. Not an {@link OutOfMemoryError}, at which Spark would end the executor: the task fails, and
 * handles stay usable.
 */
public class NativeOutOfMemoryException extends PomonaException {
    private static final long serialVersionUID = 1L;

    public NativeOutOfMemoryException(String message) {
        super(message);
    }
}
