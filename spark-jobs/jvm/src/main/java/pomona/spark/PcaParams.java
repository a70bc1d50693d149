// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import org.apache.spark.ml.param.BooleanParam;
import org.apache.spark.ml.param.DoubleParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.Params;

/**
 * The Params that {@link PCA} and {@link PCAModel} share.
 *
 * @param <T> the stage itself, which setters return
 */
public interface PcaParams<T extends PcaParams<T>> extends Params {
    /** The stage's own Params. */
    PcaParamSet paramSet();

    /** This stage. */
    T self();

    default Param<String> inputCol() {
        return paramSet().inputCol;
    }

    default Param<String> outputCol() {
        return paramSet().outputCol;
    }

    default IntParam k() {
        return paramSet().k;
    }

    default DoubleParam varianceTarget() {
        return paramSet().varianceTarget;
    }

    default BooleanParam standardize() {
        return paramSet().standardize;
    }

    default BooleanParam center() {
        return paramSet().center;
    }

    default Param<String> badRows() {
        return paramSet().badRows;
    }

    default Param<String> outputType() {
        return paramSet().outputType;
    }

    default String getInputCol() {
        return getOrDefault(inputCol());
    }

    default T setInputCol(String value) {
        set(inputCol(), value);
        return self();
    }

    default String getOutputCol() {
        return getOrDefault(outputCol());
    }

    default T setOutputCol(String value) {
        set(outputCol(), value);
        return self();
    }

    /** Components; of a model, those that it has. */
    default int getK() {
        return (Integer) getOrDefault(k());
    }

    default double getVarianceTarget() {
        return (Double) getOrDefault(varianceTarget());
    }

    default boolean getStandardize() {
        return (Boolean) getOrDefault(standardize());
    }

    default boolean getCenter() {
        return (Boolean) getOrDefault(center());
    }

    default T setCenter(boolean value) {
        set(center(), value);
        return self();
    }

    default String getBadRows() {
        return getOrDefault(badRows());
    }

    default T setBadRows(String value) {
        set(badRows(), value);
        return self();
    }

    default String getOutputType() {
        return getOrDefault(outputType());
    }

    default T setOutputType(String value) {
        set(outputType(), value);
        return self();
    }
}
