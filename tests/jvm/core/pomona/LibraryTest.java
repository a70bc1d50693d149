// SPDX-License-Identifier: Apache-2.0
package pomona;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class LibraryTest {
    @Test
    void versionIsTheHeaders() throws IOException {
        String header = new String(Files.readAllBytes(Material.root().resolve("native/include/pomona.h")), "UTF-8");
        assertTrue(header.contains("#define POMONA_VERSION \"" + Library.version() + "\""));
        assertEquals(BuildInfo.read().id(), Library.buildId());
        assertFalse(Library.cpuLevel().isEmpty());
    }

    @Test
    void reasonsAreTheLibrarys() throws IOException {
        String list = new String(
                Files.readAllBytes(Material.root().resolve("native/include/pomona_reasons.def")), "UTF-8");
        Matcher rows = Pattern.compile("POMONA_REASON\\((\\w+), (\\d+), \"(.*)\"\\)").matcher(list);
        int count = 0;
        while (rows.find()) {
            Reason reason = Reason.of(Integer.parseInt(rows.group(2)));
            assertEquals(rows.group(1) + ": " + rows.group(3), reason.toString());
            count++;
        }
        assertTrue(count > 5);
        assertEquals("UNKNOWN", Reason.of(9999).name());
    }

    /** What else the library exported could meet a symbol of the JDK's own libjpeg. */
    @Test
    void theLibraryExportsNothingButItsEntryPoints() throws Exception {
        Process nm = new ProcessBuilder("nm", "-D", "--defined-only", Material.library().toString()).start();
        List<String> names = new java.io.BufferedReader(new java.io.InputStreamReader(nm.getInputStream()))
                .lines()
                .map(line -> line.substring(line.lastIndexOf(' ') + 1))
                .collect(Collectors.toList());
        assertEquals(0, nm.waitFor());
        assertTrue(names.contains("JNI_OnLoad"));
        names.removeIf(name -> name.startsWith("Java_pomona_") || name.startsWith("JNI_On"));
        assertTrue(names.isEmpty(), names.toString());
    }

    /** A library linked with -ffast-math would flush them to zero in every thread that loads it. */
    @Test
    void loadingLeavesSubnormalNumbersToJava() {
        Library.version();
        double smallest = Double.parseDouble("4.9e-324");
        assertTrue(smallest > 0 && smallest * 3 > smallest * 2);
    }
}
