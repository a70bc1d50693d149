/* SPDX-License-Identifier: Apache-2.0 */
#include <gnu/libc-version.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tool.h"

static const char help[] =
    "usage: pomona doctor\n\nPrints versions, CPU features, the kernels in use and the limits.\n";

/* The flags that decide about kernels, as the kernel lists them. */
static void print_cpu(void) {
    static const char *const wanted[] = {"avx2",        "fma",         "avx512f",  "avx512bw", "avx512dq", "avx512vl",
                                         "avx512_vnni", "avx512_bf16", "amx_tile", "amx_bf16", "asimd"};
    char line[8192];
    FILE *file = fopen("/proc/cpuinfo", "r");
    while (file && fgets(line, sizeof line, file)) {
        if (!strncmp(line, "model name", 10)) printf("CPU            %s", strchr(line, ':') + 2);
        if (strncmp(line, "flags", 5) && strncmp(line, "Features", 8)) continue;
        line[strcspn(line, "\n")] = ' ';
        printf("features      ");
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            char word[32];
            snprintf(word, sizeof word, " %s ", wanted[i]);
            if (strstr(line, word)) printf(" %s", wanted[i]);
        }
        puts("");
        break;
    }
    if (file) fclose(file);
}

int tool_doctor(int argc, char **argv) {
    static const char *const none[] = {NULL};
    struct tool_options options;
    struct utsname host;
    int first, status = tool_read_options(argc, argv, none, help, &options, &first);
    if (status) return status < 0 ? EXIT_OK : status;
    if (first < argc) return tool_fail(EXIT_USAGE, "doctor takes no arguments");
    const char *mask = getenv("POMONA_CPU");
    printf("pomona         %s (build %s)\n", pomona_version(), pomona_build_id());
    if (!uname(&host)) printf("system         %s %s %s\n", host.sysname, host.release, host.machine);
    printf("C library      glibc %s\n", gnu_get_libc_version());
    print_cpu();
    printf("kernels        %s%s (POMONA_CPU=%s)\n", pomona_cpu_level(), pomona_cpu_inner() ? ", inner products" : "",
           mask ? mask : "");
    printf("bf16           %s\n", pomona_cpu_bf16() ? pomona_cpu_bf16() : "none");
    printf("processors     %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
    printf("limits         max pixels %u, max bytes %u, max scans %u, batch %u\n", POMONA_DEFAULT_MAX_PIXELS,
           POMONA_DEFAULT_MAX_BYTES, POMONA_DEFAULT_MAX_SCANS, POMONA_MAX_BATCH);
    return EXIT_OK;
}
