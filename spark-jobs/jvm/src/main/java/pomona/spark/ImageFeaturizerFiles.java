// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.io.IOException;
import java.io.OutputStream;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.ml.util.DefaultParamsReader;
import org.apache.spark.ml.util.DefaultParamsWriter;
import org.apache.spark.ml.util.MLReader;
import org.apache.spark.ml.util.MLWriter;
import org.apache.spark.sql.SparkSession;
import pomona.ModelOptions.Precision;

/** A saved stage: {@code metadata/} as Spark ML writes it, and {@code model/SHA256.safetensors}. */
final class ImageFeaturizerFiles {
    private static final String MODEL_FOLDER = "model";

    private ImageFeaturizerFiles() {}

    private static Configuration configuration() {
        return SparkSession.active().sparkContext().hadoopConfiguration();
    }

    static final class Writer extends MLWriter {
        private final ImageFeaturizer stage;

        Writer(ImageFeaturizer stage) {
            this.stage = stage;
        }

        @Override
        public void saveImpl(String path) {
            if (!stage.isDefined(stage.modelPath())) {
                throw new IllegalArgumentException("modelPath is not set: a stage is saved with its model file");
            }
            byte[][] content = DriverModels.content(SparkSession.active(), stage.getModelPath());
            Path target = new Path(new Path(path, MODEL_FOLDER), ModelFile.sum(content) + ".safetensors");
            new DefaultParamsWriter(stage).saveImpl(path);
            try (OutputStream stream = target.getFileSystem(configuration()).create(target)) {
                for (byte[] chunk : content) {
                    stream.write(chunk);
                }
            } catch (IOException e) {
                throw new java.io.UncheckedIOException("model file " + target + " cannot be written: " + e.getMessage(), e);
            }
        }
    }

    static final class Reader extends MLReader<ImageFeaturizer> {
        @Override
        public ImageFeaturizer load(String path) {
            ImageFeaturizer stage = new DefaultParamsReader<ImageFeaturizer>().load(path);
            stage.setModelPath(modelIn(new Path(path, MODEL_FOLDER)).toString());
            DriverModels.resolve(SparkSession.active(), stage.getModelPath(), Precision.of(stage.getPrecision()));
            return stage;
        }

        private static Path modelIn(Path folder) {
            try {
                FileSystem fileSystem = folder.getFileSystem(configuration());
                FileStatus[] files = fileSystem.listStatus(folder, file -> file.getName().endsWith(".safetensors"));
                if (files.length != 1) {
                    throw new IllegalArgumentException(
                            "a saved stage holds one model file: " + folder + " holds " + files.length);
                }
                return files[0].getPath();
            } catch (IOException e) {
                throw new java.io.UncheckedIOException("the saved stage's model cannot be read: " + e.getMessage(), e);
            }
        }
    }
}
