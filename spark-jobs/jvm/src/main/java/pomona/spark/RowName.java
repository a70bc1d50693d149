// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

/** What a row is called in messages: its path, or its place in the input. */
final class RowName {
    private final String path; // null: none
    private final int partition;
    private final long index;

    RowName(String path, int partition, long index) {
        this.path = path;
        this.partition = partition;
        this.index = index;
    }

    @Override
    public String toString() {
        return path != null ? path : "row " + index + " of partition " + partition;
    }
}
