// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import pomona.Model;
import pomona.ModelOptions;
import pomona.ModelOptions.Precision;
import pomona.SessionOptions;

/** A model that the driver has checked, as tasks carry it: what it is, and where its weights come from. */
final class ModelReference implements Serializable {
    private static final long serialVersionUID = 1L;

    private final Weights weights;
    private final Precision precision;
    private final String name;
    private final long mapPositions;
    private final int channels;
    private final ArrayList<String> classNames;

    ModelReference(Weights weights, Precision precision, Model model) {
        this.weights = weights;
        this.precision = precision;
        this.name = model.name();
        this.mapPositions = (long) model.featureHeight() * model.featureWidth();
        this.channels = model.featureChannels();
        this.classNames = new ArrayList<>(model.classNames());
    }

    /** The same weights give the same registry entry, whoever asks. */
    ModelKey key() {
        return new ModelKey(weights.sha256(), precision);
    }

    String name() {
        return name;
    }

    String sha256() {
        return weights.sha256();
    }

    Precision precision() {
        return precision;
    }

    /** Numbers in the vector of one image. */
    int outputLength(SessionOptions.Pooling pooling) {
        return Math.toIntExact(pooling == SessionOptions.Pooling.NONE ? mapPositions * channels : channels);
    }

    /** What the numbers of the vector stand for; empty when the model is no classifier. */
    List<String> classNames() {
        return classNames;
    }

    Model open() {
        return weights.open(new ModelOptions().withPrecision(precision));
    }
}
