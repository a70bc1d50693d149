// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Objects;
import pomona.PcaState;

/**
 * Merges states, given in the order of their tasks, in a tree whose shape depends on their number alone: 2^h neighbours that
 * begin at a multiple of 2^h are one node. So sums have the same last bits in every run, and also where whole nodes come in
 * place of leaves. Holds one state for each height at most.
 */
final class StateTree implements AutoCloseable {
    private static final class Node {
        final PcaState state; // null: the node's tasks had no rows
        final int height;

        Node(PcaState state, int height) {
            this.state = state;
            this.height = height;
        }
    }

    /** Nodes of falling height, the last on top. */
    private final Deque<Node> nodes = new ArrayDeque<>();

    /** @param leaf this tree's from now on; null where its task had no rows */
    void add(PcaState leaf) {
        nodes.push(new Node(leaf, 0));
        while (nodes.size() > 1 && nodes.peek().height == second().height) {
            join();
        }
    }

    private Node second() {
        return nodes.stream().skip(1).findFirst().get();
    }

    /** The two last nodes become one. Both stay where close finds them until they are. */
    private void join() {
        Node right = nodes.peek();
        Node left = second();
        boolean both = left.state != null && right.state != null;
        if (both) {
            left.state.merge(right.state);
            right.state.close();
        }
        nodes.pop();
        nodes.pop();
        nodes.push(new Node(left.state != null ? left.state : right.state, left.height + 1));
    }

    /** The state of all, which stays this tree's; null where there were no rows. */
    PcaState root() {
        while (nodes.size() > 1) {
            join();
        }
        return nodes.isEmpty() ? null : nodes.peek().state;
    }

    @Override
    public void close() {
        nodes.stream().map(node -> node.state).filter(Objects::nonNull).forEach(PcaState::close);
        nodes.clear();
    }
}
