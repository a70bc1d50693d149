// SPDX-License-Identifier: Apache-2.0
package pomona;

/** A JVM's main class that loads the library and says how it went: status 0, or 3 and the message. */
public final class LoaderProbe {
    private LoaderProbe() {}

    public static void main(String[] arguments) {
        try {
            NativeLoader.load();
            System.out.println("loaded " + Library.buildId());
        } catch (NativeLoadException e) {
            System.out.println(e.getMessage());
            try {
                NativeLoader.load();
            } catch (NativeLoadException again) {
                System.exit(again.getMessage().equals(e.getMessage()) ? 3 : 4);
            }
        }
    }
}
