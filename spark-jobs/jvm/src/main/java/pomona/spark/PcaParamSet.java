// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.Serializable;
import org.apache.spark.ml.param.BooleanParam;
import org.apache.spark.ml.param.DoubleParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamValidators;
import org.apache.spark.ml.param.Params;
import pomona.Choice;
import pomona.PcaState.BadRows;

/** The Params of {@link PcaParams} with names, docs, checks and defaults, made for one stage. */
public final class PcaParamSet implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Type of the column of components. */
    enum OutputType {
        ARRAY,
        VECTOR;

        static OutputType of(String text) {
            return Choice.parse(OutputType.class, "outputType", text);
        }
    }

    final Param<String> inputCol;
    final Param<String> outputCol;
    final IntParam k;
    final DoubleParam varianceTarget;
    final BooleanParam standardize;
    final BooleanParam center;
    final Param<String> badRows;
    final Param<String> outputType;

    /** @param stage its uid is set already: Params take it when they are created */
    PcaParamSet(Params stage) {
        inputCol = new Param<>(stage, "inputCol", "column of vectors: vector, array<float> or array<double>");
        outputCol = new Param<>(stage, "outputCol", "column for the components");
        k = new IntParam(stage, "k", "components to keep; either this or varianceTarget", ParamValidators.gtEq(1));
        varianceTarget = new DoubleParam(stage, "varianceTarget",
                "the fewest components that keep this share of the variance, in (0, 1]; either this or k",
                ParamValidators.inRange(0, 1, false, true));
        standardize = new BooleanParam(stage, "standardize",
                "columns centred and divided by their deviation, as by StandardScaler(withMean, withStd)");
        center = new BooleanParam(stage, "center",
                "transform subtracts the mean; Spark ML's PCAModel does not. A standardising model always does");
        badRows = new Param<>(stage, "badRows",
                "null, wrong length, NaN or infinity: error, or skip (left out of the fit and counted; null in the output)",
                new Parses(BadRows::of));
        outputType = new Param<>(stage, "outputType", "vector or array (of double)", new Parses(OutputType::of));
        stage.setDefault(inputCol, "features");
        stage.setDefault(outputCol, "pca");
        stage.setDefault(standardize, false);
        stage.setDefault(center, false);
        stage.setDefault(badRows, "error");
        stage.setDefault(outputType, "vector");
    }
}
