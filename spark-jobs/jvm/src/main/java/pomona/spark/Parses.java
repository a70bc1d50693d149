// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import scala.runtime.AbstractFunction1;

/** A Param's check: valid is what parses; what does not, throws with the list of choices. */
final class Parses extends AbstractFunction1<String, Object> implements Serializable {
    private static final long serialVersionUID = 1L;

    interface Parser extends Serializable {
        Object parse(String text);
    }

    private final Parser parser;

    Parses(Parser parser) {
        this.parser = parser;
    }

    @Override
    public Object apply(String value) {
        return parser.parse(value) != null;
    }
}
