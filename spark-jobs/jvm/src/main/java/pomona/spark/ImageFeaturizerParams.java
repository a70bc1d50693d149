// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.param.BooleanParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.LongParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamValidators;
import pomona.Choice;
import pomona.ModelOptions.Precision;
import pomona.SessionOptions;
import pomona.SessionOptions.CorruptData;
import pomona.SessionOptions.Fit;
import pomona.SessionOptions.Pooling;
import pomona.SessionOptions.Resample;

/** The Params of {@link ImageFeaturizer}: names, docs, checks, defaults. */
public abstract class ImageFeaturizerParams extends Transformer {
    private static final long serialVersionUID = 1L;

    /** Type of the output column. */
    public enum OutputType {
        ARRAY,
        VECTOR,
        TOP;

        public static OutputType of(String text) {
            return Choice.parse(OutputType.class, "outputType", text);
        }
    }

    private final String uid;
    private final Param<String> inputCol;
    private final Param<String> outputCol;
    private final Param<String> errorCol;
    private final Param<String> modelPath;
    private final Param<String> pooling;
    private final Param<String> resample;
    private final Param<String> fit;
    private final Param<String> precision;
    private final IntParam batchSize;
    private final Param<String> mode;
    private final Param<String> corruptData;
    private final BooleanParam fastDecode;
    private final LongParam maxBytes;
    private final LongParam maxPixels;
    private final IntParam maxScans;
    private final Param<String> outputType;
    private final IntParam topK;
    private final BooleanParam dropInput;

    // Params take their parent's uid when they are created: after it is set.
    ImageFeaturizerParams(String uid) {
        this.uid = uid;
        inputCol = text("inputCol", "binary column with the encoded bytes of a JPEG");
        outputCol = text("outputCol", "column for the features; null where the image is null or bad");
        errorCol = text("errorCol", "column for \"CODE: text\" where the image is bad, null elsewhere");
        modelPath = text("modelPath", "model file on any Hadoop file system; only the driver reads it");
        pooling = choice("pooling", "from the feature map to a vector: avg, max, none", Pooling::of);
        resample = choice("resample",
                "Pillow's filter: bicubic, nearest, box, bilinear, hamming, lanczos", Resample::of);
        fit = choice("fit", "squash: scale each side; crop: cover the input and take the centre", Fit::of);
        precision = choice("precision", "fp32, fp32-split, bf16, auto; fails where CPU or model refuse", Precision::of);
        batchSize = new IntParam(this, "batchSize",
                "images in a native call at most; never changes results", ParamValidators.inRange(1, SessionOptions.MAX_BATCH));
        mode = choice("mode", "bad images: PERMISSIVE, DROPMALFORMED, FAILFAST", ErrorMode::of);
        corruptData = choice("corruptData",
                "damaged image data: reject, or accept the pixels that Pillow would show", CorruptData::of);
        fastDecode = new BooleanParam(this, "fastDecode",
                "decode large images at a half, quarter or eighth of their size: faster, other pixels and so other features");
        maxBytes = new LongParam(this, "maxBytes",
                "encoded bytes of an image at most; 0: the library's default, -1: no limit", ParamValidators.gtEq(SessionOptions.UNLIMITED));
        maxPixels = new LongParam(this, "maxPixels",
                "pixels of an image at most; 0: the library's default, -1: no limit", ParamValidators.gtEq(SessionOptions.UNLIMITED));
        maxScans = new IntParam(this, "maxScans",
                "scans of a progressive image at most; 0: the library's default, -1: no limit", ParamValidators.gtEq(SessionOptions.UNLIMITED));
        outputType = choice("outputType",
                "array (of float), vector, or top: the likeliest classes, for models with a classifier", OutputType::of);
        topK = new IntParam(this, "topK", "classes that outputType top names", ParamValidators.gtEq(1));
        dropInput = new BooleanParam(this, "dropInput", "leave the input column out of the output");
        setDefault(inputCol, "content");
        setDefault(outputCol, "features");
        setDefault(errorCol, "error");
        setDefault(pooling, "avg");
        setDefault(resample, "bicubic");
        setDefault(fit, "squash");
        setDefault(precision, "fp32");
        setDefault(batchSize, 2); // more gain next to nothing: docs/tuning.md
        setDefault(mode, "PERMISSIVE");
        setDefault(corruptData, "reject");
        setDefault(fastDecode, false);
        setDefault(maxBytes, 0L);
        setDefault(maxPixels, 0L);
        setDefault(maxScans, 0);
        setDefault(outputType, "array");
        setDefault(topK, 5);
        setDefault(dropInput, false);
    }

    @Override
    public String uid() {
        return uid;
    }

    private Param<String> text(String name, String doc) {
        return new Param<>(this, name, doc);
    }

    private Param<String> choice(String name, String doc, Parses.Parser parser) {
        return new Param<>(this, name, doc, new Parses(parser));
    }

    public Param<String> inputCol() {
        return inputCol;
    }

    public Param<String> outputCol() {
        return outputCol;
    }

    public Param<String> errorCol() {
        return errorCol;
    }

    public Param<String> modelPath() {
        return modelPath;
    }

    public Param<String> pooling() {
        return pooling;
    }

    public Param<String> resample() {
        return resample;
    }

    public Param<String> fit() {
        return fit;
    }

    public Param<String> precision() {
        return precision;
    }

    public IntParam batchSize() {
        return batchSize;
    }

    public Param<String> mode() {
        return mode;
    }

    public Param<String> corruptData() {
        return corruptData;
    }

    public BooleanParam fastDecode() {
        return fastDecode;
    }

    public LongParam maxBytes() {
        return maxBytes;
    }

    public LongParam maxPixels() {
        return maxPixels;
    }

    public IntParam maxScans() {
        return maxScans;
    }

    public Param<String> outputType() {
        return outputType;
    }

    public IntParam topK() {
        return topK;
    }

    public BooleanParam dropInput() {
        return dropInput;
    }
}
