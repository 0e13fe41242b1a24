// SPDX-License-Identifier: Apache-2.0
//
// The rule of bench_rules_kafka, by Flink: count, sum and greatest value by key over ten seconds of
// event time, a row for each key when its ten seconds are over.
//
//     Load BROKERS IN OUT exactly_once|at_least_once keyed|shuffle STATE_DIR PARTITIONS
//
// One task slot in this JVM (the local MiniCluster), state on the heap, a checkpoint each 200 ms, at
// which the sink commits. `keyed` takes the topic as keyed already, as Kafka Streams does; `shuffle`
// is keyBy as it is usually written. Values are as cheap as can be: eight bytes in, 24 bytes out, no
// text. Makes the topics, says "ready" when it runs, and ends with its standard input.
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
import org.apache.flink.api.java.tuple.Tuple2;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.api.java.tuple.Tuple4;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.datastream.DataStream;
import org.apache.flink.streaming.api.datastream.DataStreamUtils;
import org.apache.flink.streaming.api.datastream.KeyedStream;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.windowing.WindowFunction;
import org.apache.flink.streaming.api.windowing.assigners.TumblingEventTimeWindows;
import org.apache.flink.streaming.api.windowing.windows.TimeWindow;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

public final class Load {
    private static final class Value implements KafkaRecordDeserializationSchema<Tuple2<String, Double>> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> r, Collector<Tuple2<String, Double>> to) {
            to.collect(Tuple2.of(new String(r.key(), StandardCharsets.UTF_8), ByteBuffer.wrap(r.value()).getDouble()));
        }

        @Override
        public TypeInformation<Tuple2<String, Double>> getProducedType() {
            return Types.TUPLE(Types.STRING, Types.DOUBLE);
        }
    }

    // Count, sum, greatest; changed in place, which a state on the heap allows.
    private static final class Sums
        implements AggregateFunction<Tuple2<String, Double>, Tuple3<Long, Double, Double>, Tuple3<Long, Double, Double>> {
        @Override
        public Tuple3<Long, Double, Double> createAccumulator() {
            return Tuple3.of(0L, 0.0, Double.NEGATIVE_INFINITY);
        }

        @Override
        public Tuple3<Long, Double, Double> add(Tuple2<String, Double> value, Tuple3<Long, Double, Double> sum) {
            return Tuple3.of(sum.f0 + 1, sum.f1 + value.f1, Math.max(sum.f2, value.f1));
        }

        @Override
        public Tuple3<Long, Double, Double> getResult(Tuple3<Long, Double, Double> sum) {
            return sum;
        }

        @Override
        public Tuple3<Long, Double, Double> merge(Tuple3<Long, Double, Double> a, Tuple3<Long, Double, Double> b) {
            return Tuple3.of(a.f0 + b.f0, a.f1 + b.f1, Math.max(a.f2, b.f2));
        }
    }

    private static final class Row
        implements WindowFunction<Tuple3<Long, Double, Double>, Tuple4<String, Long, Double, Double>, String, TimeWindow> {
        @Override
        public void apply(String key, TimeWindow window, Iterable<Tuple3<Long, Double, Double>> sums,
                          Collector<Tuple4<String, Long, Double, Double>> to) {
            for (Tuple3<Long, Double, Double> sum : sums) {
                to.collect(Tuple4.of(key, sum.f0, sum.f1, sum.f2));
            }
        }
    }

    private static final class Out implements KafkaRecordSerializationSchema<Tuple4<String, Long, Double, Double>> {
        private final String topic;

        Out(String topic) {
            this.topic = topic;
        }

        @Override
        public ProducerRecord<byte[], byte[]> serialize(Tuple4<String, Long, Double, Double> row, KafkaSinkContext context,
                                                        Long timestamp) {
            ByteBuffer is = ByteBuffer.allocate(24).putLong(row.f1).putDouble(row.f2).putDouble(row.f3);
            return new ProducerRecord<>(topic, row.f0.getBytes(StandardCharsets.UTF_8), is.array());
        }
    }

    private static Configuration settings(String[] args) {
        return Configuration.fromMap(Map.ofEntries(
            Map.entry("execution.checkpointing.interval", "200 ms"),
            Map.entry("execution.checkpointing.mode", args[3].toUpperCase()),
            Map.entry("execution.checkpointing.dir", "file://" + args[5]),
            Map.entry("state.backend.type", "hashmap"),
            Map.entry("pipeline.object-reuse", "true"),
            Map.entry("parallelism.default", "1"),
            Map.entry("taskmanager.numberOfTaskSlots", "1"),
            Map.entry("taskmanager.memory.network.min", "16mb"),
            Map.entry("taskmanager.memory.network.max", "16mb"),
            Map.entry("rest.bind-port", "0"),
            Map.entry("restart-strategy.type", "disable")));
    }

    public static void main(String[] args) throws Exception {
        try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", args[0]))) {
            int parts = Integer.parseInt(args[6]);
            admin.createTopics(List.of(new NewTopic(args[1], parts, (short) 1), new NewTopic(args[2], parts, (short) 1)))
                .all().get();
        }
        KafkaSource<Tuple2<String, Double>> source = KafkaSource.<Tuple2<String, Double>>builder()
            .setBootstrapServers(args[0])
            .setTopics(args[1])
            .setGroupId(args[1])
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setDeserializer(new Value())
            .build();
        KafkaSink<Tuple4<String, Long, Double, Double>> sink = KafkaSink.<Tuple4<String, Long, Double, Double>>builder()
            .setBootstrapServers(args[0])
            .setRecordSerializer(new Out(args[2]))
            .setDeliveryGuarantee(DeliveryGuarantee.valueOf(args[3].toUpperCase()))
            .setTransactionalIdPrefix(args[2])
            .setProperty("transaction.timeout.ms", "60000")
            .setProperty("compression.type", "lz4")
            .build();
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1, settings(args));
        DataStream<Tuple2<String, Double>> values = env.fromSource(
            source, WatermarkStrategy.forBoundedOutOfOrderness(Duration.ofSeconds(5)), "values");
        KeySelector<Tuple2<String, Double>, String> key = value -> value.f0;
        KeyedStream<Tuple2<String, Double>, String> keyed = args[4].equals("keyed")
            ? DataStreamUtils.reinterpretAsKeyedStream(values, key, Types.STRING)
            : values.keyBy(key, Types.STRING);
        keyed.window(TumblingEventTimeWindows.of(Duration.ofSeconds(10)))
            .aggregate(new Sums(), new Row(), Types.TUPLE(Types.LONG, Types.DOUBLE, Types.DOUBLE),
                       Types.TUPLE(Types.STRING, Types.LONG, Types.DOUBLE, Types.DOUBLE))
            .sinkTo(sink);
        JobClient job = env.executeAsync("load");
        job.getJobExecutionResult().whenComplete((result, why) -> {
            if (why != null) {
                why.printStackTrace();
                System.exit(1);
            }
        });
        while (job.getJobStatus().get() != JobStatus.RUNNING) {
            Thread.sleep(100);
        }
        System.out.println("ready");
        System.out.flush();
        while (System.in.read() >= 0) {
        }
        Runtime.getRuntime().halt(0);
    }
}
