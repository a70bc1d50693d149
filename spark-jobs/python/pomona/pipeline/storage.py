# SPDX-License-Identifier: Apache-2.0
"""Files on any file system that Hadoop knows (local, HDFS, S3), through the driver's JVM."""

from contextlib import contextmanager


class Storage:
    """Reads and writes whole files by URI."""

    def __init__(self, spark):
        self._jvm = spark.sparkContext._jvm
        self._configuration = spark.sparkContext._jsc.hadoopConfiguration()

    def _locate(self, uri):
        path = self._jvm.org.apache.hadoop.fs.Path(uri)
        return path.getFileSystem(self._configuration), path

    def exists(self, uri):
        file_system, path = self._locate(uri)
        return file_system.exists(path)

    def matches(self, pattern):
        """Whether anything lies at a URI that may be a glob."""
        file_system, path = self._locate(pattern)
        return bool(file_system.globStatus(path))

    def names(self, uri):
        """Names of what lies in a folder; none where there is no folder."""
        file_system, path = self._locate(uri)
        return [s.getPath().getName() for s in file_system.listStatus(path)] if file_system.exists(path) else []

    def delete(self, uri):
        file_system, path = self._locate(uri)
        file_system.delete(path, True)

    @contextmanager
    def _opened(self, uri):
        file_system, path = self._locate(uri)
        stream = file_system.open(path)
        try:
            yield stream
        finally:
            stream.close()

    def read(self, uri, length=None):
        """The whole file, or its first `length` bytes."""
        to_bytes = self._jvm.org.apache.commons.io.IOUtils.toByteArray
        with self._opened(uri) as stream:
            return bytes(to_bytes(stream) if length is None else to_bytes(stream, length))

    def sha256(self, uri):
        with self._opened(uri) as stream:
            return self._jvm.org.apache.commons.codec.digest.DigestUtils.sha256Hex(stream)

    def write(self, uri, text):
        file_system, path = self._locate(uri)
        stream = file_system.create(path, True)
        try:
            stream.write(bytearray(text.encode("utf-8")))
        finally:
            stream.close()
