// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Arrays;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.feature.StandardScalerModel;
import org.apache.spark.ml.linalg.DenseVector;
import org.apache.spark.ml.linalg.Vector;

/** Between {@link PCAModel} and Spark ML's own models. */
final class StockModels {
    private StockModels() {}

    static Transformer make(PCAModel model) {
        boolean scales = model.fitted().standardize;
        if (!scales && !model.getCenter()) {
            return components(model, model.getInputCol());
        }
        String between = model.uid() + "__scaled";
        StandardScalerModel scaler = new StandardScalerModel(model.uid() + "_scaler", model.std(), model.mean());
        scaler.set(scaler.withMean(), true);
        scaler.set(scaler.withStd(), scales);
        scaler.setInputCol(model.getInputCol()).setOutputCol(between);
        Transformer[] stages = {scaler, components(model, between)};
        return new PipelineModel(model.uid() + "_pipeline", Arrays.asList(stages));
    }

    private static org.apache.spark.ml.feature.PCAModel components(PCAModel model, String input) {
        org.apache.spark.ml.feature.PCAModel stock =
                new org.apache.spark.ml.feature.PCAModel(model.uid(), model.pc(), model.explainedVariance());
        stock.set(stock.k(), model.fitted().k);
        return stock.setInputCol(input).setOutputCol(model.getOutputCol());
    }

    static PCAModel read(Transformer model) {
        if (model instanceof org.apache.spark.ml.feature.PCAModel) {
            return plain((org.apache.spark.ml.feature.PCAModel) model);
        }
        Transformer[] stages = model instanceof PipelineModel ? ((PipelineModel) model).stages() : new Transformer[0];
        Columns.require(stages.length == 2 && stages[0] instanceof StandardScalerModel
                        && stages[1] instanceof org.apache.spark.ml.feature.PCAModel,
                "fromSpark takes Spark ML's PCAModel, or a PipelineModel of its StandardScalerModel and PCAModel: this is "
                        + model.getClass().getName());
        return scaled((StandardScalerModel) stages[0], (org.apache.spark.ml.feature.PCAModel) stages[1]);
    }

    private static PCAModel plain(org.apache.spark.ml.feature.PCAModel stock) {
        double[] zeros = new double[stock.pc().numRows()];
        double[] ones = new double[zeros.length];
        Arrays.fill(ones, 1);
        return ours(stock, zeros, ones, false).setInputCol(stock.getInputCol());
    }

    private static PCAModel scaled(StandardScalerModel scaler, org.apache.spark.ml.feature.PCAModel stock) {
        Columns.require(scaler.getOutputCol().equals(stock.getInputCol()), "the scaler writes column "
                + scaler.getOutputCol() + ", and the PCAModel reads " + stock.getInputCol());
        Columns.require(scaler.getWithMean(), "the scaler has no withMean: components of columns that are scaled and not"
                + " centred have no counterpart here");
        PCAModel model = ours(stock, numbers(scaler.mean()), numbers(scaler.std()), scaler.getWithStd());
        return model.setInputCol(scaler.getInputCol()).setCenter(!scaler.getWithStd());
    }

    private static double[] numbers(Vector vector) {
        return vector.toArray();
    }

    private static PCAModel ours(
            org.apache.spark.ml.feature.PCAModel stock, double[] mean, double[] deviation, boolean standardize) {
        double[] components = stock.pc().toArray(); // by columns, whatever the matrix's own order
        double[] shares = stock.explainedVariance().toArray();
        FittedPca fitted = new FittedPca(components, shares, mean, deviation, standardize, 0, 0, null);
        PCAModel model = new PCAModel(stock.uid()).fill(fitted).setOutputCol(stock.getOutputCol());
        model.set(model.standardize(), standardize);
        return model;
    }
}
