// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import scala.Option;

/**
 * A host for each group of partitions: hosts get groups in proportion to the blocks that lie there. Where a group names none,
 * Spark places its task by the first of its partitions alone, and tasks wait for one executor while others are idle.
 */
final class GroupHosts {
    /** What a host may still get, where a group is as much as there are blocks in all. */
    private final Map<String, Long> room = new TreeMap<>();

    private final long group;

    /** @param blocks for each group, the hosts of its partitions' blocks, as often as blocks lie there */
    GroupHosts(List<List<String>> blocks) {
        Map<String, Long> all = counts(blocks.stream().flatMap(Collection::stream).collect(Collectors.toList()));
        all.forEach((host, count) -> room.put(host, count * blocks.size()));
        group = all.values().stream().mapToLong(Long::longValue).sum();
    }

    /** The host for the next group: of those that have room, the one with most of its blocks; none where no block has one. */
    Option<String> next(List<String> blocks) {
        if (room.isEmpty()) {
            return Option.empty();
        }
        Map<String, Long> own = counts(blocks);
        long enough = Math.min(group / 2, Collections.max(room.values()));
        String found = room.keySet().stream()
                .filter(host -> room.get(host) >= enough)
                .max(Comparator.comparing(host -> own.getOrDefault(host, 0L)))
                .get();
        room.merge(found, -group, Long::sum);
        return Option.apply(found);
    }

    private static Map<String, Long> counts(List<String> hosts) {
        return hosts.stream().collect(Collectors.groupingBy(Function.identity(), Collectors.counting()));
    }
}
