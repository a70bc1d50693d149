// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.util.Arrays;
import org.apache.spark.ml.attribute.AttributeGroup;
import org.apache.spark.ml.linalg.SQLDataTypes;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.ml.util.Identifiable$;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.ml.util.MLWritable;
import org.apache.spark.ml.util.MLWriter;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.MetadataBuilder;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import pomona.Library;
import pomona.ModelOptions.Precision;
import pomona.SessionOptions;
import pomona.SessionOptions.CorruptData;
import pomona.SessionOptions.Fit;
import pomona.SessionOptions.Pooling;
import pomona.SessionOptions.Resample;

/**
 * JPEGs to feature vectors: {@code new ImageFeaturizer().setModelPath("s3://.../model.safetensors").transform(images)}.
 *
 * <p>The output is the input with two columns more: features and error. It is computed in {@code mapPartitions}, in batches:
 * Spark reads all columns of the input for it, and computes the features even where nobody reads them. So select the columns
 * that are needed before the stage, and set {@code dropInput} when the bytes are not needed after it. The SQL function
 * {@link ImageFeatures} works row by row and is pruned like any other expression.
 *
 * <p>The driver reads and checks the model, and the executors get it from there, once each. A saved stage carries its model
 * file.
 */
public final class ImageFeaturizer extends ImageFeaturizerParams implements MLWritable {
    private static final long serialVersionUID = 1L;

    public ImageFeaturizer() {
        this(Identifiable$.MODULE$.randomUID("ImageFeaturizer"));
    }

    public ImageFeaturizer(String uid) {
        super(uid);
    }

    /** Reads a saved stage; its model is the file that was saved with it. */
    public static ImageFeaturizer load(String path) {
        return read().load(path);
    }

    public static MLReader<ImageFeaturizer> read() {
        return new ImageFeaturizerFiles.Reader();
    }

    @Override
    public MLWriter write() {
        return new ImageFeaturizerFiles.Writer(this);
    }

    @Override
    public ImageFeaturizer copy(ParamMap extra) {
        return defaultCopy(extra);
    }

    /** Checks the columns, the Params and the model, and tells the output's columns. */
    @Override
    public StructType transformSchema(StructType schema) {
        checkColumns(schema);
        ModelReference model = model(SparkSession.active());
        top(model);
        return outputSchema(schema, model);
    }

    @Override
    public Dataset<Row> transform(Dataset<?> dataset) {
        StructType schema = transformSchema(dataset.schema());
        ModelReference model = model(dataset.sparkSession());
        FeaturizePartition work = new FeaturizePartition(model, settings(dataset.schema(), model));
        return Columns.described(dataset.toDF().mapPartitions(work, SparkLines.rowEncoder(schema)), schema);
    }

    private void checkColumns(StructType schema) {
        String input = getInputCol();
        DataType type = Columns.input(schema, input).dataType();
        Columns.require(type.equals(DataTypes.BinaryType), "inputCol " + input + " is " + type.simpleString()
                + ": it must be binary, as spark.read.format(\"binaryFile\") gives it in column content");
        for (String output : Arrays.asList(getOutputCol(), getErrorCol())) {
            boolean free = !Columns.contains(schema, output) || (getDropInput() && output.equals(input));
            Columns.require(free, "output column " + output + " exists already: rename or drop it, or set another name");
        }
        Columns.require(!getOutputCol().equals(getErrorCol()), "outputCol and errorCol are both " + getErrorCol());
        Columns.require(isDefined(modelPath()), "modelPath is not set: name a model file");
    }

    private ModelReference model(SparkSession session) {
        return DriverModels.resolve(session, getModelPath(), Precision.of(getPrecision()));
    }

    private StructType outputSchema(StructType schema, ModelReference model) {
        StructField[] kept = Arrays.stream(schema.fields())
                .filter(field -> !getDropInput() || !field.name().equals(getInputCol()))
                .toArray(StructField[]::new);
        return new StructType(kept)
                .add(new StructField(getOutputCol(), type(), true, metadata(model)))
                .add(getErrorCol(), DataTypes.StringType, true);
    }

    private OutputType output() {
        return OutputType.of(getOutputType());
    }

    private DataType type() {
        switch (output()) {
            case VECTOR:
                return SQLDataTypes.VectorType();
            case TOP:
                return TopClasses.TYPE;
            default:
                return DataTypes.createArrayType(DataTypes.FloatType, false);
        }
    }

    /** What made the vectors, so that a later stage can refuse those of another model. */
    private Metadata metadata(ModelReference model) {
        int length = model.outputLength(Pooling.of(getPooling()));
        Metadata about = new MetadataBuilder()
                .putString("model", model.name())
                .putString("sha256", model.sha256())
                .putString("precision", pomona.Choice.text(model.precision()))
                .putString("pooling", getPooling())
                .putString("resample", getResample())
                .putString("fit", getFit())
                .putBoolean("fastDecode", getFastDecode())
                .putString("version", Library.version())
                .putLong("length", length)
                .build();
        Metadata own = new MetadataBuilder().putMetadata("pomona", about).build();
        return output() == OutputType.VECTOR ? new AttributeGroup(getOutputCol(), length).toMetadata(own) : own;
    }

