# SPDX-License-Identifier: Apache-2.0
"""What the Python stages share: how a Param is declared, and how a new stage gets the JVM's that does its work."""

from typing import Any, Callable, Dict

from pyspark.ml.param import Param, Params
from pyspark.ml.wrapper import JavaParams
from pyspark.sql import SparkSession

from pomona.spark.functions import java_class


def param(name: str, doc: str, convert: Callable[[Any], Any]) -> Param:
    return Param(Params._dummy(), name, doc, typeConverter=convert)


class JvmStage(JavaParams):
    """A stage that users construct."""

    def _start(self, name: str, given: Dict[str, Any]) -> None:
        """Make the JVM's stage `pomona.spark.NAME`, take its defaults, and set the Params that are given."""
        java_class(SparkSession.builder.getOrCreate(), name)  # says so when the jar is missing
        self._java_obj = self._new_java_obj(f"pomona.spark.{name}", self.uid)
        self._transfer_params_from_java()
        self._set(**given)
