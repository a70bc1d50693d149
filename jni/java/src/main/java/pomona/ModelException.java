// SPDX-License-Identifier: Apache-2.0
package pomona;

/** The model file is damaged, incomplete or not a model file. */
public class ModelException extends PomonaException {
    private static final long serialVersionUID = 1L;

    public ModelException(String message) {
        super(message);
    }
}
