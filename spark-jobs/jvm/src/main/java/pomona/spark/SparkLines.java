// SPDX-License-Identifier: Apache-2.0
package pomona.spark;

import java.lang.invoke.MethodType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.Collection;
import org.apache.spark.rdd.RDD;
import org.apache.spark.scheduler.TaskLocation;
import org.apache.spark.sql.Encoder;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.expressions.UserDefinedFunction;
import org.apache.spark.sql.types.StructType;
import scala.collection.Iterable;
import scala.collection.Iterator;
import scala.collection.immutable.List;
import scala.collection.immutable.Nil$;
import scala.collection.mutable.ArrayBuffer;

/** What changed its place or type between Spark's lines, by reflection: the rest of the jar runs on all of them as it is. */
final class SparkLines {
    private SparkLines() {}

    /** Encoders.row since 3.5, RowEncoder.apply before. */
    @SuppressWarnings("unchecked")
    static Encoder<Row> rowEncoder(StructType schema) {
        try {
            return (Encoder<Row>) invokeStatic("org.apache.spark.sql.Encoders", "row", schema);
        } catch (NoSuchMethodException e) {
            return (Encoder<Row>)
                    orFail(() -> invokeStatic("org.apache.spark.sql.catalyst.encoders.RowEncoder", "apply", schema));
        }
    }

    /** UserDefinedFunctionUtils.toScalaUDF since 4.0, SparkUserDefinedFunction.createScalaUDF before. */
    static Expression call(UserDefinedFunction function, Expression... expressions) {
        List<Expression> arguments = listOf(expressions);
        return (Expression) orFail(() -> {
            try {
                Class<?> type = Class.forName("org.apache.spark.sql.classic.UserDefinedFunctionUtils$");
                return invoke(type.getField("MODULE$").get(null), "toScalaUDF", function, arguments);
            } catch (ClassNotFoundException e) {
                return invoke(function, "createScalaUDF", arguments);
            }
        });
    }

    /** Scala's List alone has the same shape in 2.12 and 2.13. */
    @SuppressWarnings("unchecked")
    private static List<Expression> listOf(Expression[] elements) {
        List<Expression> list = (List<Expression>) (List<?>) Nil$.MODULE$;
        for (int i = elements.length - 1; i >= 0; i--) {
            list = list.$colon$colon(elements[i]);
        }
        return list;
    }

    /** SparkSession.sessionState moved to classic.SparkSession in 4.0. */
    static FunctionRegistry functionRegistry(SparkSession session) {
        return (FunctionRegistry) orFail(() -> invoke(invoke(session, "sessionState"), "functionRegistry"));
    }

    /** The type of ArrayBuffer.+= is another in each line of Scala. */
    static <T> void append(ArrayBuffer<T> buffer, T element) {
        orFail(() -> invoke(buffer, "$plus$eq", element));
    }

    /** Where Spark would run a task for this partition, as its own coalescer asks: by cached blocks, then by the input's. */
    static Collection<String> preferredHosts(RDD<?> rdd, int partition) {
        Iterable<?> locations = (Iterable<?>) orFail(() -> invoke(rdd.context(), "getPreferredLocs", rdd, partition));
        Collection<String> found = new ArrayList<>();
        for (Iterator<?> all = locations.iterator(); all.hasNext();) {
            found.add(((TaskLocation) all.next()).host());
        }
        return found;
    }

    private interface Call {
        Object run() throws ReflectiveOperationException;
    }

    private static Object orFail(Call call) {
        try {
            return call.run();
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException("this Spark is of a line that the jar does not know: " + e, e);
        }
    }

    private static Object invokeStatic(String type, String name, Object... arguments) throws NoSuchMethodException {
        try {
            return execute(find(Class.forName(type), name, arguments), null, arguments);
        } catch (ClassNotFoundException | IllegalAccessException e) {
            throw new IllegalStateException("this Spark is of a line that the jar does not know: " + e, e);
        }
    }

    private static Object invoke(Object target, String name, Object... arguments)
            throws NoSuchMethodException, IllegalAccessException {
        return execute(find(target.getClass(), name, arguments), target, arguments);
    }

    private static Object execute(Method method, Object target, Object[] arguments) throws IllegalAccessException {
        try {
            return method.invoke(target, arguments);
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof Error) {
                throw (Error) e.getCause();
            }
            throw (RuntimeException) e.getCause();
        }
    }

    private static Method find(Class<?> type, String name, Object... arguments) throws NoSuchMethodException {
        for (Method method : type.getMethods()) {
            if (method.getName().equals(name) && accepts(method, arguments)) {
                return method;
            }
        }
        throw new NoSuchMethodException(type.getName() + "." + name);
    }

    private static boolean accepts(Method method, Object[] arguments) {
        Class<?>[] types = method.getParameterTypes();
        if (types.length != arguments.length) {
            return false;
        }
        for (int i = 0; i < types.length; i++) {
            if (!MethodType.methodType(types[i]).wrap().returnType().isInstance(arguments[i])) {
                return false;
            }
        }
        return true;
    }
}
