// SPDX-License-Identifier: Apache-2.0
package pomona;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/** Names of enum values as users write them: {@code FP32_SPLIT} is {@code fp32-split}. */
public final class Choice {
    private Choice() {}

    /** The name that users write. */
    public static String text(Enum<?> value) {
        return value.name().toLowerCase(Locale.ROOT).replace('_', '-');
    }

    /**
     * The value with this name, in any case.
     *
     * @param what the setting's name, for the message
     * @throws IllegalArgumentException when no value has the name; the message lists the names
     */
    public static <E extends Enum<E>> E parse(Class<E> type, String what, String text) {
        for (E value : type.getEnumConstants()) {
            if (text(value).equalsIgnoreCase(text)) {
                return value;
            }
        }
        String choices = Arrays.stream(type.getEnumConstants()).map(Choice::text).collect(Collectors.joining(", "));
        throw new IllegalArgumentException(what + " is '" + text + "': choose one of " + choices);
    }
}
