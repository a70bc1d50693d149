// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import pomona.PomonaException;
import pomona.Reason;

/** An image without features, under FAILFAST. */
public class BadImageException extends PomonaException {
    private static final long serialVersionUID = 1L;

    public BadImageException(String image, Reason reason) {
        super(image + " has no features: " + reason + ". Choose mode PERMISSIVE or DROPMALFORMED to go on without it");
    }
}