    /** Checks, where classes are asked for, that the model names them; null where they are not. */
    private TopClasses top(ModelReference model) {
        return output() == OutputType.TOP ? new TopClasses(model, getTopK()) : null;
    }

    private FeaturizeSettings settings(StructType schema, ModelReference model) {
        FeaturizeSettings settings = new FeaturizeSettings();
        settings.session = sessionOptions();
        settings.mode = ErrorMode.of(getMode());
        settings.batchSize = getBatchSize();
        settings.vector = output() == OutputType.VECTOR;
        settings.top = top(model);
        settings.dropInput = getDropInput();
        settings.contentColumn = schema.fieldIndex(getInputCol());
        settings.pathColumn = Columns.path(schema);
        return settings;
    }

    private SessionOptions sessionOptions() {
        return new SessionOptions()
                .withPooling(Pooling.of(getPooling()))
                .withResample(Resample.of(getResample()))
                .withFit(Fit.of(getFit()))
                .withCorruptData(CorruptData.of(getCorruptData()))
                .withFastDecode(getFastDecode())
                .withBatch(getBatchSize())
                .withMaxBytes(getMaxBytes())
                .withMaxPixels(getMaxPixels())
                .withMaxScans(getMaxScans());
    }

    public String getInputCol() {
        return getOrDefault(inputCol());
    }

    public ImageFeaturizer setInputCol(String value) {
        set(inputCol(), value);
        return this;
    }

    public String getOutputCol() {
        return getOrDefault(outputCol());
    }

    public ImageFeaturizer setOutputCol(String value) {
        set(outputCol(), value);
        return this;
    }

    public String getErrorCol() {
        return getOrDefault(errorCol());
    }

    public ImageFeaturizer setErrorCol(String value) {
        set(errorCol(), value);
        return this;
    }

    public String getModelPath() {
        return getOrDefault(modelPath());
    }

    public ImageFeaturizer setModelPath(String value) {
        set(modelPath(), value);
        return this;
    }

    public String getPooling() {
        return getOrDefault(pooling());
    }

    public ImageFeaturizer setPooling(String value) {
        set(pooling(), value);
        return this;
    }

    public String getResample() {
        return getOrDefault(resample());
    }

    public ImageFeaturizer setResample(String value) {
        set(resample(), value);
        return this;
    }

    public String getFit() {
        return getOrDefault(fit());
    }

    public ImageFeaturizer setFit(String value) {
        set(fit(), value);
        return this;
    }

    public String getPrecision() {
        return getOrDefault(precision());
    }

    public ImageFeaturizer setPrecision(String value) {
        set(precision(), value);
        return this;
    }

    public int getBatchSize() {
        return (Integer) getOrDefault(batchSize());
    }

    public ImageFeaturizer setBatchSize(int value) {
        set(batchSize(), value);
        return this;
    }

    public String getMode() {
        return getOrDefault(mode());
    }

    public ImageFeaturizer setMode(String value) {
        set(mode(), value);
        return this;
    }

    public String getCorruptData() {
        return getOrDefault(corruptData());
    }

    public ImageFeaturizer setCorruptData(String value) {
        set(corruptData(), value);
        return this;
    }

    public boolean getFastDecode() {
        return (Boolean) getOrDefault(fastDecode());
    }

    public ImageFeaturizer setFastDecode(boolean value) {
        set(fastDecode(), value);
        return this;
    }

    public long getMaxBytes() {
        return (Long) getOrDefault(maxBytes());
    }

    public ImageFeaturizer setMaxBytes(long value) {
        set(maxBytes(), value);
        return this;
    }

    public long getMaxPixels() {
        return (Long) getOrDefault(maxPixels());
    }

    public ImageFeaturizer setMaxPixels(long value) {
        set(maxPixels(), value);
        return this;
    }

    public int getMaxScans() {
        return (Integer) getOrDefault(maxScans());
    }

    public ImageFeaturizer setMaxScans(int value) {
        set(maxScans(), value);
        return this;
    }

    public String getOutputType() {
        return getOrDefault(outputType());
    }

    public ImageFeaturizer setOutputType(String value) {
        set(outputType(), value);
        return this;
    }

    public int getTopK() {
        return (Integer) getOrDefault(topK());
    }

    public ImageFeaturizer setTopK(int value) {
        set(topK(), value);
        return this;
    }

    public boolean getDropInput() {
        return (Boolean) getOrDefault(dropInput());
    }

    public ImageFeaturizer setDropInput(boolean value) {
        set(dropInput(), value);
        return this;
    }
}
