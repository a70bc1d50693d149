// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import java.util.Arrays;
import org.apache.spark.sql.types.Metadata;

/** What made the vectors of a column, as {@link ImageFeaturizer} writes it into the column's metadata. */
final class FeatureSource implements Serializable {
    private static final long serialVersionUID = 1L;

    static final String KEY = "pomona";
    /** What makes vectors another kind of vectors: the network, and how its last map becomes one. */
    private static final String[] IDENTITY = {"sha256", "pooling"};

    private final String json;

    private FeatureSource(String json) {
        this.json = json;
    }

    /** The source of a column, or null where its metadata tells none. */
    static FeatureSource of(Metadata metadata) {
        return metadata.contains(KEY) ? new FeatureSource(metadata.getMetadata(KEY).json()) : null;
    }

    /** What {@link #json} gave; null for null. */
    static FeatureSource ofJson(String json) {
        return json == null ? null : new FeatureSource(json);
    }

    String json() {
        return json;
    }

    boolean sameAs(FeatureSource other) {
        Metadata mine = Metadata.fromJson(json);
        Metadata theirs = Metadata.fromJson(other.json);
        return Arrays.stream(IDENTITY).allMatch(key -> text(mine, key).equals(text(theirs, key)));
    }

    private static String text(Metadata metadata, String key) {
        return metadata.contains(key) ? metadata.getString(key) : "unknown";
    }

    @Override
    public String toString() {
        Metadata about = Metadata.fromJson(json);
        return text(about, "model") + " (sha256 " + text(about, "sha256") + ", pooling " + text(about, "pooling") + ")";
    }
}
