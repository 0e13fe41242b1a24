// SPDX-License-Identifier: Apache-2.0
//
// The rule of bench_rules_kafka, by Flink: count, sum and greatest value by key over ten seconds of
// event time, a row for each key when its ten seconds are over.
//
//     Load BROKERS IN OUT exactly_once|at_least_once keyed|shuffle|batches STATE_DIR PARTITIONS [SCHEMA]
//
// One task slot in this JVM (the local MiniCluster), state on the heap, a checkpoint each 200 ms, at
// which the sink commits. `keyed` takes the topic as keyed already, as Kafka Streams does; `shuffle`
// is keyBy as it is usually written. Values are as cheap as can be: eight bytes in, 24 bytes out, no
// text. `batches` is keyed too, and reads the records that Kaiju reads, of the schema in the file
// SCHEMA: by Avro's own reader, which makes what the rule wants of them and passes over the rest.
// Makes the topics, says "ready" when it runs, and ends with its standard input.
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.util.Utf8;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.java.functions.KeySelector;
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
    // A key, its value, and when it was, in milliseconds.
    private static final TypeInformation<Tuple3<String, Double, Long>> VALUE =
        Types.TUPLE(Types.STRING, Types.DOUBLE, Types.LONG);

    private static final class Value implements KafkaRecordDeserializationSchema<Tuple3<String, Double, Long>> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> r, Collector<Tuple3<String, Double, Long>> to) {
            to.collect(Tuple3.of(new String(r.key(), StandardCharsets.UTF_8), ByteBuffer.wrap(r.value()).getDouble(),
                                 r.timestamp()));
        }

        @Override
        public TypeInformation<Tuple3<String, Double, Long>> getProducedType() {
            return VALUE;
        }
    }

    private static final class Batch implements KafkaRecordDeserializationSchema<Tuple3<String, Double, Long>> {
        private static final int HEADER = 10; // two bytes of mark, eight of the schema's fingerprint
        private static final Utf8 SERVICE = new Utf8("service.name"), NUMBER = new Utf8("value");
        private final String schema;
        private transient GenericDatumReader<GenericRecord> reader;
        private transient BinaryDecoder decoder;
        private transient GenericRecord batch;

        Batch(String schema) {
            this.schema = schema;
        }

        // Of the writer's fields those that are read: Avro leaves out the others.
        private static Schema wanted(Schema whole) {
            Schema event = whole.getField("events").schema().getElementType();
            Schema few = Schema.createRecord("Event", null, whole.getNamespace(), false, List.of(
                copy(event, "context"), copy(event, "ts"), copy(event, "payload")));
            return Schema.createRecord(whole.getName(), null, whole.getNamespace(), false, List.of(
                copy(whole, "contexts"), new Schema.Field("events", Schema.createArray(few))));
        }

        private static Schema.Field copy(Schema of, String name) {
            return new Schema.Field(name, of.getField(name).schema());
        }

        private GenericRecord read(byte[] bytes) {
            if (reader == null) {
                Schema whole = new Schema.Parser().parse(schema);
                reader = new GenericDatumReader<>(whole, wanted(whole));
            }
            decoder = DecoderFactory.get().binaryDecoder(bytes, HEADER, bytes.length - HEADER, decoder);
            try {
                batch = reader.read(batch, decoder);
            } catch (IOException why) {
                throw new UncheckedIOException(why);
            }
            return batch;
        }

        private static Object plain(Map<?, ?> of, Utf8 name) {
            return ((GenericRecord) of.get(name)).get(0);
        }

        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> r, Collector<Tuple3<String, Double, Long>> to) {
            GenericRecord read = read(r.value());
            GenericData.Array<?> contexts = (GenericData.Array<?>) read.get(0);
            String[] names = new String[contexts.size()];
            for (int i = 0; i < names.length; i++) {
                names[i] = plain((Map<?, ?>) contexts.get(i), SERVICE).toString();
            }
            for (Object o : (GenericData.Array<?>) read.get(1)) {
                GenericRecord event = (GenericRecord) o;
                to.collect(Tuple3.of(names[(Integer) event.get(0)], (Double) plain((Map<?, ?>) event.get(2), NUMBER),
                                     (Long) event.get(1) / 1_000_000));
            }
        }

        @Override
        public TypeInformation<Tuple3<String, Double, Long>> getProducedType() {
            return VALUE;
        }
    }

    // Count, sum, greatest; changed in place, which a state on the heap allows.
    private static final class Sums
        implements AggregateFunction<Tuple3<String, Double, Long>, Tuple3<Long, Double, Double>, Tuple3<Long, Double, Double>> {
        @Override
        public Tuple3<Long, Double, Double> createAccumulator() {
            return Tuple3.of(0L, 0.0, Double.NEGATIVE_INFINITY);
        }

        @Override
        public Tuple3<Long, Double, Double> add(Tuple3<String, Double, Long> value, Tuple3<Long, Double, Double> sum) {
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
        KafkaRecordDeserializationSchema<Tuple3<String, Double, Long>> form =
            args[4].equals("batches") ? new Batch(new Schema.Parser().parse(new File(args[7])).toString()) : new Value();
        KafkaSource<Tuple3<String, Double, Long>> source = KafkaSource.<Tuple3<String, Double, Long>>builder()
            .setBootstrapServers(args[0])
            .setTopics(args[1])
            .setGroupId(args[1])
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setDeserializer(form)
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
        WatermarkStrategy<Tuple3<String, Double, Long>> late =
            WatermarkStrategy.<Tuple3<String, Double, Long>>forBoundedOutOfOrderness(Duration.ofSeconds(5))
                .withTimestampAssigner((value, was) -> value.f2);
        DataStream<Tuple3<String, Double, Long>> values = env.fromSource(source, late, "values");
        KeySelector<Tuple3<String, Double, Long>, String> key = value -> value.f0;
        KeyedStream<Tuple3<String, Double, Long>, String> keyed = args[4].equals("shuffle")
            ? values.keyBy(key, Types.STRING)
            : DataStreamUtils.reinterpretAsKeyedStream(values, key, Types.STRING);
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
